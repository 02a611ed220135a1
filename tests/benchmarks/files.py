"""Every file of ../shared that has a right answer, read by the readers of all commands.

    python tests/benchmarks/files.py [--quick] [--json]

Each is right (the arrays, units, wavelengths and signal that its answer says), refused rightly (the
answer allows a refusal, and it names the place and a remedy), refused although it has an answer, or
wrong.  The answers stand in files_answers.py.  --quick is the same: it takes seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import files_crystals
from files_answers import ANSWERS, Answer

from materialsdock.errors import InputError
from materialsdock.formats import read_measured

SHARED = Path(__file__).resolve().parents[3] / "shared"
RIGHT, REFUSED_RIGHTLY, REFUSED, WRONG = "right", "refused rightly", "refused", "wrong"


def judged(answer: Answer, shared: Path) -> dict[str, Any]:
    """How one file is read, and why that is right or not."""
    path = shared / answer.file
    said: dict[str, Any] = {"file": answer.file, "asked": answer.asked.plain()}
    try:
        measured = read_measured(path, None, answer.asked)
    except InputError as fault:
        text = str(fault)
        named = path.name in fault.where or path.name in text
        fits = answer.refusal is not None and answer.refusal.lower() in text.lower()
        verdict = REFUSED_RIGHTLY if fits and named and fault.remedy else REFUSED
        return {**said, "verdict": verdict, "why": text}
    except Exception as error:  # noqa: BLE001 - a traceback is what a user would see
        return {**said, "verdict": WRONG, "why": f"{type(error).__name__}: {error}"}
    faults = answer.faults(measured, shared)
    return {**said, "verdict": WRONG if faults else RIGHT, "why": "; ".join(faults)}


def run(shared: Path = SHARED) -> dict[str, Any]:
    """All files: their verdicts, and the targets."""
    rows = [judged(each, shared) for each in ANSWERS if (shared / each.file).is_file()]
    rows += files_crystals.judged(shared)
    total = Counter(row["verdict"] for row in rows)
    have = total[RIGHT] + total[REFUSED] + total[WRONG]
    share = total[RIGHT] / have if have else float("nan")
    targets = [
        {"name": "wrong", "value": total[WRONG], "target": 0, "ok": total[WRONG] == 0},
        {
            "name": "right, of those that have an answer",
            "value": round(share, 4),
            "target": 0.95,
            "ok": share >= 0.95,
        },
    ]
    return {"results": {"count": dict(total), "files": rows}, "targets": targets}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not SHARED.is_dir():
        sys.exit(f"{SHARED} is not here: these files do not come with the project")
    found = run()
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for row in found["results"]["files"]:
        if row["verdict"] != RIGHT:
            print(f"{row['verdict']:<16} {row['file']}: {row['why'][:200]}")
    print(found["results"]["count"])
    for target in found["targets"]:
        print(f"{target['name']}: {target['value']} (target {target['target']})")


if __name__ == "__main__":
    main()

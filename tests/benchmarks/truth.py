"""What is printed against what is true, of every technique that has a part here.

    python tests/benchmarks/truth.py [--quick] [--json] [--only powder xas]

Uncertainties against errors, wrong answers accepted, right ones refused: truth_powder.py,
truth_xas.py, each with `results(quick)` and `targets(results)`.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
from types import ModuleType

PARTS = ("powder", "xas")


def part(name: str) -> ModuleType | None:
    """The module of a part; None where it is not there."""
    known = importlib.util.find_spec(f"truth_{name}")
    return importlib.import_module(f"truth_{name}") if known else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    given = parser.parse_args()
    parts = {name: module for name in given.only if (module := part(name)) is not None}
    found = {name: module.results(given.quick) for name, module in parts.items()}
    listed = [row for name, module in parts.items() for row in module.targets(found[name])]
    if given.json:
        print(json.dumps({"results": found, "targets": listed}, default=float))
        return
    for row in listed:
        print(f"{'ok ' if row['ok'] else 'MISSED'} {row['name']}: {row['value']} ({row['target']})")


if __name__ == "__main__":
    main()

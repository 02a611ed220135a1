"""Search-match on measured and simulated patterns, among thousands of structures.

    python tests/benchmarks/identification.py [--quick] --json

The store holds the CIFs of the shared data, textbook structures, and a library of isostructural
relatives (see identification_library).  Every pattern is identified twice: with the right
structures in the store, and with one of them taken out, where confidence would be wrong.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from identification_library import library, scaled
from identification_relatives import RIVALS, among_rivals, searches
from identification_targets import targets

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.places import SHARED
from support.structures import simulated

from materialsdock.formats import read_measured
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.phases.cif_files import StoreEntry
from materialsdock.techniques.xrd.phases.identify import Identification, identify
from materialsdock.techniques.xrd.phases.match import match
from materialsdock.techniques.xrd.phases.screen import observe, screen, tabulate
from materialsdock.techniques.xrd.phases.store import StructureStore
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6, YTTRIA, ZINCITE

SCALED = 400
SIZES = (1000, 10_000)
SIZES_QUICK = (1000,)
QUICK_RIVALS = ("autoanalyzer/MnO.xy.gz",)
TEXTBOOK = (CORUNDUM, ZINCITE, FLUORITE, LAB6, YTTRIA)
MANY = 10_000
EXAMPLES = Path(str(resources.files("rietx"))) / "data" / "examples"  # more decoys
WORKERS = 2
# file : (formula, space group number) of every phase of at least 5 wt%
MEASURED: Mapping[str, Sequence[tuple[str, int]]] = {
    "iucr_qpa/corundum.prn": (("Al2O3", 167),),
    "iucr_qpa/zincite.prn": (("OZn", 186),),
    "iucr_qpa/fluorite.prn": (("CaF2", 225),),
    "iucr_qpa/cpd-1e.prn": (("Al2O3", 167), ("OZn", 186), ("CaF2", 225)),
    "iucr_qpa/cpd-1g.prn": (("Al2O3", 167), ("OZn", 186), ("CaF2", 225)),
    "are_tio2/robot_1.csv.gz": (("O2Ti", 141), ("O2Ti", 136)),
    "are_tio2/robot_mix_80mg_2.csv.gz": (("O2Ti", 141), ("O2Ti", 136)),
    "are_tio2/robot_mix_03mg_1.csv.gz": (("O2Ti", 141), ("O2Ti", 136)),
    "autoanalyzer/MnO.xy.gz": (("MnO", 225),),
    "autoanalyzer/TiO2+MnO.xy.gz": (("MnO", 225), ("O2Ti", 141)),
    "gsas2_tutorials/PBSO4.XRA": (("O4PbS", 62),),
    "gsas2_tutorials/NIST660CBI.gsas": (("B6La", 221),),
    "bbo/data/Y2O3/Y2O3.csv": (("O3Y2", 206),),
    "bbo/data/DSMO/dsmo.csv": (("DyMn2O6Sr", 62),),
    "bbo/data/LiCoO2/Powder-data-Bruker/LiCoO2.dat": (("CoLiO2", 166),),
}
QUICK = (
    "iucr_qpa/zincite.prn",
    "iucr_qpa/cpd-1g.prn",
    "gsas2_tutorials/PBSO4.XRA",
    "autoanalyzer/TiO2+MnO.xy.gz",
)
QUICK_WITHOUT = ("iucr_qpa/fluorite.prn", "bbo/data/Y2O3/Y2O3.csv")
SIMULATED = (
    (
        (CORUNDUM, 0.90, ("Al2O3", 167)),
        (ZINCITE, 0.05, ("OZn", 186)),
        (FLUORITE, 0.05, ("CaF2", 225)),
    ),
    ((YTTRIA, 0.80, ("O3Y2", 206)), (CORUNDUM, 0.10, ("Al2O3", 167)), (LAB6, 0.10, ("B6La", 221))),
    ((ZINCITE, 0.95, ("OZn", 186)), (FLUORITE, 0.05, ("CaF2", 225))),
    (
        (LAB6, 0.85, ("B6La", 221)),
        (CORUNDUM, 0.05, ("Al2O3", 167)),
        (FLUORITE, 0.10, ("CaF2", 225)),
    ),
)


def read(path: Path) -> tuple[Pattern, Diffractometer]:
    """A measured pattern, with the radiation its file names."""
    m = read_measured(path, "xrd")
    lines = m.wavelengths_angstrom or Diffractometer().wavelengths_angstrom
    instrument = Diffractometer(wavelengths_angstrom=lines, weights=(1.0, 0.5)[: len(lines)])
    sigma = np.sqrt(np.maximum(m.y, 1.0)) if m.sigma is None else m.sigma
    return Pattern(m.x, m.y, sigma, np.ones(m.x.size)), instrument


def kind(entry: StoreEntry) -> tuple[str, int]:
    """Return what makes an answer right: formula and space group."""
    return entry.described.formula, entry.described.number


def fill(folder: Path) -> tuple[list[StoreEntry], dict[str, Any]]:
    """A store of everything, and how long that took."""
    cifs = folder / "cifs"
    cifs.mkdir()
    types = list(library())
    texts = [*types, *scaled(types, SCALED, seed=1), *((s.name, s.cif) for s in TEXTBOOK)]
    for name, text in texts:
        (cifs / f"{name}.cif").write_text(text)
    store = StructureStore(folder / "store", workers=WORKERS)
    began = time.perf_counter()
    done = store.add([cifs, EXAMPLES, *([SHARED / "xrd"] if SHARED.is_dir() else [])])
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    store.refresh()
    entries = store.entries(aliases=True)
    facts = {
        "cifs_added": len(done.added),
        "cifs_refused": list(done.refused),
        "entries": len(entries),
        "different_structures": len({e.family for e in entries}),
        "distractors_written": len(texts) - len(TEXTBOOK),
        "seconds_adding": round(seconds, 2),
        "ms_per_cif": round(1e3 * seconds / max(len(done.added), 1), 2),
        "seconds_loading": round(time.perf_counter() - began, 3),
    }
    return entries, facts


def ranks(found: Identification, truth: Iterable[tuple[str, int]]) -> dict[str, int | None]:
    """For each true phase its best rank in any round, counted from 1; None: never listed."""
    best: dict[str, int | None] = {}
    for formula, number in truth:
        places = [
            i
            for ranked in found.rounds
            for i, m in enumerate(ranked, 1)
            if kind(m.entry) == (formula, number)
        ]
        best[f"{formula} {number}"] = min(places, default=None)
    return best


def asked(
    pattern: Pattern,
    instrument: Diffractometer,
    entries: Sequence[StoreEntry],
    truth: Sequence[tuple[str, int]],
) -> dict[str, Any]:
    """Identify, and compare with the truth."""
    found = identify(pattern, instrument, entries, workers=WORKERS)
    print(f"{found.judgement.verdict}: {list(truth)}", file=sys.stderr, flush=True)
    best = found.hypothesis
    named = [] if best is None else [kind(m.entry) for m in best.phases]
    return {
        "truth": [f"{formula} {number}" for formula, number in truth],
        "found": [f"{formula} {number}" for formula, number in named],
        "names": [] if best is None else list(best.names),
        "all_found": set(truth) <= set(named),
        "exactly": set(truth) == set(named),
        "ranks": ranks(found, truth),
        "weight_percent": []
        if best is None
        else [round(p.weight_fraction, 2) for p in best.fit.phases],
        "verdict": found.judgement.verdict,
        "reasons": list(found.judgement.reasons),
        "rivals": [list(h.names) for h in found.rivals],
        "rwp": None if best is None else round(best.fit.rwp, 2),
        "refined": found.tried,
        "seconds_matching": round(found.seconds_matching, 3),
        "seconds_refining": round(found.seconds_refining, 2),
    }


def measured(entries: Sequence[StoreEntry], quick: bool) -> dict[str, Any]:
    """Every measured pattern with everything in the store."""
    files = [f for f in MEASURED if (SHARED / "xrd" / f).is_file() and (not quick or f in QUICK)]
    return {f: asked(*read(SHARED / "xrd" / f), entries, MEASURED[f]) for f in files}


def without(entries: Sequence[StoreEntry], quick: bool) -> dict[str, Any]:
    """Every measured pattern with its first phase taken out of the store."""
    wanted = QUICK_WITHOUT if quick else tuple(MEASURED)
    results = {}
    for f in (f for f in wanted if (SHARED / "xrd" / f).is_file()):
        left = [e for e in entries if kind(e) != MEASURED[f][0]]
        results[f] = asked(*read(SHARED / "xrd" / f), left, MEASURED[f])
    return results


def mixtures(entries: Sequence[StoreEntry], quick: bool) -> dict[str, Any]:
    """Simulated mixtures with phases of 5 and 10 wt%, by a forward model of the tests."""
    results = {}
    for mix in SIMULATED[:1] if quick else SIMULATED:
        for seed in (0,) if quick else (0, 1):
            pattern = simulated([(s, w) for s, w, _ in mix], seed=seed)
            name = "+".join(f"{s.name}_{100 * w:.0f}" for s, w, _ in mix) + f" seed {seed}"
            results[name] = asked(pattern, Diffractometer(), entries, [k for _, _, k in mix])
    return results


def rivals(entries: Sequence[StoreEntry], folder: Path, quick: bool) -> dict[str, Any]:
    """Measured single phases among isostructural rivals that the pattern hardly tells apart."""
    files = [f for f in RIVALS if (SHARED / "xrd" / f).is_file()]
    results = {}
    for f in files if not quick else [f for f in files if f in QUICK_RIVALS]:
        true = [e for e in entries if kind(e) == MEASURED[f][0]]
        pattern, instrument = read(SHARED / "xrd" / f)
        results[f] = among_rivals(pattern, instrument, true, f, folder, WORKERS)
    return results


def filtered(entries: Sequence[StoreEntry], quick: bool) -> dict[str, Any]:
    """First candidate when only the elements of the sample are allowed, nothing refined."""
    results = {}
    for f in (f for f in MEASURED if (SHARED / "xrd" / f).is_file() and (not quick or f in QUICK)):
        true = [e.described.elements for e in entries if kind(e) in MEASURED[f]]
        allowed = {element for elements in true for element in elements}
        left = [e for e in entries if allowed.issuperset(e.described.elements)]
        first = identify(*read(SHARED / "xrd" / f), left, refine=False).rounds[0][0].entry
        results[f] = {
            "entries": len(left),
            "first": first.name,
            "right": kind(first) in MEASURED[f],
        }
    return results


def speed(entries: Sequence[StoreEntry]) -> dict[str, float | int]:
    """Seconds of one search without refinement, over all entries and over MANY (repeated)."""
    pattern = simulated([(CORUNDUM, 0.6), (ZINCITE, 0.4)])
    observed = observe(pattern, Diffractometer())
    copies = -(-MANY // len(entries))
    many = [
        replace(e, entry_id=f"{e.entry_id}{k}", same_as=None)
        for k in range(copies)
        for e in entries
    ][:MANY]

    def median(function: Any, *words: Any) -> float:
        seconds = []
        for _ in range(3):
            began = time.perf_counter()
            function(*words)
            seconds.append(time.perf_counter() - began)
        return round(statistics.median(seconds), 3)

    def screened(chosen: Sequence[StoreEntry]) -> None:
        screen(tabulate(chosen, observed), observed, observed.net)

    return {
        "entries": len(entries),
        "seconds_screen": median(screened, entries),
        "seconds_match": median(match, entries, observed),
        "entries_many": len(many),
        "seconds_screen_many": median(screened, many),
        "seconds_match_many": median(match, many, observed),
    }


def main() -> None:
    """Run, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    quick = parser.parse_args().quick
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        entries, facts = fill(Path(folder))
        pattern = simulated([(CORUNDUM, 0.6), (ZINCITE, 0.4)])
        results = {
            "store": facts,
            "speed": speed(entries),
            "searches": searches(Path(folder), pattern, SIZES_QUICK if quick else SIZES, WORKERS),
            "element_filter": filtered(entries, quick),
            "isostructural_rivals": rivals(entries, Path(folder), quick),
            "measured": measured(entries, quick),
            "without_the_first_phase": without(entries, quick),
            "simulated": mixtures(entries, quick),
        }
    results["seconds"] = round(time.perf_counter() - began)
    print(json.dumps({"results": results, "targets": targets(results)}, indent=1))


if __name__ == "__main__":
    main()

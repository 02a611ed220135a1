"""Isostructural rivals of measured structures, and searches in stores of a thousand and more.

A rival has the atoms of the true structure, one element replaced by a neighbour of the periodic
table or by one of its group, in the cell that the pattern itself asks for but for a per mille; or
it is a solid solution of a tenth.  X-rays tell most of them apart poorly, so the right answer is
"ambiguous" with the true structure among those named, and never more phases than there are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
from identification_library import library, scaled

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.techniques.xrd.commands.structure_store import Query, search
from materialsdock.techniques.xrd.crystals.plain import plain_cif
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.phases import cif_files
from materialsdock.techniques.xrd.phases.cif_files import StoreEntry
from materialsdock.techniques.xrd.phases.identify import identify
from materialsdock.techniques.xrd.phases.match import match
from materialsdock.techniques.xrd.phases.screen import observe
from materialsdock.techniques.xrd.phases.store import StructureStore

# the element replaced, by what
RIVALS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "iucr_qpa/corundum.prn": ("Al", ("Si", "Ga", "Cr", "Fe")),
    "iucr_qpa/zincite.prn": ("Zn", ("Cu", "Ga", "Co", "Mg")),
    "iucr_qpa/fluorite.prn": ("Ca", ("Sc", "Ti", "Cd", "Sr")),
    "autoanalyzer/MnO.xy.gz": ("Mn", ("Fe", "Co", "Ca", "Cd")),
    "gsas2_tutorials/PBSO4.XRA": ("Pb", ("Bi", "Tl", "Ba", "Sr")),
    "gsas2_tutorials/NIST660CBI.gsas": ("La", ("Ce", "Pr", "Nd", "Y")),
    "bbo/data/Y2O3/Y2O3.csv": ("Y", ("Zr", "Sr", "Ho", "In")),
    "bbo/data/LiCoO2/Powder-data-Bruker/LiCoO2.dat": ("Co", ("Ni", "Fe", "Mn", "Rh")),
}
CHANGES = (0.0005, -0.0005, 0.001, -0.002)
SOLUTION = 0.1


def rivals_of(true: StoreEntry, file: str, strain: float, folder: Path) -> list[StoreEntry]:
    """Entries of the rivals; strain : of the true structure in this pattern."""
    old, others = RIVALS[file]
    texts = [
        (f"{true.name}_{new}", replaced(true.cif, old, new, 1.0, strain + change))
        for new, change in zip(others, CHANGES, strict=True)
    ]
    mixed = replaced(true.cif, old, others[0], SOLUTION, 0.0)
    found: list[StoreEntry] = []
    for name, text in [*texts, (f"{true.name}_{others[0]}_solution", mixed)]:
        path = folder / f"{name}.cif"
        path.write_text(text)
        found += cif_files.read_file(str(path), path.name).entries
    return found


def replaced(cif: str, old: str, new: str, share: float, strain: float) -> str:
    """The CIF with a share of the atoms `old` replaced by `new`."""
    crystal = gemmi.make_small_structure_from_block(gemmi.cif.read_string(cif).sole_block())
    given = [site.clone() for site in crystal.sites]
    crystal.sites.clear()
    for site in given:
        for element, part in ((old, 1 - share), (new, share)):
            if site.element.name == old and part > 0:
                other = site.clone()
                other.element, other.occ = gemmi.Element(element), site.occ * part
                crystal.add_site(other)
        if site.element.name != old:
            crystal.add_site(site)
    return plain_cif(crystal, "rival", strain)


def among_rivals(
    pattern: Pattern,
    instrument: Diffractometer,
    true: Sequence[StoreEntry],
    file: str,
    folder: Path,
    workers: int,
) -> dict[str, Any]:
    """The verdict with the true entries and their rivals in the store."""
    own = match(true, observe(pattern, instrument))[0]
    rivals = rivals_of(own.entry, file, own.strain, folder)
    families = {e.family for e in true}
    found = identify(pattern, instrument, [*true, *rivals], workers=workers)
    best = found.hypothesis
    sets = [] if best is None else [best, *found.rivals]
    return {
        "verdict": found.judgement.verdict,
        "found": [] if best is None else list(best.names),
        "rivals": [list(h.names) for h in found.rivals],
        "true_is_named": any(m.entry.family in families for h in sets for m in h.phases),
        "true_is_best": best is not None and best.phases[0].entry.family in families,
    }


def grown(count: int) -> Iterator[tuple[str, str]]:
    """(name, text) of `count` CIFs: the library, then its cells scaled."""
    types = list(library())[:count]
    yield from types
    yield from scaled(types, count - len(types), seed=2)


def searches(folder: Path, pattern: Pattern, counts: Sequence[int], workers: int) -> dict[str, Any]:
    """Seconds of adding, of loading and of a whole `store search` without refinement."""
    file = folder / "pattern.xy"
    np.savetxt(file, np.c_[pattern.two_theta, pattern.intensity], fmt="%.4f")
    results = {}
    for count in counts:
        cifs = folder / f"cifs{count}"
        cifs.mkdir()
        for name, text in grown(count):
            (cifs / f"{name}.cif").write_text(text)
        store = StructureStore(folder / f"store{count}", workers=workers)
        marks = [time.perf_counter()]
        added = store.add([cifs])
        marks.append(time.perf_counter())
        said = search(Query(file, refine=False), store.folder)
        marks.append(time.perf_counter())
        filtered = search(Query(file, refine=False, elements="Al,O,Zn"), store.folder)
        marks.append(time.perf_counter())
        seconds = np.diff(marks)
        results[str(count)] = {
            "entries": said["compared"],
            "refused": len(added.refused),
            "seconds_adding": round(float(seconds[0]), 1),
            "seconds_search": round(float(seconds[1]), 2),
            "seconds_search_filtered": round(float(seconds[2]), 2),
            "entries_filtered": filtered["compared"],
            "first": said["candidates"][0][0]["formula"],
        }
    return results

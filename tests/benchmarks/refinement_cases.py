"""Patterns and structures of the refinement benchmark, and refinements without worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from support.places import SHARED

from materialsdock.formats import read_measured
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.search.search import SearchResult, cut, search
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, LAB6, YTTRIA, ZINCITE

CU = Diffractometer()
XRD = SHARED / "xrd"
BBO = "bbo/data"


class Inline:
    """Runs trials here, one after the other (satisfies refinement.executor.TrialExecutor)."""

    workers = 1

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(
        self, function, arguments, *, ahead=0, time_limit_s=None
    ) -> Iterator[tuple[int, object]]:
        with ThreadPoolExecutor(1) as one:
            for number, given in enumerate(arguments):
                future = one.submit(function, *given)
                error = future.exception()
                yield number, future.result() if error is None else error


def there() -> bool:
    """Are the measured patterns beside the checkout?"""
    return XRD.is_dir()


def measured(name: str, low: float = 0.0, high: float = 180.0) -> Pattern:
    """A measured pattern of counts, with their own statistics."""
    found = read_measured(XRD / name, "xrd")
    sigma = np.sqrt(np.maximum(found.y, 1.0)) if found.sigma is None else found.sigma
    return cut(Pattern(found.x, found.y, sigma, np.ones(found.x.size)), low, high)


def structure(name: str, path: str, axis: tuple[int, int, int] | None = None) -> Structure:
    """A structure of a CIF beside the data."""
    return Structure(name, (XRD / path).read_text(), axis)


def yttria() -> tuple[Pattern, tuple[Structure, ...]]:
    return measured(f"{BBO}/Y2O3/Y2O3.csv", 15.0, 150.0), (YTTRIA,)


def manganite() -> tuple[Pattern, tuple[Structure, ...]]:
    pattern = measured(f"{BBO}/DSMO/dsmo.csv", 15.0, 100.0)
    return pattern, (structure("DSMO", f"{BBO}/DSMO/dsmo.cif"),)


def cobaltate(
    axis: tuple[int, int, int] | None = (0, 0, 1),
) -> tuple[Pattern, tuple[Structure, ...]]:
    pattern = measured(f"{BBO}/LiCoO2/Powder-data-Bruker/LiCoO2.dat")
    return pattern, (structure("LiCoO2", f"{BBO}/LiCoO2/COD/4505482.cif", axis),)


def hexaboride() -> tuple[Pattern, tuple[Structure, ...]]:
    return measured("gsas2_tutorials/NIST660CBI.gsas"), (LAB6,)


def sulphate() -> tuple[Pattern, tuple[Structure, ...]]:
    pattern = measured("gsas2_tutorials/PBSO4.XRA")
    return pattern, (structure("PbSO4", "gsas2_tutorials/PbSO4-Wyckoff.cif"),)


def mixture(name: str) -> tuple[Pattern, tuple[Structure, ...]]:
    return measured(f"iucr_qpa/{name}.prn"), (CORUNDUM, ZINCITE, FLUORITE)


def oxides() -> tuple[Pattern, tuple[Structure, ...]]:
    names = {"anatase": "TiO2_141", "MnO": "MnO_225"}
    folder = "autoanalyzer"
    phases = [structure(name, f"{folder}/ref_{file}.cif") for name, file in names.items()]
    return measured(f"{folder}/TiO2+MnO.xy.gz"), tuple(phases)


def titania(name: str) -> tuple[Pattern, tuple[Structure, ...]]:
    phases = [structure(n.lower(), f"are_tio2/{n}.cif") for n in ("Anatase", "Rutile")]
    return measured(f"are_tio2/{name}.csv.gz"), tuple(phases)


class Dice:
    """A trial that draws at random (satisfies refinement.recipe.TrialLike)."""

    def __init__(self, seed: tuple[int, ...]) -> None:
        self.random = np.random.default_rng(seed)

    def suggest_categorical(self, name, choices):
        return choices[self.random.integers(len(choices))]

    def suggest_float(self, name, low, high):
        return self.random.uniform(low, high)

    def suggest_int(self, name, low, high):
        return int(self.random.integers(low, high + 1))


def found(
    pattern: Pattern, structures: tuple[Structure, ...], trials: int, *, hold_out: bool
) -> SearchResult:
    """A short search in this process."""
    return search(
        pattern, structures, CU, trials=trials, hold_out=hold_out, executor=Inline(), workers=1
    )

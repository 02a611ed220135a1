"""`materialsdock prior learn`: measured standards of one edge into a library prior."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from materialsdock.errors import InputError
from materialsdock.formats.options import FileOptions
from materialsdock.learning.prior.library import LibraryPrior
from materialsdock.profile import siteroot
from materialsdock.profile.config import load
from materialsdock.techniques.xas.section import PRIOR_ENDING
from materialsdock.techniques.xas.spectrum.edge_table import named
from materialsdock.techniques.xas.spectrum.grids import prior_grid
from materialsdock.techniques.xas.standards import read_standards


def learn_prior(
    files: Sequence[Path], file: FileOptions, out: Path | None, profile: str | None = None
) -> dict[str, Any]:
    """Learn from `files`, write the prior, and say what was learned.

    file : the edge of all of them, and how they are read
    out : file to write; default Fe-K.prior.npz, in the folder priors/ of `profile`, else here

    Raises InputError without an edge, and for every file that is no such standard, all in one
    sentence.
    """
    if not file.edge:
        raise InputError(
            "no edge is named",
            where="prior learn",
            remedy="name that of the standards: --edge Fe-K",
        )
    from materialsdock.learning.prior import learning  # imports torch, which takes seconds

    edge = named(file.edge)
    _place(profile)
    standards = read_standards(files, edge, "prior learn", file)
    learned = learning.learn(standards, edge.name, prior_grid)
    path = out or _place(profile) / (edge.name.replace(" ", "-") + PRIOR_ENDING)
    path.parent.mkdir(parents=True, exist_ok=True)
    learned.save(path)
    return summary(learned, path)


def _place(profile: str | None) -> Path:
    """Return the folder where a profile looks for its priors; without a profile, this one."""
    if profile is None:
        return Path()
    site = siteroot.find()
    load(profile, site)  # refuses a profile that is none
    return site / "profiles" / profile / "priors"


def summary(learned: LibraryPrior, path: Path) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {
        "prior": str(path),
        "edge": learned.edge,
        "standards": list(learned.sources),
        "different": int(learned.edges_ev.size),
        "edges_ev": [round(float(e0), 2) for e0 in learned.edges_ev],
        "range_ev": [round(float(end), 1) for end in learned.energy_ev[[0, -1]]],
        "learned": {name: round(value, 4) for name, value in learned.learned.items()},
    }


def overview(said: dict[str, Any]) -> str:
    """Sum up in a line or two what a person wants to read first."""
    lo, hi = said["range_ev"]
    return (
        f"{said['prior']}: {said['edge']}, {said['different']} different standards in "
        f"{len(said['standards'])} files, from {lo:+g} to {hi:+g} eV of the edge"
    )

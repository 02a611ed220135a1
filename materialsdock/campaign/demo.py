"""What the demonstration measures: a real lab pattern from rietx's wheel, or a simulated edge."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from materialsdock.campaign.prepare import job_for, read_structure, scene
from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.model import Measured, Sample, Structure
from materialsdock.profile.config import Profile
from materialsdock.profile.simulation import save_scene
from materialsdock.techniques.xas.simulate import simulate_xanes

E0_EV = 7112.0


def examples() -> Path:
    """The folder of measured patterns inside the installed rietx package."""
    spec = importlib.util.find_spec("rietx")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("rietx is not installed", remedy="pip install materialsdock")
    return Path(spec.submodule_search_locations[0]) / "data" / "examples"


def fluorapatite() -> tuple[Measured, Structure]:
    """Fluorapatite, Cu Kα lab data (5751 steps), and its structure."""
    folder = examples()
    return read_measured(folder / "FAP.XRA", "xrd"), read_structure(folder / "fluorapatite.cif")


def iron_edge() -> Measured:
    """A simulated Fe K edge, 401 energies as an expert would scan them."""
    energy = np.unique(
        np.concatenate(
            [
                np.arange(E0_EV - 60, E0_EV - 15, 3.0),
                np.arange(E0_EV - 15, E0_EV + 40, 0.25),
                np.arange(E0_EV + 40, E0_EV + 180, 0.85),
            ]
        )
    )
    return Measured(
        technique="xas", x=energy, y=simulate_xanes(energy, e0_ev=E0_EV), kind="simulated"
    )


def sample(technique: str) -> tuple[Measured, Sample]:
    """What to replay and what is known of it."""
    if technique == "xas":
        return iron_edge(), Sample("Fe K edge (simulated)", "xas", position=1)
    measured, structure = fluorapatite()
    return measured, Sample("fluorapatite", "xrd", structures=(structure,))


@contextmanager
def scenes(profile: Profile) -> Iterator[Mapping[int, Path]]:
    """Scene files of both samples by their position in the changer, while the context lasts."""
    with tempfile.TemporaryDirectory(prefix="materialsdock-") as folder:
        files = {}
        techniques: tuple[str, ...] = ("xrd", "xas")
        for technique in techniques:
            measured, known = sample(technique)
            path = Path(folder) / f"{technique}.npz"
            job = job_for(measured, known, profile)
            save_scene(path, technique=technique, **scene(measured, job, profile))
            files[known.position] = path
        yield files

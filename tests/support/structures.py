"""Patterns simulated from structures, and an engine that only pretends to refine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import gemmi
import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure
from materialsdock.techniques.xrd.model import Fit
from materialsdock.testing.crystals import LAB6


def lab6_files(folder: Path) -> Path:
    """The folder, with the simulated pattern LaB6.xy and its structure LaB6.cif."""
    pattern = simulated(((LAB6, 1.0),))
    np.savetxt(folder / "LaB6.xy", np.c_[pattern.two_theta, pattern.intensity], fmt="%.3f")
    (folder / "LaB6.cif").write_text(LAB6.cif)
    return folder


def simulated(
    mixture: Sequence[tuple[Structure, float]], *, seed: int = 0, counts: float = 4e3
) -> Pattern:
    """A kinematic Cu Kα pattern of a mixture (structure, weight), from gemmi alone.

    Weight W = S·(ZM)·V, so a phase scatters S·m·|F|²·LP with S = W/(ZM·V); pseudo-Voigt lines,
    a falling background, counting noise; the highest point has about `counts`.
    """
    two_theta = np.arange(15.0, 110.0, 0.03)
    y = np.zeros(two_theta.size)
    for structure, weight in mixture:
        crystal = gemmi.make_small_structure_from_block(gemmi.cif.read_string(structure.cif)[0])
        mass = sum(s.element.weight for s in crystal.get_all_unit_cell_sites())
        scale = weight / (mass * crystal.cell.volume)
        for angle, area in _lines(crystal, two_theta[-1]):
            z = ((two_theta - angle) / 0.06) ** 2
            y += scale * area * (0.5 / (1 + z) + 0.5 * np.exp(-np.log(2) * z))
    rate = counts * y / y.max() + 60 + 40 * np.exp(-two_theta / 30)
    drawn = np.random.default_rng(seed).poisson(rate).astype(float)
    return Pattern(two_theta, drawn, np.sqrt(np.maximum(drawn, 1)), np.ones(two_theta.size))


def _lines(crystal: gemmi.SmallStructure, highest: float) -> Iterator[tuple[float, float]]:
    crystal.change_occupancies_to_crystallographic()
    factors = gemmi.StructureFactorCalculatorX(crystal.cell)
    factors.addends.add_cl_fprime(gemmi.hc / 1.5406)
    shortest = 1.540593 / (2 * np.sin(np.radians(highest + 1) / 2))
    group = crystal.spacegroup.operations()
    for h in gemmi.make_miller_array(crystal.cell, crystal.spacegroup, shortest):
        if group.is_systematically_absent(list(h)):
            continue
        f2 = abs(factors.calculate_sf_from_small_structure(crystal, list(h))) ** 2
        images = [op.apply_to_hkl(list(h)) for op in group.sym_ops]
        multiplicity = len({tuple(sign * i for i in k) for k in images for sign in (1, -1)})
        for wavelength, share in ((1.540593, 1.0), (1.544427, 0.5)):
            theta = np.arcsin(wavelength / (2 * crystal.cell.calculate_d(list(h))))
            lp = (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
            yield float(np.degrees(2 * theta)), share * multiplicity * f2 * lp


class Pretender:
    """An engine whose Rwp is a formula of the recipe, and which fails where it is asked to."""

    name = "pretender"

    def __init__(self, **faults):
        self.faults = faults

    def refine(self, pattern, structures, diffractometer, recipe):
        fault = self.faults.get(recipe["background"])
        if fault == "hang":
            time.sleep(60)
        elif fault == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif fault == "hog":
            bytearray(2**40)
        elif fault:
            raise fault
        rwp = 5 + 0.1 * abs(recipe["background_terms"] - 12) + (recipe["order"] != "widths_first")
        odd = ("O.biso = 0",) if recipe["displacements"] == "per_site" else ()
        empty = np.zeros(pattern.two_theta.size)
        return Fit(
            rwp - 2 * len(odd),
            4.0,
            rwp / 4,
            empty.size,
            20,
            (),
            (),
            empty,
            empty,
            {},
            recipe,
            self.name,
            0.1,
            (),
            odd,
        )

"""Patterns of powders that are oriented, calculated by gemmi alone."""

from __future__ import annotations

import gemmi
import numpy as np

from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Structure


def textured(
    structure: Structure, axis: tuple[int, int, int], r: float, *, seed: int, counts: float = 1e4
) -> Pattern:
    """A kinematic pattern of a powder oriented along `axis`, March parameter r, from gemmi alone.

    P = ⟨(r² cos²α + sin²α / r)^(−3/2)⟩ over the reflections of one d (Dollase 1986).
    """
    crystal = gemmi.make_small_structure_from_block(gemmi.cif.read_string(structure.cif)[0])
    crystal.change_occupancies_to_crystallographic()
    factors = gemmi.StructureFactorCalculatorX(crystal.cell)
    factors.addends.add_cl_fprime(gemmi.hc / 1.5406)
    group = crystal.spacegroup.operations()
    to_reciprocal = np.array(crystal.cell.frac.mat.tolist()).T
    x = np.arange(18.0, 95.0, 0.03)
    y = np.zeros(x.size)
    for h in gemmi.make_miller_array(crystal.cell, crystal.spacegroup, 1.05):
        if group.is_systematically_absent(list(h)):
            continue
        images = {
            tuple(s * i for i in op.apply_to_hkl(list(h))) for op in group.sym_ops for s in (1, -1)
        }
        normals = np.array([*images, axis]) @ to_reciprocal.T
        normals /= np.linalg.norm(normals, axis=1)[:, None]
        cos2 = (normals[:-1] @ normals[-1]) ** 2
        march = float(np.mean((r**2 * cos2 + (1 - cos2) / r) ** -1.5))
        f2 = abs(factors.calculate_sf_from_small_structure(crystal, list(h))) ** 2
        for wavelength, share in ((1.540593, 1.0), (1.544427, 0.5)):
            theta = np.arcsin(wavelength / (2 * crystal.cell.calculate_d(list(h))))
            lp = (1 + np.cos(2 * theta) ** 2) / (np.sin(theta) ** 2 * np.cos(theta))
            z = ((x - np.degrees(2 * theta)) / 0.06) ** 2
            shape = 0.5 / (1 + z) + 0.5 * np.exp(-np.log(2) * z)
            y += share * len(images) * march * f2 * lp * shape
    rate = counts * y / y.max() + 60 + 40 * np.exp(-x / 30)
    drawn = np.random.default_rng(seed).poisson(rate).astype(float)
    return Pattern(x, drawn, np.sqrt(np.maximum(drawn, 1)), np.ones(x.size))

"""Made absorption data with known answers: a FEFF file, EXAFS of it, oxides, dichroism."""

from __future__ import annotations

import numpy as np

from materialsdock.techniques.xas.dichroism.background import Background
from materialsdock.techniques.xas.exafs.background import wavenumber
from materialsdock.techniques.xas.exafs.feff import ScatteringPath, parse_path
from materialsdock.techniques.xas.mixture.combination import XasCurve
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

E0 = 7112.0
REFF, DEGENERACY = 2.1, 6.0


def feff_text(reff=REFF, degeneracy=DEGENERACY):
    """The lines of a feffNNNN.dat file of a light scatterer."""
    k = np.linspace(0.0, 20.0, 61)
    columns = [
        k,
        3.0 - 0.45 * k,
        0.65 * k / (1 + k) * np.exp(-((k / 9.0) ** 2)),
        -3.0 - 1.1 * np.sqrt(k),
        np.full_like(k, 1.02),
        4.0 + k,
        np.sqrt(k**2 + 4.0),
    ]
    rows = [" ".join(f"{value:.4E}" for value in row) for row in zip(*columns, strict=True)]
    return [
        " made path                                           Feff  6.01a  potph 4.12",
        " Abs   Z=26 Rmt= 1.197 Rnm= 1.402 K shell",
        " Pot 1 Z= 8 Rmt= 0.937 Rnm= 1.103",
        " Gam_ch=1.325E+00 H-L exch",
        " Mu=-4.210E+00 kf=2.067E+00 Vint=-2.048E+01 Rs_int= 1.755",
        " Path    1      icalc       2                            Feff  6.01a genfmt 1.44",
        " " + 79 * "-",
        f"   2   {degeneracy:.3f}   {reff:.4f}    2.4356   -4.21002 nleg, deg, reff, rnrmav, edge",
        "        x         y         z   pot at#",
        "     0.0000    0.0000    0.0000  0  26 Fe       absorbing atom",
        f"     0.0000    {reff:.4f}    0.0000  1   8 O",
        "    k   real[2*phc]   mag[feff]  phase[feff] red factor   lambda      real[p]@#",
        *rows,
    ]


def made_path(**changes) -> ScatteringPath:
    return parse_path(feff_text(**changes), "feff0001.dat")


def exafs(truth, *, noise=0.0, seed=0, path=None, length=1000.0, step=1.3):
    """Energies and µ of an arctan edge with the EXAFS of one path behind it."""
    energy = np.concatenate(
        [np.arange(-180.0, -30.0, 5.0), np.arange(-30.0, 40.0, 0.5), np.arange(40.0, length, 2.0)]
    )
    energy = energy + E0
    k = wavenumber(energy, E0)
    path = made_path() if path is None else path
    chi = np.where(k > 0.5, path.chi(np.maximum(k, 0.5), **truth), 0.0)
    fade = 1 - np.exp(-((k / 2.2) ** 4))
    smooth = 1.0 - 0.12 * (k / 16) ** 2
    edge = 0.5 + np.arctan((energy - E0) / 1.0) / np.pi
    mu = 0.4 - 1e-4 * (energy - E0) + step * edge * (smooth + fade * chi)
    return energy, mu + noise * np.random.default_rng(seed).standard_normal(energy.size)


def oxides(step=0.8):
    """Three different made standards."""
    energy = np.arange(6950.0, 7700.0, step)
    changes = {
        "low": {"e0_ev": 7110.0, "white_line": 0.35, "pre_edge_peak": 0.02},
        "middle": {"e0_ev": 7112.0, "white_line": 0.6, "distance_angstrom": 2.05},
        "high": {"e0_ev": 7115.0, "white_line": 0.8, "distance_angstrom": 1.92},
    }
    return [
        XasCurve(name, energy, 1.7 * simulate_xanes(energy, **kw)) for name, kw in changes.items()
    ]


def mixture(standards, fractions, *, noise=0.0, seed=0, shift=0.0):
    """Their mixture on a line and another scale."""
    energy = standards[0].energy_ev
    mu = sum(f * s.mu for f, s in zip(fractions, standards, strict=True))
    mu = 0.6 * mu + 0.1 - 5e-5 * (energy - E0)
    mu = mu + noise * np.random.default_rng(seed).standard_normal(energy.size)
    return XasCurve("mixture", energy + shift, mu, np.full(energy.size, noise) if noise else None)


def dichroism(m_orb, m_spin, holes, *, noise=0.0, seed=0, points=500, area=30.0):
    """Energies, µ⁺ and µ⁻ at L3 and L2 whose sum rules give these moments."""
    energy = np.linspace(685.0, 765.0, points)
    steps = Background((685.0, 700.0), (735.0, 765.0), 706.8, 719.9, 714.0).steps(energy)

    def line(centre, width):
        return np.exp(-0.5 * ((energy - centre) / width) ** 2) / (width * np.sqrt(2 * np.pi))

    q = -m_orb * area / (4 / 3 * holes)
    p = (4 * q - m_spin * area / holes) / 6
    difference = p * line(706.8, 1.2) + (q - p) * line(719.9, 1.2)
    total = 2 * steps + area * (0.7 * line(706.8, 1.3) + 0.3 * line(719.9, 1.3))
    base = 1.5 - 1e-3 * (energy - 700.0)
    rng = np.random.default_rng(seed)
    noises = noise * rng.standard_normal((2, points))
    return (
        energy,
        base + 0.2 * (total + difference) + noises[0],
        base + 0.2 * (total - difference) + noises[1],
    )

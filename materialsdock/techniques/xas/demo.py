"""The sample of the demonstration: a simulated edge."""

from __future__ import annotations

import numpy as np

from materialsdock.model import Measured, Sample
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

E0_EV = 7112.0


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


def sample() -> tuple[Measured, Sample]:
    """The edge, at the second place of the changer."""
    return iron_edge(), Sample("Fe K edge (simulated)", "xas", position=1)

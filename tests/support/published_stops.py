"""The stop sizes published with the paper, and the acquisition that they are of."""

from __future__ import annotations

import numpy as np
from support.places import SHARED

from materialsdock.learning.gp.cholesky import GridPosterior
from materialsdock.learning.gp.kernels import Kernel

FOLDER = SHARED / "xas" / "stopping"
THRESHOLDS = (0.1, 0.05, 0.025)
# stop sizes, the 10 initial points included, and whose hyperparameters were used
PUBLISHED = {
    "Ni2+": ((94, 116, 178), "Ni2+"),
    "Co2+": ((87, 108, 139), "Co2+"),
    "Mn2+": ((88, 108, 120), "Mn2+"),
    "MnO2_1": ((76, 84, 96), "Ni_3_exp"),
    "MnO2_4": ((49, 52, 58), "Ni_4_exp"),
    "MnO2_7": ((46, 51, 67), "Ni_6_exp"),
    "Co_2": ((75, 86, 95), "Ni_3_exp"),
    "Co_3": ((45, 51, 52), "Ni_4_exp"),
    "Co_5": ((41, 44, 63), "Ni_6_exp"),
    "Ni_3": ((69, 75, 83), "Ni_3_exp"),
}
INITIAL, POOL, BUDGET, WARMUP = 10, 900, 200, 10


def load(name):
    """Energy and signal: simulated columns 0 and 1, or measured Energy and Ch3 / Ch2."""
    simulated = FOLDER / "simulation" / f"{name}.xy"
    if simulated.is_file():
        return np.loadtxt(simulated, usecols=(0, 1), unpack=True)
    rows = (FOLDER / "experiment" / name).read_text().splitlines()
    first = next(i for i, row in enumerate(rows) if row.startswith("Target")) + 1
    table = np.array([[float(w) for w in row.split(",")] for row in rows[first:] if row.strip()])
    return table[:, 1], table[:, 6] / table[:, 5]


def measure(energy, y, initial, theta):
    """The innovations of the paper's adaptive acquisition over the pool."""
    variance, lengthscale, noise = theta
    posterior = GridPosterior(energy, Kernel(lengthscale, variance, "rbf"))
    free = np.ones(energy.size, dtype=bool)

    def count(index):
        free[index] = False
        posterior.update(index, y[index], noise)

    for index in initial:
        count(index)
    for step in range(BUDGET):
        sd, mean = np.sqrt(posterior.variance[free] + noise), posterior.mean[free]
        exploit = np.sqrt(np.abs(mean / np.abs(mean).max()))
        score = sd / sd.max() + exploit / (step + 1)
        count(np.flatnonzero(free)[int(score.argmax())])
    return posterior.innovations

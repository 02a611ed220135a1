"""The stop sizes published with the paper, from the authors' data and hyperparameters."""

from __future__ import annotations

import random

import numpy as np
import pytest
from support.published_stops import (
    FOLDER,
    INITIAL,
    POOL,
    PUBLISHED,
    THRESHOLDS,
    WARMUP,
    load,
    measure,
)

from materialsdock.learning.stopping.rules import lambda_history
from materialsdock.model import Evidence

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the published data are not here")


@pytest.fixture(scope="module")
def shuffled():
    """The authors' one stream of random numbers, spectrum after spectrum."""
    random.seed(1)
    found = {}
    for name in PUBLISHED:
        energy, y = load(name)
        order = random.sample(range(energy.size), energy.size)
        initial = list(set(random.sample(range(POOL), INITIAL)))
        found[name] = (energy[order][:POOL], y[order][:POOL], initial)
    return found


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_stop_sizes_come_out_exactly(shuffled, name):
    sizes, owner = PUBLISHED[name]
    theta = np.loadtxt(FOLDER / "param" / owner / "params.txt")
    found = measure(*shuffled[name], theta)
    evidence = Evidence(
        np.array([i.s for i in found]),
        np.array([i.z2 for i in found]),
        np.arange(len(found)),
        quantities={"initial": INITIAL},
    )
    history = lambda_history(evidence, "min", WARMUP)
    stops = [INITIAL + 1 + int(np.argmax(history <= t)) for t in THRESHOLDS]
    assert tuple(stops) == sizes

"""Powder diffraction keeps the laws of techniques."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from support.places import ROOT

from materialsdock import technique
from materialsdock.ledger.ledger import Ledger
from materialsdock.model import Measured, Sample
from materialsdock.profile import config
from materialsdock.testing import law_name, outcome_laws, technique_laws
from materialsdock.testing.crystals import LAB6
from materialsdock.testing.planted_powder import PlantedScene, planted

pytestmark = pytest.mark.usefixtures("in_this_process")
GRID = np.arange(20.0, 45.0, 0.02)
SOME = GRID[:200]  # with one line, for many learners
MONITOR_HZ = 1e5
FILES = (
    "_STEPTIME=2.0\n_STEPSIZE=0.02\n_START=20.0\n_COUNTS\n"
    + "\n".join(str(50 + i % 7) for i in range(200)),
)


@cache
def truth():
    """The expected pattern of LaB6, counts in one second."""
    return planted(PlantedScene(((LAB6, 1.0),)), two_theta=GRID, seed=None).intensity


def read(two_theta, seconds, rng):
    """Read what the point detector shows of it."""
    counts = float(rng.poisson(seconds * np.interp(two_theta, GRID, truth())))
    monitor = MONITOR_HZ * seconds
    return {
        "two_theta": two_theta,
        "counts": counts,
        "monitor": monitor,
        "count_time_s": seconds,
    }


def over(grid):
    """Powder diffraction as the laws see it: LaB6 over `grid`."""
    profile = config.load("sim", ROOT)
    few = profile.analysis.model_copy(update={"trials": 1, "workers": 1})
    rate = np.interp(grid, GRID, truth())
    return technique_laws.Subject(
        technique.named("xrd"),
        profile.model_copy(update={"analysis": few}),
        read,
        Measured("xrd", grid, np.rint(rate), count_time_s=1.0),
        Sample("LaB6", "xrd", 1, (LAB6,)),
        steps=25,
        files=FILES,
    )


@pytest.fixture(scope="module")
def subject():
    return over(SOME)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    with Ledger(tmp_path_factory.mktemp("data") / "ledger.sqlite") as ledger:
        yield outcome_laws.finished(over(GRID), ledger, {"maximum_seconds": 900.0})


@pytest.mark.parametrize("law", technique_laws.LAWS, ids=law_name)
def test_it_keeps_the_laws_of_techniques(subject, law):
    law(subject)


@pytest.mark.parametrize("law", outcome_laws.LAWS, ids=law_name)
@pytest.mark.slow
def test_it_keeps_the_laws_of_outcomes(done, law):
    law(done)

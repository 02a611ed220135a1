"""The laws of techniques, run by the stranger on the installed package.

MATERIALSDOCK_SITE=... pytest check_laws.py
"""

from __future__ import annotations

import numpy as np
import pytest
from one_reflection.demo import line
from one_reflection.technique import TECHNIQUE

from materialsdock.ledger.ledger import Ledger
from materialsdock.profile import config, siteroot
from materialsdock.testing import law_name, outcome_laws, technique_laws


def read(two_theta, seconds, rng):
    """Read what the point detector shows of a reflection at 43.32°."""
    rate = line(np.array([two_theta]), 43.32)[0]
    counts = float(rng.poisson(rate * seconds))
    return {
        "two_theta": two_theta,
        "counts": counts,
        "monitor": 1e5 * seconds,
        "count_time_s": seconds,
    }


FILE = "\n".join(["# technique: reflection", *(f"{43 + 0.01 * i:.2f} {50 + i}" for i in range(60))])


@pytest.fixture(scope="module")
def subject():
    profile = config.load("sim", siteroot.activate())
    return technique_laws.Subject(TECHNIQUE, profile, read, files=(FILE,))


@pytest.mark.parametrize("law", technique_laws.LAWS, ids=law_name)
def test_it_keeps_the_laws_of_techniques(subject, law):
    law(subject)


@pytest.fixture(scope="module")
def done(subject, tmp_path_factory):
    with Ledger(tmp_path_factory.mktemp("data") / "ledger.sqlite") as ledger:
        yield outcome_laws.finished(subject, ledger)


@pytest.mark.parametrize("law", outcome_laws.LAWS, ids=law_name)
def test_it_keeps_the_laws_of_outcomes(done, law):
    law(done)


def test_it_finds_the_reflection(done):
    found = done.outcome.found
    assert abs(found.position_deg - 43.32) < 5 * found.position_sd_deg < 0.05

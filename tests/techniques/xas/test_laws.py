"""Absorption keeps the laws of techniques."""

from __future__ import annotations

import numpy as np
import pytest
from support.places import ROOT

from materialsdock import technique
from materialsdock.ledger.ledger import Ledger
from materialsdock.profile import config
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.testing import law_name, outcome_laws, technique_laws

I0_HZ = 1e5
FILES = (
    "# XDI/1.0\n# Column.1: energy eV\n# Column.2: mutrans\n# ---\n"
    + "\n".join(f"{7000 + i} {0.2 + (i > 112)}" for i in range(200)),
    "# energy  i0  itrans\n" + "\n".join(f"{7000 + i}  1000  {500 - i}" for i in range(200)),
)


def read(energy, seconds, rng):
    """Read what the ion chambers show of the demonstration's edge."""
    it = I0_HZ * seconds * np.exp(-simulate_xanes(np.array([energy]))[0])
    counts = {"i0": float(rng.poisson(I0_HZ * seconds)), "it": float(rng.poisson(it))}
    return {"mono_energy": energy, **counts, "count_time_s": seconds}


@pytest.fixture(scope="module")
def subject():
    profile = config.load("sim", ROOT)
    return technique_laws.Subject(technique.named("xas"), profile, read, files=FILES, steps=44)


@pytest.fixture(scope="module")
def done(subject, tmp_path_factory):
    with Ledger(tmp_path_factory.mktemp("data") / "ledger.sqlite") as ledger:
        yield outcome_laws.finished(subject, ledger)


@pytest.mark.parametrize("law", technique_laws.LAWS, ids=law_name)
def test_it_keeps_the_laws_of_techniques(subject, law):
    law(subject)


@pytest.mark.parametrize("law", outcome_laws.LAWS, ids=law_name)
def test_it_keeps_the_laws_of_outcomes(done, law):
    law(done)

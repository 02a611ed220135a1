"""Absorption keeps the laws of techniques."""

from __future__ import annotations

import numpy as np
import pytest
from support.signals import EVENTS, PROFILE, profile

from materialsdock import technique
from materialsdock.ledger.ledger import Ledger
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


def of(signal):
    """The technique with what the devices of a signal record of a weaker copy of the spectrum."""

    def shown(energy, seconds, rng):
        ratio = 0.1 * simulate_xanes(np.array([energy]))[0]
        return EVENTS[signal](energy, ratio, seconds, rng, I0_HZ)

    return technique_laws.Subject(technique.named("xas"), profile(signal), shown)


@pytest.fixture(scope="module")
def subject():
    return technique_laws.Subject(technique.named("xas"), PROFILE, read, files=FILES, steps=44)


@pytest.fixture(scope="module")
def done(subject, tmp_path_factory):
    with Ledger(tmp_path_factory.mktemp("data") / "ledger.sqlite") as ledger:
        yield outcome_laws.finished(subject, ledger)


# its learners keep theirs in tests/learning, too
DEAR = technique_laws.its_learner_keeps_the_laws_of_learners
LAWS = [
    pytest.param(law, marks=pytest.mark.slow) if law is DEAR else law for law in technique_laws.LAWS
]


@pytest.mark.parametrize("law", LAWS, ids=law_name)
def test_it_keeps_the_laws_of_techniques(subject, law):
    law(subject)


@pytest.mark.parametrize("law", outcome_laws.LAWS, ids=law_name)
def test_it_keeps_the_laws_of_outcomes(done, law):
    law(done)


OF_A_SIGNAL = (
    technique_laws.an_event_becomes_finite_numbers,
    technique_laws.impossible_counts_are_a_fault_of_the_device,
    technique_laws.its_job_is_plain_json,
    technique_laws.a_job_is_rebuilt_from_its_settings,
    technique_laws.its_scene_is_arrays,
    technique_laws.what_was_counted_is_told_to_a_fresh_scene,
)


@pytest.mark.parametrize("signal", EVENTS)
@pytest.mark.parametrize("law", OF_A_SIGNAL, ids=law_name)
def test_every_signal_keeps_the_laws_that_look_at_it(signal, law):
    law(of(signal))


@pytest.mark.slow
@pytest.mark.parametrize("signal", EVENTS)
def test_every_signal_keeps_the_laws_of_outcomes(signal, tmp_path):
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        done = outcome_laws.finished(of(signal), ledger)
        for law in outcome_laws.LAWS:
            law(done)

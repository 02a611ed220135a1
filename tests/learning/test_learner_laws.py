"""Every learner of the project keeps the laws; a new one joins learner_cases.CASES."""

from __future__ import annotations

import pytest
from support.learner_cases import CASES

from materialsdock.testing import law_name, learner_laws

# of the learners that are a spectrum's with another beginning, what is dear runs with the studies
DEAR = (
    learner_laws.the_order_of_telling_does_not_matter,
    learner_laws.a_rebuilt_learner_goes_on_as_before,
)


def kept(name, law):
    slow = name in ("expert", "library") and law in DEAR
    marks = pytest.mark.slow if slow else ()
    return pytest.param(name, law, marks=marks, id=f"{name}-{law_name(law)}")


@pytest.mark.parametrize(
    ("name", "law"), [kept(name, law) for law in learner_laws.LAWS for name in CASES]
)
def test_it_keeps_the_laws_of_learners(name, law):
    law(CASES[name])

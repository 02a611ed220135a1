"""Every learner of the project keeps the laws; a new one joins learner_cases.CASES."""

from __future__ import annotations

import pytest
from support.learner_cases import CASES

from materialsdock.testing import law_name, learner_laws


@pytest.mark.parametrize("law", learner_laws.LAWS, ids=law_name)
@pytest.mark.parametrize("name", CASES)
def test_it_keeps_the_laws_of_learners(name, law):
    law(CASES[name])

"""Every stopping rule of the project keeps the laws; a new one joins RULES."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.innovations import runs

from materialsdock.learning.stopping.rules import (
    AllOf,
    AnyOf,
    BudgetRule,
    PaperRule,
    RobustRule,
    SafeRule,
    TargetRule,
)
from materialsdock.testing import law_name, stopping_laws

RULES = {
    "paper": PaperRule(),
    "robust": RobustRule(),
    "robust without gates": RobustRule(gates=False, window=1),
    "safe": SafeRule(),
    "budget": BudgetRule(50),
    "target": TargetRule("max_sd", 1),
    "any": AnyOf((RobustRule(), BudgetRule(50, 900.0))),
    "all": AllOf((RobustRule(), TargetRule("max_sd", 0.02))),
}
WITH_THRESHOLD = ("paper", "robust", "robust without gates")


@pytest.mark.parametrize("law", stopping_laws.LAWS, ids=law_name)
@pytest.mark.parametrize("name", RULES)
def test_it_keeps_the_laws_of_stopping(name, law):
    for run in stopping_laws.runs():
        law(RULES[name], run)


@given(run=runs)
@pytest.mark.parametrize("name", RULES)
def test_it_keeps_them_whatever_was_measured(name, run):
    for law in stopping_laws.LAWS:
        law(RULES[name], run)


@given(run=runs, threshold=st.floats(0.001, 0.5), factor=st.floats(1.0, 4.0))
@pytest.mark.parametrize("name", WITH_THRESHOLD)
def test_who_stops_at_a_threshold_stops_at_a_larger_one(name, run, threshold, factor):
    stopping_laws.a_larger_threshold_stops_no_later(RULES[name], run, threshold, factor)

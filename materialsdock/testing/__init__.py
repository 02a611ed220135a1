"""Laws that any learner, stopping rule, refinement engine and technique must keep, for its author.

A law is a function that raises AssertionError where it is broken, and needs neither pytest nor
hypothesis; each module lists its laws, so that a test file is one line long:

    @pytest.mark.parametrize("law", learner_laws.LAWS, ids=law_name)
    def test_it_keeps_the_laws_of_learners(law):
        law(learner_laws.Case(make, axis, count))

Under pytest, `pytest.register_assert_rewrite("materialsdock.testing")` in conftest.py makes a
broken law show its values.  Nothing of the engine imports this package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def law_name(law: Callable[..., Any]) -> str:
    """Name a law as a person reads it, for pytest's `ids`."""
    return law.__name__.replace("_", " ")


__all__ = ["law_name"]

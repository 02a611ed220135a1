"""The laws that ship can be broken: each of these fails where it should."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from materialsdock import technique
from materialsdock.learning.curve.spectrum_learner import SpectrumLearner
from materialsdock.model import Axis, Verdict
from materialsdock.technique import Part
from materialsdock.testing import (
    engine_laws,
    learner_laws,
    outcome_laws,
    recipe_laws,
    stopping_laws,
    technique_laws,
    technique_parts,
)
from materialsdock.testing.checks import near, refused

AXIS = Axis("x", "mm", np.linspace(0.0, 10.0, 41), 0.5)
MODULES = (
    engine_laws,
    learner_laws,
    outcome_laws,
    recipe_laws,
    stopping_laws,
    technique_laws,
)


def count(x, seconds, rng):
    return np.tanh(x - 5) + 0.1 * rng.standard_normal(x.size), np.full(x.size, 0.1)


class Forgetful(SpectrumLearner):
    """Counts an observation again when it is given again."""

    def tell(self, observations):
        """Take in everything."""
        told = [replace(o, uid=f"{o.uid}/{len(self.observations)}") for o in observations]
        super().tell(told)


class Restless(SpectrumLearner):
    """Proposes another place each time it is asked."""

    asked = 0

    def ask(self):
        """The next place, a little beside it."""
        self.asked += 1
        found = super().ask()
        return found and replace(found, score=found.score + self.asked)


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        (Forgetful, learner_laws.telling_twice_is_telling_once),
        (Restless, learner_laws.asking_changes_nothing),
    ],
)
def test_a_learner_that_breaks_a_law_is_caught(kind, law):
    sound = learner_laws.Case(lambda: SpectrumLearner(AXIS, count_time_s=1.0), AXIS, count, 6)
    law(sound)
    with pytest.raises(AssertionError):
        law(replace(sound, make=lambda: kind(AXIS, count_time_s=1.0)))


@dataclass(frozen=True)
class Eager:
    """A rule that stops at once, and does not say why."""

    def judge(self, evidence):
        """Stop."""
        return Verdict(True, "")


@pytest.mark.parametrize(
    "law", [stopping_laws.nothing_measured_is_not_enough, stopping_laws.a_verdict_gives_its_reason]
)
def test_a_rule_that_breaks_a_law_is_caught(law):
    with pytest.raises(AssertionError):
        law(Eager(), stopping_laws.learned())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"job": Part("materialsdock.nowhere")}, "cannot load"),
        ({"job": Part("materialsdock.errors")}, "no function materialsdock.errors.job"),
        ({"learner": Part("materialsdock.errors:NoSuch")}, "cannot load"),
        ({"demo": Part("materialsdock.errors:InputError")}, "is given 0 values"),
        ({"report": Part("materialsdock.errors:InputError")}, "is no module"),
        ({"export": Part("materialsdock.errors")}, "has no FORMATS"),
    ],
)
def test_a_part_that_is_missing_is_named(changes, words):
    sound = next(iter(technique.known().values()))
    assert not [*technique_parts.faults(sound)]
    assert any(words in fault for fault in technique_parts.faults(replace(sound, **changes)))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.split(".")[-1])
def test_every_law_is_in_the_list(module):
    """A function that takes what the laws take, and gives nothing, is a law."""
    extra = {stopping_laws.a_larger_threshold_stops_no_later}  # of rules with a threshold
    takes = tuple(module.LAWS[0].__annotations__)
    written = {
        value
        for value in vars(module).values()
        if getattr(value, "__module__", "") == module.__name__
        and getattr(value, "__annotations__", {}).get("return") == "None"
        and tuple(value.__annotations__)[: len(takes) - 1] == takes[:-1]
    }
    assert set(module.LAWS) == written - extra
    assert all(law.__doc__ for law in module.LAWS)


def test_near_is_relative_or_absolute_and_never_nan():
    assert near(1.0000005, 1.0)
    assert not near(1.1, 1.0)
    assert near(1.1, 1.0, abs=0.2)
    assert not near(float("nan"), 1.0, abs=9.0)


def test_refused_wants_the_error_and_its_words():
    with refused(ValueError, "bad"):
        raise ValueError("a bad value")
    with pytest.raises(AssertionError, match="no ValueError"), refused(ValueError):
        pass
    with pytest.raises(AssertionError, match="does not name"), refused(ValueError, "good"):
        raise ValueError("a bad value")
    with pytest.raises(KeyError), refused(ValueError):
        raise KeyError("another")

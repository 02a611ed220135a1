"""Additions of techniques to sections, columns and recipes: one meaning for one name."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import field_validator

from materialsdock import technique
from materialsdock.errors import InputError
from materialsdock.profile.columns import OneOfWords, numbers, words
from materialsdock.profile.config import Profile
from materialsdock.profile.sections import Measuring, Section, changed, joined


class Common(Section):
    name: str = ""


class Patterns(Section):
    width: float | None = None


class Spectra(Section):
    width: float | None = None
    edge: Annotated[str, OneOfWords(("K", "L3"))] | None = None


class Shifts(Section):
    width: int | None = None


class Last(Section):
    comment: str = ""


def test_a_field_that_two_techniques_define_alike_is_one_field():
    found = joined("Row", Common, {"a": Patterns, "b": Spectra}, Last)
    assert sorted(found.model_fields) == ["comment", "edge", "name", "width"]
    assert (next(iter(found.model_fields)), [*found.model_fields][-1]) == ("name", "comment")
    assert found(width=2, edge="l3").edge == "L3"
    assert (words(found), numbers(found)) == ({"edge": ("K", "L3")}, {"width"})


@pytest.mark.parametrize("kinds", [{"a": Patterns, "c": Shifts}, {"c": Shifts, "a": Patterns}])
def test_a_field_with_two_meanings_is_refused_naming_both_techniques(kinds):
    with pytest.raises(
        InputError, match=r"'width' of . and of . have different meanings"
    ) as refused:
        joined("Row", Common, kinds)
    assert all(f"of {name} " in str(refused.value) for name in kinds)


def test_every_technique_has_a_section_that_says_how_it_is_measured():
    for name, each in technique.known().items():
        section = each.section()
        assert issubclass(section, Measuring)
        assert {"measure", "visit", "limits", "motion", "stop"} <= set(section.model_fields)
        assert name in Profile.model_fields


class Warm(Section):
    kelvin: float = 300.0

    @field_validator("kelvin")
    @classmethod
    def _above_zero(cls, kelvin: float) -> float:
        if kelvin <= 0:
            raise ValueError(f"{kelvin:g} K is not above 0 K")
        return kelvin


def test_a_change_that_a_check_refuses_is_said_in_its_words_alone():
    with pytest.raises(InputError) as refusal:
        changed(Warm(), {"kelvin": -1.0})
    assert str(refusal.value).startswith("options: kelvin: -1 K is not above 0 K (")

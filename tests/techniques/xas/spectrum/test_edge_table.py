"""Edges by name and by energy: one, none, or a question."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialsdock.errors import InputError
from materialsdock.techniques.xas.spectrum.edge_table import (
    SHELLS,
    TABULATED_WITHIN_EV,
    candidates,
    edge_at,
    edges_between,
    named,
    others_near,
    refuse_other,
    shells_of,
    table,
)


@pytest.mark.parametrize(
    ("energy_ev", "name"),
    [
        (7119.0, "Fe K"),
        (6551.6, "Mn K"),
        (707.5, "Fe L3"),
        (11868.0, "As K"),
        (8990.0, "Cu K"),
        (11569.0, "Pt L3"),
        (5727.0, "Ce L3"),
        (6165.0, "Ce L2"),
        (883.8, "Ce M5"),
        (530.0, "O K"),
        (29203.0, "Sn K"),
        (17175.0, "U L3"),
        (8000.0, "unnamed"),
    ],
)
def test_a_rise_has_the_name_that_people_give_it(energy_ev, name):
    found = edge_at(energy_ev)
    assert found.name == name
    assert found.core_hole_width_ev > 0
    assert abs(found.energy_ev - energy_ev) < 20


@pytest.mark.parametrize(
    ("energy_ev", "names", "answer"),
    [
        (8345.0, {"Ni K", "Er L3"}, "Er"),
        (5476.0, {"V K", "La L3"}, "V"),
        (779.0, {"Co L3", "Ba M5"}, "Co"),
        (12660.0, {"Se K", "Tl L3"}, "Se"),
    ],
)
def test_two_edges_are_a_question_that_element_or_edge_answer(energy_ev, names, answer):
    assert {edge.name for edge in candidates(energy_ev)} == names
    with pytest.raises(InputError, match=r"may be .* or .*--edge"):
        edge_at(energy_ev)
    wanted = edge_at(energy_ev, symbol=answer)
    assert wanted.symbol == answer
    assert edge_at(energy_ev, wanted) == wanted
    assert answer not in {edge.symbol for edge in others_near(wanted, energy_ev)}
    assert others_near(wanted, energy_ev)


def test_an_edge_that_was_asked_for_has_to_be_there():
    assert edge_at(7150.0, named("Fe-K")).name == "Fe K"
    with pytest.raises(InputError, match=r"its edge is at 7153\.0 eV, Fe K at 7112\.0 eV"):
        edge_at(7153.0, named("Fe-K"))
    with pytest.raises(InputError, match=r"here: .*Mn K"):
        refuse_other(7120.0, named("Mn K"), "here")


@pytest.mark.parametrize(
    ("words", "name"),
    [("Fe-K", "Fe K"), (" fe_k ", "Fe K"), ("pt l3", "Pt L3"), ("Pt LIII", "Pt L3"), ("U-M5",) * 2],
)
def test_names_are_read_as_people_write_them(words, name):
    assert named(words).name == name.replace("-", " ")


@pytest.mark.parametrize("words", ["", "Fe", "FeK", "Xx-K", "Fe-K1", "Fe-N2", "7112"])
def test_no_edge_is_refused_with_what_there_is(words):
    with pytest.raises(InputError, match=r"no edge .* is tabulated"):
        named(words)
    with pytest.raises(InputError, match="O has K, L1, L2, L3"):
        named("O-M5")


def test_the_table_has_every_element_and_its_widths():
    assert {edge.shell for edge in table()} == set(SHELLS)
    assert len({edge.symbol for edge in table() if edge.shell == "K"}) == 98
    fe = named("Fe K")
    assert (fe.energy_ev, fe.core_hole_width_ev) == (7112.0, 1.25)
    assert shells_of("Pt")[:4] == ("K", "L1", "L2", "L3")


def test_edges_of_a_range_are_those_that_people_measure():
    assert {edge.name for edge in edges_between(6500.0, 6900.0)} == {"Mn K", "Sm L3"}
    assert {edge.name for edge in edges_between(700.0, 850.0, "Fe")} == {"Fe L1", "Fe L2", "Fe L3"}


@settings(max_examples=30)
@given(st.floats(60.0, 100_000.0))
def test_whatever_the_energy_the_answer_is_near_or_none(energy_ev):
    found = candidates(energy_ev)
    away = [abs(edge.energy_ev - energy_ev) for edge in found]
    assert away == sorted(away)
    assert all(each <= TABULATED_WITHIN_EV for each in away)
    if len(found) < 2:
        assert abs(edge_at(energy_ev).energy_ev - energy_ev) <= TABULATED_WITHIN_EV

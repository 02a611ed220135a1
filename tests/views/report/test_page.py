"""The page of a report, as a browser's parser sees it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.outcomes import (
    HOSTILE,
    VOID,
    absorption_outcome,
    decisions,
    diffraction_outcome,
    with_found,
)

from materialsdock.errors import InputError
from materialsdock.rendering.plain_json import readable_json
from materialsdock.rendering.svg import shorten, sqrt_ticks
from materialsdock.views.report import write_report
from materialsdock.views.report.page import render_report

# --- the page -------------------------------------------------------------------------------


class Page(HTMLParser):
    """Collects what a browser would act on, and checks that elements nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.headings: list[int] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend(attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value or "" for key, value in self.attributes if key == name]


@pytest.fixture(scope="module")
def diffraction_html() -> str:
    return render_report(diffraction_outcome())


@pytest.fixture(scope="module")
def absorption_html() -> str:
    return render_report(absorption_outcome())


@pytest.fixture(params=["diffraction_html", "absorption_html"])
def text(request) -> str:
    return request.getfixturevalue(request.param)


def test_page_is_well_formed_and_inert(text):
    page = Page(text)
    assert page.open == []
    assert not {"script", "iframe", "object", "img", "link", "foreignobject"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "://" not in text
    assert all(reference.startswith("#") for reference in page.values("href"))
    assert "default-src 'none'" in text


def test_page_is_navigable(text):
    page = Page(text)
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(
        later - earlier <= 1
        for earlier, later in zip(page.headings, page.headings[1:], strict=False)
    )
    assert page.tags.count("th") == len(page.values("scope"))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert set(page.values("aria-labelledby")) <= set(ids)


def test_every_diffraction_figure_is_drawn_and_named(diffraction_html):
    page = Page(diffraction_html)
    labels = page.values("aria-label")
    for title in (
        "Measured pattern and counting time",
        "Rietveld refinement",
        "Where the fit misses most",
        "When the measurement stopped",
        "Search of refinement recipes",
    ):
        assert title in labels
    assert page.tags.count("svg") == 5
    words = "".join(page.words)
    for expected in ("4.7591(2)", "78.3(4)", "R -3 c", "2θ (°)", "pass 5", "1.234(2)e-5", "38 %"):
        assert expected in words


def test_every_absorption_figure_is_drawn_and_named(absorption_html):
    page = Page(absorption_html)
    assert page.tags.count("svg") == 4
    words = "".join(page.words)
    for expected in (
        "7112.41(8) eV",
        "1.010(4)",
        "Fe₂O₃ 試料",
        "Energy (eV)",
        "pre-edge range is short",
    ):
        assert expected in words


def test_names_of_users_do_nothing():
    outcome = diffraction_outcome(400, name=HOSTILE)
    assert outcome.found.fit is not None
    renamed = replace(
        outcome.found.fit,
        ticks={
            HOSTILE: outcome.found.fit.ticks["corundum"],
            "_試料\n\u202e$x$": outcome.found.fit.ticks["zincite"],
        },
        phases=(replace(outcome.found.fit.phases[0], name=HOSTILE, space_group="<b>"),),
        violations=("<script>alert(2)</script>",),
    )
    text = render_report(with_found(outcome, fit=renamed))
    page = Page(text)
    assert page.open == []
    assert not {"img", "script", "b"} & set(page.tags)
    assert page.words.count(HOSTILE) >= 2
    assert "_試料$x$" in page.words
    assert text.index("breaks physical constraints") < text.index("Measurement</h2>")


def test_size_grows_with_points_but_stays_small(diffraction_html, absorption_html):
    assert len(diffraction_html.encode()) < 1_500_000
    assert len(absorption_html.encode()) < 300_000


def test_every_measured_point_is_drawn(diffraction_html):
    assert diffraction_html.count("h0") >= 2 * 6000


def test_outcome_without_decisions_fit_or_curve_still_reports():
    known = with_found(absorption_outcome(), edge=None)
    outcome = replace(known, decisions=(), curve=None, summary={})
    page = Page(render_report(outcome))
    assert page.tags.count("svg") == 1
    assert "without meeting its stop conditions" in "".join(page.words)


def test_pattern_without_a_single_count_still_reports():
    outcome = diffraction_outcome(200)
    dark = replace(outcome.measured, intensity=np.zeros(200))
    bare = replace(with_found(outcome, fit=None, trials=()), measured=dark, curve=None)
    assert Page(render_report(bare)).tags.count("svg") == 2


def test_lambda_never_formed_is_said():
    few = tuple(replace(d, lambda_t=None) for d in decisions("xas", 5, 1))
    page = Page(render_report(replace(absorption_outcome(), decisions=few)))
    assert "λ was not formed: too few steps" in page.words


def test_report_is_written_whole_and_the_same_twice(tmp_path, absorption_html):
    path = write_report(absorption_outcome(), tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == absorption_html
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_place_is_refused_with_its_name(tmp_path):
    missing = tmp_path / "nowhere" / "report.html"
    with pytest.raises(InputError, match="nowhere"):
        write_report(absorption_outcome(), missing)


def test_long_number_lists_stay_on_one_line():
    shown = readable_json({"grid": [1, 2.5, 3e-5], "array": np.arange(2.0), "name": "a"})
    assert '"grid": [ 1, 2.5, 3e-05 ]' in shown
    assert json.loads(shown)["array"] == [0.0, 1.0]


def test_names_in_figures_are_one_short_line():
    assert shorten("a\u202e b\n\tc" + "x" * 90) == "a bc" + "x" * 35 + "…"


@given(st.floats(0.01, 1e7))
def test_square_root_ticks_are_few_and_inside(top):
    ticks = sqrt_ticks(top)
    assert 3 <= len(ticks) <= 11
    assert ticks[0] == 0
    assert ticks[-1] <= top


def test_figures_fit_narrow_screens_and_number_sweeps_as_the_sentences_do(absorption_html):
    assert "max-width: 100%; height: auto" in absorption_html
    assert "min-width: 44rem" not in absorption_html
    assert '<th scope="col" class="n">Sweep</th>' in absorption_html

"""The report: its numbers, its JSON, and the page as a browser's parser sees it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from materialsdock.errors import InputError
from materialsdock.model import (
    Decision,
    EdgeFit,
    Fit,
    Job,
    Outcome,
    Parameter,
    Pattern,
    PhaseFit,
    Proposal,
    Sample,
    Spectrum,
    Trial,
    Verdict,
)
from materialsdock.report import headline, summary_json, with_esd, write_report
from materialsdock.report.numbers import count, duration, fixed
from materialsdock.report.page import readable_json, render_report
from materialsdock.report.svg import shorten, sqrt_ticks

HOSTILE = "<img src=x onerror=alert(1)>\"'&$\\frac{$"
VOID = {"meta", "br", "img", "link", "input", "hr"}
WAVELENGTH = 1.540593


# --- outcomes such as a campaign makes ------------------------------------------------------


def decisions(technique: str, steps: int, sweeps: int) -> tuple[Decision, ...]:
    rng = np.random.default_rng(3)
    made = []
    for step in range(steps):
        lam = None if step < 10 else float(np.exp(-3.2 * step / steps) * rng.lognormal(0, 0.12))
        last = step == steps - 1
        lam = 0.043 if last else lam
        start = 10.0 + 90.0 * (step * sweeps % steps) / steps
        made.append(
            Decision(
                step=step,
                proposal=Proposal(
                    start,
                    start + (1.0 if technique == "xrd" else 0.0),
                    0.2,
                    points=50 if technique == "xrd" else 1,
                    sweep=step * sweeps // steps,
                ),
                observations=(f"run/{step}",),
                verdict=Verdict(last, "λ 0.043 ≤ 0.05" if last else "λ above 0.05", lam, 0.05),
                lambda_t=lam,
                s=0.1,
                z2=float(rng.chisquare(1)),
                mean=1.0,
                sd=0.1,
                hyperparameters={"lengthscale": 1.0},
                seconds_measured=12.0 * (step + 1),
                seconds_deciding=float(rng.lognormal(-6, 0.4)),
            )
        )
    return tuple(made)


def hexagonal_reflections(a: float, c: float, limit: float) -> np.ndarray:
    h, k, m = np.meshgrid(np.arange(7), np.arange(7), np.arange(16), indexing="ij")
    inverse2 = 4 / 3 * (h * h + h * k + k * k) / a**2 + m * m / c**2
    sine = WAVELENGTH / 2 * np.sqrt(inverse2[inverse2 > 0])
    two_theta = 2 * np.degrees(np.arcsin(sine[sine < 1]))
    return np.unique(np.round(two_theta[(two_theta > 20) & (two_theta < limit)], 3))


def diffraction_outcome(points: int = 6000, name: str = "cpd-1e") -> Outcome:
    rng = np.random.default_rng(1)
    x = np.linspace(10.0, 110.0, points)
    ticks = {
        "corundum": hexagonal_reflections(4.759, 12.993, 110),
        "zincite": hexagonal_reflections(3.2501, 5.2071, 110),
    }
    background = 60 * np.exp(-x / 25) + 8
    truth = background.copy()
    for row, positions in enumerate(ticks.values()):
        height = rng.gamma(0.6, 160.0 / (1 + row), positions.size)
        for at, peak in zip(positions, height, strict=True):
            width = 0.05 + 0.0007 * at
            truth += peak / (1 + ((x - at) / width) ** 2)
    time = np.full(x.size, 0.2)
    for level in (1.0, 1.5, 2.0, 2.5):
        time += 0.35 * (np.convolve(truth / background, np.ones(40) / 40, "same") > level + 0.3)
    counts = rng.poisson(truth * time)
    intensity, sigma = counts / time, np.sqrt(truth / time)
    fit = Fit(
        rwp=8.314,
        r_exp=6.021,
        gof=1.381,
        n_points=points,
        n_free=23,
        phases=(
            phase("corundum", "R -3 c", 4.75912, 12.99301, 78.3),
            phase("zincite", "P 63 m c", 3.25013, 5.20712, 21.7),
        ),
        parameters=(
            Parameter("zero", 0.01234, 0.0021, "deg"),
            Parameter("corundum.scale", 1.2345e-5, 2.1e-8),
            Parameter("polarization", 0.5),
        ),
        y_calc=truth,
        y_background=background,
        ticks=ticks,
        recipe={"background": {"type": "chebyshev", "terms": 6}, "limits": [10.0, 110.0]},
        engine="rietx 1.10.0",
        seconds=12.0,
    )
    trials = tuple(
        Trial(i, i % 3, None, {}, "fail", "killed after 60 s")
        if i % 11 == 5
        else Trial(
            i, i % 3, float(8.314 + 20 * rng.random() ** 4 * math.exp(-i / 40)), {}, "complete"
        )
        for i in range(90)
    )
    curve = Pattern(x, truth + 0.3 * sigma * rng.normal(size=x.size), 0.5 * sigma, time)
    return Outcome(
        job=Job(
            "20251121-031500-cpd1e-a1b2", Sample(name, "xrd", 3), {"axis": {"grid": [1, 2.5]}}, 7
        ),
        decisions=decisions("xrd", 150, 5),
        summary={
            "points_measured": 1834,
            "points_full_scan": points,
            "seconds_measured": 2185.0,
            "seconds_full_scan": 5751.0,
            "full_time_s": 1.0,
            "lambda_final": 0.043,
            "threshold": 0.05,
            "stop_reason": "λ 0.043 ≤ 0.05, and every other check holds",
        },
        measured=Pattern(x, intensity, sigma, time),
        fit=fit,
        trials=trials,
        curve=curve,
    )


def phase(name: str, space_group: str, a: float, c: float, weight: float) -> PhaseFit:
    cell = {
        "a": Parameter("a", a, 0.00021),
        "b": Parameter("b", a, 0.00021),
        "c": Parameter("c", c, 0.0006),
        "alpha": Parameter("alpha", 90.0),
        "beta": Parameter("beta", 90.0),
        "gamma": Parameter("gamma", 120.0),
    }
    return PhaseFit(name, space_group, cell, weight, 0.4)


def absorption_outcome() -> Outcome:
    rng = np.random.default_rng(2)
    energy = np.concatenate(
        [np.arange(7000, 7100, 2.0), np.arange(7100, 7160, 0.25), np.arange(7160, 7600, 2.0)]
    )
    after = np.clip(energy - 7112.0, 0, None)
    step = 0.5 + np.arctan((energy - 7112.4) / 1.6) / np.pi
    flat = step * (1 + 0.35 * np.exp(-(((energy - 7120) / 6) ** 2)))
    flat += 0.06 * np.sin(after**0.5 * 2.1) * np.exp(-after / 140)
    pre, post = 0.42 - 2.5e-4 * (energy - 7112), 1.43 - 3.0e-4 * (energy - 7112)
    mu = pre + flat * (post - pre)
    chosen = np.sort(rng.choice(energy.size, 96, replace=False))
    sigma = np.full(chosen.size, 0.006)
    return Outcome(
        job=Job("20251121-041500-Fe2O3-c3d4", Sample("Fe₂O₃ 試料", "xas", 4), {}, 11),
        decisions=decisions("xas", 72, 14),
        summary={
            "points_measured": 96,
            "points_full_scan": 412,
            "seconds_measured": 190.0,
            "seconds_full_scan": 700.0,
            "threshold": 0.05,
            "lambda_final": 0.043,
            "stop_reason": "λ 0.043 ≤ 0.05",
            "rmse_vs_replay": 0.0081,
        },
        measured=Spectrum(energy[chosen], mu[chosen] + sigma * rng.normal(size=96), sigma),
        edge=EdgeFit(
            7112.413, 0.083, 1.0103, 0.0042, energy, flat, pre, post, ("pre-edge range is short",)
        ),
        curve=Spectrum(energy, mu, np.full(energy.size, 0.004)),
    )


# --- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "esd", "printed"),
    [
        (9.37239, 0.00021, "9.3724(2)"),
        (62.349, 0.4, "62.3(4)"),
        (62.349, 0.096, "62.3(1)"),
        (1234.5, 23.0, "1230(20)"),
        (7112.4, 3.2, "7112(3)"),
        (-0.03251, 0.00012, "-0.0325(1)"),
        (-0.00001, 0.02, "0.00(2)"),
        (1.23456e-9, 2e-12, "1.235(2)e-9"),
        (90.0, None, "90"),
        (4.5, 0.0, "4.5"),
        (4.5, math.nan, "4.5"),
        (math.nan, 0.1, "—"),
        (None, None, "—"),
    ],
)
def test_esd_in_crystallographic_notation(value, esd, printed):
    assert with_esd(value, esd) == printed


@given(
    value=st.floats(-9e5, 9e5),
    esd=st.floats(1e-9, 1e4),
)
def test_printed_value_is_within_its_last_digit(value, esd):
    printed = re.fullmatch(r"(-?[\d.]+)\((\d+)\)(?:e(-?\d+))?", with_esd(value, esd))
    assert printed is not None
    mantissa, digits, exponent = printed.groups()
    scale = 10.0 ** int(exponent or 0)
    decimals = len(mantissa.partition(".")[2])
    unit = 10.0**-decimals * scale
    printed_esd = int(digits) * unit
    assert printed_esd == pytest.approx(esd, rel=0.5)
    assert len(digits.rstrip("0")) == 1
    assert abs(float(mantissa) * scale - value) <= 0.5001 * max(
        unit, 10.0 ** math.floor(math.log10(printed_esd * 1.0001))
    ) + 1e-9 * abs(value)


def test_counts_and_times_are_grouped_and_named():
    assert count(5751) == "5\u202f751"
    assert count(None) == "—"
    assert [duration(s) for s in (8.44, 59.97, 725, 11520.0)] == [
        "8.4 s",
        "1 min 0 s",
        "12 min 5 s",
        "3 h 12 min",
    ]
    assert [fixed(v) for v in (0.043, 12.345, 1234.5, 8.0)] == ["0.0430", "12.3", "1234", "8.00"]


# --- the summary ----------------------------------------------------------------------------


def test_diffraction_summary_is_plain_json():
    summary = summary_json(diffraction_outcome(1200))
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["phases"][1]["name"] == "zincite"
    assert summary["phases"][0]["a_esd"] == 0.00021
    assert summary["phases"][0]["alpha_esd"] is None
    assert (summary["trials"], summary["trials_failed"]) == (90, 8)
    assert 0 < summary["decision_ms_p50"] < summary["decision_ms_p95"]


def test_absorption_summary_has_the_edge():
    summary = summary_json(absorption_outcome())
    assert summary["e0_ev"] == 7112.413
    assert summary["rmse_vs_replay"] == 0.0081
    assert "rwp" not in summary


def test_what_is_missing_is_null_never_nan():
    bare = replace(
        diffraction_outcome(300),
        summary={"points_measured": np.int64(12), "lambda_final": math.nan},
        decisions=(),
        fit=None,
        trials=(),
        curve=None,
    )
    summary = summary_json(bare)
    json.dumps(summary, allow_nan=False)
    assert summary["points_measured"] == 12
    assert summary["lambda_final"] is None
    assert summary["stop_reason"] is None
    assert summary["rwp"] is None
    assert summary["phases"] == []


def test_headline_speaks_of_points_time_and_reason():
    outcome = diffraction_outcome(5751)
    assert headline(outcome) == (
        "Stopped after 1\u202f834 of 5\u202f751 points and 38 % of the full-scan time: "
        "λ 0.043 ≤ 0.05, and every other check holds."
    )
    several_passes = replace(outcome, summary={**outcome.summary, "points_measured": 7000})
    assert "7\u202f000 exposures of 5\u202f751 positions" in headline(several_passes)


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
        "When it was enough",
        "Search of refinement recipes",
    ):
        assert title in labels
    assert page.tags.count("svg") == 4
    words = "".join(page.words)
    for expected in ("4.7591(2)", "78.3(4)", "R -3 c", "2θ (°)", "pass 5", "1.234(2)e-5", "38 %"):
        assert expected in words


def test_every_absorption_figure_is_drawn_and_named(absorption_html):
    page = Page(absorption_html)
    assert page.tags.count("svg") == 3
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
    assert outcome.fit is not None
    renamed = replace(
        outcome.fit,
        ticks={
            HOSTILE: outcome.fit.ticks["corundum"],
            "_試料\n\u202e$x$": outcome.fit.ticks["zincite"],
        },
        phases=(replace(outcome.fit.phases[0], name=HOSTILE, space_group="<b>"),),
        violations=("<script>alert(2)</script>",),
    )
    text = render_report(replace(outcome, fit=renamed))
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
    outcome = replace(absorption_outcome(), decisions=(), edge=None, curve=None, summary={})
    page = Page(render_report(outcome))
    assert page.tags.count("svg") == 1
    assert "without a decision to stop" in "".join(page.words)


def test_pattern_without_a_single_count_still_reports():
    outcome = diffraction_outcome(200)
    dark = replace(outcome.measured, intensity=np.zeros(200))
    bare = replace(outcome, measured=dark, fit=None, curve=None, trials=())
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

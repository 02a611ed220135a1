"""The unit on the intensity axis, and the words about σ, are those of what was refined."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from support.outcomes import diffraction_outcome

from materialsdock.formats.reading import facts, sentences
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FileReading, Measured
from materialsdock.techniques.xrd.report.parts import drawings
from materialsdock.techniques.xrd.report.scale import scale_of

SECONDS = 2.0  # that the profile assumes, or the file names


def of_file(**reading):
    """An outcome of `refine`: one counting time, nothing measured."""
    plain = diffraction_outcome(300)
    pattern = plain.measured
    time = np.full(pattern.two_theta.size, SECONDS)
    known = {key: plain.summary[key] for key in ("points_measured", "points_full_scan")}
    return replace(
        plain,
        job=replace(plain.job, settings={"reading": reading}),
        decisions=(),
        summary=known,
        measured=Pattern(pattern.two_theta, pattern.intensity, pattern.sigma, time),
        curve=None,
    )


@pytest.mark.parametrize(
    ("signal", "unit", "factor"),
    [
        ("counts", "counts", SECONDS),
        ("counts × attenuator factors", "counts × attenuator factors", SECONDS),
        ("counts per second × 2 s", "counts s⁻¹", 1.0),
        ("counts per second", "counts s⁻¹", SECONDS),
        ("intensities", "arbitrary units", SECONDS),
        ("", "as in the file", SECONDS),
    ],
)
def test_the_axis_says_what_the_file_gave(signal, unit, factor):
    scale = scale_of(of_file(signal=signal))
    assert (scale.unit, scale.factor) == (unit, factor)
    assert not scale.timed


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("√counts", "σ (√counts)"),
        ("column 3 (sigma)", "σ (from the file: column 3 (sigma))"),
        ("√counted, scaled as the counts are", "σ (√counted, scaled"),
        ("not known: intensities are not counts; from the scatter", "σ (not known: intensities"),
    ],
)
def test_the_caption_says_where_sigma_comes_from(source, words):
    (figure, *_) = drawings(of_file(signal="counts", sigma_from=source), [])
    assert figure.title == "Rietveld refinement"
    assert words in figure.caption
    assert "counting time" not in figure.caption


def test_a_file_without_counting_times_has_no_panel_of_them():
    outcome = of_file(signal="counts")
    bare = replace(outcome, found=replace(outcome.found, fit=None, trials=()))
    (figure,) = drawings(bare, [])
    assert figure.title == "Measured pattern"
    assert "Time per point" not in figure.svg
    assert "counts s⁻¹" not in figure.svg
    assert "Intensity (counts)" in figure.svg


def test_what_was_counted_here_is_shown_with_its_times():
    outcome = diffraction_outcome(300)
    first, second, *_ = drawings(outcome, [])
    assert "Time per point (s)" in first.svg
    assert "counts s⁻¹" in first.svg
    assert "σ (of counting, whose time varies along the pattern)" in second.caption
    even = replace(outcome.measured, count_time_s=np.full(300, 1.0))
    _, second, *_ = drawings(replace(outcome, measured=even), [])
    assert re.search(r"σ \(of counting\)", second.caption)


def test_a_counting_time_that_the_file_names_is_kept_and_said(tmp_path):
    x = np.arange(20.0, 30.0, 0.1)
    about = FileReading(signal="counts", sigma_from="√counts")
    timed = Measured("xrd", x, x, count_time_s=2.5, kind="2 columns", reading=about)
    kept = facts(timed, tmp_path / "a.xy")
    assert kept["count_time_s"] == 2.5
    assert "counted for 2.5 s at each point" in sentences(kept)
    assert "count_time_s" not in facts(replace(timed, count_time_s=None), tmp_path / "a.xy")

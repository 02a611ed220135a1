"""Numbers with their esds, the summary in JSON and the headline of a report."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.outcomes import absorption_outcome, diffraction_outcome, with_found

from materialsdock.model import Structure
from materialsdock.rendering.numbers import count, duration, fixed
from materialsdock.views.report import headline, overview, summary_json, with_esd
from materialsdock.views.report.page import render_report

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


def test_notes_on_reading_structures_stand_in_json_terminal_and_page():
    outcome = diffraction_outcome(400)
    note = "read as R -3 c:H; coordinates moved by up to 0.005 Å"
    read = Structure("corundum", "", notes=(note,))
    sample = replace(outcome.job.sample, structures=(read, Structure("zincite", "")))
    outcome = replace(outcome, job=replace(outcome.job, sample=sample))
    structures = summary_json(outcome)["structures"]
    assert structures == [
        {"name": "corundum", "notes": [note]},
        {"name": "zincite", "notes": []},
    ]
    assert f"corundum: {note}" in overview(outcome)
    assert f"<li>corundum: {note}</li>" in render_report(outcome)


def test_absorption_summary_has_the_edge():
    summary = summary_json(absorption_outcome())
    assert summary["e0_ev"] == 7112.413
    assert summary["rmse_vs_replay"] == 0.0081
    assert "rwp" not in summary


def test_what_is_missing_is_null_never_nan():
    bare = replace(
        with_found(diffraction_outcome(300), fit=None, trials=()),
        summary={"points_measured": np.int64(12), "lambda_final": math.nan},
        decisions=(),
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

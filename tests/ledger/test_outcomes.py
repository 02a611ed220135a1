"""An outcome goes through the ledger and comes back the same, to the last bit and the last byte."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
from support.outcomes import absorption_outcome, diffraction_outcome, kept_in, with_found

from materialsdock.errors import LedgerFault, Refused
from materialsdock.fusion.hybrid.pareto import HYBRID, HybridResult, Point, hybrid_of
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.outcomes import KEY, outcome_of, packed, plain_values, unpacked
from materialsdock.model import Outcome, Trial
from materialsdock.techniques.xrd.analysis import Found
from materialsdock.techniques.xrd.model import Assessment, Check, HeldOut, Solution
from materialsdock.views.report import summary_json
from materialsdock.views.report.page import render_report


def same(one, other, where="outcome"):
    """Raise where two values differ; NaN equals NaN, lists equal tuples of the same."""
    if is_dataclass(one):
        assert type(one) is type(other), where
        for field in fields(one):
            same(getattr(one, field.name), getattr(other, field.name), f"{where}.{field.name}")
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, where
        assert one.tobytes() == other.tobytes(), where
    elif isinstance(one, dict):
        assert set(one) == set(other), where
        for key in one:
            same(one[key], other[key], f"{where}[{key!r}]")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for i, pair in enumerate(zip(one, other, strict=True)):
            same(*pair, f"{where}[{i}]")
    else:
        assert one == other or (math.isnan(one) and math.isnan(other)), where


def rich() -> Outcome:
    """A diffraction outcome with everything that an outcome may hold."""
    base = diffraction_outcome(1500)
    covariance = ((0.1, -0.05), (-0.05, 1 / 3))
    fit = replace(base.found.fit, weight_covariance=covariance, esd_inflation=1.7)
    trial = Trial(90, 2, 1 / 3, {"limits": (10.0, 110.0)}, "complete", values={"a": (0.1, None)})
    held = HeldOut(9.1, 8.3, 1.9, math.inf, 12, 4)
    point = Point(0, 1, "wurtzite", {"refine": True}, 8.3, -4.5, fit=base.found.fit, cif="data_x\n")
    failed = Point(1, 1, "wurtzite", {"refine": False}, reason="no energy")
    hybrid = HybridResult((point, failed), (point,), "lj", {"rc": 5.0}, ("said",))
    found = Found(
        fit,
        (*base.found.trials, trial),
        (Solution(fit, 8.3, 40, (0, 1), held, ("cell",), True, {"a.b": 1e-300}),),
        Assessment(
            "ambiguous", ("two fits",), (Check("gof", 1.4, None, True, "fine"),), ("the other",)
        ),
    )
    return replace(
        base,
        found=found,
        fused={HYBRID: plain_values(hybrid)},
        summary={**base.summary, "curve": np.arange(3.0) / 7, "few": np.float64(0.1)},
    )


@pytest.mark.parametrize("made", [rich, absorption_outcome])
def test_the_outcome_comes_back_to_the_last_bit(made, tmp_path):
    outcome = made()
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        job_id = kept_in(ledger, outcome)
        again = outcome_of(ledger, job_id)
    same(outcome, again)
    same(hybrid_of(outcome), hybrid_of(again))
    assert packed(again) == packed(outcome)


def test_the_page_of_the_kept_outcome_is_the_page_of_the_live_one(tmp_path):
    outcome = rich()
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        again = outcome_of(ledger, kept_in(ledger, outcome))
    assert render_report(again) == render_report(outcome)
    assert summary_json(again) == summary_json(outcome)


def test_an_array_that_occurs_often_is_kept_once():
    base = diffraction_outcome(6000)
    once = len(packed(base)[KEY])
    solution = Solution(base.found.fit, 8.3, 1, (0,))
    assert len(packed(with_found(base, solutions=(solution,) * 4))[KEY]) < 1.05 * once
    assert once < 8 * 6000 * 8 * 4 / 3


def test_what_cannot_be_read_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(Refused, match="--resume j1"):
        unpacked({"rwp": 5.0}, "j1")
    good = packed(absorption_outcome())[KEY]
    for bad in (good[: len(good) // 2], "%" + good[1:], good[:4000] + "AAAA" + good[4004:]):
        with pytest.raises(LedgerFault, match="analyse it again"):
            unpacked({KEY: bad}, "j1")
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        job = absorption_outcome().job
        ledger.add_job(job)
        with pytest.raises(Refused, match="not finished"):
            outcome_of(ledger, job.job_id)


def test_the_row_stays_plain_json():
    row = {**summary_json(rich()), **packed(rich())}
    assert json.loads(json.dumps(row)) == row

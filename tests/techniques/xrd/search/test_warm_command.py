"""Learning to learn through the command `refine`: where a search starts, and what that saves."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
from support.refining import Here
from support.structures import simulated

from materialsdock.cli import app
from materialsdock.ledger.ledger import Ledger
from materialsdock.techniques.xrd import analysis
from materialsdock.techniques.xrd.model import Fit
from materialsdock.techniques.xrd.search.search import search
from materialsdock.testing.crystals import CORUNDUM, FLUORITE, ZINCITE

TRIALS = 12
WITHIN = 0.005
SERIES = (FLUORITE, CORUNDUM, ZINCITE)


class Particular:
    """An instrument that one recipe suits best, which is not the default one; Rwp is a formula."""

    name = "particular"

    def refine(self, pattern, structures, diffractometer, recipe):
        rwp = (
            10.0
            + 1.0 * (recipe["order"] != "widths_first")
            + 0.5 * ("y" in recipe["widths"])
            + 0.05 * abs(recipe["background_terms"] - 14)
            + 0.5 * (recipe["background"] != "chebyshev")
        )
        empty = np.zeros(pattern.two_theta.size)
        return Fit(
            rwp, 9.0, rwp / 9, empty.size, 20, (), (), empty, empty, {}, recipe, self.name, 0.1
        )


@pytest.fixture
def refine(tmp_path, monkeypatch, capsys):
    """The command with Rwp from a formula: what it says, and its objectives trial by trial."""
    monkeypatch.setattr(analysis, "_engine", lambda options: Particular())
    monkeypatch.setattr(analysis, "search", partial(search, executor=Here()))
    for structure in SERIES:
        pattern = simulated([(structure, 1.0)])
        table = np.c_[pattern.two_theta, pattern.intensity, pattern.sigma]
        np.savetxt(tmp_path / f"{structure.name}.xye", table[::2], fmt="%.4f")
        (tmp_path / f"{structure.name}.cif").write_text(structure.cif)

    def run(name, out, *words):
        given = [
            str(tmp_path / f"{name}.xye"),
            "--cif",
            str(tmp_path / f"{name}.cif"),
            "--out",
            str(tmp_path / out),
            "--trials",
            str(TRIALS),
            "--seeds",
            "1",
            "--workers",
            "1",
            "--texture",
            "request",
            "--json",
            *words,
        ]
        monkeypatch.setattr("sys.argv", ["materialsdock", "refine", *given])
        app.main()
        said = json.loads(capsys.readouterr().out)
        with Ledger(tmp_path / out / "ledger.sqlite") as ledger:
            kept = ledger.outcome(said["job_id"])["search"]["trials"]
        return said, np.array([trial["objective"] for trial in kept])

    return run


def to_target(objectives, best):
    reached = objectives <= best * (1 + WITHIN)
    return int(reached.argmax()) + 1 if reached.any() else TRIALS + 1


@pytest.mark.slow
def test_trials_to_the_target_fall_over_a_series_and_the_result_says_why(refine):
    warm = [refine(structure.name, "warm") for structure in SERIES]
    starts = [said["start"] for said, _ in warm]
    jobs = [said["job_id"] for said, _ in warm]
    assert [start["jobs"] for start in starts] == [[], jobs[:1], jobs[:2]]
    assert starts[0]["recipes"] == 0 < starts[1]["recipes"] <= TRIALS // 2
    assert "no earlier search" in starts[0]["sentence"]
    assert "2 earlier searches on this instrument" in starts[2]["sentence"]
    for (_, objectives), structure in zip(warm[1:], SERIES[1:], strict=True):
        said, cold = refine(structure.name, f"cold-{structure.name}")
        assert said["start"]["jobs"] == []
        best = min(objectives.min(), cold.min())
        assert to_target(objectives, best) < to_target(cold, best)

    # switched off, the search is the same as the first of all
    said, again = refine(SERIES[0].name, "warm", "--no-warm-start")
    assert again == pytest.approx(warm[0][1])
    assert said["start"]["recipes"] == 0
    assert "earlier searches were not used" in said["start"]["sentence"]

"""What a report says of a refinement: whole uncertainties, atoms, agreement, the worst misfit."""

from __future__ import annotations

import json
from dataclasses import replace

import gemmi
import numpy as np
import pytest
from support.outcomes import diffraction_outcome, with_found

from materialsdock.ledger.outcomes import packed, unpacked
from materialsdock.model import Parameter
from materialsdock.techniques.xrd.model import Assessment, Doubt, Solution
from materialsdock.techniques.xrd.report import figures
from materialsdock.techniques.xrd.report.atoms import atoms
from materialsdock.techniques.xrd.report.cif import write_cif
from materialsdock.techniques.xrd.report.scale import scale_of
from materialsdock.techniques.xrd.report.uncertainty import Uncertainty, independent
from materialsdock.testing.crystals import CORUNDUM, ZINCITE
from materialsdock.views.report import overview, summary_json
from materialsdock.views.report.page import render_report

SYSTEMATIC = {
    "corundum.a": 5e-4,
    "corundum.b": 5e-4,
    "corundum.weight_fraction": 1.2,
    "zincite.weight_fraction": 1.2,
    "corundum.Al1.biso": 0.1,
}
GRAINS = Doubt(
    "grain size", {"corundum.weight_fraction": 1.2}, "grain sizes are not given: so-and-so"
)


@pytest.fixture(scope="module")
def outcome():
    plain = diffraction_outcome(800)
    fit = plain.found.fit
    phases = tuple(
        replace(phase, weight_fraction_esd=0.3, r_bragg=bragg)
        for phase, bragg in zip(fit.phases, (2.345, 4.5), strict=True)
    )
    displaced = Parameter("corundum.Al1.biso", 0.345, 0.02, "Å²")
    warned = (
        "HIGH_CORRELATION: Correlated pair: instrument.profile.u ~ instrument.profile.v",
        "PeakPropertyWarning: some peaks have a prominence of 0",
        "crystallites come out unusually small",
    )
    fit = replace(
        fit,
        phases=phases,
        parameters=(*fit.parameters, displaced),
        warnings=warned,
        remarks=("FLAT_DIRECTION: of the program",),
    )
    best = Solution(fit, 8.5, 5, (0,), systematic=SYSTEMATIC, doubts=(GRAINS,))
    sample = replace(plain.job.sample, structures=(CORUNDUM, ZINCITE))
    plain = replace(plain, job=replace(plain.job, sample=sample))
    return with_found(plain, fit=fit, solutions=(best,))


def test_the_terminal_gives_both_parts_and_says_which_is_which_once(outcome):
    said = overview(outcome)
    assert "corundum (R -3 c): a = 4.7591(2)[5] Å, c = 12.9930(6) Å, 78.3(3)[12] wt%" in said
    assert "R_Bragg 2.35 %" in said
    assert said.count("value(statistical)[systematic]") == 1
    assert "systematic: grain size 1.2 wt%" in said
    assert "grain sizes are not given: so-and-so" in said
    assert "b = " not in said
    assert ", Rp " in said


def test_words_of_libraries_are_in_nobodys_face(outcome):
    said = summary_json(outcome)
    assert said["warnings"] == ["crystallites come out unusually small"]
    assert [line.split(":")[0] for line in said["remarks"]] == [
        "HIGH_CORRELATION",
        "FLAT_DIRECTION",
    ]
    text, page = overview(outcome), render_report(outcome)
    assert "PeakPropertyWarning" not in text + page
    assert "HIGH_CORRELATION" not in text
    assert "2 remarks of the refinement program" in page


def test_a_single_number_is_the_combined_one(outcome):
    said = json.loads(json.dumps(summary_json(outcome), allow_nan=False))
    first = said["phases"][0]
    assert first["weight_fraction_esd_statistical"] == 0.3
    assert first["weight_fraction_esd_systematic"] == 1.2
    assert first["weight_fraction_systematic"] == 1.2
    assert first["weight_fraction_esd"] == pytest.approx(np.hypot(0.3, 1.2))
    assert first["a_esd"] == pytest.approx(np.hypot(2.1e-4, 5e-4))
    assert (first["c_esd"], first["c_esd_systematic"]) == (6e-4, None)
    assert first["r_bragg"] == 2.345
    assert said["r_p"] > 0
    assert said["doubts"][0]["source"] == "grain size"
    assert "value(statistical)[systematic]" in said["uncertainties"]


def test_the_page_has_atoms_agreement_and_free_lengths_only(outcome):
    page = render_report(outcome)
    assert "a (Å)" in page
    assert "c (Å)" in page
    assert "b (Å)" not in page
    assert "78.3(3)[12]" in page
    assert "R<sub>Bragg</sub>" in page
    assert "4 sites of atoms" in page
    assert "0.34(2)[10]" in page or "0.35(2)[10]" in page
    assert page.count("value(statistical)[systematic]") == 1


def test_atoms_stand_with_their_multiplicity(outcome):
    aluminium, oxygen, *_ = atoms(outcome)
    assert (aluminium.label, aluminium.multiplicity) == ("Al1", 12)
    assert (oxygen.element, oxygen.multiplicity) == ("O", 18)
    assert aluminium.known["biso"] == Uncertainty(0.02, 0.1)
    assert oxygen.values["biso"] == pytest.approx(0.4)


def test_the_cif_has_one_number_and_both_parts(outcome, tmp_path):
    document = gemmi.cif.read_file(str(write_cif(outcome, tmp_path / "a.cif")))
    first, pattern = document[0], document[-1]
    assert first.find_value("_cell_length_a") == "4.7591(5)"
    assert "a 4.7591(2)[5]" in gemmi.cif.as_string(first.find_value("_cell_special_details"))
    assert first.find_value("_refine_ls_R_I_factor") == "0.02345"
    rows = pattern.find("_", ["pd_phase_mass_%", "materialsdock_phase_mass_%_esd_systematic"])
    assert list(rows[0]) == ["78(1)", "1.2"]
    assert float(pattern.find_value("_pd_proc_ls_prof_R_factor")) > 0


def test_the_worst_misfit_is_shown_close_up(outcome):
    measured, fit = outcome.measured, outcome.found.fit
    at = int(np.argmax(measured.intensity))
    wrong = replace(fit, y_calc=np.where(np.arange(800) == at, 0.0, fit.y_calc))
    drawn = figures.worst(measured, wrong, scale_of(outcome))
    low, high = (float(word) for word in drawn.caption.split("°")[0].split(" to "))
    assert low < measured.two_theta[at] < high
    assert "<svg" in drawn.svg


def test_a_worst_place_of_noise_is_not_explained(outcome):
    measured, fit = outcome.measured, outcome.found.fit
    noise = np.random.default_rng(0).normal(size=800) * measured.sigma
    quiet = figures.worst(
        measured, replace(fit, y_calc=measured.intensity + noise), scale_of(outcome)
    )
    assert "hardly more than noise" in quiet.caption
    wrong = replace(fit, y_calc=measured.intensity + 4 * noise)
    assert "a wrong position" in figures.worst(measured, wrong, scale_of(outcome)).caption


def test_symmetry_leaves_what_it_leaves_free(outcome):
    phase = outcome.found.fit.phases[0]
    assert independent(phase) == ("a", "c")
    tilted = {**phase.cell, "beta": Parameter("beta", 97.3, 0.01, "deg")}
    assert independent(replace(phase, cell=tilted)) == ("a", "c", "beta")


def test_doubts_are_kept_with_the_outcome(outcome):
    again = unpacked(packed(outcome), "here").found.solutions[0]
    assert again.doubts == (GRAINS,)
    assert again.systematic == SYSTEMATIC
    assert again.fit.remarks == outcome.found.fit.remarks
    assert again.fit.phases[0].r_bragg == 2.345


def test_advice_is_said_in_text_json_and_page(outcome):
    verdict = Assessment("no confident match", ("so it is",), (), advice=("try a wider cell",))
    told = with_found(outcome, assessment=verdict)
    assert "try: try a wider cell" in overview(told)
    assert summary_json(told)["advice"] == ["try a wider cell"]
    assert "What to try" in render_report(told)

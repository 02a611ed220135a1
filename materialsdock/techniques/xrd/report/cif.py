"""A refinement as CIF: one block per phase and one for the powder pattern (pdCIF), with where it
came from."""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import gemmi

import materialsdock
from materialsdock.errors import InputError
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import Outcome, Parameter, Structure
from materialsdock.rendering.numbers import many, with_esd
from materialsdock.rendering.plain_json import readable_json
from materialsdock.techniques.xrd.model import Fit, PhaseFit
from materialsdock.techniques.xrd.report import uncertainty
from materialsdock.techniques.xrd.report.uncertainty import Uncertainty
from materialsdock.techniques.xrd.report.words import notes_of_reading
from materialsdock.techniques.xrd.rietveld import rfactors
from materialsdock.techniques.xrd.rietveld.contacts import refined_crystal

CELL = {
    "a": "_cell_length_a",
    "b": "_cell_length_b",
    "c": "_cell_length_c",
    "alpha": "_cell_angle_alpha",
    "beta": "_cell_angle_beta",
    "gamma": "_cell_angle_gamma",
}
ATOMS = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy", "B_iso_or_equiv")
PROFILE = (
    "_pd_meas_2theta_scan",
    "_pd_proc_intensity_total",
    "_pd_proc_ls_weight",
    "_pd_calc_intensity_total",
    "_pd_proc_intensity_bkg_calc",
)


def write_cif(outcome: Outcome, path: Path) -> Path:
    """Write the refinement of `outcome` to `path` and return it.

    Names follow the core and powder CIF dictionaries (Toby, von Dreele & Larson 2003, J. Appl.
    Cryst. 36, 1290).  The number in parentheses of a cell or a weight is the combined esd, as a
    reader of one number wants it; details say both parts of it.  Raises InputError when there is
    no refinement to write, or the file cannot be written.
    """
    fit = outcome.found.fit
    if fit is None:
        raise InputError("nothing was refined", where=str(path), remedy="refine a pattern first")
    document, systematic = gemmi.cif.Document(), uncertainty.spread(outcome)
    for number, phase in enumerate(fit.phases):
        structure = outcome.job.sample.structures[number]
        block = document.add_new_block(_block_name(f"{number + 1}_{phase.name}"))
        _phase(block, phase, structure, fit, uncertainty.of_phase(phase, systematic))
    _pattern(document.add_new_block("pattern"), outcome, fit, outcome.measured)
    try:
        document.write_file(str(path))
    except OSError as error:
        raise InputError(f"cannot write: {error}", where=str(path)) from error
    return path


def _phase(
    block: gemmi.cif.Block,
    phase: PhaseFit,
    structure: Structure,
    fit: Fit,
    known: Mapping[str, Uncertainty],
) -> None:
    refined = {p.name: p for p in fit.parameters}
    crystal = refined_crystal(structure, phase, {name: p.value for name, p in refined.items()})
    _text(block, "_pd_phase_name", phase.name)
    for key, tag in CELL.items():
        block.set_pair(tag, number(replace(phase.cell[key], esd=known[key].combined)))
    _text(block, "_cell_special_details", _cell_words(phase, known))
    if phase.r_bragg is not None:
        block.set_pair("_refine_ls_R_I_factor", f"{phase.r_bragg / 100:.5f}")
    block.set_pair("_cell_volume", f"{crystal.cell.volume:.4f}")
    _text(block, "_space_group_name_H-M_alt", phase.space_group)
    if crystal.spacegroup is not None:
        block.set_pair("_space_group_IT_number", str(crystal.spacegroup.number))
    operations = block.init_loop("_space_group_symop_", ["operation_xyz"])
    group = crystal.spacegroup.operations() if crystal.spacegroup else gemmi.GroupOps([])
    for operation in group:
        operations.add_row([gemmi.cif.quote(operation.triplet())])
    atoms = block.init_loop("_atom_site_", list(ATOMS))
    for site in crystal.sites:
        name = f"{phase.name}.{site.label}"
        coordinates = [
            number(refined.get(f"{name}.{axis}", Parameter(axis, value)))
            for axis, value in zip("xyz", site.fract.tolist(), strict=True)
        ]
        biso = refined.get(f"{name}.biso", Parameter("biso", 8 * math.pi**2 * site.u_iso))
        atoms.add_row(
            [
                gemmi.cif.quote(site.label),
                site.element.name,
                *coordinates,
                f"{site.occ:g}",
                number(biso),
            ]
        )


def _pattern(block: gemmi.cif.Block, outcome: Outcome, fit: Fit, measured: Pattern) -> None:
    facts: Mapping[str, str] = {
        "_audit_creation_method": f"materialsdock {materialsdock.__version__}",
        "_computing_structure_refinement": fit.engine,
        "_pd_block_id": outcome.job.job_id,
        "_pd_char_sample_name": outcome.job.sample.name,
    }
    for tag, value in facts.items():
        _text(block, tag, value)
    r_p = rfactors.profile(measured.intensity, fit.y_calc)
    block.set_pair("_pd_proc_ls_prof_R_factor", f"{r_p / 100:.5f}")
    block.set_pair("_pd_proc_ls_prof_wR_factor", f"{fit.rwp / 100:.5f}")
    block.set_pair("_pd_proc_ls_prof_wR_expected", f"{fit.r_exp / 100:.5f}")
    block.set_pair("_refine_ls_goodness_of_fit_all", f"{fit.gof:.3f}")
    block.set_pair("_refine_ls_number_parameters", str(fit.n_free))
    block.set_pair("_pd_proc_number_of_points", str(fit.n_points))
    _text(block, "_pd_proc_ls_special_details", _provenance(outcome, fit))
    wavelengths = block.init_loop("_diffrn_radiation_", ["wavelength_id", "wavelength"])
    for i, wavelength in enumerate(_wavelengths(outcome)):
        wavelengths.add_row([str(i + 1), f"{wavelength:.6f}"])
    _weights(block, fit, uncertainty.spread(outcome))
    profile = block.init_loop("", list(PROFILE))
    columns = (
        measured.two_theta,
        measured.intensity,
        measured.sigma**-2.0,
        fit.y_calc,
        fit.y_background,
    )
    for row in zip(*columns, strict=True):
        profile.add_row([f"{row[0]:.5f}", *(f"{value:.6g}" for value in row[1:])])


def _cell_words(phase: PhaseFit, known: Mapping[str, Uncertainty]) -> str:
    free = uncertainty.independent(phase)
    values = (f"{key} {known[key].words(phase.cell[key].value)}" for key in free)
    return f"{', '.join(values)}: {uncertainty.NOTATION}"


def _weights(block: gemmi.cif.Block, fit: Fit, systematic: Mapping[str, float]) -> None:
    """Weights [%] with their combined esd, and each part of it in columns of our own."""
    names = ["_pd_phase_id", "_pd_phase_name", "_pd_phase_mass_%"]
    names += [f"_materialsdock_phase_mass_%_esd_{part}" for part in ("statistical", "systematic")]
    phases = block.init_loop("", names)
    for i, phase in enumerate(fit.phases):
        known = uncertainty.of_phase(phase, systematic)[uncertainty.WEIGHT]
        weight = Parameter("weight", phase.weight_fraction, known.combined)
        parts = [
            "?" if e is None or not math.isfinite(e) else f"{e:.3g}"
            for e in (known.statistical, known.systematic)
        ]
        phases.add_row([str(i + 1), gemmi.cif.quote(phase.name), number(weight), *parts])


def _wavelengths(outcome: Outcome) -> tuple[float, ...]:
    settings = outcome.job.settings.get("diffractometer", {})
    return tuple(settings.get("wavelengths_angstrom", ()))


def _provenance(outcome: Outcome, fit: Fit) -> str:
    verdict = outcome.found.assessment
    trials = many(len(outcome.found.trials), "trial")
    lines = [f"job {outcome.job.job_id}, seed {outcome.job.seed}, {trials}"]
    if verdict is not None:
        lines += [f"verdict: {verdict.word}", *verdict.reasons]
    lines += notes_of_reading(outcome.job.sample.structures)
    lines += [f"gemmi {importlib.metadata.version('gemmi')}", "recipe:", readable_json(fit.recipe)]
    return "\n".join(line.replace("\n;", "\n ;") for line in lines)


def number(parameter: Parameter) -> str:
    """A value with its esd in parentheses, as CIF wants it; ? when it is not finite."""
    if not math.isfinite(parameter.value):
        return "?"
    if parameter.esd is None or not math.isfinite(parameter.esd) or parameter.esd <= 0:
        return f"{parameter.value:.6g}"
    return with_esd(parameter.value, parameter.esd)


def _text(block: gemmi.cif.Block, tag: str, value: str) -> None:
    ascii_only = value.encode("ascii", "backslashreplace").decode()
    block.set_pair(tag, gemmi.cif.quote(ascii_only))


def _block_name(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name)[:60]

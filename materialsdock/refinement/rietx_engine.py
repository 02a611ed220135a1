"""The Rietveld engine rietx behind our words; no other file imports it.

Traps that this file avoids (each was met): rietx's file reader (arrays are passed instead), its
history and telemetry folders, stage patterns that free nothing without a word, unbounded Biso,
free polar axes.  Its import takes 1-2 s, so it happens inside the functions: only workers pay.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError, ModelFault
from materialsdock.model import Diffractometer, Fit, Parameter, Pattern, PhaseFit, Structure
from materialsdock.refinement import rfactors
from materialsdock.refinement.guards import check_pattern, check_structures, envelope, violations
from materialsdock.refinement.recipe import SearchSpace, completed, stages

CELL = {"a": "Å", "b": "Å", "c": "Å", "alpha": "deg", "beta": "deg", "gamma": "deg"}
GLOBS = {
    "scale": ("phases.*.scale",),
    "background": ("instrument.background.c*",),
    "zero": ("instrument.zero_shift",),
    "displacement": ("instrument.geometry.sample_displacement",),
    "cell": ("phases.*.cell.*",),
    "axial": ("instrument.geometry.axial_sl", "instrument.geometry.axial_hl"),
    "kalpha2": ("instrument.source.lines.*.weight",),
    "preferred_orientation": ("phases.*.preferred_orientation.r",),
    "displacements": ("phases.*.atoms.*.biso",),
    "coordinates": ("phases.*.atoms.*.dof*",),
}
WORDS = {"zero_shift": "zero", "occ": "occupancy", "r": "preferred_orientation"}
UNITS = {"zero": "deg", "sample_displacement": "mm", "x": "deg", "y": "deg"}
UNITS |= dict.fromkeys("uvw", "deg²")
MUST_FREE = ("scale", "background", "cell", "preferred_orientation", "displacements")
AXIAL_START = 0.02  # its gradient vanishes at 0
START_BISO = 0.5
# Ten times faster than the defaults for 0.05 % of Rwp.
QUICK_STAGE = {"ftol": 1e-4, "max_iter": 60}
QUICK_PLAN = {"closing_window_tol": None, "intermediate_ftol": 1e-3}


class RietxEngine:
    """Satisfies protocols.RefinementEngine; irregular steps are allowed."""

    name: str = "rietx"

    def warm_up(self) -> None:
        """Import the engine, so that the first refinement of a process does not wait for it."""
        import rietx  # noqa: F401

    def refine(
        self,
        pattern: Pattern,
        structures: Sequence[Structure],
        diffractometer: Diffractometer,
        recipe: Mapping[str, Any],
    ) -> Fit:
        """Refine once; R factors are recomputed here on all points of `pattern`.

        What the recipe leaves out is taken from `default_recipe`.  Raises InputError for data,
        structures or recipes that cannot be refined, ModelFault when the engine fails.
        """
        check_structures(structures)
        check_pattern(pattern, diffractometer.fwhm_deg)
        default = SearchSpace.of(pattern, structures, diffractometer).default()
        full = completed(recipe, default)
        began = time.perf_counter()
        phases = [_phase(structure) for structure in structures]
        start_cells = {p.name: {k: getattr(p.cell, k).value for k in CELL} for p in phases}
        with warnings.catch_warnings(record=True) as noticed:
            warnings.simplefilter("always")
            try:
                result = _run(pattern, phases, _instrument(diffractometer, pattern, full), full)
            except (ValueError, ArithmeticError, RuntimeError, LookupError) as error:
                raise ModelFault(f"rietx failed: {error}", where="refinement") from error
        fit = _fit(pattern, phases, result, full, start_cells)
        notes = tuple(dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in noticed))
        return replace(fit, seconds=time.perf_counter() - began, warnings=(*fit.warnings, *notes))


def _phase(structure: Structure) -> Any:
    import rietx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phase.cif"
        path.write_text(structure.cif)
        try:
            read = rietx.Structure.from_cif(path, phase_name=structure.name)
        except ValueError as error:
            what = str(error).replace(str(path), structure.name)
            raise InputError(what, where=f"CIF of {structure.name}") from error
    phase = read.phases[0]
    phase.floating_origin = "hold"
    for atom in phase.atoms:
        atom.aniso = None
        atom.biso = rietx.Parameter(value=START_BISO, min=0.0)
    if structure.preferred_orientation is not None:
        phase.preferred_orientation = rietx.PreferredOrientation(
            axis=structure.preferred_orientation
        )
    return phase


def _instrument(diffractometer: Diffractometer, pattern: Pattern, recipe: Mapping[str, Any]) -> Any:
    import rietx
    from rietx.schemas.instrument import EmissionLine, Geometry, ProfileTCHZ, Source

    number = rietx.Parameter
    first = diffractometer.weights[0]
    pairs = zip(diffractometer.wavelengths_angstrom, diffractometer.weights, strict=True)
    lines = [EmissionLine(wavelength=w, weight=number(value=k / first, min=0)) for w, k in pairs]
    axial = 0.0 if recipe["axial"] == "off" else AXIAL_START
    width = 0.6 * recipe["fwhm_deg"]
    return rietx.Instrument(
        source=Source(
            lines=lines, polarization=number(value=diffractometer.polarization, min=0.0, max=1.0)
        ),
        geometry=Geometry(
            kind=diffractometer.geometry,
            goniometer_radius_mm=diffractometer.radius_mm,
            axial_sl=number(value=axial, min=0.0),
            axial_hl=number(value=axial, min=0.0),
        ),
        profile=ProfileTCHZ(
            w=number(value=width**2, min=1e-8),
            x=number(value=width if "x" in recipe["widths"] else 0.0, min=0.0),
        ),
        background=_background(pattern, recipe),
    )


def _background(pattern: Pattern, recipe: Mapping[str, Any]) -> Any:
    import rietx

    curve = envelope(pattern, recipe["fwhm_deg"])
    terms = [rietx.Parameter(value=0.0) for _ in range(recipe["background_terms"])]
    if recipe["background"] == "chebyshev":
        terms[0].value = float(np.median(curve))
        return rietx.BackgroundChebyshev(coefficients=terms)
    if recipe["background"] == "envelope":
        terms = terms[:1]
    return rietx.BackgroundFixedPlusChebyshev(
        fixed_two_theta=pattern.two_theta.tolist(),
        fixed_intensity=curve.tolist(),
        chebyshev=rietx.BackgroundChebyshev(coefficients=terms),
    )


def _run(pattern: Pattern, phases: list[Any], instrument: Any, recipe: Mapping[str, Any]) -> Any:
    """Warm-up range first, stage by stage; then the whole range at the wanted effort."""
    import rietx

    work = rietx.Refinement(rietx.Structure(phases=phases), instrument, history=False)
    if recipe["displacements"] == "per_phase":
        for index, phase in enumerate(phases):
            if len(phase.atoms) > 1:
                work.tie_equal(f"phases.{index}.atoms.*.biso")
    if recipe["axial"] == "equal":
        work.tie_equal(list(GLOBS["axial"]))
    data = rietx.PatternData(
        two_theta=pattern.two_theta.tolist(),
        intensity=pattern.intensity.tolist(),
        sigma=pattern.sigma.tolist(),
    )
    groups = stages(recipe)
    limits = tuple(recipe["warmup_deg"])
    whole = (float(pattern.two_theta[0]), float(pattern.two_theta[-1]))
    if limits[0] > whole[0] or limits[1] < whole[1]:
        work.fit(data, plan=_plan(groups, recipe, quick=True), two_theta_limits=limits,
                 telemetry=False)  # fmt: skip
        groups = (groups[0], tuple(dict.fromkeys(g for stage in groups for g in stage)))
    plan = _plan(groups, recipe, quick=recipe["effort"] == "search")
    result = work.fit(data, plan=plan, telemetry=False)
    reached = {path for stage in result.stages for path in (*stage.freed, *stage.held)}
    for name in {group for stage in groups for group in stage}.intersection(MUST_FREE):
        if not any(fnmatchcase(path, glob) for path in reached for glob in GLOBS[name]):
            raise ModelFault(f"rietx freed nothing for {name}", where="refinement")
    return result


def _plan(groups: Sequence[Sequence[str]], recipe: Mapping[str, Any], *, quick: bool) -> Any:
    import rietx

    globs = GLOBS | {"position": GLOBS.get(recipe["position"], ())}
    globs |= {w: (f"instrument.profile.{w}",) for w in "uvwxy"}
    steps = [
        rietx.Stage("+".join(names), [glob for name in names for glob in globs[name]],
                    **(QUICK_STAGE if quick else {}))
        for names in groups
    ]  # fmt: skip
    return rietx.RefinementPlan(steps, **(QUICK_PLAN if quick else {}))


def _fit(
    pattern: Pattern,
    phases: Sequence[Any],
    result: Any,
    recipe: Mapping[str, Any],
    start_cells: Mapping[str, Mapping[str, float]],
) -> Fit:
    """The engine's answer in our words; `seconds` and Python warnings are added by the caller."""
    import rietx

    y_calc = np.asarray(result.y_calc, dtype=float)
    if y_calc.shape != pattern.intensity.shape or not np.isfinite(y_calc).all():
        raise ModelFault(
            f"rietx answered {y_calc.size} of {pattern.intensity.size} points, "
            f"{np.count_nonzero(~np.isfinite(y_calc))} of them not finite"
        )
    y, sigma = pattern.intensity, pattern.sigma
    n_free = sum(p.vary for p in result.parameters)
    rwp, r_exp = rfactors.weighted_profile(y, y_calc, sigma), rfactors.expected(y, sigma, n_free)
    fits, parameters = _phase_fits(phases, result), tuple(_parameters(phases, result))
    return Fit(
        rwp=rwp,
        r_exp=r_exp,
        gof=rwp / r_exp,
        n_points=y.size,
        n_free=n_free,
        phases=fits,
        parameters=parameters,
        y_calc=y_calc,
        y_background=np.asarray(result.y_background, dtype=float),
        ticks={name: np.unique(np.asarray(at, dtype=float)) for name, at in result.ticks.items()},
        recipe=dict(recipe),
        engine=f"rietx {rietx.__version__}",
        seconds=0.0,
        warnings=tuple(f"{d.code}: {d.message}" for d in result.diagnostics if d.level != "info"),
        violations=violations(pattern.two_theta, parameters, fits, start_cells),
    )


def _esd(row: Any) -> float | None:
    """NaN for a refined parameter whose esd the engine could not estimate."""
    if row.stderr is not None:
        return float(row.stderr)
    return float("nan") if row.vary else None


def _phase_fits(phases: Sequence[Any], result: Any) -> tuple[PhaseFit, ...]:
    rows = {row.path: row for row in result.parameters}
    shares = {q.name: q for q in result.qpa.phases} if result.qpa else {}
    fits = []
    for index, phase in enumerate(phases):
        cell = {}
        for key, unit in CELL.items():
            row = rows.get(f"phases.{index}.cell.{key}")
            value = getattr(phase.cell, key).value if row is None else row.value
            cell[key] = Parameter(key, float(value), None if row is None else _esd(row), unit)
        share = shares.get(phase.name)
        if share is None or share.weight_fraction is None:
            raise ModelFault(
                f"no weight fraction for {phase.name}: it has no reflection in the range"
            )
        esd = share.weight_fraction_stderr if len(phases) > 1 else None
        percent = 100 * share.weight_fraction, None if esd is None else 100 * esd
        fits.append(PhaseFit(phase.name, phase.space_group, cell, *percent))
    return tuple(fits)


def _parameters(phases: Sequence[Any], result: Any) -> Iterator[Parameter]:
    """Every parameter but the cells, which are in the phases, and internal shifts of sites."""
    for row in result.parameters:
        words = row.path.split(".")
        if "cell" in words or "dof" in words:
            continue
        name = _name(words, phases)
        unit = "Å²" if name.endswith(".biso") else UNITS.get(name, "")
        yield Parameter(name, float(row.value), _esd(row), unit)


def _name(words: Sequence[str], phases: Sequence[Any]) -> str:
    """Our name for a path of the engine: phases.0.atoms.1.occ is corundum.O1.occupancy."""
    last = WORDS.get(words[-1], words[-1])
    if "lines" in words:
        return "kalpha2_weight" if words[-2] == "1" else f"line_{words[-2]}_{last}"
    if "atoms" in words:
        phase = phases[int(words[1])]
        return f"{phase.name}.{phase.atoms[int(words[3])].label}.{last}"
    if words[0] == "phases":
        return f"{phases[int(words[1])].name}.{last}"
    return f"background.{last}" if "background" in words else last

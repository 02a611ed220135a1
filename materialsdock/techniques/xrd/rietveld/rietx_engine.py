"""The Rietveld engine rietx behind our words; besides, only files.vendor reads files with it.

Traps that this file avoids (each was met): rietx's file reader (arrays are passed instead), its
history and telemetry folders, stage patterns that free nothing without a word, unbounded Biso,
free polar axes.  Its import takes 1-2 s, so it happens inside the functions: only workers pay.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from materialsdock.errors import InputError, ModelFault
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.model import FloatArray, Structure
from materialsdock.techniques.xrd.model import Diffractometer, Fit
from materialsdock.techniques.xrd.rietveld.contacts import too_short
from materialsdock.techniques.xrd.rietveld.limits import check_pattern, check_structures
from materialsdock.techniques.xrd.rietveld.recipe import SearchSpace, completed, stages
from materialsdock.techniques.xrd.rietveld.rfactors import weighted_profile
from materialsdock.techniques.xrd.rietveld.rietx_answer import (
    CELL,
    answered,
    name_of,
    weight_covariance,
    with_covariance,
)
from materialsdock.techniques.xrd.rietveld.rietx_start import (
    AXIAL_PATHS,
    instrument_of,
    phase_of,
    tie,
    width_paths,
)
from materialsdock.techniques.xrd.rietveld.sensitivity import Derivatives

log = logging.getLogger(__name__)
GLOBS = {
    "scale": ("phases.*.scale",),
    "background": ("instrument.background.c*",),
    "zero": ("instrument.zero_shift",),
    "displacement": ("instrument.geometry.sample_displacement",),
    "zero+displacement": (
        "instrument.zero_shift",
        "instrument.geometry.sample_displacement",
    ),
    "cell": ("phases.*.cell.*",),
    "axial": AXIAL_PATHS,
    "kalpha2": ("instrument.source.lines.*.weight",),
    "preferred_orientation": ("phases.*.preferred_orientation.r",),
    "displacements": ("phases.*.atoms.*.biso",),
    "coordinates": ("phases.*.atoms.*.dof*",),
    "roughness": ("instrument.geometry.surface_roughness.b",),
}
INTENSITIES = ("scale", "preferred_orientation", "displacements", "coordinates", "roughness")
MUST_FREE = ("scale", "background", "cell", "preferred_orientation", "displacements")
# Ten times faster than the defaults for 0.05 % of Rwp.
QUICK_STAGE = {"ftol": 1e-4, "max_iter": 60}
QUICK_PLAN = {"closing_window_tol": None, "intermediate_ftol": 1e-3}


class RietxEngine:
    """Satisfies engine.RefinementEngine; irregular steps are allowed."""

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
        began = time.perf_counter()
        done = self._carried_out(pattern, structures, diffractometer, recipe)
        fit = done.fit
        if fit.recipe["effort"] == "final":
            fit = replace(fit, rwp_free_intensities=_free_intensities(pattern, done))
        return replace(fit, seconds=time.perf_counter() - began)

    def differentiate(
        self,
        pattern: Pattern,
        structures: Sequence[Structure],
        diffractometer: Diffractometer,
        recipe: Mapping[str, Any],
        free: Sequence[str] = (),
    ) -> Derivatives:
        """Refine once, then give the derivatives of y_calc where the refinement ended.

        free : parameters refined besides those of the recipe, in our names
        ("corundum.O1.occupancy").  Raises as `refine` does, InputError for an unknown name.
        """
        done = self._carried_out(pattern, structures, diffractometer, recipe, free)
        if done.work._answer_covariance is None:
            raise ModelFault("rietx kept no derivatives of its answer", where="refinement")
        _, table, theta, *_ = done.work._answer_covariance
        values, slopes = table.decode(theta), table.local_jacobian(theta).tocsr()
        rows = {name: slopes[table._paths[path]] for name, path in done.paths.items()}
        return Derivatives(
            fit=done.fit,
            jacobian=_jacobian(done.work._model, table, theta, pattern.intensity.size),
            values={name: float(values[path]) for name, path in done.paths.items()},
            slopes={name: row.toarray().ravel() for name, row in rows.items()},
        )

    def _carried_out(
        self,
        pattern: Pattern,
        structures: Sequence[Structure],
        diffractometer: Diffractometer,
        recipe: Mapping[str, Any],
        free: Sequence[str] = (),
    ) -> _Done:
        check_structures(structures)
        with warnings.catch_warnings(record=True) as noticed:
            warnings.simplefilter("always")
            done = self._refined(pattern, structures, diffractometer, recipe, free)
        # of libraries, for those who write programs: nothing that a user could act on
        for note in dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in noticed):
            log.info("%s", note)
        return done

    def _refined(
        self,
        pattern: Pattern,
        structures: Sequence[Structure],
        diffractometer: Diffractometer,
        recipe: Mapping[str, Any],
        free: Sequence[str],
    ) -> _Done:
        import rietx

        check_pattern(pattern, diffractometer.fwhm_deg)
        default = SearchSpace.of(pattern, structures, diffractometer).default()
        full = completed(recipe, default)
        phases = [phase_of(structure, full) for structure in structures]
        start_cells = {p.name: {k: getattr(p.cell, k).value for k in CELL} for p in phases}
        try:
            start = instrument_of(diffractometer, pattern, full)
            work = rietx.Refinement(rietx.Structure(phases=phases), start, history=False)
            paths = {name_of(row.path.split("."), phases): row.path for row in work.parameters()}
            result = _run(pattern, work, full, _known(free, paths))
        except (ValueError, ArithmeticError, RuntimeError, LookupError) as error:
            raise ModelFault(f"rietx failed: {error}", where="refinement") from error
        fit = answered(pattern, phases, result, full, start_cells, f"rietx {rietx.__version__}")
        close = too_short(structures, fit.phases, fit.parameters)
        covariance = weight_covariance(result, _scale_covariance(work, len(phases)))
        fit = replace(fit, violations=(*fit.violations, *close))
        return _Done(with_covariance(fit, covariance), work, paths)


@dataclass(frozen=True, eq=False)
class _Done:
    """A refinement as the engine holds it; paths : our name -> the engine's."""

    fit: Fit
    work: Any
    paths: Mapping[str, str]


def _known(names: Sequence[str], paths: Mapping[str, str]) -> list[str]:
    if unknown := [name for name in names if name not in paths]:
        raise InputError(
            f"no parameter {', '.join(unknown)}",
            where="refinement",
            remedy=f"name one of {', '.join(name for name in paths if '.' in name)}",
        )
    return [paths[name] for name in names]


def _jacobian(model: Any, table: Any, theta: FloatArray, points: int) -> FloatArray:
    """∂y_calc/∂θ (points, p) from the engine's analytic derivatives of (y − y_calc)/σ."""
    from rietx.optimize.least_squares import _jacobian_for

    residual = np.asarray(_jacobian_for(model, table, "numpy")(theta), dtype=float)[:points]
    return np.asarray(-np.asarray(model.sigma)[:, None] * residual, dtype=float)


def _scale_covariance(work: Any, phases: int) -> FloatArray | None:
    """(phases, phases) covariance of the scales where the refinement ended."""
    if work._answer_covariance is None:
        return None
    _, table, theta, esds, correlation = work._answer_covariance
    if esds is None:
        return None
    scales = [f"phases.{i}.scale" for i in range(phases)]
    return np.asarray(table.physical_covariance(theta, esds, correlation, scales), dtype=float)


def _run(pattern: Pattern, work: Any, recipe: Mapping[str, Any], free: Sequence[str]) -> Any:
    """Warm-up range first, stage by stage; then the whole range at the wanted effort.

    free : paths of the engine that are freed last, besides those of the recipe
    """
    strong = tie(work, recipe)
    data, groups = _data(pattern), stages(recipe)
    limits = tuple(recipe["warmup_deg"])
    whole = (float(pattern.two_theta[0]), float(pattern.two_theta[-1]))
    if limits[0] > whole[0] or limits[1] < whole[1]:
        first = _plan(groups, recipe, quick=True, strong=strong)
        work.fit(data, plan=first, two_theta_limits=limits, telemetry=False)
        groups = (groups[0], tuple(dict.fromkeys(g for stage in groups for g in stage)))
    quick = recipe["effort"] == "search"
    plan = _plan(groups, recipe, quick=quick, free=free, strong=strong)
    result = work.fit(data, plan=plan, telemetry=False)
    reached = {path for stage in result.stages for path in (*stage.freed, *stage.held)}
    for name in {group for stage in groups for group in stage}.intersection(MUST_FREE):
        if not any(fnmatchcase(path, glob) for path in reached for glob in GLOBS[name]):
            raise ModelFault(f"rietx freed nothing for {name}", where="refinement")
    return result


def _free_intensities(pattern: Pattern, done: _Done) -> float | None:
    """Rwp [%] where `done` ended, with the intensity of every reflection free (Le Bail).

    None when the engine cannot say; never more than the Rietveld fit itself reached.
    """
    kept = tuple(g for stage in stages(done.fit.recipe) for g in stage if g not in INTENSITIES)
    plan = _plan([tuple(dict.fromkeys(kept))], done.fit.recipe, quick=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = done.work.fit(_data(pattern), mode="lebail", plan=plan, telemetry=False)
        except (ValueError, ArithmeticError, RuntimeError, LookupError):
            return None
    y_calc = np.asarray(result.y_calc, dtype=float)
    if y_calc.shape != pattern.intensity.shape or not np.isfinite(y_calc).all():
        return None
    return min(done.fit.rwp, weighted_profile(pattern.intensity, y_calc, pattern.sigma))


def _data(pattern: Pattern) -> Any:
    import rietx

    return rietx.PatternData(
        two_theta=pattern.two_theta.tolist(),
        intensity=pattern.intensity.tolist(),
        sigma=pattern.sigma.tolist(),
    )


def _plan(
    groups: Sequence[Sequence[str]],
    recipe: Mapping[str, Any],
    *,
    quick: bool,
    free: Sequence[str] = (),
    strong: Sequence[int] | None = None,
) -> Any:
    """strong : the phases whose atoms are refined; None: all of them."""
    import rietx

    globs = GLOBS | {"position": GLOBS.get(recipe["position"], ())}
    globs |= {w: (path,) for w, path in width_paths(recipe).items()}
    if strong is not None:
        of_atoms = {"displacements": "atoms.*.biso", "coordinates": "atoms.*.dof*"}
        globs |= {k: tuple(f"phases.{i}.{v}" for i in strong) for k, v in of_atoms.items()}
    effort = QUICK_STAGE if quick else {}
    steps = [
        rietx.Stage("+".join(names), [glob for name in names for glob in globs[name]], **effort)
        for names in groups
    ]
    if free:
        steps.append(rietx.Stage("wanted", list(free), **effort))
    return rietx.RefinementPlan(steps, **(QUICK_PLAN if quick else {}))

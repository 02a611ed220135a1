"""The results of absorption beyond the edge, in sentences and as plain JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from materialsdock.rendering.numbers import number, with_esd, with_esds
from materialsdock.techniques.xas.exafs.oscillations import plain_range, strongest_peak
from materialsdock.techniques.xas.model import (
    AbsorptionFit,
    Combination,
    EdgeFit,
    Known,
    Oscillations,
)
from materialsdock.techniques.xas.spectrum.white_line import WHITE_LINE_EV

ENERGIES = {"e0": "half_height", "inflection": "first_inflection"}
ESDS = "standard deviations are (statistical)[systematic], in units of the last digit"


def beyond_json(found: AbsorptionFit | None) -> dict[str, Any]:
    """oscillations, combination and what is missing; None for what there is not."""
    if found is None:
        return {"oscillations": None, "combination": None, "absorption_missing": []}
    waves, mixed = found.oscillations, found.combination
    return {
        "oscillations": oscillations_json(waves) if waves else None,
        "combination": combination_json(mixed) if mixed else None,
        "absorption_missing": list(found.missing),
    }


def edge_json(edge: EdgeFit | None) -> dict[str, Any]:
    """Name, the energies by each definition, step and white line, each with its uncertainties.

    e0_ev and edge_step stand first with their combined standard deviations
    """
    if edge is None:
        names = ("edge", "e0_ev", "e0_sd_ev", "edge_step", "edge_step_sd")
        return {**dict.fromkeys(names), "edge_energies_ev": {}, "numbers": {}, "warnings": []}
    energies = {word: edge.numbers[name] for name, word in ENERGIES.items() if name in edge.numbers}
    rest = {name: each for name, each in edge.numbers.items() if name not in ENERGIES}
    return {
        "edge": edge.edge or None,
        "e0_ev": number(edge.e0_ev),
        "e0_sd_ev": number(edge.e0_sd_ev),
        "edge_step": number(edge.edge_step),
        "edge_step_sd": number(edge.edge_step_sd),
        "edge_energies_ev": {
            **{word: known_json(each) for word, each in energies.items()},
            **({} if edge.tabulated_ev is None else {"tabulated": edge.tabulated_ev}),
        },
        "numbers": {name: known_json(each) for name, each in rest.items()},
        "warnings": list(edge.warnings),
    }


def known_json(known: Known) -> dict[str, Any]:
    """value, sd (of both together), statistical, systematic, unit; None for what is not known."""
    return {
        "value": number(known.value),
        "sd": number(known.esd),
        "statistical": number(known.statistical),
        "systematic": number(known.systematic),
        "unit": known.unit,
    }


def edge_sentences(edge: EdgeFit) -> list[str]:
    """The edge by each definition, step and white line; for version 0.1 its one line."""
    if not edge.numbers:
        e0 = with_esd(edge.e0_ev, edge.e0_sd_ev)
        return [f"E0 = {e0} eV, edge step {with_esd(edge.edge_step, edge.edge_step_sd)}"]
    said = {name: both(each) for name, each in edge.numbers.items()}
    energies = [f"E0 = {said['e0']} eV at half height of the step"]
    if "inflection" in said:
        energies.append(f"first inflection {said['inflection']} eV")
    if edge.tabulated_ev is not None:
        energies.append(f"tabulated {edge.edge} {edge.tabulated_ev:g} eV")
    else:
        energies.append("no tabulated edge lies near")
    rest = [f"edge step {said['edge_step']}"]
    if "white_line_height" in said:
        at = said["white_line_position"]
        rest.append(f"white line {said['white_line_height']} of the step at {at} eV")
    else:
        rest.append(f"no white line: the curve has no maximum within {WHITE_LINE_EV:g} eV of E0")
    return [", ".join(energies), ", ".join(rest), ESDS]


def both(known: Known) -> str:
    """A number with its (statistical)[systematic] standard deviations."""
    return with_esds(known.value, known.statistical, known.systematic)


def settings_json(edge: EdgeFit | None, waves: Oscillations | None) -> dict[str, Any]:
    """The settings as they were used: e0 [eV], ranges [eV from e0], order, rbkg [Å], k [1/Å]."""
    found: dict[str, Any] = {} if edge is None else dict(edge.normalisation)
    if waves is not None:
        within = plain_range(waves)
        found |= {"rbkg": waves.rbkg, "k_min": within.k[0], "k_max": within.k[1]}
        found |= {"k_weight": within.k_weight, "dk": within.dk, "window": within.window}
    return {key: round(v, 3) if isinstance(v, float) else v for key, v in found.items()}


def settings_sentence(settings: Mapping[str, Any]) -> str:
    """The settings of normalisation and background in one line; "" where none are kept."""
    if "pre1" not in settings:
        return ""
    said = (
        "normalised with e0 {e0:.2f} eV, pre-edge {pre1:.0f} to {pre2:.0f} eV, "
        "post-edge {norm1:.0f} to {norm2:.0f} eV, order {order}"
    ).format(**settings)
    if "rbkg" in settings:
        said += "; background rbkg {rbkg:g} Å, k {k_min:.1f} to {k_max:.1f} 1/Å".format(**settings)
    return said


def parameters(
    edge: EdgeFit, waves: Oscillations | None, mixed: Combination | None = None
) -> list[tuple[str, str, str]]:
    """Rows of the table of parameters, as XAFS programs show them: name, value, what it is."""
    return [*_of_edge(edge, waves), *(_of_mixture(mixed) if mixed is not None else [])]


def _of_mixture(mixed: Combination) -> list[tuple[str, str, str]]:
    """The settings of a linear combination: sample and standards are normalised by them alike."""
    if not (used := mixed.normalisation):
        return []
    low, high = mixed.energy_ev[[0, -1]]
    return [
        ("range of the combination", f"{low:.1f} to {high:.1f} eV", "fitted in normalised µ(E)"),
        (
            "its pre-edge range",
            f"{used['pre1']:.1f} to {used['pre2']:.1f} eV",
            "of sample and standards, from E0",
        ),
        (
            "its normalisation range",
            f"{used['norm1']:.1f} to {used['norm2']:.1f} eV",
            f"polynomial of order {used['order']:.0f}, of sample and standards, from E0",
        ),
        ("shift of the energies", f"{mixed.shift_ev:+.2f} eV", "of the sample to the standards"),
    ]


def _of_edge(edge: EdgeFit, waves: Oscillations | None) -> list[tuple[str, str, str]]:
    used = settings_json(edge, waves)
    if "pre1" not in used:
        return []
    rows = [
        ("element and edge", edge.edge, _tabulated(edge)),
        ("E0", f"{used['e0']:.2f} eV", "ranges and k are counted from it"),
        ("pre-edge range", f"{used['pre1']:.1f} to {used['pre2']:.1f} eV", "line, from E0"),
        (
            "normalisation range",
            f"{used['norm1']:.1f} to {used['norm2']:.1f} eV",
            f"polynomial of order {used['order']}, from E0",
        ),
        ("edge step", f"{edge.edge_step:.4g}", "post-edge less pre-edge at E0, in µ"),
    ]
    if waves is None:
        return rows
    return [
        *rows,
        ("rbkg", f"{used['rbkg']:g} Å", "below it everything is background"),
        ("spline range in k", f"0 to {waves.k[-1]:.2f} 1/Å", "background under the oscillations"),
        (
            "Fourier transform",
            f"{used['k_min']:.2f} to {used['k_max']:.2f} 1/Å",
            f"k-weight {used['k_weight']}, window {used['window']}, dk {used['dk']:g} 1/Å",
        ),
    ]


def _tabulated(edge: EdgeFit) -> str:
    if edge.tabulated_ev is None:
        return "no tabulated edge lies near"
    return f"tabulated at {edge.tabulated_ev:g} eV"


def oscillations_json(waves: Oscillations) -> dict[str, Any]:
    """Range of χ(k) and the highest peak of its transform, R [Å] not corrected for the phase."""
    within = plain_range(waves)
    r, sd = strongest_peak(waves)
    return {
        "k_max": round(float(waves.k[-1]), 2),
        "rbkg": waves.rbkg,
        "transform_k": [round(each, 2) for each in within.k],
        "transform_k_weight": within.k_weight,
        "strongest_peak_angstrom": round(r, 3),
        "strongest_peak_sd_angstrom": None if sd is None else round(sd, 3),
    }


def combination_json(found: Combination) -> dict[str, Any]:
    """Fractions with their esds, what was left out, and the rivals."""
    return {
        "fractions": {
            name: {
                "value": round(each.value, 5),
                "esd": number(round(float(each.esd or 0.0), 5)),
                "esd_noise": number(round(found.esd_noise[name], 5)),
                "esd_normalisation": number(round(found.esd_normalisation[name], 5)),
                "esd_shift": number(round(found.esd_shift.get(name, 0.0), 5)),
            }
            for name, each in found.fractions.items()
        },
        "left_out": {
            name: {"value": round(each.value, 5), "esd": each.esd and number(round(each.esd, 5))}
            for name, each in found.left_out.items()
        },
        "rivals": list(found.rivals),
        "shift_ev": round(found.shift_ev, 3),
        "r_factor": found.r_factor,
        "fit_range_ev": [round(float(end), 2) for end in found.energy_ev[[0, -1]]],
        "normalisation": {key: round(value, 3) for key, value in found.normalisation.items()},
        "normalisations": found.normalisations,
        "warnings": list(found.warnings),
    }


def sentences(found: AbsorptionFit) -> list[str]:
    """List what a person wants to read of it, one line each; what is missing comes last."""
    waves = found.oscillations
    said = []
    if waves is not None:
        r, sd = strongest_peak(waves)
        said.append(
            f"χ(k) to k = {waves.k[-1]:.1f} 1/Å; highest peak of |χ(R)| at R = "
            f"{with_esd(r, sd)} Å, not corrected for the phase"
        )
    if found.combination is not None:
        said += mixture_sentences(combination_json(found.combination))
    return [*said, *found.missing]


def _share(of: Mapping[str, Any], whole: bool) -> str:
    """A fraction with (noise)[normalisation and shift]; with one esd where not `whole`."""
    parts = of["esd_noise"], of["esd_normalisation"], of["esd_shift"]
    if None in parts or not whole:
        return with_esd(of["value"], of["esd"])
    return with_esds(of["value"], parts[0], math.hypot(*parts[1:]))


def mixture_sentences(said: Mapping[str, Any]) -> list[str]:
    """Fractions, what the spectrum does not ask for, and rivals, from `combination_json`."""
    whole = bool(said["normalisation"])  # version 0.1 kept none
    parts = [f"{_share(f, whole)} {n}" for n, f in said["fractions"].items()]
    lines = [" + ".join(parts) + f", R-factor {said['r_factor']:.2g}"]
    if whole:
        low, high = said["fit_range_ev"]
        shifted = f"shifted by {said['shift_ev']:+.2f} eV" if said["shift_ev"] else "no shift"
        lines.append(
            f"fitted from {low:.1f} to {high:.1f} eV, {shifted}; esds are (noise and misfit)"
            "[normalisation and energy scale]"
        )
        alike = (
            "sample and standards normalised alike: pre-edge {pre1:.0f} to {pre2:.0f} eV, "
            "post-edge {norm1:.0f} to {norm2:.0f} eV, order {order:.0f}"
        )
        lines.append(alike.format(**said["normalisation"]))
    out = [
        f"{name} ({with_esd(f['value'], f['esd']) if f['esd'] else 'not separable'})"
        for name, f in said["left_out"].items()
    ]
    if out:
        lines.append(f"not needed (fraction if it were added): {', '.join(out)}")
    return lines + [f"rival: {each}" for each in said["rivals"]] + list(said["warnings"])

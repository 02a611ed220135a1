"""The results of absorption beyond the edge, in sentences and as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from materialsdock.rendering.numbers import number, with_esd
from materialsdock.techniques.xas.exafs.oscillations import plain_range, strongest_peak
from materialsdock.techniques.xas.model import AbsorptionFit, Combination, Oscillations


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


def mixture_sentences(said: Mapping[str, Any]) -> list[str]:
    """Fractions, what the spectrum does not ask for, and rivals, from `combination_json`."""
    parts = [f"{with_esd(f['value'], f['esd'])} {n}" for n, f in said["fractions"].items()]
    lines = [" + ".join(parts) + f", R-factor {said['r_factor']:.2g}"]
    out = [
        f"{name} ({with_esd(f['value'], f['esd']) if f['esd'] else 'not separable'})"
        for name, f in said["left_out"].items()
    ]
    if out:
        lines.append(f"not needed (fraction if it were added): {', '.join(out)}")
    return lines + [f"rival: {each}" for each in said["rivals"]] + list(said["warnings"])

"""Sum rules on made spectra of known moments and on one measured pair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.model import FloatArray
from materialsdock.techniques.xas.dichroism.background import Background
from materialsdock.techniques.xas.dichroism.moments import MagneticAtom, Moments, magnetic_moments

IRON = MagneticAtom(holes=3.39)
# of bulk iron: Chen et al., PRL 75, 152 (1995)
TRUE = {"m_orb": 0.085, "m_spin_eff": 1.98}
NOISE, SAMPLES = 1e-3, 40
AREA_EV = 30.0


def made(noise: float, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Energies, µ⁺ and µ⁻ with the moments TRUE; gain and background differ by helicity."""
    energy = np.linspace(685.0, 765.0, 400)
    steps = Background((685.0, 700.0), (735.0, 765.0), 706.8, 719.9, 714.0).steps(energy)

    def line(centre: float, width: float) -> FloatArray:
        return np.exp(-0.5 * ((energy - centre) / width) ** 2) / (width * np.sqrt(2 * np.pi))

    q = -TRUE["m_orb"] * AREA_EV / (4 / 3 * IRON.holes)
    p = (4 * q - TRUE["m_spin_eff"] * AREA_EV / IRON.holes) / 6
    difference = p * line(706.8, 1.2) + (q - p) * line(719.9, 1.2)
    total = 2 * steps + AREA_EV * (0.7 * line(706.8, 1.3) + 0.3 * line(719.9, 1.3))
    base = 0.6 - 5e-4 * (energy - 700.0)
    noises = noise * rng.standard_normal((2, energy.size))
    return (
        energy,
        1.03 * (base + 0.2 * (total + difference)) + noises[0],
        base + 1e-4 * (energy - 700.0) + 0.2 * (total - difference) + noises[1],
    )


def read_pair(folder: Path) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The measured pair: electron yield over incoming flux, on the energies of the first."""
    first, second = (np.loadtxt(folder / f"inamin_Fe-{i}.txt") for i in (1, 2))
    plus, minus = (scan[:, 2] / scan[:, 1] for scan in (first, second))
    return first[:, 0], plus, np.interp(first[:, 0], second[:, 0], minus)


def scatter(mu: FloatArray, count: int) -> float:
    """sd of the first `count` points about a line."""
    x = np.arange(count)
    return float(np.std(mu[:count] - np.polyval(np.polyfit(x, mu[:count], 1), x), ddof=2))


def analysed(
    energy: FloatArray, plus: FloatArray, minus: FloatArray, noise: float, seed: int
) -> Moments:
    """Moments with samples of the noise about the curves."""
    rng = np.random.default_rng(seed)
    drawn = [mu + noise * rng.standard_normal((SAMPLES, mu.size)) for mu in (plus, minus)]
    return magnetic_moments(energy, plus, minus, IRON, samples=(drawn[0], drawn[1]))


def dichroism(data: Path, *, seeds: Sequence[int]) -> dict[str, Any]:
    """Both results."""
    found = [
        analysed(*made(NOISE, np.random.default_rng(seed)), NOISE, 1000 + seed) for seed in seeds
    ]
    result: dict[str, Any] = {"verdicts": sorted({each.verdict for each in found})}
    pulls = []
    for name, true in TRUE.items():
        values = np.array([each.values[name].value for each in found])
        sds = np.array([each.values[name].esd for each in found])
        pulls.append(np.abs(values - true) / sds)
        result[name] = {
            "true": true,
            "median": round(float(np.median(values)), 4),
            "sd": round(float(np.median(sds)), 4),
            "of it noise": round(float(np.median([e.noise[name] for e in found])), 4),
            "relative error": round(float(abs(np.median(values) / true - 1)), 4),
        }
    result["largest pull"] = round(float(np.max(pulls)), 2)
    energy, plus, minus = read_pair(data / "xmcd")
    pair = analysed(energy, plus, minus, max(scatter(mu, 7) for mu in (plus, minus)), 0)
    spread = pair.background["m_spin_eff"] / abs(pair.values["m_spin_eff"].value)
    measured = {
        name: {
            "median": round(parameter.value, 3),
            "sd": round(float(parameter.esd or 0.0), 3),
            "noise": round(pair.noise[name], 4),
            "background": round(pair.background[name], 3),
            "extremes": [round(each, 3) for each in pair.extremes[name]],
        }
        for name, parameter in pair.values.items()
    }
    return {
        "made": result,
        "measured": {
            **measured,
            "from bulk iron in sd": {
                name: round(abs(pair.values[name].value - true) / (pair.values[name].esd or 0.0), 2)
                for name, true in TRUE.items()
            },
            "backgrounds": pair.choices,
            "verdict": pair.verdict,
            "reasons": list(pair.reasons),
            "honest": pair.verdict != "accept" or spread <= 0.1,
        },
    }

"""`materialsdock xas xmcd`: magnetic moments from two helicities or fields, with their doubt."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats import read_measured
from materialsdock.formats.options import NOTHING_ASKED, FileOptions
from materialsdock.formats.reading import facts
from materialsdock.formats.reading import sentences as sentences_of
from materialsdock.model import FloatArray
from materialsdock.rendering.numbers import with_esd
from materialsdock.techniques.xas.dichroism.background import Background, find_background
from materialsdock.techniques.xas.dichroism.moments import Atom, Moments, magnetic_moments
from materialsdock.techniques.xas.dichroism.page import write_page
from materialsdock.techniques.xas.spectrum.checks import MEDIAN_OF_NORMAL, check_curve
from materialsdock.techniques.xas.spectrum.edge_table import TABULATED_WITHIN_EV, named

SAMPLES, SEED = 40, 0
SIGNS = {"m_orb": "m_orb", "m_spin_eff": "m_spin,eff", "ratio": "m_orb/m_spin,eff"}
Window = tuple[float, float]


@dataclass(frozen=True)
class DichroismRequest:
    """The request of the user.

    file : what is said of both files where they are silent
    pre, post : where nothing but background is [eV]; cut, l3, l2 : where L3 ends, the steps [eV]
    """

    plus: Path
    minus: Path
    atom: Atom
    file: FileOptions = NOTHING_ASKED
    pre: Window | None = None
    post: Window | None = None
    cut: float | None = None
    l3: float | None = None
    l2: float | None = None
    out: Path | None = None


def run(request: DichroismRequest) -> dict[str, Any]:
    """Moments, and the report when a folder is given; InputError for bad files or windows."""
    energy, plus, minus, notes = read_pair(request)
    background = drawn(request, energy, plus + minus)
    near = background or find_background(energy, plus + minus)
    if request.file.edge:
        _check_edge(request.file.edge, near)
    rng = np.random.default_rng(SEED)
    samples = [
        mu + _noise(energy, mu, near) * rng.standard_normal((SAMPLES, mu.size))
        for mu in (plus, minus)
    ]
    found = magnetic_moments(
        energy, plus, minus, request.atom, background, (samples[0], samples[1])
    )
    said = {**summary(request, found), "notes": notes}
    if request.out is None:
        return said
    path = request.out / f"{request.plus.stem}.xmcd.html"
    try:
        request.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot be made: {error.strerror}", where=str(request.out), remedy="name a folder"
        ) from error
    page = write_page(path, (energy, plus, minus), found, sentences(said))
    return {**said, "report": str(page)}


def read_pair(request: DichroismRequest) -> tuple[FloatArray, FloatArray, FloatArray, list[str]]:
    """Energies of the first spectrum that the second one covers, µ⁺, µ⁻, and the reader's notes."""
    (x, plus, said), (other, minus, more) = (
        _read(path, request.file) for path in (request.plus, request.minus)
    )
    inside = (x >= other[0]) & (x <= other[-1])
    if not inside.any():
        raise InputError(
            f"{x[0]:.1f} to {x[-1]:.1f} eV and {other[0]:.1f} to {other[-1]:.1f} eV do not overlap",
            where=str(request.minus),
            remedy="give two spectra of the same edges",
        )
    return x[inside], plus[inside], np.interp(x[inside], other, minus), [*said, *more]


def drawn(request: DichroismRequest, energy_ev: FloatArray, total: FloatArray) -> Background | None:
    """The background asked for, or None where nothing of it was; the rest is found."""
    wanted = {
        "pre_ev": request.pre,
        "post_ev": request.post,
        "cut_ev": request.cut,
        "l3_ev": request.l3,
        "l2_ev": request.l2,
    }
    changes: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}
    return replace(find_background(energy_ev, total), **changes) if changes else None


def summary(request: DichroismRequest, found: Moments) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {
        "plus": request.plus.name,
        "minus": request.minus.name,
        "moments": {
            name: {
                "value": round(each.value, 5),
                "sd": round(float(each.esd or 0.0), 5),
                "sd_noise": round(found.noise[name], 5),
                "sd_background": round(found.background[name], 5),
                "extremes": [round(end, 5) for end in found.extremes[name]],
                "unit": each.unit,
            }
            for name, each in found.values.items()
        },
        "verdict": found.verdict,
        "reasons": list(found.reasons),
        "backgrounds": found.choices,
        "background_drawn": {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(found.background_drawn).items()
        },
        "integrals_ev": {key: getattr(found.reference, key) for key in ("p", "q", "r")},
        "assumed": asdict(request.atom),
    }


def sentences(said: dict[str, Any]) -> list[str]:
    """List what a person wants to read first, one line each."""
    assumed = said["assumed"]
    lines = [
        f"{SIGNS[name]} = {with_esd(each['value'], each['sd'])} {each['unit']}".strip()
        + f" (sd {each['sd_background']:.2g} of the background, {each['sd_noise']:.1g} of noise; "
        f"{each['extremes'][0]:.3g} to {each['extremes'][1]:.3g} over {said['backgrounds']} "
        "backgrounds)"
        for name, each in said["moments"].items()
    ]
    lines.append(
        f"with {assumed['holes']:g} holes, polarisation {assumed['polarisation']:g}, "
        f"{assumed['angle_deg']:g}° between beam and moment; m_spin,eff holds 7⟨T_z⟩"
    )
    return [*lines, f"verdict: {said['verdict']}", *said["reasons"], *said["notes"]]


def overview(said: dict[str, Any]) -> str:
    """`sentences` and where the report is."""
    report = [f"report: {said['report']}"] if "report" in said else []
    return "\n".join([f"{said['plus']} − {said['minus']}", *sentences(said), *report])


def _read(path: Path, file: FileOptions) -> tuple[FloatArray, FloatArray, list[str]]:
    measured = read_measured(path, "xas", file)
    check_curve(measured.x, measured.y, str(path))
    return measured.x, measured.y, sentences_of(facts(measured, path, file))


def _check_edge(wanted: str, found: Background) -> None:
    edge = named(wanted)
    if abs(found.l3_ev - edge.energy_ev) > TABULATED_WITHIN_EV:
        raise InputError(
            f"L3 is at {found.l3_ev:.1f} eV, {edge.name} at {edge.energy_ev:.1f} eV",
            where="--edge",
            remedy="name the element that was measured",
        )


def _noise(energy_ev: FloatArray, mu: FloatArray, chosen: Background) -> float:
    """sd of one point off the edges: how far each lies from the line between its neighbours."""
    gaps = np.diff(energy_ev)
    before = gaps[1:] / (gaps[1:] + gaps[:-1])
    off = mu[1:-1] - before * mu[:-2] - (1 - before) * mu[2:]
    off = off / np.sqrt(1 + before**2 + (1 - before) ** 2)
    middle = energy_ev[1:-1]
    windows = (chosen.pre_ev, chosen.post_ev)
    inside = np.any([(middle >= low) & (middle <= high) for low, high in windows], axis=0)
    return float(np.median(np.abs(off[inside]))) / MEDIAN_OF_NORMAL if inside.any() else 0.0

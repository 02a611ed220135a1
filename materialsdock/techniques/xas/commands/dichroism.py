"""`materialsdock xas xmcd`: magnetic moments from two helicities or fields, with their doubt."""

from __future__ import annotations

from collections.abc import Sequence
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
from materialsdock.rendering.numbers import fixed, number, with_esd
from materialsdock.techniques.xas.dichroism.background import Background, find_background
from materialsdock.techniques.xas.dichroism.moments import (
    MagneticAtom,
    Moments,
    magnetic_moments,
    over_pairs,
)
from materialsdock.techniques.xas.dichroism.page import write_page
from materialsdock.techniques.xas.dichroism.pairs import HelicityScan, Pairs, common, normalised
from materialsdock.techniques.xas.spectrum.checks import MEDIAN_OF_NORMAL
from materialsdock.techniques.xas.spectrum.edge_table import TABULATED_WITHIN_EV, named

SAMPLES, SEED = 40, 0
SIGNS = {"m_orb": "m_orb", "m_spin_eff": "m_spin,eff", "ratio": "m_orb/m_spin,eff"}
Window = tuple[float, float]


@dataclass(frozen=True)
class DichroismRequest:
    """The request of the user.

    file : what is said of the files where they are silent; more : further pairs, µ⁺, µ⁻ in turn
    pre, post : where nothing but background is [eV]; cut, l3, l2 : where L3 ends, the steps [eV]
    """

    plus: Path
    minus: Path
    atom: MagneticAtom
    file: FileOptions = NOTHING_ASKED
    pre: Window | None = None
    post: Window | None = None
    cut: float | None = None
    l3: float | None = None
    l2: float | None = None
    out: Path | None = None
    more: tuple[Path, ...] = ()


def run(request: DichroismRequest) -> dict[str, Any]:
    """Moments, and the report when a folder is given; InputError for bad files or windows."""
    pairs, notes = read_pairs(request)
    energy, plus, minus = pairs.energy_ev, pairs.plus, pairs.minus
    background = drawn(request, energy, plus + minus)
    near = background or find_background(energy, plus + minus)
    if request.file.edge:
        _check_edge(request.file.edge, near)
    rng = np.random.default_rng(SEED)
    samples = [
        mu + _noise(energy, mu, near) * rng.standard_normal((SAMPLES, mu.size))
        for mu in (plus, minus)
    ]
    found = over_pairs(
        pairs,
        magnetic_moments(energy, plus, minus, request.atom, background, (samples[0], samples[1])),
        request.atom,
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


def read_pairs(request: DichroismRequest) -> tuple[Pairs, list[str]]:
    """All pairs on common energies, scaled alike where there are several; the reader's notes."""
    files = (request.plus, request.minus, *request.more)
    _check_files(files)
    read = [_read(path, request.file) for path in files]
    scans = [scan for scan, _ in read]
    found = common(list(zip(scans[::2], scans[1::2], strict=True)))
    notes = list(dict.fromkeys(note for _, said in read for note in said))
    if len(found) == 1:
        return found, notes
    total = found.plus + found.minus
    pre = request.pre or find_background(found.energy_ev, total).pre_ev
    return normalised(found, pre, [path.name for path in files]), notes


def _check_files(files: Sequence[Path]) -> None:
    """InputError for a spectrum without its partner, or one that is named twice."""
    if len(files) % 2:
        raise InputError(
            f"{len(files)} spectra are no pairs",
            where="xmcd",
            remedy="name µ⁺ and µ⁻ in turn: P1 M1 P2 M2",
        )
    names = [path.resolve() for path in files]
    twice = {str(path) for path, name in zip(files, names, strict=True) if names.count(name) > 1}
    if twice:
        raise InputError(
            "is named twice",
            where=", ".join(sorted(twice)),
            remedy="name each spectrum once, one of each helicity or field direction a pair",
        )


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
        "pairs": 1 + len(request.more) // 2,
        "moments": {
            name: {
                "value": number(round(each.value, 5)),
                "sd": number(round(float(each.esd or 0.0), 5)),
                "sd_noise": number(round(found.noise[name], 5)),
                "sd_background": number(round(found.background[name], 5)),
                "extremes": [number(round(end, 5)) for end in found.extremes[name]],
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
        + f" (sd {fixed(each['sd_background'], 2)} of the background, "
        f"{fixed(each['sd_noise'], 1)} of noise; {fixed(each['extremes'][0])} to "
        f"{fixed(each['extremes'][1])} over {said['backgrounds']} backgrounds)"
        for name, each in said["moments"].items()
    ]
    lines.append(
        f"with {assumed['holes']:g} holes, polarisation {assumed['polarisation']:g}, "
        f"{assumed['angle_deg']:g}° between beam and moment; m_spin,eff holds 7⟨T_z⟩"
    )
    if said["pairs"] > 1:
        lines.append(
            f"mean of {said['pairs']} pairs, each spectrum divided by its mean before the edge; "
            "the noise holds how far the pairs lie apart"
        )
    return [*lines, f"verdict: {said['verdict']}", *said["reasons"], *said["notes"]]


def overview(said: dict[str, Any]) -> str:
    """`sentences` and where the report is."""
    report = [f"report: {said['report']}"] if "report" in said else []
    more = f" and {said['pairs'] - 1} more" if said["pairs"] > 1 else ""
    return "\n".join([f"{said['plus']} − {said['minus']}{more}", *sentences(said), *report])


def _read(path: Path, file: FileOptions) -> tuple[HelicityScan, list[str]]:
    measured = read_measured(path, "xas", file)
    scan = HelicityScan(str(path), measured.x, measured.y)
    return scan, sentences_of(facts(measured, path, file))


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

"""Powder CIF: the measured pattern of a data block (pdCIF dictionary; Toby 2003, CIF XIII)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines
from materialsdock.model import FloatArray
from materialsdock.techniques.xrd.files.found import FoundScan, Stated, stepped
from materialsdock.techniques.xrd.files.scans import chosen

ANGLES = ("_pd_meas_2theta_scan", "_pd_meas_2theta_corrected", "_pd_proc_2theta_corrected")
RANGES = ("_pd_meas_2theta_range", "_pd_proc_2theta_range")
COUNTS = "_pd_meas_counts_total"
INTENSITIES = (
    COUNTS,
    "_pd_meas_intensity_total",
    "_pd_proc_intensity_total",
    "_pd_meas_intensity_net",
    "_pd_proc_intensity_net",
)
SU = re.compile(r"[-+]?\d*(?:\.(\d*))?\((\d+)\)")
TIME = "_pd_meas_step_count_time"
OFFSET = "_pd_calib_2theta_offset"
WAVELENGTH = "_diffrn_radiation_wavelength"


def read_powder_cif(lines: Lines) -> FoundScan | None:
    """The pattern of one data block; None for a file that is no CIF.

    Raises InputError for a CIF without a pattern.
    """
    first = next((text for _, text in lines.numbered() if text[0] != "#"), "")
    tagged = any(text[0] == "_" for _, text in lines.numbered())
    if not tagged or not first.lower().startswith(("data_", "loop_", "save_", "global_")):
        return None
    import gemmi

    try:
        document = gemmi.cif.read_string("\n".join(lines.text))
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"is no readable CIF: {error}", where=lines.name, remedy="mend the file"
        ) from error
    blocks = [block for block in document if _column(block, INTENSITIES) is not None]
    if not blocks and any(block.find_value("_cell_length_a") for block in document):
        raise InputError(
            "is a crystal structure, not a measured file",
            where=lines.name,
            remedy="refine a pattern with it, `materialsdock refine PATTERN --cif FILE`, or keep "
            "it, `materialsdock store add FILE`",
        )
    if not blocks:
        raise InputError(
            "is a CIF without a measured powder pattern",
            where=lines.name,
            remedy="name a measured pattern; structures are given with --cif",
        )
    place, said, notes = chosen([block.name for block in blocks], lines, what="block")
    return _scan(blocks[place], said, notes, lines)


def _scan(block: Any, said: str, notes: tuple[str, ...], lines: Lines) -> FoundScan:
    _refuse_others(block, lines)
    name, words = _column(block, INTENSITIES) or ("", [])
    y = _numbers(words)
    x, source = _positions(block, len(y), lines)
    kept = np.isfinite(x) & np.isfinite(y)
    dropped = np.count_nonzero(~kept)
    sigma, where = _sigma(block, name, words)
    times = _column(block, (TIME,))
    one = block.find_value(TIME)
    seconds = _numbers(times[1])[kept] if times else _numbers([one])[0] if one else None
    if seconds is not None and not np.isfinite(seconds).all():
        seconds = None
    return FoundScan(
        x[kept],
        y[kept],
        [1] * int(kept.sum()),
        "powder CIF",
        unit="deg",
        intensity="counts" if name == COUNTS else "arbitrary" if "_proc_" in name else "",
        seconds=seconds,
        sigma=None if sigma is None else sigma[kept],
        sigma_from=where,
        stated=_stated(block),
        scan=said,
        columns=(f"{source} as 2θ", f"{name} as counts"),
        dropped=(f"{dropped} points without a value",) if dropped else (),
        notes=(*notes, *_offset(block)),
    )


def _offset(block: Any) -> tuple[str, ...]:
    """A note on a 2θ offset that a block names."""
    value = str(block.find_value(OFFSET) or "")
    found = _numbers([value]) if value else np.zeros(1)
    if not np.isfinite(found).all() or not found.any():
        return ()
    return (f"{OFFSET} is {value}: it was not applied",)


def _refuse_others(block: Any, lines: Lines) -> None:
    """Refuse neutrons, whose scattering nothing here knows, and times of flight."""
    probe = " ".join(
        str(block.find_value(tag) or "").lower()
        for tag in ("_diffrn_radiation_probe", "_pd_instr_radiation_probe")
    )
    if "neutron" in probe or _column(block, ("_pd_meas_time_of_flight",)):
        raise InputError(
            "is a pattern of neutrons", where=lines.name, remedy="name an X-ray pattern"
        )


def _positions(block: Any, n: int, lines: Lines) -> tuple[FloatArray, str]:
    """2θ (n,) of a loop, or of its range."""
    if found := _column(block, ANGLES):
        if len(found[1]) != n:
            raise InputError(
                f"{len(found[1])} angles of {found[0]} for {n} intensities",
                where=lines.name,
                remedy="mend the file",
            )
        return _numbers(found[1]), found[0]
    for name in RANGES:
        words = [block.find_value(f"{name}_{end}") for end in ("min", "max", "inc")]
        low, high, step = (_numbers([word or "?"])[0] for word in words)
        if np.isfinite([low, high, step]).all() and step > 0:
            if abs((high - low) / step + 1 - n) > 0.5:
                raise InputError(
                    f"{n} intensities, but {name} {low:g} to {high:g} by {step:g}",
                    where=lines.name,
                    remedy="mend the file",
                )
            return stepped(low, step, n), name
    raise InputError(
        f"intensities without 2θ ({' or '.join((*ANGLES, *RANGES))})",
        where=lines.name,
        remedy="mend the file",
    )


def _sigma(block: Any, name: str, words: Sequence[str]) -> tuple[FloatArray | None, str]:
    """σ (n,) beside the intensities, in their brackets, or of their weights 1/σ²."""
    for suffix in ("_su", "_esd"):
        own = _column(block, (name + suffix,))
        if own and len(own[1]) == len(words):
            return _numbers(own[1]), own[0]
    found = [SU.fullmatch(word) for word in words]
    if found and all(found):
        each = [int(m[2]) * 10.0 ** -len(m[1] or "") for m in found if m]
        return np.array(each), f"the brackets of {name}"
    weights = _column(block, ("_pd_proc_ls_weight",))
    if weights and len(weights[1]) == len(words):
        values = _numbers(weights[1])
        if np.isfinite(values).all() and (values >= 0).all():
            with np.errstate(divide="ignore"):
                return np.where(values > 0, 1 / np.sqrt(values), 0.0), weights[0]
    return None, ""


def _stated(block: Any) -> Stated:
    """Wavelengths by falling weight, and the anode of "Cu K\\a"."""
    found = _column(block, (WAVELENGTH,))
    one = block.find_value(WAVELENGTH)
    values = _numbers(found[1] if found else [one] if one else [])
    by = _column(block, (f"{WAVELENGTH}_wt",))
    weights = _numbers(by[1]) if by and len(by[1]) == values.size else np.ones(values.size)
    order = np.argsort(-weights, kind="stable")
    kind = str(block.find_value("_diffrn_radiation_type") or "").strip("'\" ")
    anode = re.match(r"([A-Z][a-z]?)\s*K", kind)
    waves = tuple(float(v) for v in values[order] if np.isfinite(v))[:2]
    return Stated(waves, f"the file ({WAVELENGTH})", anode=anode[1] if anode else "")


def _column(block: Any, tags: Sequence[str]) -> tuple[str, list[str]] | None:
    """The first of `tags` that is in a loop of a block, and its values."""
    for tag in tags:
        values = [str(value) for value in block.find_loop(tag)]
        if values:
            return tag, values
    return None


def _numbers(words: Sequence[str]) -> FloatArray:
    """Numbers of CIF words, without their brackets; NaN for those that are unknown."""
    import gemmi

    return np.array([gemmi.cif.as_number(str(word)) for word in words], dtype=float)

"""The command `read`: a measured file as it will be used, in words, as arrays, and drawn."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from materialsdock import technique as techniques
from materialsdock.errors import InputError
from materialsdock.formats import read_measured, reading
from materialsdock.formats.options import FileOptions
from materialsdock.model import Measured
from materialsdock.rendering.files import replace_whole


def read(
    path: Path, technique: str | None, options: FileOptions, plot: bool, arrays: Path | None
) -> dict[str, Any]:
    """Say what the file holds, as `reading.summary` says it, and the files that were written.

    Raises InputError for a file that cannot be read, or is not understood.
    """
    drawn = Path(f"{path.name.split('.')[0]}.png")
    for written in (arrays, drawn if plot else None):
        if written is not None and written.exists() and written.samefile(path):
            raise InputError(
                "is the measured file itself, which would be lost",
                where=f"{written}",
                remedy="name another file to write",
            )
    measured = read_measured(path, technique, options)
    said = reading.summary(measured, path, options)
    if arrays is not None:
        replace_whole(arrays, _table(measured))
        said["arrays"] = str(arrays)
    if plot:
        replace_whole(drawn, _picture(measured, path.name))
        said["plot"] = str(drawn)
    return said


def in_words(said: dict[str, Any]) -> str:
    """The same for a person."""
    written = [f"  {name:<13} {said[name]}" for name in ("arrays", "plot") if name in said]
    return "\n".join([reading.in_words(said), *written])


def _table(measured: Measured) -> bytes:
    """x, y and sigma as CSV with a heading; sigma is empty where none is known.

    Counts without a column of their own have √counts, at least 1, as every analysis takes them.
    """
    axis, sd = techniques.named(measured.technique), measured.sigma
    if sd is None and measured.reading.sigma_from == reading.POISSON:
        sd = np.sqrt(np.maximum(measured.y, 1.0))
    sigma = [""] * measured.x.size if sd is None else map(repr, sd.tolist())
    rows = zip(measured.x.tolist(), measured.y.tolist(), sigma, strict=True)
    lines = [f"{axis.axis}_{axis.unit},y,sigma", *(f"{x!r},{y!r},{s}" for x, y, s in rows)]
    return ("\n".join(lines) + "\n").encode()


def _picture(measured: Measured, name: str) -> bytes:
    own = techniques.named(measured.technique)
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(measured.x, measured.y, lw=0.9)
    if measured.sigma is not None:
        low, high = measured.y - measured.sigma, measured.y + measured.sigma
        axes.fill_between(measured.x, low, high, alpha=0.3, lw=0)
    axes.set_xlabel(f"{own.axis.replace('_', ' ')} [{own.unit}]")
    axes.set_ylabel(measured.reading.signal or "counts")
    axes.set_title(f"{name}: {measured.kind}")
    axes.margins(x=0.01)
    kept = io.BytesIO()
    figure.savefig(kept, format="png", dpi=120)
    return kept.getvalue()

"""`materialsdock series`: many measured files taken apart into a few components."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from materialsdock.errors import InputError
from materialsdock.formats import read_measured, reading
from materialsdock.formats.options import NOTHING_ASKED, FileOptions
from materialsdock.fusion.series.curves import SeriesCurve, prepared
from materialsdock.fusion.series.decomposition import Decomposition, Method, decompose
from materialsdock.fusion.series.page import component_names, write_series_report
from materialsdock.model import Measured


def read_curves(
    files: Sequence[Path], options: FileOptions = NOTHING_ASKED
) -> tuple[str, list[SeriesCurve], tuple[str, ...]]:
    """The files as curves of one technique, named after them, and how they were read in words.

    Raises InputError naming every file that cannot be read, or that is of another technique.
    """
    found: list[tuple[Path, Measured]] = []
    faults = []
    for path in files:
        try:
            found.append((path, read_measured(path, None, options)))
        except InputError as fault:
            faults.append(str(fault))
    if faults:
        raise InputError("; ".join(faults), where="series")
    if not found:
        raise InputError("no files", where="series", remedy="name the files of the series")
    techniques = {measured.technique for _, measured in found}
    if len(techniques) > 1:
        odd = next(path for path, m in found if m.technique != found[0][1].technique)
        raise InputError(
            "a series cannot hold both diffraction and absorption",
            where=str(odd),
            remedy="name files of one technique",
        )
    technique = found[0][1].technique
    curves = [_curve(path, measured) for path, measured in found]
    return technique, curves, _read_as(found, options)


def _read_as(found: Sequence[tuple[Path, Measured]], options: FileOptions) -> tuple[str, ...]:
    """The words of all readings, each once; with the files that it speaks of where not of all."""
    of: dict[str, list[str]] = {}
    for path, measured in found:
        for words in reading.sentences(reading.facts(measured, path, options)):
            of.setdefault(words, []).append(path.name)
    return tuple(
        words if len(names) == len(found) else f"{words} ({', '.join(names)})"
        for words, names in of.items()
    )


def _curve(path: Path, measured: Measured) -> SeriesCurve:
    sigma = measured.sigma
    if sigma is None and measured.technique == "xrd":
        sigma = np.sqrt(np.maximum(measured.y, 1.0))
    return SeriesCurve(path.name, measured.x, measured.y, sigma)


def take_apart(
    files: Sequence[Path],
    out: Path,
    *,
    method: str,
    components: int | None,
    options: FileOptions = NOTHING_ASKED,
) -> tuple[Decomposition, dict[str, Any]]:
    """Read, decompose and write series.html, scores.csv and loadings.csv into `out`.

    Raises InputError for files, a method or a number that make no series.
    """
    if method not in ("pca", "nmf"):
        raise InputError(f"unknown method {method!r}", where="--method", remedy="say pca or nmf")
    chosen: Method = "pca" if method == "pca" else "nmf"
    technique, curves, read_as = read_curves(files, options)
    diffraction = technique == "xrd"
    series = prepared(
        curves,
        normalisation="area" if diffraction else "edge",
        subtract_background=diffraction,
    )
    series = replace(series, notes=(*read_as, *series.notes))
    found = decompose(series, method=chosen, components=components, distinct=diffraction)
    unit = "deg" if diffraction else "eV"
    try:
        out.mkdir(parents=True, exist_ok=True)
        report = write_series_report(found, unit, out / "series.html")
        tables = [_scores_table(found, out), _loadings_table(found, unit, out)]
    except OSError as error:
        raise InputError(
            f"cannot write into it: {error.strerror}",
            where=str(out),
            remedy="name a folder that may be written to",
        ) from error
    return found, summary(found, technique, report, tables)


def _scores_table(found: Decomposition, out: Path) -> Path:
    path, names = out / "scores.csv", component_names(found)
    heads = [word for name in names for word in (name, f"{name} sd")]
    shares = [] if found.shares is None else [f"share of {name}" for name in names]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["curve", *heads, *shares, "chi2"])
        for i, name in enumerate(found.series.names):
            pairs = np.column_stack([found.scores[i], found.scores_sd[i]]).ravel()
            share = [] if found.shares is None else found.shares[i]
            numbers = (*pairs, *share, found.chi2[i])
            table.writerow([name, *(f"{number:.6g}" for number in numbers)])
    return path


def _loadings_table(found: Decomposition, unit: str, out: Path) -> Path:
    path = out / "loadings.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([f"x [{unit}]", "mean", *component_names(found)])
        rows = np.column_stack([found.series.x, found.mean, found.loadings.T])
        table.writerows([f"{number:.7g}" for number in row] for row in rows)
    return path


def summary(
    found: Decomposition, technique: str, report: Path, tables: Sequence[Path]
) -> dict[str, Any]:
    """Return what `--json` prints."""
    values = found.scores if found.shares is None else found.shares
    return {
        "technique": technique,
        "method": found.method,
        "curves": list(found.series.names),
        "points": int(found.series.x.size),
        "components": len(found.loadings),
        "rule": found.rule,
        "scores" if found.shares is None else "shares": np.round(values, 5).tolist(),
        "chi2": np.round(found.chi2, 4).tolist(),
        "notes": list(found.notes),
        "report": str(report),
        "tables": [str(path) for path in tables],
    }


def overview(said: dict[str, Any]) -> str:
    """Sum up in a few lines what a person wants to read first."""
    lines = [f"{len(said['curves'])} curves: {said['rule']}"]
    if "shares" in said:
        rows = zip(said["curves"], said["shares"], strict=True)
        lines += [f"  {n}: {', '.join(f'{100 * s:.1f} %' for s in share)}" for n, share in rows]
    lines += [f"  {note}" for note in said["notes"]]
    return "\n".join([*lines, f"report: {said['report']}"])

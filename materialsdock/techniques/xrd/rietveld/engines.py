"""Rietveld programs by name: which there are, which can be used here, and why not the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.rietveld.engine import RefinementEngine
from materialsdock.techniques.xrd.rietveld.gsas_engine import GsasEngine
from materialsdock.techniques.xrd.rietveld.rietx_engine import RietxEngine

DEFAULT = "rietx"


def _gsas(python: Path | None) -> RefinementEngine:
    return GsasEngine(python=python)


def _rietx(_: Path | None) -> RefinementEngine:
    return RietxEngine()


ENGINES: Mapping[str, Callable[[Path | None], RefinementEngine]] = {
    "rietx": _rietx,
    "gsas2": _gsas,
}


def unusable(name: str, python: Path | None = None) -> str:
    """Say why the engine cannot be used here, "" when it can; nothing is imported to find out."""
    return GsasEngine(python=python).missing() if name == "gsas2" else ""


def engine(name: str = DEFAULT, *, python: Path | None = None) -> RefinementEngine:
    """The engine called `name`: "rietx" or "gsas2".

    python : interpreter that has GSAS-II, where it is not the one that runs this
    Raises InputError for an unknown name, or an engine that is not installed.
    """
    if name not in ENGINES:
        raise InputError(
            f"unknown refinement engine {name!r}",
            where="engine",
            remedy=f"say one of {', '.join(ENGINES)}",
        )
    if reason := unusable(name, python):
        raise InputError(
            reason,
            where=f"engine {name}",
            remedy=f"use engine {DEFAULT}, or name the Python that has it",
        )
    return ENGINES[name](python)

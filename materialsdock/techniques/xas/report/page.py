"""The page of an absorption analysis: one file, no script, no request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

import materialsdock
from materialsdock.learning.curve.spectrum import Spectrum
from materialsdock.rendering import plain_page
from materialsdock.rendering.drawing import Drawing
from materialsdock.rendering.numbers import with_esd
from materialsdock.techniques.xas.exafs.shell_search import ShellAnswer
from materialsdock.techniques.xas.mixture.combination import XasCurve
from materialsdock.techniques.xas.model import Combination, EdgeFit, Oscillations
from materialsdock.techniques.xas.report import analysis_figures
from materialsdock.techniques.xas.report.figures import derivative, edge_position
from materialsdock.techniques.xas.report.sentences import combination_json, parameters


@dataclass(frozen=True, eq=False)
class SpectrumAnalysis:
    """The findings; None for what was not asked or what the spectrum is too short for."""

    curve: XasCurve
    edge: EdgeFit
    oscillations: Oscillations | None
    combination: Combination | None
    shell: ShellAnswer | None
    notes: tuple[str, ...] = ()


def write_page(path: Path, analysis: SpectrumAnalysis, sentences: Sequence[str]) -> Path:
    """Write the page to `path`, whole or not at all; InputError when it cannot be written."""
    shell, mixed = analysis.shell, analysis.combination
    page = plain_page.render_plain(
        Path(__file__).with_name("page.html"),
        name=analysis.curve.name,
        sentences=list(sentences),
        drawings=[(d.title, d.caption, Markup(d.svg)) for d in drawings(analysis)],
        version=materialsdock.__version__,
        settings=dict(shell.best.settings) if shell is not None and shell.best else {},
        parameters=parameters(analysis.edge, analysis.oscillations, mixed),
        fractions=combination_json(mixed)["fractions"] if mixed is not None else {},
        with_esd=with_esd,
    )
    return plain_page.write_page(page, path)


def drawings(analysis: SpectrumAnalysis) -> list[Drawing]:
    """The figures there is something to show in."""
    curve, shell = analysis.curve, analysis.shell
    measured = Spectrum(curve.energy_ev, curve.mu, 0.0 * curve.mu)
    found = [edge_position(measured, analysis.edge), derivative(analysis.edge)]
    if analysis.combination is not None:
        found.append(analysis_figures.mixture(analysis.combination))
    if analysis.oscillations is not None:
        found.append(analysis_figures.oscillation(analysis.oscillations))
    if shell is not None and shell.best is not None:
        found += [analysis_figures.shell_fit(shell), analysis_figures.search(shell)]
    return found

"""The page of an absorption analysis: one file, no script, no request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

import materialsdock
from materialsdock.learning.curve.spectrum import Spectrum
from materialsdock.rendering import plain_page
from materialsdock.rendering.drawing import Drawing
from materialsdock.techniques.xas.exafs.shell_search import ShellAnswer
from materialsdock.techniques.xas.mixture.combination import XasCurve
from materialsdock.techniques.xas.model import Combination, EdgeFit, Oscillations
from materialsdock.techniques.xas.report import analysis_figures
from materialsdock.techniques.xas.report.figures import edge_position


def write_page(
    path: Path,
    curve: XasCurve,
    edge: EdgeFit,
    sentences: Sequence[str],
    oscillations: Oscillations | None,
    combination: Combination | None,
    shell: ShellAnswer | None,
) -> Path:
    """Write the page to `path`, whole or not at all; InputError when it cannot be written."""
    figures = drawings(curve, edge, oscillations, combination, shell)
    page = plain_page.render_plain(
        Path(__file__).with_name("page.html"),
        name=curve.name,
        sentences=list(sentences),
        drawings=[(d.title, d.caption, Markup(d.svg)) for d in figures],
        version=materialsdock.__version__,
        settings=dict(shell.best.settings) if shell is not None and shell.best else {},
    )
    return plain_page.write_page(page, path)


def drawings(
    curve: XasCurve,
    edge: EdgeFit,
    oscillations: Oscillations | None,
    combination: Combination | None,
    shell: ShellAnswer | None,
) -> list[Drawing]:
    """The figures there is something to show in."""
    measured = Spectrum(curve.energy_ev, curve.mu, 0.0 * curve.mu)
    found = [edge_position(measured, edge)]
    if combination is not None:
        found.append(analysis_figures.mixture(combination))
    if shell is not None and shell.best is not None:
        found += [analysis_figures.shell_fit(shell), analysis_figures.search(shell)]
    elif oscillations is not None:
        found.append(analysis_figures.oscillation(oscillations))
    return found

"""Fills in what the code itself says: `<!-- from the code: NAME -->` becomes its reference.

Docstrings of the Python reference are shown as they are written, paragraph by paragraph.
"""

from __future__ import annotations

import re
from typing import Any

import docstrings
import reference
from sphinx.application import Sphinx

MARK = re.compile(r"<!-- from the code: (\w+) -->")


def fill_in(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace every mark of a page; a name that `reference` does not have stops the build."""
    source[0] = MARK.sub(lambda found: reference.PARTS[found[1]](), source[0])


def as_written(
    app: Sphinx, kind: str, name: str, thing: object, options: Any, lines: list[str]
) -> None:
    """Turn a docstring into reStructuredText in place."""
    lines[:] = docstrings.restructured(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add both to a build."""
    app.connect("source-read", fill_in)
    app.connect("autodoc-process-docstring", as_written)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

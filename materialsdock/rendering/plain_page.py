"""Pages that are a headline and a few blocks, in the style of the job's report."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from materialsdock.errors import InputError
from materialsdock.rendering.svg import PALETTE


def render_plain(template: Path, **context: Any) -> str:
    """The page that `template` (it extends plain_page.html) makes, as HTML; values are escaped."""
    page = _environment(template.parent).get_template(template.name)
    return page.render(palette=PALETTE, **context)


@cache
def _environment(folder: Path) -> jinja2.Environment:
    """The templates in `folder` and the one that they extend, compiled once."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_page(page: str, path: Path) -> Path:
    """Write `page` to `path`, whole or not at all; InputError when that is impossible."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_text(page, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise InputError(
            f"cannot write the report: {error.strerror}",
            where=str(path),
            remedy="name a folder that exists and may be written to",
        ) from error
    return path

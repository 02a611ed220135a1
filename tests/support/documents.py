"""The pages that people read, as tests see them: their blocks, their commands, their links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from support.places import ROOT

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r"(?:<!-- ([^\n]+?) -->\n)?^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


class Block(NamedTuple):
    """A fenced block: the remark before it, "" without one, its language and its text."""

    mark: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order; directives in braces are none."""
    return [Block(*found) for found in FENCE.findall(page.read_text())]


def commands(page: Path) -> Iterator[str]:
    """Every `materialsdock ...` that a page tells people to type, without what the shell adds."""
    for block in blocks(page):
        if block.language != "sh":
            continue
        for line in block.text.splitlines():
            for part in re.split(r"&&|\|\|?|;|#|\$\(|\bwhile\b|\bdo\b", line):
                words = re.split(r"\s(?:\d?>{1,2}|&)|\)", part.strip())[0]
                if words.startswith("materialsdock "):
                    yield words


def links(page: Path) -> list[str]:
    """The files that a page links to, as it says them."""
    return [to for to in LINK.findall(page.read_text()) if "://" not in to]

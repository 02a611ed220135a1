"""Docstrings begin with a verb, or name the thing: none with a word that asks a question."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from support.places import ROOT

PACKAGES = ("materialsdock", "plans", "devices", "sim_devices", "profiles")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
QUESTIONS = {"what", "whether", "how", "where", "when", "which", "why", "who", "whom", "whose"}
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def asking(source: str) -> Iterator[str]:
    """Yield line and first line of each docstring that begins with a word of a question."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
            first = text.split(maxsplit=1)[0].rstrip(".,:;!?").removesuffix("'s")
            if first.casefold() in QUESTIONS:
                yield f"line {node.body[0].lineno}: {text.splitlines()[0]}"


def test_docstrings_say_what_a_thing_is_or_does():
    found = [f"{p.relative_to(ROOT)}, {said}" for p in SOURCES for said in asking(p.read_text())]
    assert SOURCES
    assert not found, "begin with a verb or name the thing:\n" + "\n".join(found)


@pytest.mark.parametrize("first", ["Whether it is so.", "What: it.", "Who's there.", "how\nit is."])
def test_a_question_is_found_in_every_docstring(first):
    module = f'"""{first}"""\n'
    function = f'def f():\n    """{first}"""\n'
    method = f'class C:\n    """A thing."""\n\n    async def f(self):\n        """{first}"""\n'
    assert all(len(list(asking(source))) == 1 for source in (module, function, method))


def test_other_beginnings_and_texts_pass():
    source = '"""Say what it is."""\n\nTEXT = "Whether it is so."  # What for\n'
    assert not list(asking(source))

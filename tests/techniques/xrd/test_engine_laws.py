"""Every engine keeps the laws of engines; a new one joins by its name in engines.ENGINES.

An engine that is not installed is skipped with the reason.  GSAS2_PYTHON names an interpreter
that has GSAS-II, where it is not the one that runs the tests.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.rietveld import engines
from materialsdock.techniques.xrd.rietveld.engine import RefinementEngine
from materialsdock.testing import engine_laws, law_name, recipe_laws

PYTHON = Path(os.environ["GSAS2_PYTHON"]) if "GSAS2_PYTHON" in os.environ else None
LAWS = (*engine_laws.LAWS, *recipe_laws.LAWS)


@pytest.fixture(scope="module", params=engines.ENGINES)
def bench(request):
    if reason := engines.unusable(request.param, PYTHON):
        pytest.skip(reason)
    return engine_laws.EngineBench(engines.engine(request.param, python=PYTHON))


@pytest.mark.parametrize("law", LAWS, ids=law_name)
def test_it_keeps_the_laws_of_engines(bench, law):
    law(bench)


def test_it_is_known_by_its_name(bench):
    found: RefinementEngine = bench.engine
    assert found.name in engines.ENGINES
    assert not engines.unusable(found.name, PYTHON)


def test_an_engine_is_chosen_by_its_name():
    assert engines.engine().name == "rietx"
    assert next(iter(engines.ENGINES)) == engines.DEFAULT == "rietx"
    assert not engines.unusable("rietx")
    with pytest.raises(InputError, match="unknown refinement engine 'fullprof'"):
        engines.engine("fullprof")


def test_an_engine_that_is_not_installed_says_so(tmp_path):
    if not engines.unusable("gsas2"):
        pytest.skip("GSAS-II is installed")
    with pytest.raises(InputError, match="GSAS-II is not installed"):
        engines.engine("gsas2")
    with pytest.raises(InputError, match="cannot be run"):
        engines.engine("gsas2", python=tmp_path / "python")

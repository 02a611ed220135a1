"""One night for the tests of a module; the tests of a module break it one after the other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.faults.rig import calm, rig

HERE = Path(__file__).parent
FAULTS, SLOW = "MATERIALSDOCK_FAULTS", "MATERIALSDOCK_SLOW"
ALONE = ("test_checker.py", "test_inside.py", "test_learning.py")  # without processes of their own


def pytest_collection_modifyitems(items):
    """Nights of many processes want the machine for themselves: `pytest tests/faults -n 2`."""
    asked = os.environ.get(FAULTS)
    for item in items:
        if item.path.parent != HERE or item.path.name in ALONE:
            continue
        if asked not in ("1", "core"):
            why = f"real nights; set {FAULTS}=core, or 1 for all"
        elif asked == "core" and not item.get_closest_marker("core"):
            why = f"not of the core; set {FAULTS}=1"
        elif os.environ.get(SLOW) != "1" and item.get_closest_marker("slow"):
            why = f"takes minutes; set {SLOW}=1"
        else:
            continue
        item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="module")
def going(tmp_path_factory, request):
    """A night that goes on; `OPTIONS` of the module are those of its rig."""
    options = getattr(request.module, "OPTIONS", {})
    with rig(tmp_path_factory.mktemp("night"), **options) as made:
        yield made


@pytest.fixture
def night(going):
    """The same, undisturbed and in the middle of a sample."""
    calm(going)
    going.seen()
    return going

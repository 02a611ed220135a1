"""One night for the tests of a module; the tests of a module break it one after the other."""

from __future__ import annotations

import os

import pytest
from rig import calm, rig

SLOW = "MATERIALSDOCK_SLOW"


def pytest_collection_modifyitems(items):
    if os.environ.get(SLOW) == "1":
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason=f"takes minutes; set {SLOW}=1"))


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

"""The folders of things: this checkout, its tests, and the measured data beside it.

Tests that need measured data skip where there are none.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
SHARED = ROOT.parent / "shared" / "data"

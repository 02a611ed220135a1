"""Where measured data lie beside the checkout; tests that need them skip when they do not."""

from __future__ import annotations

from pathlib import Path

SHARED = Path(__file__).parents[3] / "shared" / "data"

"""Ways to measure absorption: in transmission, by fluorescence, by electron yield."""

from __future__ import annotations

TRANSMISSION, FLUORESCENCE, ELECTRON_YIELD = "transmission", "fluorescence", "electron_yield"
SIGNALS = (TRANSMISSION, FLUORESCENCE, ELECTRON_YIELD)

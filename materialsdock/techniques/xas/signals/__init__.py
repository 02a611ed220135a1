"""Ways to measure absorption: in transmission, by fluorescence, by electron yield."""

from __future__ import annotations

TRANSMISSION, FLUORESCENCE, ELECTRON_YIELD = "transmission", "fluorescence", "yield"
SIGNALS = (TRANSMISSION, FLUORESCENCE, ELECTRON_YIELD)
CALLED = {ELECTRON_YIELD: "electron yield"}  # by people, where that is not the word for it
# as people ask for them; a reference and µ as it is are of files only
WORDS = {
    **{name: name for name in SIGNALS},
    **{"trans": TRANSMISSION, "fluo": FLUORESCENCE},
    **dict.fromkeys(("electron yield", "electron_yield", "tey"), ELECTRON_YIELD),
    **dict.fromkeys(("reference", "mu", "µ"), None),
}

"""Refine a measured powder pattern by a short search, and look at the verdict.

    python refine_a_pattern.py [PATTERN CIF]

Without files it takes the fluorapatite pattern that comes with rietx.  A real search has 50
trials or more, and several seeds.
"""

import sys
from pathlib import Path

import numpy as np

from materialsdock.formats import read_measured
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.techniques.xrd import demo
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.phases.cif_files import read_structure
from materialsdock.techniques.xrd.search.search import search


def main(trials: int = 2) -> None:
    """Read, search, and print the answer."""
    if len(sys.argv) > 2:
        measured = read_measured(Path(sys.argv[1]), "xrd")
        structures = (read_structure(Path(sys.argv[2])),)
    else:
        measured, sample = demo.sample()
        structures = sample.structures
    rate, seconds = measured.y, np.full(measured.x.size, 1.0)
    pattern = Pattern(measured.x, rate, np.sqrt(np.maximum(rate, 1.0) / seconds), seconds)
    options = {"trials": trials, "workers": 1, "range": (20.0, 60.0), "hold_out": False}
    found = search(pattern, structures, Diffractometer(), **options)
    print(f"Rwp {found.fit.rwp:.2f} %, GoF {found.fit.gof:.2f}, {len(found.trials)} trials")
    for phase in found.fit.phases:
        a = phase.cell["a"]
        print(f"{phase.name} ({phase.space_group}): a = {a.value:.4f} Å")
    print(f"verdict: {found.assessment.word}")


if __name__ == "__main__":  # refinements run in processes of their own
    main()

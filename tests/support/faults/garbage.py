"""An engine that gives garbage where it is asked to."""

from __future__ import annotations

import math
from dataclasses import replace

from support.structures import Pretender


class Garbage(Pretender):
    """A Pretender whose Rwp is no number in trials of these backgrounds, or in final fits.

    nowhere : backgrounds; final : whether the last, complete refinement gives none either
    """

    def __init__(self, nowhere=(), *, final=False):
        super().__init__()
        self.nowhere, self.final = nowhere, final

    def refine(self, pattern, structures, diffractometer, recipe):
        fit = super().refine(pattern, structures, diffractometer, recipe)
        ended = self.final and recipe["effort"] == "final"
        return replace(fit, rwp=math.nan) if ended or recipe["background"] in self.nowhere else fit

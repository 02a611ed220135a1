"""The composition of a sample as people write it."""

from __future__ import annotations

import re
from typing import Annotated

import gemmi
from pydantic import AfterValidator

from materialsdock.profile.columns import Line


def _real_elements(value: str) -> str:
    found = re.findall(r"[A-Z][a-z]?", value)
    left = re.sub(r"[A-Z][a-z]?|[0-9.,;()\[\]+·*\s-]", "", value)
    wrong = [name for name in found if gemmi.Element(name).atomic_number == 0]
    if value and (left or wrong or not found):
        raise ValueError(
            "names no elements such as Fe2O3 or Fe,O"
            if left or not found
            else f"names no element {', '.join(wrong)}"
        )
    return value


Composition = Annotated[Line, AfterValidator(_real_elements)]

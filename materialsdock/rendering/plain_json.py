"""Settings and recipes as JSON that a person reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np


def readable_json(value: Mapping[str, Any]) -> str:
    """Indented JSON with each list of numbers on one line."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain)
    return re.sub(r"\[[-+\d.eE,\s]*\]", lambda row: " ".join(row.group().split()), text)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)

"""The ways a command ends other than well: one sentence, one JSON object, an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import NoReturn

INTERRUPTED = {"code": "interrupted", "message": "interrupted"}


def refuse(envelope: Mapping[str, str], sentence: str, exit_code: int) -> NoReturn:
    """Say one sentence, after one JSON object where that was asked for, and end."""
    if "--json" in sys.argv:
        print(json.dumps({"error": dict(envelope)}))
    print(f"materialsdock: {sentence}", file=sys.stderr)
    sys.exit(exit_code)

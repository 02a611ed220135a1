"""The entry point of the command line, which says even why there are no commands to be had."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import NoReturn

from materialsdock.errors import MaterialsDockError


def main() -> None:
    """Run the command line; a technique that cannot be loaded is a refusal like any other."""
    try:
        from materialsdock.cli import app
    except MaterialsDockError as error:
        refuse(error.as_dict(), str(error), error.exit_code)
    app.main()


def refuse(envelope: Mapping[str, str], sentence: str, exit_code: int) -> NoReturn:
    """Say one sentence, after one JSON object where that was asked for, and end."""
    if "--json" in sys.argv:
        print(json.dumps({"error": dict(envelope)}))
    print(f"materialsdock: {sentence}", file=sys.stderr)
    sys.exit(exit_code)

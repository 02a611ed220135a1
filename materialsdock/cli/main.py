"""The entry point of the command line, which says even why there are no commands to be had."""

from __future__ import annotations

import os
import signal
import sys
import warnings

from materialsdock.cli.endings import INTERRUPTED, refuse
from materialsdock.errors import MaterialsDockError


def main() -> None:
    """Run the command line; a technique that cannot be loaded is a refusal like any other."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does
    _hush_libraries()
    try:
        from materialsdock.cli import app

        app.main()
    except MaterialsDockError as error:
        refuse(error.as_dict(), str(error), error.exit_code)
    except KeyboardInterrupt:
        refuse(INTERRUPTED, INTERRUPTED["message"], 130)


def _hush_libraries() -> None:
    """Keep Python's warnings, which speak to programmers, off a user's terminal.

    PYTHONWARNINGS or `python -W` shows them, in this process and in those that it starts.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        os.environ["PYTHONWARNINGS"] = "ignore"

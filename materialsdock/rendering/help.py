"""The parts of `--help` beside a command's own words: its group, and examples that run."""

from __future__ import annotations

# the groups of `materialsdock --help`, in this order
TRY, MEASURE, ANALYSE, NIGHT, INSTRUMENT = "Try", "Measure", "Analyse", "Night", "Instrument"
PROGRAM = "materialsdock"


def examples(*lines: str) -> str:
    """The end of a help text: examples, one command line each, given without the program's name."""
    head = "Example:" if len(lines) == 1 else "Examples:"
    return "\n\n".join([head, *(f"- `{PROGRAM} {line}`" for line in lines)])

"""`python -m materialsdock`: the same as `materialsdock`."""

from materialsdock.cli import main

main()

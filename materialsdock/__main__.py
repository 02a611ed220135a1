"""`python -m materialsdock`: the same as `materialsdock`."""

from materialsdock.cli.app import main

main()

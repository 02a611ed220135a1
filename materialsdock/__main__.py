"""`python -m materialsdock`: the same as `materialsdock`."""

from materialsdock.cli.main import main

main()

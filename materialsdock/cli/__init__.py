"""The command line: one file per command of everybody; techniques bring their own."""

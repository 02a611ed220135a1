"""IPython: the session at the instrument and the magic `md`."""

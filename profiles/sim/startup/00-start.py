"""Startup of the simulated beamline, for IPython and for a stock RE Manager alike."""

from materialsdock.session import start

start(globals(), "sim")

"""Ophyd devices of this site, over EPICS Channel Access."""

"""Daemon, worker, analyst, librarian, guard, supervisor, simulated beamline."""

"""Processes, locks, heartbeats, logs, systemd, clock and disk."""

"""Intents, lease and audit; the dispatcher of the daemon and the orders of the worker."""

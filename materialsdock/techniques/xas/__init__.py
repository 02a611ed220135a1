"""X-ray absorption spectroscopy."""

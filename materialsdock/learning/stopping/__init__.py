"""Rules for when to stop: λ, gates, certificate, quantities."""

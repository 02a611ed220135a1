"""When to stop: λ, gates, certificate, quantities."""

"""The state of a night for terminals, notices, metrics and digest."""

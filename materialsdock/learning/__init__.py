"""Learning: Gaussian processes, acquisition, stopping, counting-time allocation."""

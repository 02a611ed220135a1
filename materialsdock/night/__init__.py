"""The night: queue, processes that measure and watch, and what happens when they fail."""

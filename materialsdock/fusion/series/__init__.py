"""Many curves of a series taken apart into components."""

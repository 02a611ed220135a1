"""The sentry of the sample in the beam: what a technique's judges say, and what follows."""

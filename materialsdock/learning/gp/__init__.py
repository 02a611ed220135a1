"""The exact Gaussian process: kernels, Cholesky, state space, likelihood."""

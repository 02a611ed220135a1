"""A stand-in with the data tree of GSAS-II and none of its crystallography."""

"""Innovations such as the rules of stopping judge, for hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from materialsdock.testing.stopping_laws import evidence

runs = st.lists(st.tuples(st.floats(1e-6, 1e6), st.floats(0.0, 20.0)), min_size=1, max_size=60).map(
    lambda rows: evidence(*np.array(rows).T)
)

"""An IOC that is killed and started again under a measurement: nothing lost, twice or wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from support.places import ROOT, TESTS

CHILD = TESTS / "support" / "restart_child.py"


def measured(folder, technique, delay_s):
    done = subprocess.run(
        [sys.executable, str(CHILD), str(folder), technique, str(delay_s)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{TESTS}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_restarted_ioc_is_claimed_again_and_the_point_counted_anew(tmp_path):
    found = measured(tmp_path, "xas", 0.013)
    assert found["finished"]
    assert found["epoch"] == 7
    assert found["shutter"] == "closed"
    assert found["seen_s"] < 15.0  # 1 s where nothing else runs
    assert found["again_s"] < 20.0
    assert ["moved", "sample from 0 to 3"] in found["told"]
    uids = [point[0] for point in found["points"]]
    assert len(set(uids)) == len(uids)
    x, y, sigma = np.array([point[1:] for point in found["points"]], dtype=float).T
    assert len(uids) == found["steps"]
    truth = 0.7 + np.arctan((x - 7112.0) / 1.5) / np.pi
    assert (np.abs(y - truth) < 6 * sigma + 2e-3).all()

"""Bad input to the command `refine`: one error and exit code 2, or a verdict; no traceback."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from support.places import TESTS

from materialsdock.cli.app import main
from materialsdock.learning.counting.pattern import Pattern
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld.recipe import SearchSpace

sys.path.insert(0, str(TESTS / "benchmarks"))
import refinement_inputs as inputs

FILES = inputs.bad_files()
VERDICT = ("wrong wavelength",)


@pytest.mark.parametrize("name", [name for name in FILES if name not in VERDICT])
def test_bad_files_end_in_one_error(name, tmp_path, monkeypatch, capsys):
    pattern, cif = FILES[name]
    (tmp_path / "pattern.xy").write_text(pattern)
    (tmp_path / "phase.cif").write_text(cif)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["materialsdock", *inputs.COMMAND])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    printed = capsys.readouterr()
    said = [line for line in printed.err.splitlines() if line.startswith("materialsdock: ")]
    assert len(said) == 1
    assert set(json.loads(printed.out)) == {"error"}
    assert not list(tmp_path.glob("out/reports/*"))


@pytest.mark.slow
def test_the_command_as_a_process_ends_with_2_and_one_error():
    assert inputs.ended(*FILES["one peak"])["ok"]


def test_no_peak_leaves_the_width_of_the_instrument():
    x = np.arange(20.0, 80.0, 0.02)
    flat = Pattern(x, np.full(x.size, 50.0), np.full(x.size, 7.0), np.ones(x.size))
    assert SearchSpace.of(flat, (), Diffractometer()).fwhm_deg == Diffractometer().fwhm_deg

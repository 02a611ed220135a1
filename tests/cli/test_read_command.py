"""`materialsdock read`: what a file holds, in words, as JSON, as arrays, and drawn."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest

from materialsdock.cli import app

KEYS = {
    *("format", "technique", "scan", "points", "axis", "unit", "first", "last", "y_first"),
    *("y_max", "sigma_from", "wavelengths_angstrom", "signal", "edge", "notes"),
}
X = 20 + 0.02 * np.arange(60)
COUNTS = 100 + np.arange(60) % 7


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """The command in this process, in a folder of its own: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["materialsdock", "read", *map(str, words)])
        try:
            app.main()
        except SystemExit as end:
            return end.code, *capsys.readouterr()
        return 0, *capsys.readouterr()

    return run


def written(folder, rows, name="scan.xye"):
    path = folder / name
    path.write_text("".join(" ".join(f"{v:.4f}" for v in row) + "\n" for row in rows))
    return path


def test_json_names_every_part(tmp_path, said):
    path = written(tmp_path, zip(X, COUNTS, np.sqrt(COUNTS), strict=True))
    code, out, _ = said(path, "--json")
    found = json.loads(out)
    assert code == 0
    assert set(found) >= KEYS
    assert (found["technique"], found["axis"], found["unit"]) == ("xrd", "two_theta", "deg")
    assert (found["points"], found["first"], found["y_max"]) == (60, 20.0, 106.0)


def test_arrays_and_plot_are_what_will_be_used(tmp_path, said):
    path = written(tmp_path, zip(X, COUNTS, strict=True), "scan.xy")
    code, out, _ = said(path, "--arrays", tmp_path / "used.csv", "--plot")
    assert code == 0
    assert "used.csv" in out
    assert (tmp_path / "scan.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "used.csv").open() as file:
        head, *rows = csv.reader(file)
    assert head == ["two_theta_deg", "y", "sigma"]
    np.testing.assert_allclose([float(row[0]) for row in rows], X)
    np.testing.assert_allclose([float(row[1]) for row in rows], COUNTS)


def test_words_say_what_was_left_out(tmp_path, said):
    path = written(tmp_path, zip(X, COUNTS, strict=True))
    path.write_text(path.read_text() + "21.2")
    code, out, _ = said(path)
    assert code == 0
    assert "the last row, line 61, has 1 of 2 columns" in out


def test_a_file_that_is_not_understood_ends_with_2(tmp_path, said):
    path = tmp_path / "words.xy"
    path.write_text("only words\n")
    code, _, err = said(path)
    assert code == 2
    assert "words.xy, line 1" in err
    assert said(path, "--columns", "spam")[0] == 2


def test_the_measured_file_is_never_written_over(tmp_path, said):
    path = written(tmp_path, zip(X, COUNTS, strict=True))
    before = path.read_bytes()
    code, _, err = said(path, "--arrays", path)
    assert code == 2
    assert "is the measured file itself" in err
    assert path.read_bytes() == before

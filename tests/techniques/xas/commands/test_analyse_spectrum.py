"""`materialsdock xas`: what it says, its page, and one sentence for every bad file."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from support.xas_samples import exafs, feff_text, mixture, oxides

from materialsdock.cli import app
from materialsdock.formats.options import FileOptions
from materialsdock.techniques.xas.commands import analyse_spectrum

TRUTH = {"amplitude": 5.0, "distance": 2.13, "sigma2": 0.006, "e0_shift_ev": 1.5}


def write(path, energy, mu):
    rows = [f"{e:.4f} {m:.9f}" for e, m in zip(energy, mu, strict=True)]
    path.write_text("# energy  xmu\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture
def files(tmp_path):
    (tmp_path / "feff0001.dat").write_text("\n".join(feff_text()))
    write(tmp_path / "shell.dat", *exafs(TRUTH, noise=1e-4))
    standards = oxides(step=1.6)
    sample = mixture(standards, (0.2, 0.3, 0.5), noise=3e-4)
    write(tmp_path / "mixture.dat", sample.energy_ev, sample.mu)
    for each in standards:
        write(tmp_path / f"{each.name}.dat", each.energy_ev, each.mu)
    return tmp_path


def test_a_shell_with_its_page(files):
    request = analyse_spectrum.SpectrumRequest(
        files / "shell.dat",
        path=files / "feff0001.dat",
        file=FileOptions(edge="Fe-K"),
        trials=6,
        seeds=2,
        out=files / "out",
    )
    said = analyse_spectrum.run(request)
    r = said["first_shell"]["parameters"]["distance"]
    assert abs(r["median"] - 2.13) < 3 * r["sd"]
    assert said["first_shell"]["verdict"] == "accept"
    assert said["e0_sd_normalisation_ev"] >= 0
    page = (files / "out" / "shell.xas.html").read_text()
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert "R = 2.1" in analyse_spectrum.overview(said)


def test_a_mixture_with_its_page(files):
    standards = tuple(files / f"{name}.dat" for name in ("low", "middle", "high"))
    said = analyse_spectrum.run(
        analyse_spectrum.SpectrumRequest(files / "mixture.dat", standards, out=files)
    )
    fractions = said["combination"]["fractions"]
    assert [f["value"] for f in fractions.values()] == pytest.approx((0.2, 0.3, 0.5), abs=0.01)
    assert (files / "mixture.xas.html").read_text().count("<svg") == 3


def test_an_edge_alone(files):
    said = analyse_spectrum.run(analyse_spectrum.SpectrumRequest(files / "shell.dat"))
    assert said["edge"] == "Fe K"
    assert "first_shell" not in said
    assert "report" not in said


def spoil(folder, kind):
    energy, mu = exafs(TRUTH)
    path = folder / "bad.dat"
    if kind == "empty":
        path.write_text("")
    elif kind == "nan":
        write(path, energy, np.where(energy > 7200, np.nan, mu))
    elif kind == "no edge":
        write(path, energy, 0.1 + 1e-5 * energy)
    elif kind == "few points":
        write(path, energy[:12], mu[:12])
    elif kind == "short":
        write(path, energy[energy < 7200], mu[energy < 7200])
    elif kind == "binary":
        path.write_bytes(b"\0" * 100)
    else:
        write(path, energy + 1867, mu)
    return path


@pytest.mark.parametrize(
    "kind", ["empty", "nan", "no edge", "few points", "short", "binary", "copper"]
)
def test_bad_files_end_in_one_sentence(files, kind, monkeypatch, capsys):
    words = [
        "xas",
        str(spoil(files, kind)),
        "--edge",
        "Fe-K",
        "--path",
        str(files / "feff0001.dat"),
        "--trials",
        "2",
        "--json",
    ]
    monkeypatch.setattr(sys, "argv", ["materialsdock", *words])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["code"] == "bad_input"
    assert err.count("\n") == 1


def test_the_command_prints_one_object(files, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["materialsdock", "xas", str(files / "shell.dat"), "--json"])
    app.main()
    assert json.loads(capsys.readouterr().out)["edge"] == "Fe K"

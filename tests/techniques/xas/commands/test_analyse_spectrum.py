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
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

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
    page = (files / "out" / "shell.xas.html").read_text()
    assert page.count("<svg") == 5
    assert "Parameters of the analysis" in page
    assert "0 to 16." in page  # of the spline in k
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
    assert said["combination"]["shift_ev"] == 0.0
    page = (files / "mixture.xas.html").read_text()
    assert page.count("<svg") == 4
    assert ">low<" in page  # in the legend of the weighted parts
    assert "sample and standards normalised alike: pre-edge -" in page
    for each in ("sd of normalisation", "its normalisation range", "range of the combination"):
        assert each in page
    low, high = said["combination"]["fit_range_ev"]
    assert f"fitted from {low:.1f} to {high:.1f} eV, no shift" in page


def test_an_edge_alone(files):
    said = analyse_spectrum.run(analyse_spectrum.SpectrumRequest(files / "shell.dat"))
    assert said["edge"] == "Fe K"
    assert "first_shell" not in said
    assert "report" not in said


def test_the_edge_by_every_definition_is_named(files):
    said = analyse_spectrum.run(analyse_spectrum.SpectrumRequest(files / "shell.dat"))
    energies = said["edge_energies_ev"]
    assert energies["tabulated"] == 7112.0
    assert energies["half_height"]["value"] == said["e0_ev"]
    for each in (energies["half_height"], energies["first_inflection"]):
        assert each["sd"] == pytest.approx(np.hypot(each["statistical"], each["systematic"]))
        assert each["value"] == pytest.approx(7112.0, abs=1.0)
    assert said["numbers"]["edge_step"]["systematic"] > said["numbers"]["edge_step"]["statistical"]
    words = analyse_spectrum.overview(said)
    for each in ("at half height", "first inflection", "tabulated Fe K 7112 eV", "white line"):
        assert each in words
    assert "(statistical)[systematic]" in words


def test_settings_are_used_and_shown(files, monkeypatch, capsys):
    words = "--e0 7113 --pre -120 -40 --norm 60 700 --order 1 --rbkg 1.2 --k-range 3 10"
    argv = ["materialsdock", "xas", str(files / "shell.dat"), *words.split(), "--json"]
    monkeypatch.setattr(sys, "argv", argv)
    app.main()
    said = json.loads(capsys.readouterr().out)
    used = dict(said["settings"])
    assert {used.pop(name) for name in ("k_weight", "dk", "window")} == {2, "kaiser"}
    assert used == {
        "e0": 7113.0,
        "pre1": -120.0,
        "pre2": -40.0,
        "norm1": 60.0,
        "norm2": 700.0,
        "order": 1,
        "rbkg": 1.2,
        "k_min": 3.0,
        "k_max": 10.0,
    }
    plain = analyse_spectrum.run(analyse_spectrum.SpectrumRequest(files / "shell.dat"))
    assert said["e0_ev"] == pytest.approx(plain["e0_ev"], abs=0.5)  # half height, not --e0
    assert said["edge_step"] != plain["edge_step"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("--pre 10 20", "pre 10 20 eV is not from LO to HI"),
        ("--norm -5 100 --order 7", "order 7 is not 0 to 3"),
        ("--rbkg 0", "rbkg 0 Å"),
        ("--k-range 8 4", "k-range 8 4 1/Å"),
        ("--shift -1", "shift -1 eV"),
        ("--e0 7300", "7300"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(files, monkeypatch, capsys, words, what):
    argv = ["materialsdock", "xas", str(files / "shell.dat"), *words.split()]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    assert what in capsys.readouterr().err


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


def test_of_fluorescence_it_is_said_what_a_thick_sample_does(tmp_path):
    energy = np.arange(7000.0, 7400.0, 0.7)
    mu = simulate_xanes(energy)
    for name, column, signal in (("thick", mu / (1 + mu), "ifluor"), ("thin", mu, "mutrans")):
        counts = np.full_like(energy, 1e6)
        rows = zip(energy, counts, column * (1e5 if signal == "ifluor" else 1.0), strict=True)
        text = "\n".join(" ".join(f"{each:.6f}" for each in row) for row in rows)
        (tmp_path / f"{name}.dat").write_text(f"# energy i0 {signal}\n{text}\n")
        request = analyse_spectrum.SpectrumRequest(tmp_path / f"{name}.dat")
        notes = " ".join(analyse_spectrum.run(request)["notes"])
        assert ("self-absorption" in notes) == (name == "thick")

"""Files and report of a job that was measured by fluorescence or electron yield."""

from __future__ import annotations

import io

import h5py
import numpy as np
import pytest
from support.kept_jobs import ENERGY, measured, silent
from support.signals import EVENTS, profile

from materialsdock.campaign import analysis, prepare
from materialsdock.formats import read_measured
from materialsdock.ledger.finished import source_of
from materialsdock.ledger.ledger import Ledger
from materialsdock.ledger.outcomes import keep_outcome
from materialsdock.model import Measured, Sample
from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes
from materialsdock.views.exports.bundle import FORMATS
from materialsdock.views.report import overview, summary_json
from materialsdock.views.report.page import render_report
from sim_devices.detectors import MultiElement


def finished(folder, signal, **section):
    """The source of a job; the second element of a fluorescence detector dies at point 20."""
    rng, counted = np.random.default_rng(2), []

    def read(energy, seconds):
        counted.append(energy)
        ratio = 0.1 * simulate_xanes(np.array([energy]))[0]
        how = {"detector": MultiElement(dead=2 if len(counted) > 20 else 0)}
        return EVENTS[signal](
            energy, ratio, seconds, rng, 1e6, **(how if signal == "fluorescence" else {})
        )

    spectrum = Measured("xas", ENERGY, 0.1 * simulate_xanes(ENERGY))
    stop, sample = {"maximum_points": 60}, Sample("s", "xas", 3)
    job = prepare.job_for(spectrum, sample, profile(signal, **section), stop=stop, seed=1)
    ledger = Ledger(folder / "ledger.sqlite")
    keep_outcome(ledger, analysis.analyse(measured(ledger, job, read), silent, silent))
    return source_of(ledger, job.job_id)


@pytest.fixture(scope="module")
def fluorescence(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("f"), "fluorescence", composition="Fe2O3")


def xdi(source):
    lines = FORMATS["xdi"].made(source).decode().splitlines()
    tags = dict(line[2:].split(": ", 1) for line in lines if ": " in line and line[0] == "#")
    names = next(line for line in reversed(lines) if line.startswith("#")).split()[1:]
    rows = np.array([line.split() for line in lines if line[0] != "#"], float)
    return tags, dict(zip(names, rows.T, strict=True)), lines


def read_again(source, folder):
    (folder / "again.xdi").write_bytes(FORMATS["xdi"].made(source))
    return read_measured(folder / "again.xdi")


def test_xdi_carries_every_element_and_which_was_left_out(fluorescence):
    tags, column, lines = xdi(fluorescence)
    assert tags["Column.2"] == "mufluor"
    assert tags["materialsdock.elements_left_out"] == "2 at 40 exposures"
    assert tags["Detector.if"].startswith("7-element detector")
    assert "# fluorescence; repeat visits are merged by their precision" in lines
    assert column["ifluor"] / column["i0"] == pytest.approx(column["mufluor"], rel=1e-3)
    whole = sum(
        column[f"element_{n}_roi"]
        * column[f"element_{n}_icr"]
        / np.maximum(column[f"element_{n}_ocr"], 1)
        for n in range(1, 8)
    )
    assert (whole <= column["ifluor"] * (1 + 1e-6)).all()
    assert whole / column["ifluor"] == pytest.approx(1.0, abs=0.2)


def test_xdi_is_read_again_as_it_was_measured_not_as_the_sum_of_all_elements(
    fluorescence, tmp_path
):
    read = read_again(fluorescence, tmp_path)
    assert read.reading.signal.startswith("fluorescence")
    assert read.y == pytest.approx(xdi(fluorescence)[1]["mufluor"])


def test_nexus_says_the_mode_and_has_the_channels(fluorescence):
    with h5py.File(io.BytesIO(FORMATS["nexus"].made(fluorescence))) as file:
        entry = file["entry"]
        assert entry["data/mode"][()] == b"Fluorescence Yield"
        beam = entry["instrument/absorbed_beam"]
        assert beam["element_counts"].shape == (60, 7)
        assert beam["input_count_rate"].shape == beam["output_count_rate"].shape == (60, 7)
        assert beam["element_number"][()].tolist() == [1, 2, 3, 4, 5, 6, 7]
        assert (beam["element_counts"][20:, 1] == 0).all()
        ratio = beam["data"][()] / entry["instrument/incoming_beam/data"][()]
        assert ratio == pytest.approx(entry["exposures/value"][()])


def test_the_report_says_signal_elements_dead_time_and_self_absorption(fluorescence):
    outcome = fluorescence.outcome
    words, page, numbers = overview(outcome), render_report(outcome), summary_json(outcome)
    for part in (
        "measured by fluorescence, elements 1, 2, 3, 4, 5, 6, 7, corrected for dead time of",
        "left out: element 2 at 40 of 60 points",
        "element 2 of the fluorescence detector is left out from",
        "self-absorption: fluorescence of a thick sample of Fe2O3 would keep 29 %",
    ):
        assert part in words
        assert part[1:] in page
    assert numbers["signal"]["name"] == "fluorescence"
    assert numbers["signal"]["left_out"] == {"2": 40}
    assert numbers["warnings"][0].startswith("element 2")


def test_yield_is_called_by_its_name(tmp_path):
    source = finished(tmp_path, "yield")
    tags, column, _ = xdi(source)
    assert tags["Column.2"] == "muey"
    assert column["iey"] / column["i0"] == pytest.approx(column["muey"], rel=1e-6)
    read = read_again(source, tmp_path)
    assert read.reading.signal.startswith("electron yield")
    assert read.y == pytest.approx(column["muey"])
    with h5py.File(io.BytesIO(FORMATS["nexus"].made(source))) as file:
        assert file["entry/data/mode"][()] == b"Total Electron Yield"
    assert "measured by electron yield" in overview(source.outcome)

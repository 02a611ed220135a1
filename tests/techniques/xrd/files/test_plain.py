"""Plain tables: headings and options say what columns are; σ is what says so or behaves so."""

from __future__ import annotations

import numpy as np
import pytest
from support.powder_files import COUNTS, X, read, rows

from materialsdock.errors import InputError
from materialsdock.formats import read_measured

ROOT = np.sqrt(COUNTS)
SMOOTH = np.full(61, 50.0) + np.linspace(0, 9, 61)


@pytest.mark.parametrize(
    ("heading", "columns", "sigma", "said"),
    [
        ("2theta counts sigma", (X, COUNTS, 1.5 * ROOT), 1.5 * ROOT, "column 3 (sigma)"),
        ("2theta I esd", (X, COUNTS, ROOT), ROOT, "column 3 (esd)"),
        ("2theta Iobs Icalc sigma", (X, COUNTS, COUNTS, ROOT), ROOT, "column 4 (sigma)"),
        ("2theta I error bkg", (X, COUNTS, ROOT, SMOOTH), ROOT, "column 3 (error)"),
        ("2theta I weight", (X, COUNTS, 1 / COUNTS), ROOT, "column 3 (weight)"),
        ("", (X, COUNTS, ROOT), ROOT, "column 3"),
        ("", (X, COUNTS, 2.9 * ROOT), 2.9 * ROOT, "column 3"),
        ("2theta Yobs Ybackground", (X, COUNTS, SMOOTH), None, "√counts"),
        ("2theta I calc", (X, COUNTS, ROOT), None, "√counts"),
        ("2theta I attenuator", (X, COUNTS, np.ones(61)), None, "√counts"),
        ("", (X, COUNTS, SMOOTH), None, "√counts"),
        ("", (X, COUNTS, 3.1 * ROOT), None, "√counts"),
        ("", (X, COUNTS, np.full(61, 7.0)), None, "√counts"),
        ("2theta I sigma", (X, COUNTS, np.full(61, 7.0)), None, "√counts"),
        ("2theta I sigma", (X, COUNTS, COUNTS + 1.0), None, "√counts"),
        ("2theta I sigma", (X, COUNTS, -ROOT), None, "√counts"),
        ("2theta I sigma", (X, COUNTS, np.where(X < 22, 0.0, ROOT)), None, "√counts"),
    ],
)
def test_sigma_is_a_column_that_says_so_or_behaves_so(tmp_path, heading, columns, sigma, said):
    found = read(tmp_path, rows(*columns, heading=heading))
    assert found.reading.sigma_from == said
    if sigma is None:
        assert found.sigma is None
        assert not any(each.endswith("as σ") for each in found.reading.columns)
        assert found.notes or "attenuator" in heading
    else:
        np.testing.assert_allclose(found.sigma, sigma)


def test_sigma_zero_is_no_weight_without_end(tmp_path):
    sigma = np.where(np.arange(61) == 7, 0.0, ROOT)
    found = read(tmp_path, rows(X, COUNTS, sigma, heading="2theta I sigma"))
    assert found.x.size == 60
    assert "1 points of σ = 0 were left out" in found.notes
    none = np.where(np.arange(61) % 5 == 0, 0, COUNTS)
    found = read(tmp_path, rows(X, none, np.sqrt(none), heading="2theta I sigma"))
    assert found.sigma.min() == 1.0
    assert any("was read as 1" in note for note in found.notes)


def test_the_name_of_an_xye_says_that_its_third_column_is_sigma(tmp_path):
    table = rows(X, COUNTS / 7, ROOT / 7)
    assert read(tmp_path, table, "a.xye").reading.sigma_from == "column 3"
    other = read(tmp_path, table, "a.xy")
    assert other.reading.sigma_from.startswith("not known")
    assert any("--columns sigma=3" in note for note in other.notes)
    told = read(tmp_path, table, "a.xy", columns={"sigma": (3,)})
    np.testing.assert_allclose(told.sigma, ROOT / 7, rtol=1e-8)


@pytest.mark.parametrize("scale", [1 / 947, 0.1, 3.7])
def test_what_is_no_counts_has_a_sigma_that_is_doubted(tmp_path, scale):
    rng = np.random.default_rng(1)
    x = np.linspace(20, 60, 2001)
    counts = rng.poisson(60 + 900 * np.exp(-(((x - 40) / 0.2) ** 2)))
    found = read(tmp_path, rows(x, counts * scale))
    assert found.reading.sigma_from.startswith("not known: intensities are not counts")
    np.testing.assert_allclose(found.sigma, scale * np.sqrt(counts), rtol=0.15)


@pytest.mark.parametrize(
    "heading",
    [
        "# counting time 2 s per step, intensity in cps",
        "# Step time: 2.0 sec\n# 2theta intensity(cps)",
        "Time per step (s),2\nAngle [°2Th.],Intensity [counts/s]",
    ],
)
def test_counts_per_second_of_a_time_in_the_heading(tmp_path, heading):
    separator = "," if "," in heading.splitlines()[-1] else " "
    found = read(tmp_path, rows(X, COUNTS / 2, separator=separator, heading=heading))
    np.testing.assert_allclose(found.y, COUNTS)
    assert found.count_time_s == 2.0
    assert found.reading.sigma_from == "√counts"


def test_counts_per_second_without_a_time_are_doubted(tmp_path):
    found = read(tmp_path, rows(X, COUNTS / 2, heading="2theta cps"))
    assert "counts per second, whose counting time is not named" in found.reading.sigma_from


@pytest.mark.parametrize(
    ("heading", "columns"),
    [
        ("No,2theta,counts", (np.arange(61), X, COUNTS)),
        ("counts,2theta", (COUNTS, X)),
        ("d,2theta,I", (1 / X, X, COUNTS)),
        ("Pos. [°2Th.],Iobs [cts]", (X, COUNTS)),
        ("Omega-2Theta,Intensity", (X, COUNTS)),
        ("θ,counts", (X / 2, COUNTS)),
        ("2theta(mdeg),counts", (1000 * X, COUNTS)),
        ("2Theta [rad],counts", (np.radians(X), COUNTS)),
    ],
)
def test_headings_name_the_columns(tmp_path, heading, columns):
    path = tmp_path / "a.csv"
    path.write_text(rows(*columns, separator=",", heading=heading))
    found = read_measured(path, "xrd")
    np.testing.assert_allclose(found.x, X, atol=1e-5)
    np.testing.assert_allclose(found.y, COUNTS)


@pytest.mark.parametrize("title", ["sample d", "run 5e", "phase Q", "test t", "LaB6 x"])
def test_a_title_of_two_words_is_no_heading(tmp_path, title):
    found = read(tmp_path, rows(X, COUNTS, heading=title))
    np.testing.assert_allclose(found.x, X)


def test_options_name_the_columns_before_headings(tmp_path):
    table = rows(np.arange(1, 62), X, COUNTS, 2 * ROOT)
    with pytest.raises(InputError, match="column 1 counts the rows"):
        read(tmp_path, table)
    found = read(tmp_path, table, columns={"two_theta": (2,), "counts": (3,)})
    np.testing.assert_allclose(found.x, X)
    np.testing.assert_allclose(found.y, COUNTS)
    found = read(tmp_path, rows(X, COUNTS, ROOT, heading="2theta I bkg"), columns={"sigma": (3,)})
    np.testing.assert_allclose(found.sigma, ROOT, rtol=1e-8)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"energy": (1,)}, "'energy' is no quantity, known are two_theta"),
        ({"two_theta": (5,)}, "column 5 is asked for, the file has 2"),
        ({"counts": (1, 2)}, "several columns for counts"),
        ({"two_theta": (1,), "sigma": (2,)}, "no column of counts"),
    ],
)
def test_wrong_columns_are_refused(tmp_path, columns, says):
    with pytest.raises(InputError, match=says):
        read(tmp_path, rows(X, COUNTS), columns=columns)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (rows(X, *np.outer(range(1, 6), COUNTS), heading="a b c d e f"), ""),
        (rows(X[:60:5], *COUNTS[:60].reshape(12, 5).T), "rows may go on from line to line"),
        (rows(7000 + X, COUNTS, heading="energy counts"), "names energies"),
        ("XYDATA\nINTER 10.0 1.0 2 0.05\n" + rows(X, COUNTS), "multiplies positions"),
        (rows(np.arange(1, 4001), np.arange(1, 4001) % 7), "counts the rows, 1 to 4000"),
        (rows(50.0 * np.arange(1, 400), np.arange(1, 400) % 7), "is not a 2θ range"),
    ],
)
def test_what_cannot_be_told_apart_is_asked(tmp_path, text, says):
    if not says:
        assert read(tmp_path, text).x.size == 61
        return
    with pytest.raises(InputError, match=says) as refused:
        read(tmp_path, text)
    assert "--columns" in refused.value.remedy or "export" in refused.value.remedy


def test_attenuators_of_a_table_are_applied_once(tmp_path):
    factor = np.where(COUNTS > 500, 8.0, 1.0)
    raw = np.rint(COUNTS / factor)
    for y in (raw, raw * factor):
        found = read(tmp_path, rows(X, y, factor, heading="2theta counts attenuator"))
        np.testing.assert_allclose(found.y, raw * factor)
        np.testing.assert_allclose(found.sigma, np.sqrt(raw) * factor)


def test_what_is_left_out_is_said(tmp_path):
    found = read(tmp_path, rows(X, COUNTS) + "End of scan\n")
    assert found.reading.dropped == ("the text behind the rows, from line 62 on",)
    assert read(tmp_path, rows(X, COUNTS) + "23.05\n").reading.dropped


@pytest.mark.parametrize(
    "heading",
    [
        "temperature(C) counts",
        "phi counts",
        "k chi",
        "Omega (deg)\tcounts",
        "wavenumber(cm-1) counts",
    ],
)
def test_a_first_column_that_is_named_as_something_else_is_asked_about(tmp_path, heading):
    path = tmp_path / "other.dat"
    path.write_text(f"# {heading}\n" + "".join(f"{20 + i / 50:.2f} {60 + i}\n" for i in range(60)))
    with pytest.raises(InputError, match=r"column 1 is named .*--columns two_theta=1"):
        read_measured(path, "xrd")


@pytest.mark.parametrize(("motor", "asked"), [("samplex", True), ("TwoTheta", False)])
def test_a_scan_of_spec_over_another_motor_is_asked_about(tmp_path, motor, asked):
    path = tmp_path / "spec.dat"
    steps = "".join(f"{20 + i / 50:.2f} {60 + i % 7}\n" for i in range(60))
    path.write_text(f"#S 1 ascan {motor} 20 21.2 59 1\n#N 2\n#L {motor}  det\n{steps}")
    if not asked:
        assert read_measured(path).x.size == 60
        return
    with pytest.raises(InputError, match=r"over 'samplex': is that 2θ.*--columns two_theta=1"):
        read_measured(path)


def test_logarithms_of_counts_are_refused(tmp_path):
    path = tmp_path / "log.dat"
    path.write_text("# 2theta log10(counts)\n" + "".join(f"{20 + i / 50} 2.5\n" for i in range(60)))
    with pytest.raises(InputError, match="hides the counting noise"):
        read_measured(path, "xrd")


@pytest.mark.parametrize(("third", "taken"), [("background", False), ("esd", True)])
def test_the_third_column_of_an_xye_file_is_sigma_where_it_scales_as_sigma(tmp_path, third, taken):
    x = 20 + 0.02 * np.arange(200)
    y = np.rint(60 + 2000 * np.exp(-(((x - 22) / 0.1) ** 2) / 2))
    sd = 3 * np.sqrt(y) if third == "esd" else 60 + 0.1 * np.sin(x)
    path = tmp_path / "a.xye"
    path.write_text("".join(f"{a:.2f} {b:.0f} {c:.3f}\n" for a, b, c in zip(x, y, sd, strict=True)))
    assert (read_measured(path).sigma is not None) == taken


TWO = np.full(61, 2.0)
DOUBLED = np.where(X < 21, 1.0, 2.0)


@pytest.mark.parametrize(
    ("heading", "columns"),
    [
        ("2theta  Impulse/s  Zeit(s)", (COUNTS / 2, TWO)),
        ("2theta  cps  time", (COUNTS / 2, TWO)),
        ("2theta  kcps  time", (COUNTS / 2000, TWO)),
        ("2theta  counts/min  time", (COUNTS * 30, TWO)),
        ("2theta  Intensity(1/s)  time", (COUNTS / 2, TWO)),
        ("2theta  Intensity[s^-1]  time", (COUNTS / 2, TWO)),
        ("2theta  counts  time", (COUNTS, TWO)),
        ("intensity unit: cps, counting time 2 s\n# 2theta  Intensity", (COUNTS / 2,)),
        ("intensity unit: kcps, counting time 2 s\n# 2theta  Intensity", (COUNTS / 2000,)),
    ],
)
def test_rates_become_counts_of_their_time(tmp_path, heading, columns):
    found = read(tmp_path, rows(X, *columns, heading=f"# {heading}"))
    np.testing.assert_allclose(found.y, COUNTS)
    assert (found.count_time_s, found.reading.sigma_from) == (2.0, "√counts")


@pytest.mark.parametrize("heading", ["counts time", "counts step_time"])
def test_counts_of_several_times_are_scaled_with_their_sigma(tmp_path, heading):
    seconds = DOUBLED if heading.endswith(" time") else 2 + 0.01 * np.arange(61)
    found = read(tmp_path, rows(X, COUNTS, seconds, heading=f"# 2theta {heading}"))
    scale = np.median(seconds) / seconds
    np.testing.assert_allclose(found.y, COUNTS * scale)
    np.testing.assert_allclose(found.sigma, np.sqrt(COUNTS) * scale)


@pytest.mark.parametrize(
    "name", ["rel.int", "Intensity(%)", "I/Imax", "Norm.Intensity", "Int_rel", "I/I0"]
)
def test_relative_intensities_are_no_counts_though_they_are_whole(tmp_path, name):
    found = read(tmp_path, rows(X, COUNTS, heading=f"# 2theta  {name}"))
    assert "the heading calls them relative" in found.reading.sigma_from
    assert found.reading.signal == "relative intensities"


def test_whole_numbers_up_to_a_thousand_that_do_not_scatter_as_counts_are_normalised(tmp_path):
    rng = np.random.default_rng(2)
    counts = rng.poisson(1000 + 90_000 * np.exp(-(((X - 21.5) / 0.2) ** 2)))
    found = read(tmp_path, rows(X, np.rint(1000 * counts / counts.max())))
    assert "normalised" in found.reading.sigma_from


def test_counts_that_scatter_too_little_are_doubted(tmp_path):
    smooth = np.rint(5000 + 20_000 * np.exp(-(((X - 21.5) / 0.2) ** 2)) + np.arange(61) % 2)
    notes = read(tmp_path, rows(X, smooth)).notes
    assert any("times as much as counts do" in note and "σ is less" in note for note in notes)


@pytest.mark.parametrize(
    ("heading", "says"),
    [
        (
            "2theta  Intensity(a.u.)",
            "called arbitrary units, or multiples, but whole numbers that scatter",
        ),
        ("2theta  cps  step_time", "if they are counts, they are 2 times too large here"),
    ],
)
def test_what_may_be_counts_is_said(tmp_path, heading, says):
    columns = (COUNTS, TWO) if "time" in heading else (COUNTS,)
    found = read(tmp_path, rows(X, *columns, heading=f"# {heading}"))
    assert any(says in note for note in found.notes)


def test_angles_below_zero_are_remarked(tmp_path):
    found = read(tmp_path, rows(X - 21, COUNTS, heading="# 2theta(deg) counts"))
    assert "20 points lie below 2θ = 0°, from -1° on" in found.notes


@pytest.mark.parametrize(
    ("heading", "columns", "says"),
    [
        ("2theta logI", (X, np.log10(COUNTS)), "named 'logI': its logarithm"),
        ("2theta log10 I", (X, np.log10(COUNTS)), "named 'log10 I': its logarithm"),
        ("Q2 I", (X, COUNTS), "column 1 is named 'Q2', which is no 2θ"),
        ("s(1/A) I", (X, COUNTS), "which is no 2θ"),
        ("2theta det1 det2", (X, COUNTS, COUNTS), "are the counts: 2 det1, 3 det2"),
        ("L tth H K mon lambda1", (X, X, X, COUNTS, COUNTS), "are the counts: 2 H"),
        ("", (np.arange(61), COUNTS), "column 1 counts the rows, 0 to 60"),
    ],
)
def test_columns_that_are_something_else_are_asked_about(tmp_path, heading, columns, says):
    with pytest.raises(InputError, match=says):
        read(tmp_path, rows(*columns, heading=f"#{heading}" if heading else ""))


@pytest.mark.parametrize(
    ("unit", "seconds"), [("time(ms)", 2000.0), ("time[min]", 1 / 30), ("Seconds", 2.0)]
)
def test_counting_times_have_their_unit(tmp_path, unit, seconds):
    table = rows(X, COUNTS / 2, np.full(61, seconds), heading=f"#2theta  cps  {unit}")
    found = read(tmp_path, table)
    assert found.count_time_s == pytest.approx(2.0)
    np.testing.assert_allclose(found.y, COUNTS)


def test_the_labels_of_spec_name_columns_and_its_scans_are_not_joined(tmp_path):
    counted = (X, 0 * X, np.full(61, 2.0), np.full(61, 1e5), COUNTS)
    head = "#S 1 ascan tth 20 23 60 1\n#L Two Theta  H  Seconds  Monitor  Detector"
    scan = rows(*counted, heading=head)
    np.testing.assert_allclose(read(tmp_path, scan).y, COUNTS)
    with pytest.raises(InputError, match="2θ goes from 23 to 20"):
        read(tmp_path, scan + scan)


def test_a_detector_that_dies_or_saturates_is_said(tmp_path):
    dead = np.where(X < 22, COUNTS, 0)
    notes = read(tmp_path, rows(X, dead)).notes
    assert "21 points from 2θ = 22° on count nothing" in notes
    notes = read(tmp_path, rows(X, np.minimum(COUNTS, 700))).notes
    assert any("are the largest, 700: was the detector saturated?" in note for note in notes)


def test_positions_in_an_unknown_word_are_said(tmp_path):
    found = read(tmp_path, rows(X, COUNTS, heading="# winkelposition counts"))
    assert "column 1 is named 'winkelposition', and was taken as 2θ" in found.notes


def test_a_last_sigma_that_was_cut_off_is_left_out(tmp_path):
    table = rows(X, COUNTS, ROOT, heading="# 2theta I sigma")
    cut = table[: table.rindex(".") - 0]
    assert cut[-1] == "7"
    assert read(tmp_path, cut[:-1] + "1").x.size == 60

"""The right answers for the files of ../shared that `files.py` reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from materialsdock.formats import read_measured
from materialsdock.formats.options import NOTHING_ASKED, FileOptions, columns_of
from materialsdock.model import Measured

GOOD, CASES = "cases/files/good.xy", "cases/files"
SPECTRUM = "cases/files/x_good.xdi"
BEAMLINES, VENDOR = "data/xas/beamlines", "data/xrd/vendor"


@dataclass(frozen=True)
class Answer:
    """What is right for one file; None: not looked at.

    same_as : file with the same arrays (but `times` the counts); first, last : of x, within `slack`
    rise : energy of the steepest rise [eV], within 2 eV; says, edge, signal : words that must stand
    in what is said of it; wavelengths : first one or both [Å]; refusal : words of a refusal that is
    as good an answer
    """

    file: str
    asked: FileOptions = NOTHING_ASKED
    technique: str | None = None
    points: int | None = None
    first: float | None = None
    last: float | None = None
    slack: float = 0.02
    same_as: str | None = None
    times: float = 1.0
    rise: float | None = None
    edge: str | None = None
    signal: str | None = None
    sigma: str | None = None
    wavelengths: tuple[float, ...] | None = None
    says: str | None = None
    refusal: str | None = None

    def faults(self, found: Measured, shared: Path) -> list[str]:
        """All that differs from the answer, in words."""
        said = [
            self._differs("technique", found.technique, self.technique),
            self._differs("points", found.x.size, self.points),
            self._apart("first", found.x[0], self.first),
            self._apart("last", found.x[-1], self.last),
            self._lacks("edge", found.reading.edge, self.edge),
            self._lacks("signal", found.reading.signal, self.signal),
            self._wavelengths(found),
            self._sigma(found),
        ]
        if self.rise is not None:
            steepest = found.x[np.argmax(np.gradient(found.y, found.x))]
            if abs(steepest - self.rise) > 2.0:
                said.append(f"rises at {steepest:.2f} eV, not {self.rise:g}")
        if self.same_as is not None:
            other = read_measured(shared / self.same_as)
            alike = found.x.size == other.x.size and np.allclose(found.x, other.x, atol=2e-3)
            if not alike or not np.allclose(found.y, self.times * other.y, rtol=2e-3, atol=0.02):
                said.append(f"not the arrays of {self.same_as}")
        if self.says is not None and not self.told(found, self.says):
            said.append(f"does not say {self.says!r}")
        if self.points is None and self.same_as is None and self.rise is None and not self.says:
            said.append("read, but should have been refused")
        return [each for each in said if each]

    @staticmethod
    def told(found: Measured, words: str) -> bool:
        """True where any of the words (set apart by |) stands in what is said of the reading."""
        r = found.reading
        parts = (*found.notes, *r.dropped, *r.columns, r.scan, r.unit, r.signal, r.sigma_from)
        text = " ".join((*parts, r.wavelengths_from, r.edge, found.kind)).lower()
        return any(word.lower() in text for word in words.split("|"))

    @staticmethod
    def _differs(what: str, is_: object, should: object) -> str:
        return "" if should is None or is_ == should else f"{what} {is_}, not {should}"

    def _apart(self, what: str, is_: float, should: float | None) -> str:
        near = should is None or abs(is_ - should) <= self.slack
        return "" if near else f"{what} {is_:g}, not {should:g}"

    @staticmethod
    def _lacks(what: str, is_: str, word: str | None) -> str:
        has = word is None or word.lower().replace(" ", "") in is_.lower().replace(" ", "")
        return "" if has else f"{what} {is_!r}, not {word!r}"

    def _wavelengths(self, found: Measured) -> str:
        if self.wavelengths is None:
            return ""
        given = found.wavelengths_angstrom or ()
        alike = len(given) >= len(self.wavelengths) and np.allclose(
            given[: len(self.wavelengths)], self.wavelengths, atol=2e-4
        )
        return "" if alike else f"wavelengths {given}, not {self.wavelengths}"

    def _sigma(self, found: Measured) -> str:
        """`sigma`: "no" none from a column; "sqrt" √counts or none; a word in its source."""
        if self.sigma is None:
            return ""
        if self.sigma == "sqrt":
            usual = np.sqrt(np.maximum(found.y, 1.0))
            fine = found.sigma is None or np.allclose(found.sigma, usual, rtol=0.02)
            return "" if fine else "sigma is not √counts"
        if self.sigma == "no":
            return "" if found.sigma is None else "took a column as sigma that is none"
        return "" if self.sigma in found.reading.sigma_from else f"sigma {found.reading.sigma_from}"


def case(name: str, **answer: object) -> Answer:
    """A case; those that say nothing else are the arrays of good.xy."""
    return Answer(f"{CASES}/{name}", **{"technique": "xrd", **answer})  # type: ignore[arg-type]


def good(name: str, **answer: object) -> Answer:
    """A case with the arrays of good.xy."""
    return case(name, same_as=GOOD, **answer)


def spectrum(name: str, **answer: object) -> Answer:
    """A case with the Fe K spectrum of ANSWERS.md."""
    given = {"technique": "xas", "points": 268, "rise": 7122.98, "first": 6960.0, "last": 7497.5}
    return Answer(f"{CASES}/{name}", **{**given, **answer})  # type: ignore[arg-type]


def beamline(name: str, first: float, last: float, points: int, **answer: object) -> Answer:
    """A file of a beamline, after TRUTH.md."""
    given = {"technique": "xas", "points": points, "first": first, "last": last, "slack": 0.3}
    return Answer(f"{BEAMLINES}/{name}", **{**given, **answer})  # type: ignore[arg-type]


POWDER = (
    good("good.xy"),
    good("semicolon_comma.csv", refusal="decimal comma"),
    good("tab_comma.txt", refusal="decimal comma"),
    good("bom_crlf.csv"),
    good("latin1.txt"),
    good("shiftjis.txt"),
    good("scan.ras", wavelengths=(1.540593,), sigma="sqrt"),
    case("scan_two.ras", points=3001, says="of 2", refusal="2 "),
    good("three_col_bkg.xy", sigma="no"),
    good("four_col.xy", sigma="sqrt"),
    *(good(name) for name in ("scan.xrdml", "scan_v3.raw", "scan.brml", "scan.rasx")),
    *(good(name) for name in ("nxmonopd.nxs", "scan.asc")),
    good("uxd_2tcps_co.uxd", wavelengths=(1.788965, 1.792850), says="2 s"),
    good("uxd_cps.uxd", says="2 s"),
    good("uxd_2tcps.uxd", says="2 s"),
    good("uxd_counts.uxd"),
    good("uxd_2tcounts.uxd"),
    case("uxd_two_ranges.uxd", points=3001, says="of 2|range", refusal="range"),
    good("wave_header.xy", wavelengths=(0.6887,)),
    good("gsas_default_form.gsas"),
    good("gsas_STD.gsas"),
    good("gsas_ESD.gsas"),
    good("gsas_FXYE.gsas"),
    good("gsas_inst.gsas"),
    good("gsas_big.gsas", refusal="gsas_big"),
    good("gsas_two_banks.gsas", says="bank 1|1 of 2"),
    good("gsas_wave.fxye", wavelengths=(0.413318,)),
    good("fullprof.dat"),
    good("fullprof_title.dat"),
    good("fortran_d.xy"),
    good("index_first.csv"),
    good("powder_pd.cif"),
    good("jcamp.dx"),
    good("hash_inline.xy"),
    good("trailing_comment.xy"),
    good("trailing_text.xy", refusal="line 3002"),
    good("descending.xy", says="descend|revers"),
    good("esd_zero.xye", sigma="sqrt"),
    good("cps.xy", says="second × 10 s", refusal="cps"),
    case("cut_mid.xy", points=2667, first=20.0, says="last row"),
    case("gap.xy", points=2802, first=20.0, last=80.0),
    case("nonuniform.xy", points=2251, first=20.0, last=80.0),
    case("q_axis.xy", points=3001, first=20.0, last=80.0, refusal="wavelength"),
    case("d_axis.xy", points=3001, first=20.0, last=80.0, refusal="wavelength"),
    case(
        "q_axis.xy",
        asked=FileOptions(wavelengths_angstrom=(1.540593,)),
        points=3001,
        first=20.0,
        last=80.0,
    ),
    case(
        "d_axis.xy",
        asked=FileOptions(wavelengths_angstrom=(1.540593,)),
        points=3001,
        first=20.0,
        last=80.0,
    ),
    case("normalised01.xy", points=3001, says="not counts|scale|0 to 1|intensit"),
    case("r_sync.fxye", points=4001, first=6.0, last=30.0, wavelengths=(0.41331,)),
    case("duplicate_one.xy", points=3001, says="twice|duplicate|merged", refusal="line"),
    case("thousands.csv", refusal="line"),
    case("one_nan.xy", points=3000, says="nan|finite", refusal="line"),
    case("negative.xy", points=3001, says="negative", refusal="negative"),
    case("inline_comment.xy", refusal="line 1501"),
    Answer(
        f"{VENDOR}/bruker_raw4_scrambled.raw",
        technique="xrd",
        points=7134,
        first=10.0,
        last=85.04,
    ),
    Answer(f"{VENDOR}/panalytical_powder.xrdml", technique="xrd", says="xrdml"),
    Answer(f"{VENDOR}/panalytical_attenuator.xrdml", technique="xrd", says="attenuat"),
    Answer(f"{VENDOR}/rigaku_multiscan.ras", technique="xrd", says="1 of ", refusal="--scan"),
    Answer(f"{VENDOR}/rigaku_nims.ras", technique="xrd", says="ras"),
    Answer(f"{VENDOR}/rigaku_powder.rasx", technique="xrd", says="rasx"),
    Answer(f"{VENDOR}/rigaku_three_column.ras", technique="xrd", says="attenuat"),
    Answer("data/xrd/gsas2_tutorials/PBSO4.XRA", technique="xrd", first=10.0, says="GSAS"),
    Answer("data/xrd/gsas2_tutorials/NIST660CBI.gsas", technique="xrd", says="GSAS"),
    Answer("data/xrd/iucr_qpa/cpd-1e.prn", technique="xrd", points=7251, first=5.0, last=150.0),
    Answer("data/xrd/iucr_qpa/cpd-1g.prn", technique="xrd", points=7251, first=5.0, last=150.0),
    Answer("data/xrd/are_tio2/robot_1.csv.gz", technique="xrd", first=10.0, says="weight|column"),
    Answer("data/xrd/autoanalyzer/MnO.xy.gz", technique="xrd", points=9001, first=10.0, last=100.0),
)  # fmt: skip

COMMA = {"points": 195, "last": 7498.0, "slack": 5.0}
ABSORPTION = (
    spectrum("x_good.xdi"),
    spectrum("x_comma_int.csv", refusal="decimal comma", **COMMA),
    spectrum("x_comma_int_dot.csv", **COMMA),
    spectrum("x_comma.csv", refusal="decimal comma"),
    spectrum("x_xdi_comma.xdi", refusal="decimal comma"),
    spectrum("x_kev.xdi", refusal="kev"),
    spectrum("x_kev_named.dat", refusal="kev"),
    Answer(f"{CASES}/x_kev_plain.dat", refusal="kev"),
    spectrum("x_kev_plain.dat", asked=FileOptions(unit="keV")),
    spectrum("x_energy_second.xdi"),
    spectrum("x_col_spaces.xdi"),
    spectrum("x_desc.xdi"),
    spectrum("x_both.xdi", signal="transmission"),
    spectrum("x_ifluor_channels.xdi", signal="fluorescence"),
    spectrum("x_raw_counts.dat", signal="transmission"),
    spectrum("x_spec.spec", signal="transmission", refusal="--scan"),  # it holds two scans
    spectrum("x_athena_norm.nor"),
    spectrum("x_neg.dat"),
    spectrum("x_bigmu.dat", refusal="µ"),
    spectrum("x_i0zero.xdi", points=267, says="i0", refusal="i0"),
    spectrum("x_nan.xdi", points=267, says="nan|finite", refusal="finite"),
    Answer(f"{CASES}/x_two_scans.dat", technique="xas", points=268, says="scan", refusal="scan"),
    Answer(f"{CASES}/x_athena.prj", technique="xas", points=268, says="group", refusal="group"),
    # 3464 rows, three of them at the first energy, which are merged
    beamline("APS10BM_2019.dat", 6390.0, 7601.36, 3462, edge="Mn K", signal="transmission"),
    # 492 rows, in 66 of which i1 is not above 0: ln(i0/i1) is no number there
    beamline("APS12BM_2019.dat", 6339.0, 6984.7, 426, edge="Mn K", says="66 of 492"),
    beamline("APS13ID_2019.dat", 6389.0, 6537.01, 221, signal="fluorescence", says="no edge|ends"),
    beamline("APS20ID_2018.dat", 11716.98, 12246.44, 379, edge="As K", signal="fluorescence"),
    beamline("APS9BM_2019.dat", 6287.67, 7391.45, 442, edge="Mn K", signal="transmission"),
    beamline("CLSHXMA.dat", 11667.0, 12842.36, 414, edge="As K", signal="transmission"),
    beamline("NSLS6BM_2019.dat", 5264.99, 6120.53, 352, edge="V K", signal="fluorescence"),
    beamline("NSLS_XDAC_2011.dat", 6912.0, 7757.72, 422, edge="Fe K", signal="transmission"),
    beamline("PF9A_2022.dat", 6606.1, 8211.1, 1426, edge="Fe K", signal="fluorescence"),
    beamline("SSRLmicro_2008.dat", 10900.0, 11411.24, 296, edge="Ge K", signal="fluorescence"),
    beamline("fe_xanes_8ch.xdi", 7012.0, 7108.6, 100, signal="fluorescence", says="no edge|ends"),
    Answer(f"{BEAMLINES}/generic_columns_no_header.dat", refusal="--columns"),
    beamline(
        "generic_columns_no_header.dat",
        10906.93,
        11505.62,
        198,
        asked=FileOptions(columns=columns_of("energy=1,mu=7")),
        rise=11103.0,
        edge="Ge K",
    ),
    beamline("mn_cpmnco3.dat", 6339.98, 7196.98, 409, edge="Mn K"),
    beamline("Ce.prj", 5452.68, 6151.27, 556, edge="Ce L3", says="group CeO2"),  # the only one
    Answer(f"{BEAMLINES}/Sn.prj", refusal="--group"),
    *(
        Answer(f"data/xas/xasdatalibrary/{name}", technique="xas", edge=edge, says="ln(|column|mu")
        for name, edge in (
            ("Cu/cu_metal_10K.xdi", "Cu K"),
            ("Cu/cu_metal_rt.xdi", "Cu K"),
            ("Fe/Fe2O3_rt_01.xdi", "Fe K"),
            ("Fe/FeO_rt_01.xdi", "Fe K"),
            ("Fe/Fe_Foil_rt_2016Foils.xdi", "Fe K"),
            ("Mn/MnO_rt_01.xdi", "Mn K"),
            ("Mn/MnO2_rt_03.xdi", "Mn K"),
        )
    ),
    Answer("data/xas/xraylarch/cu_10k.xmu", technique="xas", points=612, edge="Cu K"),
    Answer("data/xas/xraylarch/feo_exafs_pnccat2001.dat", technique="xas", points=412, edge="Fe K"),
)  # fmt: skip
ANSWERS = (*POWDER, *ABSORPTION)

"""Powder patterns as instruments write them: the same 61 counts in every kind of file.

Each maker gives the bytes of a file of X [deg] and COUNTS; KINDS has one of each kind by its name.
"""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np

from materialsdock.formats import read_measured
from materialsdock.formats.options import FileOptions
from materialsdock.model import Measured

X = np.round(20 + 0.05 * np.arange(61), 4)
COUNTS = np.rint(
    50 + 900 * np.exp(-(((X - 21.5) / 0.2) ** 2)) + 7 * np.sin(40 * np.arange(61) ** 2)
).astype(int)
CU = (1.540598, 1.544426)


def read(folder: Path, content: bytes | str, name: str = "a.dat", **options: object) -> Measured:
    """What the reader makes of a file of that content, with options of its user."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_measured(path, "xrd", FileOptions(**options))  # type: ignore[arg-type]


def rows(*columns: object, separator: str = " ", heading: str = "") -> str:
    """A table of columns (n,) below a heading."""
    lines = (separator.join(f"{v:.10g}" for v in row) for row in zip(*columns, strict=True))
    return "".join(f"{line}\n" for line in ([heading] if heading else []) + list(lines))


def blocks(values: object, width: int, form: str = "{:8d}") -> str:
    """Values, so many in a line."""
    words = [form.format(v) for v in values]
    return "".join("".join(words[i : i + width]) + "\n" for i in range(0, len(words), width))


def gsas(form: str = "STD", number: int = 1) -> str:
    """A bank of GSAS."""
    head = f"BANK {number} {X.size} 7 CONST 2000.0 5.0 0 0 {form}\n"
    if form == "ESD":
        return head + "".join(
            "".join(f"{y:8.1f}{np.sqrt(y):8.3f}" for y in COUNTS[i : i + 5]) + "\n"
            for i in range(0, X.size, 5)
        )
    if form == "FXYE":
        return head + rows(100 * X, COUNTS, np.sqrt(COUNTS))
    return head + blocks(COUNTS, 10)


def uxd(marker: str = "_COUNTS", step: str = "0.05", time: float = 2.0) -> str:
    """A range of Bruker UXD."""
    head = f"_FILEVERSION=1\n_WL1={CU[0]}\n_WL2={CU[1]}\n_DRIVE='COUPLED'\n_STEPTIME={time}\n"
    head += f"_START=20.0\n_STEPSIZE={step}\n{marker}\n"
    y = COUNTS / time if "CPS" in marker else COUNTS
    return head + (rows(X, y) if "2THETA" in marker else blocks(y, 7, "{:9.2f}"))


def asc(unit: str = "counts", speed: str = "", scans: int = 1) -> str:
    """Rigaku .asc with so many scans."""
    head = "*TYPE\t= Raw\n*SCAN_AXIS\t= 2theta/theta\n*WAVE_LENGTH1\t= 1.54056\n"
    head += f"*WAVE_LENGTH2\t= 1.5444\n*YUNIT\t= {unit}\n{speed}"
    y = COUNTS / 2 if unit == "cps" else COUNTS
    body = f"*BEGIN\n*START\t= 20\n*STOP\t= 23\n*STEP\t= 0.05\n*COUNT\t= {X.size}\n"
    body += blocks(y, 4, "{:.2f}, ").replace(", \n", "\n") + "*END\n"
    return head + body * scans + "*EOF\n"


def cpi() -> str:
    """Sietronics."""
    head = (
        "SIETRONICS XRD SCAN\n20.00\n23.00\n0.05\nCu\n1.54056\n1-1-1990\n0.6\na sample\nSCANDATA\n"
    )
    return head + "".join(f"{y}\n" for y in COUNTS)


def mdi(end: float = 23.0) -> str:
    """MDI (Jade)."""
    return f"1-1-1990 a sample\n 20.0 0.05 1.0 CU 1.54056 {end} 61\n{blocks(COUNTS, 8)}"


def jcamp(form: str = "(XY..XY)", units: str = "2THETA") -> str:
    """JCAMP-DX."""
    head = "##TITLE=a sample\n##JCAMP-DX=4.24\n##DATA TYPE=X-RAY DIFFRACTION\n"
    head += f"##XUNITS={units}\n##YUNITS=COUNTS\n##FIRSTX=20\n##LASTX=23\n##NPOINTS={X.size}\n"
    if form == "(XY..XY)":
        body = rows(X, COUNTS, separator=", ")
    else:
        parts = range(0, X.size, 8)
        body = "".join(f"{X[i]:g} {' '.join(map(str, COUNTS[i : i + 8]))}\n" for i in parts)
    return f"{head}##XYDATA={form}\n{body}##END=\n"


def chi(label: str = "2-Theta Angle (Degrees)", x: object = X) -> str:
    """FIT2D."""
    return f"image.tif\n{label}\nIntensity\n{X.size}\n" + rows(x, COUNTS)


def cif(more: str = "", x: bool = True) -> str:
    """Powder CIF."""
    tags = "_pd_meas_2theta_scan\n_pd_meas_counts_total\n" if x else "_pd_meas_counts_total\n"
    body = rows(X, COUNTS) if x else rows(COUNTS)
    return f"data_sample\n{more}loop_\n{tags}{body}"


def xrdml(
    scans: int = 1, more: str = "", unit: str = "counts", values: object = COUNTS, tag: str = ""
) -> str:
    """PANalytical."""
    tag = tag or "intensities"
    data = " ".join(f"{v:g}" for v in values)  # type: ignore[attr-defined]
    scan = (
        '<scan scanAxis="Gonio" status="Completed"><dataPoints>'
        '<positions axis="2Theta" unit="deg"><startPosition>20.0</startPosition>'
        "<endPosition>23.0</endPosition></positions>"
        f"{more or '<commonCountingTime>2.0</commonCountingTime>'}"
        f'<{tag} unit="{unit}">{data}</{tag}></dataPoints></scan>'
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/1.5">\n<xrdMeasurement>'
        f"<usedWavelength><kAlpha1>{CU[0]}</kAlpha1><kAlpha2>{CU[1]}</kAlpha2></usedWavelength>"
        f"{scan * scans}</xrdMeasurement></xrdMeasurements>\n"
    )


def ras(factor: object = None, values: object = COUNTS, scans: int = 1) -> str:
    """Rigaku .ras; factor : (n,) of the attenuator."""
    factor = np.ones(X.size) if factor is None else factor
    keys = {"MEAS_SCAN_AXIS_X": "TwoThetaTheta", "HW_XG_TARGET_NAME": "Cu"}
    keys |= {"HW_XG_WAVE_LENGTH_ALPHA1": "1.540593", "HW_XG_WAVE_LENGTH_ALPHA2": "1.544414"}
    head = "".join(f'*{key} "{value}"\n' for key, value in keys.items())
    body = f"*RAS_INT_START\n{rows(X, values, factor)}*RAS_INT_END\n"
    scan = f"*RAS_HEADER_START\n{head}*RAS_HEADER_END\n{body}"
    return f"*RAS_DATA_START\n{scan * scans}*RAS_DATA_END\n"


def udf() -> str:
    """Philips .udf."""
    head = "SampleIdent,a sample,/\nAnode,Cu,/\nLabdaAlpha1, 1.54060,/\nLabdaAlpha2, 1.54439,/\n"
    head += "DataAngleRange, 20.0, 23.0,/\nScanStepSize, 0.05,/\nRawScan\n"
    return (
        head + ",\n".join(", ".join(map(str, COUNTS[i : i + 8])) for i in range(0, 61, 8)) + "/\n"
    )


def packed(**members: bytes | str) -> bytes:
    """A zip archive; names have __ for / and _dot_ for a dot."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return buffer.getvalue()


def rasx(manifest: bool = True) -> bytes:
    """Rigaku .rasx."""
    conditions = (
        "<M><ScanInformation><AxisName>TwoTheta</AxisName></ScanInformation><X><TargetName>Cu"
        "</TargetName><WavelengthKalpha1>1.540593</WavelengthKalpha1></X></M>"
    )
    listed = '<Root><Data0><ContentHashList Name="Profile0.txt"/>'
    listed += '<ContentHashList Name="MesurementConditions0.xml"/></Data0></Root>'
    profile = rows(X, COUNTS, np.ones(61), separator="\t")
    members = {"Data0__Profile0_dot_txt": profile}
    members |= {"Data0__MesurementConditions0_dot_xml": conditions}
    return packed(**members, **({"root_dot_xml": listed} if manifest else {}))


def brml(views: bool = True, absorption: object = None, values: object = COUNTS) -> bytes:
    """Bruker .brml, whose columns are described or, as older ones, are not."""
    a = np.ones(61) if absorption is None else absorption
    table = zip(np.ones(61), a, X, X / 2, values, strict=True)
    data = "".join(f"<Datum>{','.join(f'{v:.10g}' for v in row)}</Datum>" for row in table)
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    described = (
        '<DataViews><RawDataView Start="0" Length="1" xsi:type="FixedRawDataView" '
        'LogicName="MeasuredTime"/><RawDataView Start="1" Length="1" xsi:type="FixedRawDataView" '
        'LogicName="AbsorptionFactor"/><RawDataView Start="2" Length="2" '
        'xsi:type="VaryingRawDataView"><Varying><FieldDefinitions AxisId="TwoTheta"/>'
        '<FieldDefinitions AxisId="Theta"/></Varying></RawDataView><RawDataView Start="4" '
        'Length="1" xsi:type="RecordedRawDataView"><Recording><Unit Base="Counts"/></Recording>'
        "</RawDataView></DataViews>"
    )
    tube = f'<Tube><WaveLengthAlpha1 Value="{CU[0]}"/><WaveLengthAlpha2 Value="{CU[1]}"/></Tube>'
    raw = f'<RawData {xsi}><DataRoutes><DataRoute RouteFlag="Measured">{data}'
    raw += f"{described if views else ''}</DataRoute></DataRoutes>{tube}</RawData>"
    listed = "<D><RawDataReferenceList><string>Experiment0/RawData0.xml</string>"
    listed += "</RawDataReferenceList></D>"
    members: dict[str, bytes | str] = {"Experiment0__RawData0_dot_xml": raw}
    if views:
        members["Experiment0__DataContainer_dot_xml"] = listed
    return packed(**members)


def raw_v3(length: int = 4) -> bytes:
    """Bruker RAW v3; length : of a record as its header states it."""
    head = bytearray(712 + 304)
    head[:7] = b"RAW1.01"
    struct.pack_into("<i", head, 12, 1)
    struct.pack_into("<ii", head, 712, 304, 61)
    struct.pack_into("<d", head, 712 + 16, 20.0)
    struct.pack_into("<d", head, 712 + 176, 0.05)
    struct.pack_into("<d", head, 712 + 240, 1.5406)
    struct.pack_into("<iii", head, 712 + 248, 0, length, 0)
    return bytes(head) + COUNTS.astype("<f4").tobytes()


def rd() -> bytes:
    """Philips .rd, whose counts are v² / 100."""
    v = np.ceil(np.sqrt(100.0 * COUNTS)).astype("<u2")
    head = bytearray(250)
    head[:4] = b"V3RD"
    struct.pack_into("<3d", head, 94, CU[0], CU[1], 0.5)
    struct.pack_into("<H", head, 136, int(v.max()))
    struct.pack_into("<3d", head, 214, 0.05, 20.0, 23.0)
    return bytes(head) + v.tobytes()


def nexus(errors: bool = False, units: str = "degree") -> bytes:
    """NXmonopd."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXmonopd"
        entry["instrument/crystal/wavelength"] = np.array(CU)
        data = entry.create_group("data")
        data.attrs.update(NX_class="NXdata", signal="data", axes="polar_angle")
        data["polar_angle"] = X
        data["polar_angle"].attrs["units"] = units
        data["data"] = COUNTS
        if errors:
            data["errors"] = np.sqrt(COUNTS)
    return buffer.getvalue()


def title() -> str:
    """FullProf with a title behind the range."""
    return f"  20.0000   0.0500  23.0000  Al2O3 night run\n{blocks(COUNTS, 10)}"


KINDS: dict[str, tuple[str, bytes | str]] = {
    "two columns": ("a.xy", rows(X, COUNTS)),
    "three columns": ("a.xye", rows(X, COUNTS, np.sqrt(COUNTS))),
    "heading": ("a.csv", rows(X, COUNTS, separator=",", heading="2theta (deg),counts")),
    "FullProf": ("a.dat", title()),
    "GSAS STD": ("a.gsas", gsas()),
    "GSAS ESD": ("a.gsas", gsas("ESD")),
    "GSAS FXYE": ("a.fxye", gsas("FXYE")),
    "UXD": ("a.uxd", uxd()),
    "UXD pairs": ("a.uxd", uxd("_2THETACPS")),
    "ASC": ("a.asc", asc()),
    "CPI": ("a.cpi", cpi()),
    "MDI": ("a.mdi", mdi()),
    "JCAMP pairs": ("a.dx", jcamp()),
    "JCAMP steps": ("a.dx", jcamp("(X++(Y..Y))")),
    "chi": ("a.chi", chi()),
    "powder CIF": ("a.cif", cif()),
    "XRDML": ("a.xrdml", xrdml()),
    "RAS": ("a.ras", ras()),
    "UDF": ("a.udf", udf()),
    "RASX": ("a.rasx", rasx()),
    "BRML": ("a.brml", brml()),
    "old BRML": ("a.brml", brml(views=False)),
    "RAW v3": ("a.raw", raw_v3()),
    "RD": ("a.rd", rd()),
    "NeXus": ("a.nxs", nexus()),
}

"""Files of one made Fe K spectrum, as beamlines of every family write them."""

from __future__ import annotations

import gzip
import io
import json

import h5py
import numpy as np

from materialsdock.techniques.xas.spectrum.simulate import simulate_xanes

ENERGY = np.concatenate(
    [np.arange(6960.0, 7100, 5), np.arange(7100.0, 7150, 0.5), np.arange(7150.0, 7500, 2.5)]
)
MU = simulate_xanes(ENERGY)
_RNG = np.random.default_rng(7)
I0 = np.round(1e6 * (1 + 0.05 * np.sin(ENERGY / 40)))
IT = np.round(I0 * np.exp(-MU))
IR = np.round(IT * np.exp(-0.5 * MU))
IF = np.round(0.01 * I0 * MU * (1 + 3e-4 * _RNG.normal(size=MU.size)))
FLUORESCENCE = IF / I0
SHARES = np.array([0.4, 0.3, 0.2, 0.1])  # of the elements of a detector
DEAD_TIME = np.array([1.2, 1.1, 1.05, 1.02])
D_SPACING = 3.1356
HC = 12398.41984
ANGLE = np.degrees(np.arcsin(HC / (2 * D_SPACING * ENERGY)))
TIME = np.ones_like(ENERGY)


def rows(*columns, form="{:.10g}", separator=" ", begin="", end=""):
    """Lines of numbers, one for each energy."""
    lines = zip(*columns, strict=True)
    return "".join(f"{begin}{separator.join(form.format(v) for v in r)}{end}\n" for r in lines)


def channels(corrected=False):
    """Counts of four elements whose sum, corrected for dead time, is IF."""
    return [IF * s / (1 if corrected else d) for s, d in zip(SHARES, DEAD_TIME, strict=True)]


def xdi(names=("energy eV", "i0", "itrans"), columns=(ENERGY, I0, IT), head=()):
    """XDI/1.0 with columns of these names."""
    tags = [f"# Column.{i}: {name}" for i, name in enumerate(names, 1)]
    facts = ["# Element.symbol: Fe", "# Element.edge: K", "# Mono.d_spacing: 3.1356"]
    return "\n".join(["# XDI/1.0 made", *tags, *facts, *head, "# ///", "#----", rows(*columns)])


def bmm():
    """BMM: µ of fluorescence beside dead-time corrected elements."""
    parts = channels(corrected=True)
    names = ["energy eV", "requested_energy eV", "measurement_time seconds", "xmu", "I0 nA"]
    names += ["It nA", "Ir nA", *(f"DTC{i} dead-time corrected count rate" for i in range(1, 5))]
    dark = 1e-4 * np.sin(ENERGY)
    columns = [ENERGY, np.round(ENERGY), TIME, FLUORESCENCE, I0, dark, dark, *parts]
    return xdi(names, columns)


def step_scan():
    """13-ID: eight elements, four of them dead, with dead-time factors."""
    names = ["Energy eV || 13IDE:En.VAL", "I0 counts || a", "I1 counts || b"]
    names += [f"Fe_Ka_mca{i} counts || c" for i in range(1, 9)]
    names += [f"OutputCounts_mca{i} counts || d" for i in range(1, 9)]
    names += [f"DTFactor_mca{i} counts || e" for i in range(1, 9)]
    nothing = np.zeros_like(ENERGY)
    factors = [nothing + d for d in DEAD_TIME] + [nothing + 1] * 4
    columns = [ENERGY, I0, IT * 0 + 7, *channels(), *[nothing] * 4, *[nothing + 5] * 8, *factors]
    return "#XDI/1.1    Epics StepScan File / 2.0\n" + xdi(names, columns)


def epics():
    """The Epics scan of 13-ID before XDI."""
    head = "; Epics Scan 1 dimensional scan\n;   E0 =       7112.00\n; column labels:\n"
    head += "; P1 = {Energy} --> 13BMA:E:Energy.VAL\n; P2 = {Scaler Count Time} --> 13:s.TP\n"
    head += "; D1 = {I0}  --> 13:calc2.VAL\n; D2 = {I1}  --> 13:calc3.VAL\n;-----\n;  P1 P2 D1 D2\n"
    return head + rows(ENERGY, TIME, I0, IT)


def spec(scans=(("1", ENERGY, I0, IT),)):
    """SPEC: scans over energy, and one of a motor before them."""
    text = "#F made\n#E 1\n#D today\n\n#S 9  ascan  samplex 0 1 30 1\n#N 2\n#L samplex  I0\n"
    text += "".join(f"{i} 5\n" for i in range(31)) + "\n"
    for number, energy, i0, it in scans:
        text += f"#S {number}  ascan  energy 1 2\n#N 5\n#L Energy  H  Epoch  I0  It\n"
        text += rows(energy, 0 * energy, energy, i0, it, end="\n@A 1 2 3\\\n 4 5") + "\n"
    return text


def spec_12bm():
    """12-BM: keV, names with their numbers, elements that count next to nothing."""
    head = "#D Tue Jul 09\n#S Scan 29; exafsscan \n#C exafs_edge_energy 7.112\n"
    head += "#C 1_Energy (keV) 2_sec 3_mononrg 4_i0 5_i1 6_i2 7_mu01 8_flatot 9_fla01 10_fla02\n"
    few = (np.arange(ENERGY.size) % 7 == 0) * 1.0
    columns = [ENERGY / 1e3, TIME, ENERGY / 1e3 - 1e-5, I0, IT, IR, np.log(I0 / IT), few, few]
    return head + rows(*columns, 0 * few)


def mrcat():
    """MRCAT: a rule and a line of names."""
    head = 'MRCAT_XAFS V0.4 Datafile\n"made.002" created\nE0= 7112.00\nSRB= 6390\n'
    head += "Offsets= 11317.00 11302.00 0.00 \nFe tape\n3000 806\n4 layers\n" + "-" * 96 + "\n"
    return (
        head + "   energy       Io       It     Iref       If \n" + rows(ENERGY, I0, IT, IR, 0 * I0)
    )


def xdac():
    """XDAC: a weak transmission, and four channels with slow and fast counts."""
    weak = np.round(I0 * np.exp(-0.001 * MU) * (1 + 3e-4 * _RNG.normal(size=MU.size)))
    head = "XDAC V1.4 Datafile V1\nE0= 7112.00\nGains= 8.00\nmade\n" + "-" * 80 + "\n"
    names = ["Energy", "I0", "It", *(f"Ifch{i}" for i in range(1, 5))]
    names += [*(f"Ifslow{i}" for i in range(1, 5)), *(f"Iffast{i}" for i in range(1, 5))]
    slow = [1e4 + 0 * I0] * 4
    fast = [1e4 * d + 0 * I0 for d in DEAD_TIME]
    columns = [ENERGY, I0, weak, *channels(), *slow, *fast, IR, TIME]
    line = "".join(f"{name:>14}" for name in [*names, "Iref", "IntTime"])
    return head + line + "\n" + rows(*columns, form="{:13.4f}")


def labview(listed=True):
    """APS 9-BM: names in a readable list, cut at 20 characters in the heading."""
    head = "# 1-D Scan File created by LabVIEW Control Panel  7/9/2019\n#\n"
    head += f"#                 E0: 7112.00 eV   {ENERGY.size} points\n#\n"
    names = ["Mono Energy *", "Scaler preset time *", "SIS scaler time preset", "I0-32", "It-32"]
    if listed:
        head += "# Here is a readable list of column headings:\n"
        head += "#  1) Mono Energy *         4) I0-32 \n#  2) Scaler preset time *  5) It-32\n"
        head += "#  3) SIS scaler time preset\n#\n"
    head += "# Column Headings:\n#" + " ".join(f"{name[:20]:<20}" for name in names) + "\n"
    return head + rows(ENERGY, TIME, TIME, I0, IT, form="{:20.8f}")


def ssrl(micro=False):
    """SSRL: one name a line."""
    names = ["Real Time Clock", "Requested Energy"]
    columns = [TIME, ENERGY]
    if micro:
        names += ["I0   ", "I1   ", *(f"SCA1.{i}   " for i in range(1, 5))]
        names += [f"ICR.{i}" for i in range(1, 5)]
        columns += [I0, 0 * I0, *channels(corrected=True), *[1e4 + 0 * I0] * 4]
    else:
        names += ["Achieved Energy", "I0", "I1", "I2"]
        columns += [ENERGY + 0.001, I0, IT, IR]
    what = "MicroEXAFS Data Collector 1.0" if micro else "EXAFS Data Collector 1.3"
    head = (
        f"SSRL   {what}\nSun May 21\nPTS:  {ENERGY.size} COLS: {len(names)}\nmade\n\n\nWeights: \n"
    )
    numbers = " 1.000" * len(names)
    head += f"{numbers}\nOffsets: \n{numbers}\nData: \n" + "\n".join(names) + "\n\n"
    return head + rows(*columns, form="{:.4f}", separator="\t")


def cls():
    """CLS HXMA: rows of two events, macros that number the detectors only."""
    pvs = ['"Event-ID"', '"BL1606-ID-1:Energy"', '"MONO16061I1001:Energy:fbk"']
    pvs += [f'"BL1606-ID1:mcs0{i}:fbk"' for i in range(3, 7)]
    macros = ['"Event-ID"', '"$(AbsEnergyName)"', '"$(EnergyFeedback)"']
    macros += [f'"$(Detector{i})"' for i in range(1, 5)]
    head = "# CLS Data Acquisition\n#(1)\t" + "\t".join(pvs) + "\n#(1)\t" + "\t".join(macros)
    head += '\n#(2)\t"BL1606-ID1:mcs:background"\n2, 3.0\n'
    return head + rows(TIME, ENERGY, ENERGY + 0.003, IF, I0, IT, IR, separator=", ")


def pf9809(mode=3, declared=3, elements=1, touching=False):
    """9809: angles and modes."""
    signal = {2: [IT], 3: channels(corrected=True)[:elements] if elements > 1 else [IF]}[mode]
    word = {2: "Transmission", 3: "Fluorescence"}[declared]
    head = "  9809     KEK-PF   BL9A\n made 22.05.11\n F2T0\n Ring :   2.5 GeV   425.1 mA\n"
    head += " Mono :   Si(111)       D=  3.13560 A    Initial angle= 13.93250 deg\n"
    head += f" BL9A      {word}( {declared})   Repetition=  1     Points= {ENERGY.size}\n"
    head += " Param file : made       energy axis(2)     Block =    1\n\n"
    head += " Block      Init-Eng  Final-Eng      Step/eV     Time/s       Num\n"
    head += "     1        6606.20   7061.20         6.50       1.00        70\n"
    head += f" Ortec(-1)     NDCH = {len(signal) + 2}\n"
    numbers = "".join(f"{i:10d}" for i in range(2, len(signal) + 3))
    head += f"  Angle(c)  Angle(o)    time/s{numbers}\n"
    modes = "".join(f"{m:10d}" for m in (0, 0, 1, *[mode] * len(signal)))
    head += f"      Mode{modes}\n    Offset" + "".join(f"{0:10.1f}" for _ in range(3 + len(signal)))
    times = 1000 if touching else 1
    body = ""
    for values in zip(ANGLE, np.round(ANGLE, 4), TIME, times * I0, *signal, strict=True):
        angle, read, time, *counts = values
        body += f"{angle:10.5f}{read:10.5f}{time:10.2f}" + "".join(f"{c:10.0f}" for c in counts)
        body += "\n"
    return head + "\n" + body


def srs(kind="gda"):
    """SRS: under a line of names, or as Daresbury wrote it, in millidegrees."""
    head = " &SRS\n SRSRUN=1,SRSDAT=20110101\n SRSTLE='made'\n Mono: Si(111)\n &END\n"
    if kind == "gda":
        return head + "Energy\tI0\tIt\tIref\n" + rows(ENERGY, I0, IT, IR, separator="\t")
    d = 5.431020511 / 3**0.5
    angle = 1000 * np.degrees(np.arcsin(HC / (2 * d * ENERGY)))
    points = []
    for i in range(ENERGY.size):
        points.append(f"{angle[i]:.5f} 1.0 {I0[i]:.0f} {IT[i]:.0f} 0 5\n")
        if kind == "elements":
            points.append(" ".join(f"{c[i]:.3f}" for c in channels(corrected=True)) + "\n")
    return head + "".join(points) + " END\n"


def nxxas(mode="Transmission", entries=("entry",), unit="eV"):
    """NeXus NXxas, with links, one of them out of the file."""
    kept = io.BytesIO()
    beam = {"Transmission": IT, "Fluorescence": IF, "Total Electron Yield": IF}[mode]
    with h5py.File(kept, "w") as file:
        for name in entries:
            entry = file.create_group(name)
            entry.attrs["NX_class"] = "NXentry"
            entry["definition"] = "NXxas"
            energy = ENERGY / 1000 if unit == "keV" else ENERGY
            entry["instrument/monochromator/energy"] = energy
            entry["instrument/monochromator/energy"].attrs["units"] = unit
            entry["instrument/incoming_beam/data"] = I0
            entry["instrument/absorbed_beam/data"] = beam
            entry["data/energy"] = h5py.SoftLink(f"/{name}/instrument/monochromator/energy")
            entry["data/mode"] = mode
            entry["sample/image"] = np.zeros((4, 5))
    return kept.getvalue()


def athena(groups=("Fe oxide",), packed=True, shift="0"):
    """An Athena project as Perl."""
    text = "# Athena project file -- Demeter version 0.9.26\n# made\n\n"
    for i, label in enumerate(groups):
        quoted = label.replace("'", "\\'")
        text += f"$old_group = 'abc{i}';\n@args = ('label','{quoted}','bkg_eshift','{shift}',"
        text += "'bkg_z','Fe','fft_edge','k','is_xmu','1','titles',['a','b']);\n"
        for name, values in (("x", ENERGY), ("y", MU + i)):
            text += f"@{name} = (" + ",".join(f"'{v:.8g}'" for v in values) + ");\n"
        text += "[record]   # make it\n\n"
    text += "@journal = ();\n1;\n"
    return gzip.compress(text.encode()) if packed else text


def athena_json(groups=("Fe oxide",)):
    """An Athena project as JSON, with a group of χ(k)."""
    held = {"_____header1": "# Athena project file -- Demeter version 0.9.26"}
    for i, label in enumerate(groups):
        args = {"label": label, "bkg_z": "Fe", "fft_edge": "k", "datatype": "xmu"}
        held[f"abc{i}"] = {"args": args, "x": ENERGY.tolist(), "y": [str(v) for v in MU]}
    held["chi"] = {"args": {"label": "chi", "datatype": "chi"}, "x": [0, 1], "y": [0, 1]}
    return json.dumps(held)


def headed(line, *columns, form="{:.10g}", separator=" "):
    """Columns under one line."""
    return f"{line}\n" + rows(*columns, form=form, separator=separator)


def phoenix():
    """SLS PHOENIX: sums of lines, elements, gains and times, numbered names."""
    names = ["Energy", "FeKa_sum_cps", "I0_KEITHLEY1", "KEITHLEY1_GAIN", "I1_KEITHLEY2"]
    names += ["D1_FeKa_corr", "D2_FeKa_corr", "D1_ICR", "D1_OCR"]
    columns = [ENERGY, IF, I0, TIME, -0.1 + 0 * I0, 0.6 * IF, 0.4 * IF, TIME, TIME]
    line = "#    " + "    ".join(f"{name}_c{i}" for i, name in enumerate(names, 1))
    return headed(line, *columns, form="{:.9E}", separator="    ")

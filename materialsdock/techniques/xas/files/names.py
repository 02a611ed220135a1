"""Names of the columns of beamline files, and what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass

from materialsdock.formats.text import unaccented

UNITS = {
    "ev": "eV",
    "electron volts": "eV",
    "kev": "keV",
    "deg": "deg",
    "degree": "deg",
    "degrees": "deg",
    "mdeg": "mdeg",
    "millideg": "mdeg",
    "millidegree": "mdeg",
    "millidegrees": "mdeg",
    "rad": "rad",
    "radian": "rad",
    "radians": "rad",
}
OF_VALUES = re.compile(  # units of columns that need no conversion
    r"arb\.?[ ]?u?\w*\.?|a\.?u\.?|counts?|cts|c(ount)?s?/s|cps|hz|s|sec\w*|[munpk]?[av]|1/cm|%"
)
BRACKETED = re.compile(r"\s*[\[({]\s*([^\[\](){}]*?)\s*[\])}]")
TRAILING_UNIT = re.compile(r"(?<=[a-z0-9])[_ ]+(kev|ev|mdeg|deg)$")
MACRO = re.compile(r"\$\((\w+)\)")  # as CLS writes names
SERIAL = re.compile(r"_c\d+$")  # number of the column behind its name, as PHOENIX writes it
REST = r"(?:_?(?:\d{1,2}|eh\d|ch\d|det|detector|counts?|cts|keithley\d?))?"
LINE = r"(?P<line>[a-z]{1,2}_?(?:k|l|m)[abg]\d?)"
OTHER_UNITS = re.compile(  # of energies
    r"(ry|rydbergs?|ha|hartrees?|mev|gev|cm-1|1/cm|cm\^-1|nm|[aå]|angstroms?|j|joules?|t?hz|steps?)"
)
OTHER_ENERGIES = re.compile(
    r"relative|(^|_)rel(_|$)|shift|delta|minus|_e0$|undul|gap|ring|edge|emission|emit|machine"
    r"|beam_energy|^id_"
)
ENERGY = re.compile(
    r"e|en|ener|ev|kev|e_?mono|mono_?e|e_?ev|e_?kev|x_?energy|hv|\w*(energy|energie|energia|nrg)\w*"
)
ANGLE = re.compile(r"\w*(bragg|angle)\w*|(mono|dcm|m1)_?(theta|th)\w*|theta\w*|th")
NO_BRAGG_ANGLE = re.compile(r"two_?theta|2_?theta|2th|tth|offset|tilt|pitch|roll|yaw|chi|phi")
TWICE_ANGLE = re.compile(r"(mono_?|dcm_?|bragg_?)?(2|two)_?(theta|th)|(mono_?|dcm_?)tth|tth")
D_SPACING = re.compile(r"(mono_?|dcm_?|xtal_?|crystal_?)?d_?(spacing|space|hkl)(_a|_ang\w*|_nm)?")
ACHIEVED = re.compile(r"read|rbv|fbk|feedback|achiev|actual|act_|enc|measured|observed|nrg")
REQUESTED = re.compile(r"request|set|_sp$|target|cmd|command|demand|nominal|drive")
SIGMA = re.compile(r"(?P<of>\w*?)_?(sd|std|stddev|sigma|esd|err|error|errors|unc|uncertainty)")
I0 = re.compile(
    rf"(i_?0|io|izero|ic_?0|ion_?0|incident|incoming_beam|prekb_i0|mon|monitor|(au_|gold_)?mesh(_current)?){REST}"
)
CORRECTED_I0 = re.compile(r"(\w+_)?(dt|dead_?time)_?corr\w*_i0")
IT = re.compile(rf"(i_?t|i_?1|itrans|itrn|itransmission|ic_?1|ion_?1|transmitted){REST}")
IR = re.compile(rf"(i_?r|i_?2|iref|irefer|irefer?ence|i_?ref|ic_?2|ion_?2|reference){REST}")
YIELD = re.compile(
    rf"(iy|ie|i?tey|i?cey|i?pey|iey|electron|electron_yield|sample_current|drain|drain_current)"
    rf"{REST}|\w+_tey"
)
OVER = r"_?(over|div|by|per)?_?"
LN_TRANSMITTED = r"ln_?(i0|io)_?(it|i1)|log_?i0_?(it|i1)|(xas_?)?trans_?mu|xas_?trans"
MU = {
    "transmission": re.compile(
        rf"x?mu_?t(rans\w*)?|mu_?01|absorption(_coefficient)?|absorbance|{LN_TRANSMITTED}"
    ),
    "fluorescence": re.compile(
        r"x?mu_?f(l\w*)?|norm_?fluor"
        rf"|(i?ff?|i?flu?o?r?\w*|(sum_?)?roi|[tp]?fy|vortex|sdd|pips|lytle){OVER}(i0|io|i_0)"
    ),
    "reference": re.compile(r"x?mu_?r(ef\w*)?|normrefer|mu_?12|ln_?(it|i1)_?(ir|iref|i2)|ref_?mu"),
    "electron yield": re.compile(r"x?mu_?(tey|ey|yield)"),
    "": re.compile(r"x?mu(_[ex])?|(raw|merged)_?x?mu(_e)?|x?mu_?(raw|merged)"),
    "normalised": re.compile(r"norm(trans|fluor)?|x?mu_?norm\w*|norm\w*_?(x?mu|abs)\w*"),
    "flattened": re.compile(r"flat|mu_?flat|flattened"),
}
CLOCK = re.compile(r"\w*(time|clock|second|dwell|epoch|preset|scaler|timer)\w*|t|sec|s")
SUM = re.compile(rf"(\w+_)?{LINE}_sum(_\w+)?")
TOTAL = re.compile(r"\w*tot(al)?(_sum)?|(i?fluo?r?|roi|dtc|mca)_?sum")
CHANNELS = (
    re.compile(rf"(?:xmap\d*|xsp\d*|dxp|me\d|ge|det|d)_?(?P<n>\d+)_{LINE}(?P<corrected>_corr)?"),
    re.compile(rf"{LINE}_?(?:mca|det|d|elem|element|ch)_?(?P<n>\d+)(?P<corrected>_corr)?"),
    re.compile(r"(?P<line>sca\d)_(?P<n>\d+)"),
    re.compile(r"(?P<line>(?P<corrected>dtc))_?(?P<n>\d+)"),
    re.compile(
        r"(?P<line>i_?f_?ch|if|ifl|fl|fla|flu|fluo|fluor|ifluor|fluorescence|roi|mca|vortex|sdd|ge)"
        r"_?(?P<n>\d+)"
    ),
    re.compile(r"(?P<line>xmap_roi|xsp_roi)_?(?P<n>\d+)"),
)
SINGLE = re.compile(
    r"(?P<line>i_?f|iff|ifl|ifluor?\w*|fluo?|fluor\w*|lytle|pips|ff|[tp]?fy|vortex|sdd)"
    rf"{REST}"
)
RATES = {
    "icr": re.compile(
        r"(?:d_?)?(?:icr|true_?icr|if_?fast|input_?counts?|d(?=\d+_icr))_?\w*?(\d+)?"
    ),
    "ocr": re.compile(r"(?:d_?)?(?:ocr|if_?slow|output_?counts?)_?\w*?(\d+)?"),
    "factor": re.compile(r"(?:dt_?factor|dead_?time_?factor|dt_?corr_?factor)_?\w*?(\d+)?"),
}
BY_DETECTOR = re.compile(r"d_?(\d+)_(icr|ocr)")


@dataclass(frozen=True)
class Meaning:
    """The quantity that a column holds.

    what : "energy", "angle", "d_spacing", "i0", "it", "ir", "iy", "mu", "channel" (of
        fluorescence), "sum" (of channels), "total" (of all lines), "icr", "ocr", "factor" (of dead
        time), "sigma", or ""
    kind : of an axis "achieved" or "requested", of an angle "twice" for 2θ; of µ the signal; of i0
        and channels "corrected"; of a standard deviation the name it belongs to
    line : of fluorescence: which, e.g. "mn_ka" or "roi"; number : of the detector element
    """

    what: str = ""
    kind: str = ""
    line: str = ""
    number: int = 0


NOTHING = Meaning()
TWICE = "twice"  # kind of an angle that is 2θ
ASKED = "asked"  # kind of a standard deviation, and line of channels, that the user names


def parted(name: str) -> tuple[str, str]:
    """The bare name in small letters and underscores, and its unit, "" where it names none."""
    text = unaccented(MACRO.sub(r"\1", name)).strip().lower().replace("µ", "mu").replace("μ", "mu")
    unit = ""
    for match in BRACKETED.finditer(text):
        if match[1] in UNITS or OF_VALUES.fullmatch(match[1]):
            unit = UNITS.get(match[1], unit)
            text = text.replace(match[0], "")
    behind = TRAILING_UNIT.search(text)
    if behind and not unit:
        unit, text = UNITS[behind[1]], text[: behind.start()]
    bare = re.sub(r"[^a-z0-9]+", "_", text).strip("_")
    return SERIAL.sub("", bare), unit or UNITS.get(bare, "") * (bare in ("ev", "kev"))


def foreign_unit(name: str) -> str:
    """The unit in the name of an energy that is neither eV nor keV, "" for none."""
    found = (match[1] for match in BRACKETED.finditer(unaccented(name).strip().lower()))
    return next((unit for unit in found if OTHER_UNITS.fullmatch(unit)), "")


def meaning(name: str) -> Meaning:
    """The quantity that a column of this name holds, as beamlines write it."""
    bare, _ = parted(name)
    if not bare:
        return NOTHING
    if match := SIGMA.fullmatch(bare):
        return Meaning("sigma", match["of"])
    for find in (_axis, _absorption, _chamber, _rate, _fluorescence):
        if (found := find(bare)) is not None:
            return found
    return NOTHING


def _axis(bare: str) -> Meaning | None:
    what = ""
    if D_SPACING.fullmatch(bare):
        return Meaning("d_spacing", "nm" if bare.endswith("nm") else "")
    if TWICE_ANGLE.fullmatch(bare):
        return Meaning("angle", TWICE)
    if ENERGY.fullmatch(bare) and not OTHER_ENERGIES.search(bare):
        what = "energy"
    elif ANGLE.fullmatch(bare) and not NO_BRAGG_ANGLE.search(bare):
        what = "angle"
    if not what:
        return None
    if REQUESTED.search(bare):
        return Meaning(what, "requested")
    return Meaning(what, "achieved" if ACHIEVED.search(bare) else "")


def _absorption(bare: str) -> Meaning | None:
    kinds = (kind for kind, pattern in MU.items() if pattern.fullmatch(bare))
    return next((Meaning("mu", kind) for kind in kinds), None)


def _chamber(bare: str) -> Meaning | None:
    if CORRECTED_I0.fullmatch(bare):
        return Meaning("i0", "corrected")
    patterns = (("i0", I0), ("it", IT), ("ir", IR), ("iy", YIELD))
    return next((Meaning(what) for what, pattern in patterns if pattern.fullmatch(bare)), None)


def _rate(bare: str) -> Meaning | None:
    if match := BY_DETECTOR.fullmatch(bare):
        return Meaning(match[2], number=int(match[1]))
    for what, pattern in RATES.items():
        if match := pattern.fullmatch(bare):
            return Meaning(what, number=int(match[1] or 0))
    return NOTHING if CLOCK.fullmatch(bare) else None


def _fluorescence(bare: str) -> Meaning | None:
    if match := SUM.fullmatch(bare):
        return Meaning("sum", "corrected", match["line"])
    if TOTAL.fullmatch(bare):
        return Meaning("total")
    for pattern in CHANNELS:
        if match := pattern.fullmatch(bare):
            kind = "corrected" if match.groupdict().get("corrected") else ""
            return Meaning("channel", kind, match["line"], int(match["n"]))
    if match := SINGLE.fullmatch(bare):
        return Meaning("channel", "", match["line"], 0)
    return None

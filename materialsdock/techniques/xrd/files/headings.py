"""Names of columns into what the columns are."""

from __future__ import annotations

import re
from collections.abc import Sequence

from materialsdock.formats.text import unaccented
from materialsdock.techniques.xrd.files.axis import unit_of

AXES = ("two_theta", "theta", "q", "d")
UNIT = re.compile(r"[(\[]([^)\]]*)[)\]]|[/,]\s*(\S+)$")
# A name is compared without its unit, its case and its signs.
NAMES = {
    "two_theta": r"2[-_ ]*(theta|th|θ|t)|2?tth(eta)?|two[-_ ]*theta|polar[_ ]*angle|angle|winkel"
    r"|pos(ition)?|scattering[_ ]*angle|x",
    "theta": r"theta|θ|th",
    "q": r"q|scattering[_ ]*vector|momentum[_ ]*transfer",
    "d": r"d|d[-_ ]*spacing|d[-_ ]*value|spacing",
    "cps": r"[km]?cp[sm]|count[-_ ]*rate|rate|zählrate|(counts|cts|c)(/|per)s(ec(ond)?)?",
    "relative": r"(rel(ative)?|norm(ali[sz](ed|é)|iert)?)[-_ .]*(int(ensit\w+)?|i|counts?)?"
    r"|(i|int(ensity)?|counts?)[-_ .]*(rel(ative)?|norm(ali[sz]ed|iert)?)",
    "counts": r"k?(counts?|cts)|[iy]|int(ensity|ensität)?|intensit(y|é|ies)"
    r"|[iy][-_ ]*(obs|exp|meas|tot)|(obs|exp|meas)[-_ ]*(int(ensity)?|counts)?|impuls(e|es)?|signal"
    r"|observed|data|y[-_ ]*axis|det(ector)?|psd|total",
    "background": r"[iy]?[-_ ]*(bkg|bgr?|bck(g|gr)?|backgr(ound)?|background|baseline|untergrund)",
    "calculated": r"[iy]?[-_ ]*(calc(ulated)?|fit(ted)?|model|sim(ulated)?)|[iy]c",
    "difference": r"diff(erence)?|residuals?|delta|obs[-_ ]*calc",
    "attenuator": r"att(en(uat(ion|or|er))?)?([-_ ]*fac(tor)?)?|absorber|abs[-_ ]*fac(tor)?",
    "sigma": r"sig(ma)?([-_ ]*[iy])?|σ|e?s[._ ]*[du][.]?([-_ ]*[iy])?|err(ors?)?([-_ ]*[iy])?|d[iy]"
    r"|std([-_ ]*(dev|err|deviation))?|st[-_. ]*dev|uncert(ainty|ainties)?|e"
    r"|[iy][-_ ]*(err(or)?|sig(ma)?|esd)|standard[-_ ]*deviation|fehler"
    r"|(intensity|counts)[-_ ]*(err(or)?s?|esd|sigma|uncertainty)",
    "weight": r"w(t|eights?)?|weight",
    "seconds": r"(count(ing)?|step|dwell|exposure|live)?[-_ ]*time([-_ ]*per[-_ ]*step)?|sec(onds)?"
    r"|t|zeit",
    "index": r"no|nr|n|#|index|idx|point|pt|row|channel|ch",
    "monitor": r"mon(itor)?|i0|beam|ion[-_ ]*chamber",
    "energy": r"e(nerg\w*)?([-_ ]*(k?ev))?|mono|bragg",
    "other": r"temp(erature|eratur)?|phi|φ|azim\w*|chi|χ|psi|ψ|omega|ω|wave[-_ ]*number|wellenzahl"
    r"|raman[-_ ]*shift|frequency|frequenz|field|pressure|voltage|potential|k|r|distance|depth"
    r"|q(\^|\*\*)?[2²]|1/d|s|tof|time[-_ ]*of[-_ ]*flight|sin\W.*|d(\^|\*\*)?-?[12]|1/d.*",
}
KNOWN = {name: re.compile(pattern) for name, pattern in NAMES.items()}
COUPLED = re.compile(r"\s*(omega|theta|θ|ω)\s*[/-]\s*2\s*-?(theta|θ)\b", re.IGNORECASE)
TRANSFORMED = re.compile(  # of counts
    r"\s*(log(10)?|lg|ln|sqrt|√)\s*([(\[_ ]|(i|int\w*|counts?|cps)\b)", re.IGNORECASE
)
TRANSFORMED_ABOVE = re.compile(
    r"(^|[\s,;])(log(10)?|lg|ln|sqrt|√)[\s_(\[]*(i|int\w*|counts?|cps)\b", re.IGNORECASE
)
MULTIPLIED = re.compile(r"[x×*·]\s*1(0{2,}|e\d|0\^?\d)\b|\b10(\^|\*\*)\d", re.IGNORECASE)
SECONDS_IN = {"ms": 1e-3, "msec": 1e-3, "min": 60.0, "minutes": 60.0, "h": 3600.0, "us": 1e-6}
LONGEST = 5  # words in a name; a sentence is no heading
# of counts per second: in a sentence, and in the name of a column of intensities
SECOND, MINUTE = r"s(ec(ond)?s?|ek(unde)?)?", r"min(ute)?"
COUNTED = r"(k?(counts?|cts?)|imp(uls(e|es)?)?|photons?)"
RATE = re.compile(
    rf"\b[km]?cp[sm]\b|\b{COUNTED}\s*(/|per|pro)\s*({SECOND}|{MINUTE})\b", re.IGNORECASE
)
RATE_IN_NAME = re.compile(
    rf"{RATE.pattern}|(/|\bper|\bpro)\s*({SECOND}|{MINUTE})\b|\bs(ec)?(\^|\*\*)?[({{]?[-⁻][1¹]"
    r"|\b[km]?hz\b",
    re.IGNORECASE,
)
MINUTELY = re.compile(r"cpm\b|(/|per|pro)\s*min", re.IGNORECASE)
THOUSANDS = re.compile(r"\bk(?=cp[sm]|c(oun)?ts|hz)|\bkilo", re.IGNORECASE)
MILLIONS = re.compile(r"\bM(?=cps|Hz)")
RELATIVE = re.compile(r"%|percent|rel\w*|norm\w*|(i_?)?(max|100)|i_?0", re.IGNORECASE)
SAYS_COUNTS = re.compile(r"count|cts|impuls", re.IGNORECASE)
OF_COUNTING = re.compile(r"count|step|dwell|exposure|live", re.IGNORECASE)
ARBITRARY = re.compile(r"a\.? ?u\.?|arb\w*\.?( ?u\w*\.?)?|w\. ?e\.|u\. ?a\.", re.IGNORECASE)
TIMED = re.compile(r"(counts|intensity)_in_([\d.]+)_s$")  # as this program's own exports have it


def meaning(name: str) -> tuple[str, str]:
    """The quantity that a column of that name holds, "" where it says none, and its unit."""
    if len(name.split()) > LONGEST:
        return "", ""
    if COUPLED.match(name):
        return "two_theta", ""
    unit = UNIT.search(name)
    said = (unit[1] or unit[2] or "").strip() if unit else ""
    bare = UNIT.sub("", name).strip(" .:*\"'°").casefold()
    if timed := TIMED.fullmatch(bare):
        return "counts", f"{timed[2]} s"
    stem, _, behind = bare.partition("_")
    if not said and unit_of(behind):
        bare, said = stem, behind
    elif bare.endswith("_deg"):
        bare, said = bare[: -len("_deg")], said or "deg"
    plain = unaccented(bare)
    for quantity, pattern in KNOWN.items():
        if pattern.fullmatch(bare) or pattern.fullmatch(plain):
            return _of_intensity(quantity, name, said), said
    return "", said


def transmits(names: Sequence[str]) -> bool:
    """True for names of a beam before and behind a sample: 2θ there is that of a monochromator."""
    bare = {UNIT.sub("", name).strip().casefold() for name in names}
    return bool(bare & {"i0", "io", "i_0"}) and bool(bare & {"it", "i1", "i_t", "itrans"})


def _of_intensity(quantity: str, name: str, unit: str) -> str:
    """The quantity that a column of intensities holds, as its unit says."""
    if quantity != "counts":
        return quantity
    if RATE_IN_NAME.search(name):
        return "cps"
    return "relative" if RELATIVE.fullmatch(unit) else quantity


def scale_of(name: str) -> float:
    """Counts, or counts per second, in one of what a name of intensities speaks of."""
    scale = 1e3 if THOUSANDS.search(name) else 1e6 if MILLIONS.search(name) else 1.0
    return scale / 60 if MINUTELY.search(name) else scale

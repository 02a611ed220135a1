"""Names of columns into what the columns are."""

from __future__ import annotations

import re

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
    "cps": r"cps|count[-_ ]*rate|rate|zählrate|(counts|cts|c)(/|per)s(ec(ond)?)?",
    "counts": r"counts?|cts|[iy]|int(ensity|ensität)?|intensit(y|é|ies)"
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
    r"|raman[-_ ]*shift|frequency|frequenz|field|pressure|voltage|potential|k|r|distance|depth",
}
KNOWN = {name: re.compile(pattern) for name, pattern in NAMES.items()}
COUPLED = re.compile(r"\s*(omega|theta|θ|ω)\s*[/-]\s*2\s*-?(theta|θ)\b", re.IGNORECASE)
TRANSFORMED = re.compile(r"\s*(log(10)?|ln|sqrt|√)\s*[(\[_ ]", re.IGNORECASE)  # of counts
LONGEST = 5  # words in a name; a sentence is no heading
RATE = re.compile(r"\bcps\b|\bc(oun)?ts?\s*(/|per)\s*s(ec(ond)?)?\b", re.IGNORECASE)
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
            rated = quantity == "counts" and RATE.search(name)
            return "cps" if rated else quantity, said
    return "", said

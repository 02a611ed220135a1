"""Wavelengths of a scan: those of its file, of its user, or of the profile, and who says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from materialsdock.errors import InputError
from materialsdock.formats.lines import Lines
from materialsdock.techniques.xrd.files import anodes
from materialsdock.techniques.xrd.files.found import Stated
from materialsdock.techniques.xrd.files.instrument import read_instrument
from materialsdock.techniques.xrd.model import Diffractometer, Radiation

AGREE = 1e-3  # two wavelengths that differ by less are of one line
OFF_SCALE = 3e-5  # of a wavelength; scales of measured ones differ by 2e-5
MEAN_AGREES = 2e-4  # or are the mean of Kα1 and Kα2
SHORTEST, LONGEST = 0.05, 5.0  # Å
MOST_LINES = 2
WIDEST_PAIR = 1.03  # of Kα2 over Kα1
NM_BELOW = 0.25  # Å
K_BETA = (0.88, 0.915)  # of Kβ over Kα1
KA2_WEIGHT = 0.5


def radiation_of(stated: Stated, lines: Lines) -> tuple[Radiation, tuple[str, ...]]:
    """The radiation of a file that states `stated`, read with the options of its user.

    Raises InputError where they contradict each other, with both numbers.
    """
    asked = _asked(lines)
    instrument: Radiation | None = None
    more: tuple[str, ...] = ()
    if lines.options.instrument is not None:
        instrument, more = read_instrument(lines.options.instrument)
        asked.append(instrument)
    stated, told = _without_contradiction(stated, asked, lines.name)
    said, notes = _of_file(stated)
    notes = (*stated.notes, *told, *notes)
    for number, each in enumerate(asked):
        for other in (said, *asked[:number]):
            _check(each, other, lines.name)
    best = asked[0] if asked else said
    if instrument is not None:
        best = replace(best, instrument=instrument.instrument)
        if best is not instrument and len(best.wavelengths_angstrom) == len(instrument.weights):
            best = replace(best, weights=instrument.weights)
    if not asked and (in_nm := _perhaps_nm(said)):
        notes = (*notes, in_nm)
    if asked and said.wavelengths_angstrom:
        notes = (*notes, f"the file names {angstroms(said.wavelengths_angstrom)}")
    return best, (*notes, *more, *_off_scale(best))


def _without_contradiction(
    stated: Stated, asked: Sequence[Radiation], name: str
) -> tuple[Stated, tuple[str, ...]]:
    """The words of a file, of those that contradict each other the ones its user confirms.

    Raises InputError, with all wavelengths, where nobody does.
    """
    stated, rivals = _joined(stated)
    if not rivals:
        return stated, ()
    own = stated.wavelengths_angstrom
    claims = [own[0], *(each for each, _ in rivals)]
    for claim in claims if asked else ():
        if _near(asked[0].wavelengths_angstrom[0], claim):
            others = [each for each in claims if each != claim]
            note = f"the file also names {angstroms(others)}, which contradicts it"
            kept = replace(stated, wavelengths_angstrom=(claim,), anode="", beside=())
            return kept, (note,)
    tubes = [f" (Kα1 of its anode {of})" if of else "" for _, of in rivals]
    shown = " and ".join(f"{each:.7g} Å{of}" for (each, _), of in zip(rivals, tubes, strict=True))
    pair = own[:1] if own[-1] in claims[1:] else own
    choices = [f"--anode {of}" if of else f"--wavelength {each:.7g}" for each, of in rivals]
    what = f"{angstroms(own)}, and the file names {shown}"
    if own[-1] in claims[1:]:
        what = f"{angstroms(own)}, which are no two lines of one anode"
    raise InputError(
        f"{stated.where or 'the file'} names {what}",
        where=name,
        remedy="say which: "
        + " or ".join((" ".join(f"--wavelength {each:.7g}" for each in pair), *choices)),
    )


def _joined(stated: Stated) -> tuple[Stated, list[tuple[float, str]]]:
    """The words of a file with Kα1 and Kα2 joined, and what contradicts the first: line and anode.

    Lines of one tube, its means and Kβ included, do not contradict each other.
    """
    own = tuple(each for each in stated.wavelengths_angstrom if SHORTEST <= each <= LONGEST)
    if not own:
        return stated, []
    rivals: list[tuple[float, str]] = []
    if len(own) > 1 and not 1 / WIDEST_PAIR < own[1] / own[0] < WIDEST_PAIR:
        rivals.append((own[1], ""))
    tube = anodes.K_ALPHA.get(stated.anode.strip().capitalize())
    if tube and not _of_tube(own[0], tube):
        rivals.append((tube[0], stated.anode.strip().capitalize()))
    for each in stated.beside:
        if not SHORTEST <= each <= LONGEST or _near(each, own[0]) or each in own:
            continue
        shared = any(_of_tube(own[0], t) and _of_tube(each, t) for t in anodes.K_ALPHA.values())
        if shared and len(own) == 1 and own[0] < each and not _is_mean(each):
            own = (own[0], each)
            stated = replace(stated, wavelengths_angstrom=own)
        elif not shared:
            rivals.append((each, ""))
    return stated, rivals


def _perhaps_nm(said: Radiation) -> str:
    """A note on a wavelength [Å] that would be a line of a tube in nm; "" where it is none."""
    line = said.wavelengths_angstrom[0] if said.wavelengths_angstrom else 0.0
    for anode, tube in anodes.K_ALPHA.items():
        if line < NM_BELOW and any(_near(10 * line, each) for each in (*tube, mean(tube))):
            return f"{line:g} Å of {said.source} would be Kα of {anode} in nm: --wavelength says so"
    return ""


def _of_tube(line: float, tube: Sequence[float]) -> bool:
    """True for Kα1, Kα2, their mean or Kβ of a tube."""
    alike = any(_near(line, each) for each in (*tube, mean(tube)))
    return alike or K_BETA[0] < line / tube[0] < K_BETA[1]


def _is_mean(line: float) -> bool:
    return any(_near(line, mean(tube), MEAN_AGREES) for tube in anodes.K_ALPHA.values())


def diffractometer_for(
    known: Diffractometer, radiation: Radiation | None
) -> tuple[Diffractometer, str]:
    """The profile's diffractometer with the radiation of one scan, and whose wavelengths they are.

    radiation : as the file of the scan says, None where there is no file
    A file that names one wavelength names the first line of a tube, or its mean, where it agrees
    with the profile's: the others of the profile are there too, unless it says otherwise.
    """
    said = radiation or Radiation()
    found = replace(known, **said.instrument)
    lines, own = said.wavelengths_angstrom, known.wavelengths_angstrom
    shown = angstroms(own)
    if not lines:
        none = "" if radiation is None else ", the file names none"
        return found, f"{shown} of the profile{none}"
    if len(lines) == 1 < len(own) and not said.alone and _agrees(lines[0], known):
        return found, f"{shown} of the profile, the file names {angstroms(lines)} alone"
    weights = said.weights or (1.0, *(KA2_WEIGHT for _ in lines[1:]))
    words = f"{angstroms(lines)} of {said.source}"
    if not _agrees(lines[0], known):
        words += f"; the profile has {shown}"
    return replace(found, wavelengths_angstrom=lines, weights=weights), words


def angstroms(lines: Sequence[float]) -> str:
    """Wavelengths for a sentence: "1.540593 and 1.544427 Å"."""
    return f"{' and '.join(f'{each:.7g}' for each in lines)} Å"


def mean(lines: Sequence[float], weights: Sequence[float] = ()) -> float:
    """Mean wavelength [Å] of lines, Kα2 half as strong as Kα1 where nobody says."""
    by = weights or (1.0, *(KA2_WEIGHT for _ in lines[1:]))
    return sum(w * line for w, line in zip(by, lines, strict=True)) / sum(by)


def _off_scale(said: Radiation) -> tuple[str, ...]:
    """A note on lines of a tube that are not quite those of the tables: cells are off as much."""
    lines = said.wavelengths_angstrom
    for anode, known in anodes.K_ALPHA.items() if len(lines) > 1 else ():
        off = lines[0] / known[0] - 1
        if OFF_SCALE < abs(off) <= AGREE:
            size = f"{100 * abs(off):.2g} % too {'large' if off > 0 else 'small'}"
            shown = f"{lines[0]:.7g} Å of {said.source} is not {known[0]:.7g} Å, Kα1 of {anode}"
            return (f"{shown}: cells come out {size}",)
    return ()


def _agrees(wavelength: float, known: Diffractometer) -> bool:
    own = known.wavelengths_angstrom
    return _near(wavelength, own[0]) or _near(wavelength, mean(own, known.weights), MEAN_AGREES)


def _near(one: float, other: float, within: float = AGREE) -> bool:
    return abs(one - other) <= within * other


def _of_file(stated: Stated) -> tuple[Radiation, tuple[str, ...]]:
    """The radiation of a file; Kα2 of its anode joins a Kα1 that stands alone."""
    given = stated.wavelengths_angstrom
    lines = tuple(each for each in given if SHORTEST <= each <= LONGEST)
    notes: tuple[str, ...] = ()
    if len(lines) < len(given):
        notes = (f"wavelengths of {', '.join(f'{x:g}' for x in given)} Å in the file, of no use",)
        notes = notes if any(given) else ()
    where = stated.where or "the file"
    tube = anodes.K_ALPHA.get(stated.anode.strip().capitalize(), ())
    if stated.alone or not tube:
        return Radiation(lines, alone=stated.alone and bool(lines), source=where), notes
    if not lines:
        said = f"anode {stated.anode} of the file (tables)"
        return Radiation(tube, source=said), notes
    if len(lines) == 1 and _near(lines[0], tube[0]):
        source = f"{where}, Kα2 of its anode {stated.anode} (tables)"
        return Radiation((lines[0], tube[1]), source=source), notes
    return Radiation(lines, source=where), notes


def _asked(lines: Lines) -> list[Radiation]:
    """The radiation of each option, the plainest first."""
    found, options = [], lines.options
    if given := options.wavelengths_angstrom:
        if len(given) > MOST_LINES or not all(SHORTEST <= each <= LONGEST for each in given):
            raise InputError(
                f"{angstroms(given)}: not one or two wavelengths of {SHORTEST:g} to {LONGEST:g} Å",
                where="--wavelength",
                remedy="e.g. --wavelength 1.540593 --wavelength 1.544427",
            )
        found.append(Radiation(tuple(given), alone=len(given) == 1, source="--wavelength"))
    if options.anode:
        tube = anodes.lines_of(options.anode, "--anode")
        source = f"--anode {options.anode}"
        found.append(Radiation(tube, alone=len(tube) == 1, source=source))
    return found


def _check(asked: Radiation, other: Radiation, name: str) -> None:
    """Raise InputError where two name wavelengths that are not of the same lines."""
    if not other.wavelengths_angstrom:
        return
    mine, theirs = asked.wavelengths_angstrom, other.wavelengths_angstrom
    same = [_near(a, b) for a, b in zip(mine, theirs, strict=False)]
    averaged = 1 in (len(mine), len(theirs)) and _near(mean(mine), mean(theirs), MEAN_AGREES)
    if all(same) or averaged:
        return
    raise InputError(
        f"{asked.source} says {angstroms(mine)}, {other.source} says {angstroms(theirs)}",
        where=name,
        remedy=f"leave {asked.source.split()[0]} out, or mend the file",
    )

"""One crystal out of a CIF block: checked, described, and written anew in our own plain words.

Nothing of a foreign CIF but numbers, elements and a space group goes further than this module.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import gemmi

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.rietveld.crystals import read_document

MOST_SITES = 3000
CELL_ANGSTROM = (1.5, 300.0)
ANGLES_DEG = (20.0, 160.0)
HIGHEST_OCCUPANCY = 1.05
HIGHEST_DENSITY = 40.0  # g/cm³; osmium has 22.6
TYPICAL_U = 0.006  # Å², B = 0.5
U_RANGE = (1e-4, 0.1)
AVOGADRO = 0.602214076  # u/Å³ to g/cm³ is its inverse
HYDROGEN = ("H", "D")


@dataclass(frozen=True)
class Description:
    """A crystal in short: reduced formula, elements, cell [Å, deg], density [g/cm³]."""

    formula: str
    elements: tuple[str, ...]
    space_group: str
    number: int
    cell: tuple[float, ...]
    density: float
    weight_u: float
    notes: tuple[str, ...] = ()

    @property
    def cell_volume_per_weight(self) -> float:
        """Å³/u, so that cells of different content can be compared."""
        return 1 / (self.density * AVOGADRO)


def read_crystal(block: gemmi.cif.Block) -> tuple[gemmi.SmallStructure, tuple[str, ...]]:
    """The crystal of a block, and notes on what was left out; occupancies as the CIF gives them.

    Raises InputError with every fault in one sentence.
    """
    try:
        crystal = gemmi.make_small_structure_from_block(block)
    except (ValueError, RuntimeError, IndexError) as error:
        raise InputError(f"cannot be read as a crystal: {error}") from error
    faults, notes = _faults(crystal), []
    if not faults:
        notes = _mended(crystal)
        faults = [] if len(crystal.sites) else ["has no atoms with coordinates"]
    if faults:
        raise InputError("; ".join(faults))
    return crystal, tuple(notes)


def _faults(crystal: gemmi.SmallStructure) -> list[str]:
    if not len(crystal.sites):
        return ["has no atoms"]
    if len(crystal.sites) > MOST_SITES:
        return [f"{len(crystal.sites)} atom sites are more than {MOST_SITES}"]
    faults = [*_bad_cell(crystal.cell)]
    if crystal.spacegroup is None:
        said = crystal.spacegroup_hm or "none given"
        faults.append(f"no space group fits its symbol and operations ({said!r:.40})")
    elif not faults and not crystal.cell.is_compatible_with_spacegroup(crystal.spacegroup):
        faults.append(f"cell {_cell_words(crystal.cell)} contradicts {crystal.spacegroup.xhm()}")
    known = [s.element.atomic_number > 0 and s.element.it92 is not None for s in crystal.sites]
    unknown = [s.label for s, good in zip(crystal.sites, known, strict=True) if not good]
    if unknown:
        faults.append(f"unknown element, or one without scattering factor, at {_some(unknown)}")
    lost = [s.label for s in crystal.sites if not _placed(s) and s.element.name not in HYDROGEN]
    if lost:
        faults.append(f"no coordinates at {_some(lost)}")
    wrong = [s.label for s in crystal.sites if not 0 <= s.occ <= HIGHEST_OCCUPANCY]
    if wrong:
        faults.append(f"occupancy outside 0-1 at {_some(wrong)}")
    return faults


def _bad_cell(cell: gemmi.UnitCell) -> list[str]:
    low, high = CELL_ANGSTROM
    lengths, angles = (cell.a, cell.b, cell.c), (cell.alpha, cell.beta, cell.gamma)
    good = all(low <= x <= high for x in lengths)
    good = good and all(ANGLES_DEG[0] <= x <= ANGLES_DEG[1] for x in angles)
    if good and math.isfinite(cell.volume) and cell.volume > 1.0:
        return []
    return [f"has no possible unit cell ({_cell_words(cell)})"]


def _cell_words(cell: gemmi.UnitCell) -> str:
    return " ".join(f"{x:g}" for x in cell.parameters)


def _some(labels: list[str]) -> str:
    """The first three labels, cut short, for a sentence."""
    more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
    return ", ".join(f"{label!r:.20}" for label in labels[:3]) + more


def _placed(site: gemmi.SmallStructure.Site) -> bool:
    return all(math.isfinite(x) and abs(x) < 100 for x in site.fract.tolist())


def _mended(crystal: gemmi.SmallStructure) -> list[str]:
    """Drop hydrogen without coordinates and empty sites; displacement isotropic and possible."""
    notes = []
    kept = [s for s in crystal.sites if _placed(s) and s.occ > 0]
    if len(kept) < len(crystal.sites):
        notes.append(f"{len(crystal.sites) - len(kept)} sites without atom or place left out")
    sites = [s.clone() for s in kept]
    crystal.sites.clear()
    for site in sites:
        site.aniso = gemmi.SMat33d(0, 0, 0, 0, 0, 0)
        site.occ = min(site.occ, 1.0)
        low, high = U_RANGE
        # an absent or zero value would let light atoms scatter at high angles as no atom does
        site.u_iso = min(site.u_iso, high) if site.u_iso > low else TYPICAL_U
        crystal.add_site(site)
    crystal.setup_cell_images()
    return notes


def describe(crystal: gemmi.SmallStructure, notes: tuple[str, ...] = ()) -> Description:
    """Formula, cell and density; `crystal` with occupancies as a CIF gives them.

    Raises InputError for a density that no crystal has.
    """
    amounts: dict[str, float] = {}
    weight = 0.0
    for site in crystal.get_all_unit_cell_sites():
        name = site.element.name
        amounts[name] = amounts.get(name, 0.0) + site.occ
        weight += site.occ * site.element.weight
    cell = crystal.cell
    density = weight / (cell.volume * AVOGADRO)
    if density > HIGHEST_DENSITY:
        raise InputError(f"density {density:.0f} g/cm³ is impossible, atoms lie on each other")
    return Description(
        formula=reduced_formula(amounts),
        elements=tuple(sorted(amounts)),
        space_group=crystal.spacegroup.xhm(),
        number=crystal.spacegroup.number,
        cell=tuple(float(x) for x in cell.parameters),
        density=density,
        weight_u=weight,
        notes=notes,
    )


def reduced_formula(amounts: dict[str, float]) -> str:
    """Amounts in the cell over their common divisor, alphabetical: {"O": 8, "Ti": 4} is O2Ti."""
    whole = math.gcd(*(max(round(n), 1) for n in amounts.values()))
    parts = []
    for name in sorted(amounts):
        number = f"{amounts[name] / whole:.3g}"
        parts.append(name if number == "1" else name + number)
    return "".join(parts)


def plain_cif(crystal: gemmi.SmallStructure, name: str, strain: float = 0.0) -> str:
    """A minimal CIF of the crystal; strain : relative change of the cell lengths."""
    a, b, c, alpha, beta, gamma = crystal.cell.parameters
    scale = 1 + strain
    head = [
        f"data_{name}",
        f"_space_group_name_H-M_alt '{crystal.spacegroup.xhm()}'",
        f"_space_group_IT_number {crystal.spacegroup.number}",
        *(f"_cell_length_{k} {x * scale:.6f}" for k, x in zip("abc", (a, b, c), strict=True)),
        f"_cell_angle_alpha {alpha:.5f}",
        f"_cell_angle_beta {beta:.5f}",
        f"_cell_angle_gamma {gamma:.5f}",
        "loop_",
        "_space_group_symop_operation_xyz",
        *(f"'{op.triplet()}'" for op in crystal.spacegroup.operations()),
        "loop_",
        *(
            f"_atom_site_{k}"
            for k in (
                "label",
                "type_symbol",
                "fract_x",
                "fract_y",
                "fract_z",
                "occupancy",
                "U_iso_or_equiv",
            )
        ),
    ]
    rows = [
        f"{site.element.name}{i} {site.element.name} "
        f"{' '.join(f'{x:.6f}' for x in site.fract.tolist())} {site.occ:.5f} {site.u_iso:.5f}"
        for i, site in enumerate(crystal.sites, 1)
    ]
    return "\n".join([*head, *rows]) + "\n"


def strained(cif: str, strain: float) -> str:
    """A `plain_cif` with cell lengths (1 + strain) times as long."""
    block = read_document(cif).sole_block()
    for key in ("_cell_length_a", "_cell_length_b", "_cell_length_c"):
        block.set_pair(key, f"{float(block.find_value(key)) * (1 + strain):.6f}")
    return str(block.as_string())

"""Absorption edges by name and by energy.

Energies and core-hole widths are those of XrayDB (Elam, Ravel and Sieber, Radiat. Phys. Chem. 63,
121, 2002; Krause and Oliver, J. Phys. Chem. Ref. Data 8, 329, 1979; Keski-Rahkonen and Krause, At.
Data Nucl. Data Tables 14, 139, 1974).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import gemmi

from materialsdock.errors import InputError

SHELLS = ("K", "L1", "L2", "L3", "M1", "M2", "M3", "M4", "M5")
TABULATED_WITHIN_EV = 40.0  # farther from the tabulated energy it is another edge
# rise minus tabulated energy: valence moves a rise up, a calibration both ways; in the soft X-rays
# both are smaller, but binding energies of light elements are those of gases
SOFT_BELOW_EV = 1500.0
HARD_EV, SOFT_EV = (-15.0, 30.0), (-15.0, 8.0)
RARE = frozenset((43, 61, *range(84, 90), 91, *range(93, 119)))  # atomic numbers
WHITE_M5 = frozenset((*range(55, 72), 90, 92))  # whose M5 is a strong line, 3d to 4f or 5f
WORDS = re.compile(r"\s*([A-Z]{1,2})[\s_-]+([KLM])[\s_-]*([IV]{1,3}|[1-5])?\s*", re.IGNORECASE)
ROMAN = {"I": "1", "II": "2", "III": "3", "IV": "4", "V": "5"}


@dataclass(frozen=True)
class Edge:
    """An absorption edge: Fe and K, its energy [eV], the natural width of its core hole [eV].

    One that is not tabulated has no symbol and no shell.
    """

    symbol: str
    shell: str
    energy_ev: float
    core_hole_width_ev: float

    @property
    def name(self) -> str:
        """As people write it, "Fe K"; "unnamed" where nothing tabulated lies near."""
        return f"{self.symbol} {self.shell}" if self.symbol else "unnamed"

    def __str__(self) -> str:
        return f"{self.name} ({self.energy_ev:g} eV)"


@cache
def table() -> tuple[Edge, ...]:
    """All tabulated edges, K, L1 to L3 and M1 to M5, by element."""
    from xraydb import get_xraydb  # takes a moment, and most commands need no edge

    database = get_xraydb()
    widths = {
        (row.element, row.edge): float(row.width) for row in database.get_cache("corelevel_widths")
    }
    return tuple(
        Edge(row.element, row.iupac_symbol, float(row.absorption_edge), widths[element, shell])
        for row in database.get_cache("xray_levels")
        if (shell := row.iupac_symbol) in SHELLS and (element := row.element, shell) in widths
    )


def named(text: str) -> Edge:
    """The tabulated edge that "Fe-K", "Fe K", "pt_l3" or "Pt LIII" names.

    Raises InputError for words that name no element, no shell, or no edge of the table.
    """
    symbol, shell = _words(text)
    found = [edge for edge in table() if (edge.symbol, edge.shell) == (symbol, shell)]
    if found:
        return found[0]
    have = shells_of(symbol)
    raise InputError(
        f"no edge {text!r} is tabulated",
        where="edge",
        remedy=f"{symbol} has {', '.join(have)}" if have else "say e.g. Fe-K or Pt-L3",
    )


def _words(text: str) -> tuple[str, str]:
    """(symbol, shell) of "Pt-LIII", as the table writes them; ("", "") where it is not such."""
    match = WORDS.fullmatch(text)
    if match is None:
        return "", ""
    number = (match[3] or "").upper()
    return match[1].capitalize(), match[2].upper() + ROMAN.get(number, number)


def shells_of(symbol: str) -> tuple[str, ...]:
    """The shells of an element that have an edge, "K" first."""
    return tuple(edge.shell for edge in table() if edge.symbol == symbol)


def edges_between(low_ev: float, high_ev: float, symbol: str | None = None) -> tuple[Edge, ...]:
    """Edges from `low_ev` to `high_ev` that people measure for themselves; of `symbol` all."""
    return tuple(
        edge
        for edge in table()
        if low_ev <= edge.energy_ev <= high_ev
        and (edge.symbol == symbol if symbol else _kind(edge) == 0 and not _is_rare(edge))
    )


def candidates(energy_ev: float, symbol: str | None = None) -> tuple[Edge, ...]:
    """The edges that a rise at `energy_ev` may be, nearest first: two or more are a question.

    Edges that people measure for themselves come before the rest: K, L3 and strong M5 before L2
    and M4, these before weak ones, common elements before those without stable isotopes.  Of
    the first kind that lies within what valence and calibration do to a rise all are named.
    symbol : of the element, where that is known.  () when nothing lies within 40 eV.
    """
    edges = [edge for edge in table() if symbol in (None, edge.symbol)]
    usual = SOFT_EV if energy_ev < SOFT_BELOW_EV else HARD_EV
    wide = (-TABULATED_WITHIN_EV, TABULATED_WITHIN_EV)
    for rare in (False, True):
        for kind, (low, high) in ((0, usual), (1, usual), (0, wide), (2, usual), (1, wide)):
            found = [
                edge
                for edge in edges
                if (_kind(edge), _is_rare(edge)) == (kind, rare)
                and low <= energy_ev - edge.energy_ev <= high
            ]
            if found:
                return tuple(sorted(found, key=lambda e: abs(e.energy_ev - energy_ev)))
    return ()


def _number(symbol: str) -> int:
    return int(gemmi.Element(symbol).atomic_number)


def _is_rare(edge: Edge) -> bool:
    return _number(edge.symbol) in RARE


def _kind(edge: Edge) -> int:
    """0 for edges that are measured for themselves, 1 for their partners, 2 for weak ones."""
    if edge.shell in ("K", "L3") or (edge.shell == "M5" and _number(edge.symbol) in WHITE_M5):
        return 0
    return 1 if edge.shell in ("L2", "M4", "M5") else 2


def edge_at(
    energy_ev: float, wanted: Edge | None = None, symbol: str | None = None, where: str = "edge"
) -> Edge:
    """The edge of a rise at `energy_ev`: the one that is wanted, or the only one it may be.

    symbol : of the element, where that is known.  An unnamed edge at `energy_ev` itself where
    nothing tabulated lies within 40 eV.
    Raises InputError when the edge wanted is more than 40 eV away, or when two are possible.
    """
    if wanted is not None:
        refuse_other(energy_ev, wanted, where)
        return wanted
    found = candidates(energy_ev, symbol)
    if len(found) > 1:
        raise InputError(
            f"the rise at {energy_ev:.1f} eV may be {' or '.join(map(str, found))}",
            where=where,
            remedy=f"name it: --edge {found[0].symbol}-{found[0].shell}, or the columns element "
            "and edge of a sheet",
        )
    return found[0] if found else unnamed(energy_ev)


def refuse_other(energy_ev: float, wanted: Edge, where: str = "edge") -> None:
    """Raise InputError when a rise at `energy_ev` is more than 40 eV from the edge `wanted`."""
    if abs(energy_ev - wanted.energy_ev) > TABULATED_WITHIN_EV:
        raise InputError(
            f"its edge is at {energy_ev:.1f} eV, {wanted.name} at {wanted.energy_ev:.1f} eV",
            where=where,
            remedy="name the element that was measured",
        )


def unnamed(energy_ev: float) -> Edge:
    """An edge at `energy_ev` that is not tabulated, as wide as the K edge nearest to it."""
    k_edges = [edge for edge in table() if edge.shell == "K"]
    nearest = min(k_edges, key=lambda edge: abs(edge.energy_ev - energy_ev))
    return Edge("", "", energy_ev, nearest.core_hole_width_ev)


def others_near(edge: Edge, energy_ev: float) -> tuple[Edge, ...]:
    """Tabulated edges that a rise at `energy_ev` may be as well, were it not called `edge`."""
    usual = SOFT_EV if energy_ev < SOFT_BELOW_EV else HARD_EV
    return tuple(
        each
        for each in table()
        if each.symbol != edge.symbol
        and _kind(each) < 2
        and usual[0] <= energy_ev - each.energy_ev <= usual[1]
    )

"""Distances between atoms that no crystal has."""

from __future__ import annotations

from collections.abc import Iterator

import gemmi

SHORTEST_SHARE = 0.6  # of the sum of two covalent radii
IMAGE = 0.1  # Å; closer images are one atom on a special position
FULL = 0.6  # sites of smaller occupancy may exclude each other
LARGEST_SHARE = 1.5  # of the pairs that are looked at for the tightest
HYDROGEN = ("H", "D")
SEARCHED_ANGSTROM = (1.0, 500.0)  # a refinement that went astray has no cell to search


def contacts(crystal: gemmi.SmallStructure) -> Iterator[str]:
    """One sentence for each pair of full sites closer than SHORTEST_SHARE of their radii."""
    said: set[frozenset[str]] = set()
    for one, other, distance, share in _pairs(crystal, SHORTEST_SHARE):
        pair = frozenset((one.label, other.label))
        if share < SHORTEST_SHARE and pair not in said:
            said.add(pair)
            yield f"{one.label} and {other.label} are {distance:.2f} Å apart"


def impossible(crystal: gemmi.SmallStructure) -> list[str]:
    """The contacts that no reading may have: hydrogen, which is badly placed, left aside."""
    heavy = gemmi.SmallStructure()
    heavy.cell, heavy.spacegroup = crystal.cell, crystal.spacegroup
    for site in crystal.sites:
        if site.element.name not in HYDROGEN:
            heavy.add_site(site)
    heavy.setup_cell_images()
    return list(contacts(heavy))


def tightest(crystal: gemmi.SmallStructure) -> float:
    """The shortest distance of full sites as a share of their radii; LARGEST_SHARE if none."""
    return min((row[3] for row in _pairs(crystal, LARGEST_SHARE)), default=LARGEST_SHARE)


Pair = tuple[gemmi.SmallStructure.Site, gemmi.SmallStructure.Site, float, float]


def _pairs(crystal: gemmi.SmallStructure, share: float) -> Iterator[Pair]:
    """Pairs of full sites, their distance [Å] and its share of the sum of their radii."""
    full = [site for site in crystal.sites if site.occ >= FULL]
    low, high = SEARCHED_ANGSTROM
    if not full or not all(low <= x <= high for x in crystal.cell.parameters[:3]):
        return
    reach = 2 * share * max(site.element.covalent_r for site in full)
    search = gemmi.NeighborSearch(crystal, reach).populate()
    for site in full:
        here = crystal.cell.orthogonalize(site.fract)
        for mark in search.find_site_neighbors(site, IMAGE, reach):
            other = mark.to_site(crystal)
            if other.occ >= FULL:
                distance = search.dist(here, mark.pos)
                yield (
                    site,
                    other,
                    distance,
                    distance / (site.element.covalent_r + other.element.covalent_r),
                )

"""Structures that are not those of the patterns they are tried on."""

from __future__ import annotations

from materialsdock.model import Structure
from materialsdock.testing.crystals import cif


def rocksalt(name: str, cation: str, anion: str, a: float) -> Structure:
    return cif(
        name,
        "F m -3 m",
        225,
        (a, a, a),
        [(f"{cation}1", cation, 0, 0, 0), (f"{anion}1", anion, 0.5, 0.5, 0.5)],
    )


def caesium_chloride(name: str, cation: str, anion: str, a: float) -> Structure:
    return cif(
        name,
        "P m -3 m",
        221,
        (a, a, a),
        [(f"{cation}1", cation, 0, 0, 0), (f"{anion}1", anion, 0.5, 0.5, 0.5)],
    )


CENTRED_ZINCITE = cif(
    "centred",
    "P 63/m m c",
    194,
    (3.2498, 3.2498, 5.2066),
    [("Zn1", "Zn", 1 / 3, 2 / 3, 0.25), ("O1", "O", 1 / 3, 2 / 3, 0.75)],
    gamma=120,
)
CUBIC_ZINCITE = cif(
    "sphalerite",
    "F -4 3 m",
    216,
    (4.59,) * 3,
    [("Zn1", "Zn", 0, 0, 0), ("O1", "O", 0.25, 0.25, 0.25)],
)
HALF_YTTRIA = cif(
    "half", "F m -3 m", 225, (5.302,) * 3, [("Y1", "Y", 0, 0, 0), ("O1", "O", 0.25, 0.25, 0.25)]
)
HAEMATITE = cif(
    "haematite",
    "R -3 c :H",
    167,
    (4.7592, 4.7592, 12.992),
    [("Fe1", "Fe", 0, 0, 0.3552), ("O1", "O", 0.3059, 0, 0.25)],
    gamma=120,
)
STRONTIUM = cif(
    "SrF2", "F m -3 m", 225, (5.4631,) * 3, [("Sr1", "Sr", 0, 0, 0), ("F1", "F", 0.25, 0.25, 0.25)]
)
TETRAGONAL = cif(
    "tetragonal",
    "I 4/m m m",
    139,
    (3.8630, 3.8630, 5.4960),
    [("Ca1", "Ca", 0, 0, 0), ("F1", "F", 0, 0.5, 0.25)],
)
LITHIUM_FLUORIDE = rocksalt("LiF", "Li", "F", 4.027)
WRONG_LAB6 = caesium_chloride("LaCl", "La", "Cl", 4.157)
HALF_FLUORITE = caesium_chloride("CaF", "Ca", "F", 5.4631 / 2)

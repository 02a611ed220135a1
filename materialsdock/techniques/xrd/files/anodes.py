"""Kα lines of the anodes of X-ray tubes.

Wavelengths [Å] are experimental ones of Deslattes et al. (2003) Rev. Mod. Phys. 75, 35, as the
NIST X-ray transition energies database gives them; those of Cr to Cu are from Hölzer et al. (1997)
Phys. Rev. A 56, 4554.  Tables of atomic data such as Elam's are 0.02 % off, and so would cells be.
"""

from __future__ import annotations

import re

from materialsdock.errors import InputError

K_ALPHA = {
    "Cr": (2.289726, 2.293651),
    "Mn": (2.101854, 2.105822),
    "Fe": (1.936041, 1.939973),
    "Co": (1.788996, 1.792835),
    "Ni": (1.65793, 1.661756),
    "Cu": (1.5405929, 1.5444274),
    "Ga": (1.340127, 1.344026),
    "Mo": (0.70931715, 0.713607),
    "Rh": (0.613294, 0.617646),
    "Ag": (0.55942178, 0.5638131),
    "W": (0.2090131, 0.213833),
}
NAME = re.compile(r"\s*([A-Za-z]{1,2}?)[\s-]*(K[-\s]?(?:a|α|alpha)[-\s]?(1?)2?)?\s*", re.IGNORECASE)


def lines_of(anode: str, where: str) -> tuple[float, ...]:
    """Kα1 and Kα2 [Å] of "Cu" or "Cu Ka", Kα1 alone of "Cu Ka1"; InputError lists known ones."""
    match = NAME.fullmatch(anode)
    found = K_ALPHA.get(match[1].capitalize()) if match else None
    if match is None or found is None:
        raise InputError(
            f"no anode {anode!r}",
            where=where,
            remedy=f"known are {', '.join(K_ALPHA)}, or give --wavelength",
        )
    alone = match[3] == "1" and not match[0].rstrip().endswith("2")
    return found[:1] if alone else found

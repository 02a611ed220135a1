"""Sites under the operations of a group: special positions, multiplicities, own images."""

from __future__ import annotations

from dataclasses import dataclass

import gemmi
import numpy as np

from materialsdock.model import FloatArray

SHIFT_ANGSTROM = 0.02  # a site may be moved so far onto its special position
ROUNDED_ANGSTROM = 0.1  # or so far, where its coordinates are printed no better
SILENT_ANGSTROM = 0.002
COINCIDE_ANGSTROM = 1e-3


@dataclass(frozen=True, eq=False)
class Orbit:
    """A site under a group.

    place : (3,) fractions, exactly on its special position; moved : how far that is [Å]
    multiplicity : of its images in the cell; nearest : the nearest of the others [Å]
    """

    place: FloatArray
    moved: float
    multiplicity: int
    nearest: float


class Operations:
    """The operations of a group in a cell, as arrays."""

    def __init__(self, cell: gemmi.UnitCell, group: gemmi.GroupOps) -> None:
        operations = list(group)
        self.rotations = np.array([op.rot for op in operations]) / gemmi.Op.DEN
        self.translations = np.array([op.tran for op in operations]) / gemmi.Op.DEN
        self.basis = np.array(cell.orth.mat.tolist())
        self.shortest_angstrom = min(cell.parameters[:3])

    def orbit(self, place: FloatArray, digits: FloatArray) -> Orbit:
        """The orbit of a site at `place` (3,), printed to `digits` (3,), put where it belongs.

        It belongs on a special position within SHIFT_ANGSTROM, or within what its digits leave
        open.  A mean over its near images is that position (Grosse-Kunstleve & Adams 2002, Acta
        Cryst. A58, 60).
        """
        printed = float(np.linalg.norm(self.basis @ digits))
        reach = max(SHIFT_ANGSTROM, min(printed, ROUNDED_ANGSTROM))
        images, away = self._images(place)
        for near in (2 * reach, reach, COINCIDE_ANGSTROM):
            meant = images[away < near].mean(axis=0)
            moved = float(np.linalg.norm(self.basis @ (meant - place)))
            again, apart = self._images(meant)
            stays = apart[away < near].max() < COINCIDE_ANGSTROM
            if stays and moved <= reach:
                images, away = again, apart
                break
        else:
            meant, moved = place, 0.0
        same = int(np.count_nonzero(away < COINCIDE_ANGSTROM))
        others = away[away >= COINCIDE_ANGSTROM]
        nearest = min(float(others.min(initial=np.inf)), self.shortest_angstrom)
        return Orbit(meant, moved, len(away) // same, nearest)

    def images(self, place: FloatArray) -> list[FloatArray]:
        """All places (3,) of an orbit in the cell, each once; `place` as `orbit` gives it."""
        found: list[FloatArray] = []
        for image in self.rotations @ place + self.translations:
            away = [
                np.linalg.norm(self.basis @ (d - np.rint(d))) for d in (image - f for f in found)
            ]
            if not found or min(away) >= COINCIDE_ANGSTROM:
                found.append(image)
        return found

    def _images(self, place: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The image of each operation nearest to `place` (n, 3), and how far it is (n,) [Å]."""
        images = self.rotations @ place + self.translations
        images = images - np.rint(images - place)
        return images, np.linalg.norm((images - place) @ self.basis.T, axis=1)

"""The right answers to the CIFs of ../shared, which do not come with the project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from materialsdock.techniques.xrd.crystals.contents import Description


@dataclass(frozen=True)
class Right:
    """What a CIF means: formula, space group, density [g/cm³]; words of its notes."""

    formula: str
    group: str
    density: float
    notes: tuple[str, ...] = ()

    def faults(self, found: Description, notes: Sequence[str]) -> list[str]:
        """All that differs between a reading and this answer, in words."""
        said = "; ".join(notes)
        away = abs(found.density / self.density - 1)
        pairs = [
            (found.formula == self.formula, f"formula {found.formula}, not {self.formula}"),
            (found.space_group == self.group, f"group {found.space_group}, not {self.group}"),
            (away < 1e-3, f"density {found.density:.3f}, not {self.density} g/cm³"),
            (bool(self.notes) or not said, f"said for nothing: {said}"),
            *((words in said, f"{words!r} is not said: {said}") for words in self.notes),
        ]
        return [words for right, words in pairs if not right]


@dataclass(frozen=True)
class Refused:
    """Why a CIF must be refused: words of the sentence."""

    words: str


def _alumina(*notes: str) -> Right:
    return Right("Al2O3", "R -3 c:H", 3.986, notes)


def _spinel(origin: int, *notes: str) -> Right:
    return Right("Al2MgO4", f"F d -3 m:{origin}", 3.579, notes)


PLAIN = ("good", "bom", "crlf", "anisoU", "hex_H", "hex_noflag", "hex_nospace", "noquote")
PLAIN += ("symops_only", "symops_space", "utf8name")
CASES: dict[str, Right | Refused] = {
    **{f"c_{name}": _alumina() for name in PLAIN},
    "c_cell_contradict": Refused("contradicts R -3 c:H"),
    "c_cell_tiny": _alumina("4.75925"),
    "c_desc_hm_unknown": _alumina("'unknown'"),
    "c_deut": Right("Al6D1.8O9", "R -3 c:H", 4.033, ("deuterium", "D1")),
    "c_duplabel": _alumina("label", "X"),
    "c_label_only": _alumina("AL1 as Al", "OW1"),
    "c_latin1": _alumina("Latin-1"),
    "c_mcif": Refused("magnetic"),
    "c_mono_I2a": Right("OTi", "I 1 2/a 1", 1.716),
    "c_multiblock": _alumina("first of 2 crystals"),
    "c_negB": _alumina("displacement", "Al1, O1"),
    "c_nosym": Refused("no space group"),
    "c_occ10001": _alumina("Al1 (1.0001)"),
    "c_occ108": Refused("Al1 (1.08)"),
    "c_onlynumber": _alumina("number 167"),
    "c_p1_cell": _alumina("read as R -3 c:H"),
    "c_p1_round": _alumina("read as R -3 c:H", "moved by up to 0.005 Å"),
    "c_parens": Right("Al1.98O3", "R -3 c:H", 3.965),
    "c_partial": Right("Al4.2Cr1.8O9", "R -3 c:H", 4.573),
    "c_partial_off": Right("Al4.2Cr1.8O9", "R -3 c:H", 4.573),
    "c_question": _alumina("unknown occupancy", "Al1"),
    "c_rhomb_hmonly": Right("Al2O3", "R -3 c:R", 3.988),
    "c_special_off": Right("OZn", "P 63 m c", 5.675, ("special positions: O1",)),
    "c_special_off4": Right("OZn", "P 63 m c", 5.675),
    "c_spinel_S_symops": _spinel(1),
    "c_spinel_Z_symops": _spinel(2),
    "c_spinel_o1_S": _spinel(1),
    "c_spinel_o1_formula": _spinel(1, "origin choice 1"),
    "c_spinel_o1_plain": _spinel(1, "origin choice 1"),
    "c_spinel_o2_Z": _spinel(2),
    "c_spinel_o2_colon": _spinel(2),
    "c_spinel_o2_plain": _spinel(2, "origin choice 2"),
    "c_spinel_old": _spinel(1, "origin choice 1"),
    "c_tof_unicode_minus": _alumina("minus"),
    "c_wat": _alumina("Wat1"),
    "c_zerocell": Refused("_cell_length_a is '?'"),
}
BESIDE: dict[str, Right | Refused] = {
    "ceria": Right("CeO2", "F m -3 m", 7.215),
    "corundum": _alumina(),
    "fluorite": Right("CaF2", "F m -3 m", 3.181),
    "halite": Right("ClNa", "F m -3 m", 2.163),
    "powder_pd": Refused("has no atoms"),
    "r_off2": Right("Al2O3", "R -3 c:H", 3.756),
    "r_subgroup": Right("Al2O3", "R 3 c:H", 3.986),
    "zincite": Right("OZn", "P 63 m c", 5.675),
    "zincite_off": Right("OZn", "P 63 m c", 5.675, ("special positions: O1",)),
}
MEASURED = {
    "are_tio2/Anatase": Right("O2Ti", "I 41/a m d:2", 3.894),
    "are_tio2/Rutile": Right("O2Ti", "P 42/m n m", 4.245),
    "gsas2_tutorials/PbSO4-Wyckoff": Right("O4PbS", "P n m a", 6.324),
    "bbo/data/DSMO/dsmo": Right("DyMn2O6Sr", "P b n m", 6.787),
    "bbo/data/LiCoO2/COD/4505482": Right("CoLiO2", "R -3 m:H", 5.056),
    "bbo/data/LiCoO2/COD/1533825": Right("CoLiO2", "R -3 m:H", 5.061, ("displacement",)),
    "bbo/data/LiCoO2/COD/1550397": Right("CoLiO2", "R -3 m:H", 5.038),
    "autoanalyzer/ref_LiF_225": Right("FLi", "F m -3 m", 2.561, ("read as F m -3 m",)),
    "autoanalyzer/ref_Li2MnO3_12": Right("Li2MnO3", "C 1 2/m 1", 3.884, ("read as C 1 2/m 1",)),
    "autoanalyzer/ref_TiO2_141": Right("O2Ti", "I 41/a m d:2", 3.865, ("read as I 41/a m d:2",)),
    "autoanalyzer/ref_TiO2_136": Right("O2Ti", "P 42/m n m", 4.208, ("read as P 42/m n m",)),
    "autoanalyzer/ref_Mn2O3_206": Right("Mn2O3", "I a -3", 5.034, ("read as I a -3",)),
    "autoanalyzer/ref_MnO_225": Right("MnO", "F m -3 m", 5.369, ("read as F m -3 m",)),
}
ANSWERS: dict[str, Right | Refused] = {
    **{f"cases/files/cif/{name}.cif": answer for name, answer in CASES.items()},
    **{f"cases/files/{name}.cif": answer for name, answer in BESIDE.items()},
    **{f"data/xrd/{name}.cif": answer for name, answer in MEASURED.items()},
}

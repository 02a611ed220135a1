"""Projects that hold what they are given, and "refine" by counting what is free.

Only the child script's handling of the tree can be tested with this, not GSAS-II.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np


class G2ImportException(Exception):
    pass


class G2ScriptException(Exception):
    pass


class Atom:
    def __init__(self, label, xyz):
        self.label, self.coordinates, self.uiso = label, xyz, 0.9
        self.adp_flag, self.refinement_flags = "A", "F"


class Phase:
    def __init__(self, number, name, hist):
        self.name = name
        self._atoms = [Atom("Al1", (0.0, 0.0, 0.35)), Atom("O1", (0.31, 0.0, 0.25))]
        self.data = {
            "pId": number,
            "General": {
                "Cell": [False, 4.76, 4.76, 12.99, 90.0, 90.0, 120.0, 254.9],
                "SGData": {"SpGrp": "R -3 c"},
                "Mass": 600.0 * (number + 1),
            },
            "Histograms": {
                hist.name: {
                    "Scale": [0.5, False],
                    "Size": ["isotropic", [1.0, 1.0, 1.0], [False] * 3],
                    "Mustrain": ["isotropic", [1000.0, 1000.0, 1.0], [False] * 3],
                    "Pref.Ori.": ["MD", 0.8, False, [0, 0, 1], 0, {}, [], 0.0],
                }
            },
        }

    def atoms(self):
        return self._atoms

    def get_cell_and_esd(self):
        keys = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
        cell = self.data["General"]["Cell"]
        esd = 1e-4 if cell[0] else 0.0
        errors = dict.fromkeys(keys[:3], esd) | dict.fromkeys(keys[3:], 0.0)
        return dict(zip(keys, cell[1:7], strict=True)) | {"volume": cell[7]}, errors


class Histogram:
    id, name = 0, "PWDR pattern.xye"

    def __init__(self, data_file, instrument_file):
        self.x, self.y, _ = np.loadtxt(data_file).T
        lines = Path(instrument_file).read_text().splitlines()
        rows = (line.split(":") for line in lines if not line.startswith("#"))
        given = {key: value.strip() for key, value in rows}
        kind = given.pop("Type")
        values = {k: [float(v), float(v), False] for k, v in given.items()}
        self.data = {
            "Instrument Parameters": [{"Type": [kind, kind, False], **values}, {}],
            "Sample Parameters": {"Scale": [1.0, True], "Shift": [25.0, False], "Type": ""},
            "Background": [["chebyschev-1", True, 3, 1.0, 0.0, 0.0], {}],
            "Limits": [(self.x[0], self.x[-1]), [self.x[0], self.x[-1]]],
        }
        self.phases = []

    def getdata(self, what):
        return {"x": self.x, "ycalc": self.y, "background": np.full(self.x.size, 3.0)}[what]

    def reflections(self):
        table = np.zeros((2, 12))
        table[:, 4], table[:, 5] = (2.085, 1.601), (43.37, 57.53)
        return {phase.name: {"RefList": table} for phase in self.phases}


class G2Project:
    def __init__(self, newgpx):
        self.data = {"Covariance": {"data": {}}, "Controls": {"data": {}}}
        self.tied, self.refined = [], 0

    def add_powder_histogram(self, data_file, instrument_file, fmthint):
        self.hist = Histogram(data_file, instrument_file)
        return self.hist

    def add_phase(self, file, phasename, histograms, fmthint):
        if "unreadable" in Path(file).read_text():
            raise G2ImportException("no reader takes it")
        phase = Phase(len(self.hist.phases), phasename, self.hist)
        self.hist.phases.append(phase)
        return phase

    def add_EquivConstr(self, names):
        self.tied += names[1:]

    def set_Controls(self, name, value):
        self.data["Controls"]["data"][name] = value

    def refine(self):
        vary = [name for name in self._free() if name not in self.tied]
        matrix = np.diag(np.arange(1.0, len(vary) + 1)) * 1e-6
        if "0:0:Scale" in vary and "1:0:Scale" in vary:
            i, j = vary.index("0:0:Scale"), vary.index("1:0:Scale")
            matrix[i, j] = matrix[j, i] = 0.95 * np.sqrt(matrix[i, i] * matrix[j, j])
        self.data["Covariance"]["data"] = {
            "varyList": vary,
            "sig": np.sqrt(np.diag(matrix)),
            "covMatrix": matrix,
            "Rvals": {"converged": True},
        }

    def _free(self):
        tree = self.hist.data
        yield from (f":0:{k}" for k, v in tree["Instrument Parameters"][0].items() if v[2])
        if tree["Sample Parameters"]["Shift"][1]:
            yield ":0:Shift"
        background = tree["Background"][0]
        if background[1]:
            yield from (f":0:Back;{i}" for i in range(background[2]))
        for phase in self.hist.phases:
            number, here = phase.data["pId"], phase.data["Histograms"][self.hist.name]
            if here["Scale"][1]:
                yield f"{number}:0:Scale"
            if here["Pref.Ori."][2]:
                yield f"{number}:0:MD"
            if phase.data["General"]["Cell"][0]:
                yield from (f"{number}::A0", f"{number}::A2")
            for i, atom in enumerate(phase.atoms()):
                if "X" in atom.refinement_flags:
                    yield f"{number}::dA{'zx'[i]}:{i}"
                if "U" in atom.refinement_flags:
                    yield f"{number}::AUiso:{i}"

"""HDF5: series of one order, angles where there are no energies, units that nobody converts."""

from __future__ import annotations

import io

import h5py
import numpy as np
import pytest
from support.xas_files import ANGLE, D_SPACING, ENERGY, I0, IT, MU

from materialsdock.errors import InputError
from materialsdock.formats import read_measured

T = np.log(I0 / IT)


@pytest.fixture
def read(tmp_path):
    def reading(series, units="", **facts):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            entry = file.create_group("entry")
            entry.attrs["NX_class"] = "NXentry"
            for path, values in (series | facts).items():
                entry[path.replace("__", "/")] = values
            if units:
                entry["data/energy"].attrs["units"] = units
        (tmp_path / "scan.h5").write_bytes(buffer.getvalue())
        return read_measured(tmp_path / "scan.h5")

    return reading


def test_energies_of_another_group_are_not_those_of_its_rows(read):
    back = slice(None, None, -1)
    raw = {"raw/energy": ENERGY[back], "raw/i0": I0[back], "raw/it": IT[back]}
    found = read(raw | {"processed/energy": ENERGY})
    np.testing.assert_allclose(found.y, T)
    assert read(raw | {"processed/energy": ENERGY, "processed/mu": 2 * MU}).y[0] == T[0]


def test_angles_are_read_where_there_are_no_energies(read):
    series = {"data/bragg": ANGLE, "data/i0": I0, "data/it": IT}
    found = read(series, mono__d_spacing=D_SPACING)
    np.testing.assert_allclose(found.x, ENERGY)
    with pytest.raises(InputError, match="d-spacing is not named"):
        read(series)


def test_a_unit_of_energy_that_nobody_converts_is_refused(read):
    with pytest.raises(InputError, match="are in j, neither eV nor keV"):
        read({"data/energy": ENERGY, "data/mu": MU}, "J")
    assert read({"data/energy": ENERGY / 1e3, "data/mu": MU}, "keV").x[0] == pytest.approx(6960)


def test_exposures_of_this_program_are_added_at_their_energies(read):
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(ENERGY.size), 2))
    series = {"data/energy": ENERGY, "data/incoming_beam": I0, "data/absorbed_beam": IT}
    series = {path: values[order] for path, values in series.items()}
    series |= {"data/count_time": np.full(order.size, 0.5), "exposures/value": T[order]}
    series |= {"merged/measured/energy": ENERGY, "merged/measured/mu": 2 * MU}
    found = read(series, definition="NXxas", program_name="materialsdock")
    np.testing.assert_allclose(found.y, T)
    said = "536 exposures in the order they were made were added at 268 energies, 268 s together"
    assert said in found.notes

"""HDF5 files that hang the HDF5 library are refused in time."""

from __future__ import annotations

import pytest
from support import xas_files as made

from materialsdock.errors import InputError
from materialsdock.formats import measured, read_measured
from materialsdock.formats.hdf5 import is_harmless


def damaged():
    """A file whose heap of strings says that it is longer than it is: the library never ends."""
    whole = bytearray(made.nxxas())
    whole[whole.index(b"GCOL") + 25] = 1
    return bytes(whole)


def test_a_file_that_never_ends_is_not_harmless():
    assert is_harmless(made.nxxas())
    assert is_harmless(made.nxxas()[:4000])  # a fault that the library finds is said by the reader
    assert not is_harmless(damaged(), 1.0)


def test_it_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "is_harmless", lambda raw: is_harmless(raw, 0.5))
    path = tmp_path / "scan.nxs"
    path.write_bytes(damaged())
    with pytest.raises(InputError, match=r"scan.nxs: is a damaged HDF5 file"):
        read_measured(path)

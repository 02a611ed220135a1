"""The CIFs of ../shared, each with the answer that a crystallographer gives."""

from __future__ import annotations

import pytest
from support.cif_answers import ANSWERS, Refused
from support.places import ROOT

from materialsdock.errors import InputError
from materialsdock.techniques.xrd.phases import cif_files

SHARED = ROOT.parent / "shared"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not here")


@pytest.mark.parametrize("name", ANSWERS)
def test_a_case_is_read_rightly_or_refused_by_name(name):
    right, path = ANSWERS[name], SHARED / name
    if isinstance(right, Refused):
        with pytest.raises(InputError) as refused:
            cif_files.read_structure(path)
        assert right.words in refused.value.what
        assert str(path) in refused.value.where
        return
    structure = cif_files.read_structure(path)
    found = cif_files.read_file(str(path), path.name).entries[0].described
    assert right.faults(found, structure.notes) == []

"""The GSAS-II adapter without GSAS-II: its file protocol, its words and units, and its failures.

A stand-in (tests/gsas_stub) has the tree of a GSAS-II project and refines nothing, so these tests
say that question and answer are carried faithfully; whether GSAS-II refines well is for the law
suite (test_engine_laws.py), where GSAS-II is installed.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from support.places import TESTS

from materialsdock.errors import InputError, ModelFault
from materialsdock.model import Structure
from materialsdock.techniques.xrd.model import Diffractometer
from materialsdock.techniques.xrd.rietveld import gsas_child, rfactors
from materialsdock.techniques.xrd.rietveld.gsas_engine import CHILD, GsasEngine
from materialsdock.techniques.xrd.rietveld.limits import envelope
from materialsdock.testing.crystals import CORUNDUM, cif
from materialsdock.testing.planted_powder import PlantedScene, planted

STUB = TESTS / "support" / "gsas_stub"
CU = Diffractometer()
PATTERN = planted(PlantedScene(((CORUNDUM, 1.0),)), two_theta=np.arange(20.0, 80.0, 0.04))
OTHER = Structure("second", CORUNDUM.cif)
PLATY = Structure("corundum", CORUNDUM.cif, (0, 0, 1))


@pytest.fixture
def stub(monkeypatch):
    """The adapter on the stand-in, which its child finds before any installed GSAS-II."""
    monkeypatch.setenv("PYTHONPATH", str(STUB))
    return GsasEngine(python=Path(sys.executable))


def child(tmp_path, text):
    """An engine whose child is `text`; `folder` and `answer()` are there for it."""
    script = tmp_path / "child.py"
    head = """
import json, sys, time, pathlib
import numpy as np
folder = pathlib.Path(sys.argv[1])
request = json.loads((folder / "request.json").read_text())
def answer(**changes):
    said = dict(protocol=1, version="0", vary=[":0:W"], sig=[1.0], instrument={"W": 4.0},
                shift=None, background=[1.0], histogram=0, converged=True, phases=[dict(
                number=0, space_group="R -3 c", mass=1.0, scale=2.0, march=1.0, atoms=[],
                cell=[4.7592, 4.7592, 12.992, 90, 90, 120], cell_esd=[0.0] * 6)])
    (folder / "answer.json").write_text(json.dumps(said | changes))
def arrays(points=1500, **changes):
    y = dict(y_calc=np.ones(points), y_background=np.ones(points), ticks_0=np.ones(2),
             covariance=np.eye(1))
    np.savez(folder / "arrays.npz", **(y | changes))
"""
    script.write_text(head + text)
    return GsasEngine(child=script, time_limit_s=20.0)


def parameters(fit):
    return {p.name: p for p in fit.parameters}


# question and answer


def test_the_first_of_two_origins_is_refused(stub):
    diamond = cif("diamond", "F d -3 m :1", 227, (3.567,) * 3, [("C1", "C", 0, 0, 0)])
    with pytest.raises(InputError, match="CIF of diamond: has origin choice 1 of F d -3 m"):
        stub.refine(PATTERN, (diamond,), CU, {})


def test_what_is_refined_comes_back_in_our_words_and_units(stub):
    recipe = {"background_terms": 5, "coordinates": True}
    fit = stub.refine(PATTERN, (PLATY, OTHER), CU, recipe)
    found = parameters(fit)
    assert fit.engine == "GSAS-II 4711"
    # the instrument starts as the recipe says: σ² in centideg² there, FWHM² in deg² here
    width = 0.6 * fit.recipe["fwhm_deg"]
    assert found["w"].value == pytest.approx(width**2, rel=1e-6)
    assert found["x"].value == pytest.approx(width, rel=1e-6)
    assert found["sample_displacement"].value == pytest.approx(0.025)
    assert found["sample_displacement"].unit == "mm"
    assert found["zero"].esd is None
    assert found["kalpha2_weight"].value == pytest.approx(0.5)
    assert found["corundum.preferred_orientation"].value == 0.8
    assert "second.preferred_orientation" not in found
    assert found["corundum.O1.biso"].value == pytest.approx(0.5)  # its own start, not the CIF's
    assert found["corundum.O1.biso"].esd == found["corundum.Al1.biso"].esd > 0
    assert found["corundum.O1.x"].value == 0.31
    assert "corundum.O1.y" not in found
    assert len([n for n in found if n.startswith("background.")]) == 5
    assert fit.phases[0].cell["a"].esd == 1e-4
    assert fit.phases[0].cell["gamma"].esd is None


def test_weights_follow_scale_and_mass_with_their_covariance(stub):
    fit = stub.refine(PATTERN, (CORUNDUM, OTHER), CU, {})
    first, second = fit.phases
    assert first.weight_fraction == pytest.approx(100 / 3)
    assert second.weight_fraction == pytest.approx(200 / 3)
    # scales that move together by 95 % leave the fractions far better known than alone
    sd = first.weight_fraction_esd
    assert sd == pytest.approx(second.weight_fraction_esd)
    assert 0 < sd < 1
    (pair,) = fit.correlations
    assert (pair.first, pair.second) == ("0:0:Scale", "1:0:Scale")
    assert pair.coefficient == pytest.approx(0.95)


def test_r_factors_and_ticks_are_ours(stub):
    fit = stub.refine(PATTERN, (CORUNDUM,), CU, {})
    assert fit.rwp == pytest.approx(0.0, abs=1e-4)  # the stand-in answers the data
    assert fit.n_free == len({p.name for p in fit.parameters if p.esd is not None}) - 1 + 2
    at = fit.ticks["corundum"]
    assert at.size == 4
    assert at[0] == pytest.approx(43.37)
    theta = np.arcsin(1.544427 / (2 * 2.085)) - np.arcsin(1.540593 / (2 * 2.085))
    assert at[1] == pytest.approx(43.37 + 2 * np.degrees(theta))


@pytest.mark.parametrize(
    ("recipe", "missing"),
    [
        ({"coordinates": False}, "corundum.O1.x"),
        ({"displacements": "off"}, "corundum.O1.biso"),
        ({"position": "zero"}, "sample_displacement"),
        ({"widths": "wx"}, "u"),
        ({"kalpha2": False}, "kalpha2_weight"),
        ({"axial": "off"}, "axial_sh_l"),
    ],
)
def test_switches_of_the_recipe_reach_the_tree(stub, recipe, missing):
    default = stub.refine(PATTERN, (CORUNDUM,), CU, {})
    switched = stub.refine(PATTERN, (CORUNDUM,), CU, recipe)
    assert parameters(default)[missing].esd is not None
    found = parameters(switched).get(missing)
    assert found is None or found.esd is None


def test_a_fixed_background_is_taken_off_and_put_back(stub):
    fit = stub.refine(PATTERN, (CORUNDUM,), CU, {"background": "envelope"})
    fixed = envelope(PATTERN, fit.recipe["fwhm_deg"])
    assert fit.y_background == pytest.approx(fixed + 3.0)
    assert fit.y_calc == pytest.approx(PATTERN.intensity, rel=1e-6)
    assert rfactors.weighted_profile(PATTERN.intensity, fit.y_calc, PATTERN.sigma) < 1e-4


# failures


def test_a_cif_that_it_cannot_read_is_bad_input(stub):
    odd = Structure("odd", "# unreadable\n" + CORUNDUM.cif)
    with pytest.raises(InputError, match="cannot read the CIF of odd"):
        stub.refine(PATTERN, (odd,), CU, {})


def test_three_emission_lines_are_refused():
    tube = Diffractometer((1.5406, 1.5444, 1.3922), (1.0, 0.5, 0.01))
    with pytest.raises(InputError, match="3 emission lines"):
        GsasEngine().refine(PATTERN, (CORUNDUM,), tube, {})


def test_a_crash_is_told_with_its_last_words(tmp_path):
    engine = child(tmp_path, 'print("about to go"); raise ArithmeticError("singular matrix")')
    with pytest.raises(ModelFault, match=r"exit code 1: .*singular matrix"):
        engine.refine(PATTERN, (CORUNDUM,), CU, {})


def test_a_hang_is_killed_with_all_that_it_started(tmp_path):
    mark = tmp_path / "grandchild.pid"
    engine = child(
        tmp_path,
        f"""
import subprocess
started = subprocess.Popen(["sleep", "60"])
pathlib.Path({str(mark)!r}).write_text(str(started.pid))
time.sleep(60)
""",
    )
    engine.time_limit_s = 2.0
    began = time.monotonic()
    with pytest.raises(ModelFault, match="took longer than 2 s and was stopped"):
        engine.refine(PATTERN, (CORUNDUM,), CU, {})
    assert time.monotonic() - began < 10
    assert gone(int(mark.read_text()))


def gone(pid):
    """Return True once a process has ended, waiting a moment for it."""
    for _ in range(50):
        status = Path(f"/proc/{pid}/status")
        if not status.exists() or "State:\tZ" in status.read_text():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pass", "no readable answer"),
        ("answer()", "no readable answer"),
        ("(folder / 'answer.json').write_text('{')", "no readable answer"),
        ("answer(protocol=2); arrays()", "speaks protocol 2"),
        ("answer(); arrays(points=7)", "answered 7 of 1500 points"),
        ("answer(); arrays(y_calc=np.full(1500, np.nan))", "1500 of them not finite"),
        ("answer(phases=[]); arrays()", "incomplete answer"),
        ("answer(vary=[]); arrays()", "incomplete answer"),
        ("answer(instrument={'W': 'wide'}); arrays()", "incomplete answer"),
        ("answer(); arrays(ticks_0=np.array([object()]))", "no readable answer"),
    ],
)
def test_nonsense_is_a_fault(tmp_path, text, words):
    with pytest.raises(ModelFault, match=words):
        child(tmp_path, text).refine(PATTERN, (CORUNDUM,), CU, {})


def test_an_esd_that_it_could_not_give_is_a_violation(tmp_path):
    said = "answer(vary=[':0:Zero'], sig=[0.0], instrument={'W': 4.0, 'Zero': 0.01}); arrays()"
    fit = child(tmp_path, said).refine(PATTERN, (CORUNDUM,), CU, {})
    assert math.isnan(parameters(fit)["zero"].esd)
    assert "no finite esd" in " ".join(fit.violations)


def test_the_child_writes_nothing_outside_its_folder(tmp_path):
    text = f"""
import os
seen = [os.getcwd(), os.environ["HOME"], str(folder)]
pathlib.Path({str(tmp_path)!r}, "seen").write_text(json.dumps(seen))
answer()
arrays()
"""
    child(tmp_path, text).refine(PATTERN, (CORUNDUM,), CU, {})
    here, home, folder = json.loads((tmp_path / "seen").read_text())
    assert Path(here).name == Path(home).name == Path(folder).name
    assert not Path(folder).exists()


# where it is found


def test_nobody_here_imports_gsas():
    program = (
        "import sys; from materialsdock.techniques.xrd.rietveld import engines; "
        "[engines.unusable(name) for name in engines.ENGINES];"
        "sys.exit(any('GSAS' in name for name in sys.modules))"
    )
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(STUB), os.getcwd()])}
    done = subprocess.run([sys.executable, "-c", program], env=surroundings, check=False)
    assert done.returncode == 0


def test_it_is_found_where_the_interpreter_has_it(stub, monkeypatch):
    assert stub.missing() == ""
    monkeypatch.setenv("PYTHONPATH", "")
    if GsasEngine().missing():
        assert "not installed" in stub.missing()


def test_the_child_hides_no_module_of_its_neighbours():
    """Run by its path, its folder must not stand in for `recipe`, `search` or `storage`."""
    code = f"import runpy, sys; sys.argv = ['x']; sys.path.insert(0, {str(CHILD.parent)!r});"
    code += f"runpy.run_path({str(CHILD)!r}); import importlib.util as u;"
    code += "sys.exit(u.find_spec('recipe') is not None)"
    assert subprocess.run([sys.executable, "-c", code], cwd="/", check=False).returncode == 0


def test_a_calibrated_instrument_is_written_as_gsas_2_has_it():
    calibrated = Diffractometer(
        widths=(1.10904e-3, -1.10904e-3, 2.77259e-3, 0.01, 0.03),
        axial=(0.001, 0.001),
        zero_deg=0.02,
    )
    recipe = {"fwhm_deg": 0.1, "widths": "uvwxy", "axial": "free"}
    request = {"diffractometer": asdict(calibrated), "recipe": recipe}
    text = gsas_child.instrument_file(json.loads(json.dumps(request)))
    found = dict(line.split(":") for line in text.splitlines()[1:])
    numbers = {key: float(found[key]) for key in ("U", "V", "W", "X", "Y", "SH/L", "Zero")}
    expected = {"U": 2.0, "V": -2.0, "W": 5.0, "X": 1.0, "Y": 3.0, "SH/L": 0.002, "Zero": 0.02}
    assert numbers == pytest.approx(expected, rel=1e-5)

"""One simulated beamline per pytest process, on a port of its own.

`beamline` : the running IOC (profile.simulation.RunningSimulation); position 0 holds five
diffraction peaks on 1500 steps, position 1 an absorption edge at 7112 eV.
`RE` : a fresh RunEngine.  `faults("motor_stall", 1)` : switch a fault of the IOC.
"""

from __future__ import annotations

import fcntl
import gc
import os
import subprocess
import sys
import tempfile

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# the tests start hundreds of processes: without bytecode each compiles the project anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import numpy as np
import pytest

pytest.register_assert_rewrite("materialsdock.testing")

from hypothesis import HealthCheck, settings
from support import skipped
from support.made_site import edge_mu
from support.places import ROOT, TESTS

from devices import channel_access
from materialsdock.profile import simulation, siteroot

# a server for the tests that ask for one, searches without processes for those that need none
pytest_plugins = ["support.postgresql", "support.refining"]
PEAKS = ((24.0, 900.0), (30.0, 400.0), (37.0, 1500.0), (44.0, 200.0), (47.0, 60.0))
SPEED = 500.0
FAULTS = TESTS / "faults"
SLOW = "MATERIALSDOCK_SLOW"
# the files that take longest, those that wait for processes between those that calculate
FIRST = (
    "docs/test_tutorial.py",
    "night/sentinels/test_sentry_beamline.py",
    "techniques/xrd/search/test_texture.py",
    "cli/test_app.py",
    "night/rehearsal/test_preflight.py",
    "techniques/xrd/search/test_second_look.py",
    "docs/test_examples.py",
    "plans/test_guards.py",
    "plans/test_attempts.py",
    "cli/test_refine_command.py",
    "views/exports/test_bundle.py",
    "cli/test_resume.py",
    "views/test_catalog.py",
    "learning/test_learner_laws.py",
    "profiles/test_queueserver.py",
    "campaign/test_replay.py",
    "shell/test_session.py",
    "techniques/xrd/phases/test_identify.py",
    "optimisation/test_dask_executor.py",
    "techniques/xas/test_analysis.py",
    "views/test_catalog_server.py",
    "learning/stopping/test_certificate.py",
    "techniques/xrd/search/test_search.py",
    "night/system/test_systemd_units.py",
    "techniques/xrd/search/test_detection_limits.py",
    "plans/test_guards_restart.py",
    "optimisation/test_storage.py",
)

# no test fails because the machine is busy
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# libca reads its environment once, when it is loaded: before any test imports it
PORT = simulation.free_port()
os.environ.update(simulation.channel_access(PORT))


def pytest_xdist_auto_num_workers(config):
    """Tests wait for other processes: four of ours keep two cores at work."""
    return 2 * len(os.sched_getaffinity(0))


COMPILING = pytest.StashKey[subprocess.Popen]()
COMPILE = "from materialsdock.learning.gp import kalman; kalman.warm_up()"
COMPILED = "MATERIALSDOCK_TESTS_COMPILED"  # a file that is locked until it is so


def pytest_configure(config):
    """Compile once for all workers, while they collect: in a fresh checkout it takes 15 s."""
    if not getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput"):
        return
    descriptor, os.environ[COMPILED] = tempfile.mkstemp(prefix="materialsdock-")
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # which the child inherits, and holds until it ends
    config.stash[COMPILING] = subprocess.Popen(
        [sys.executable, "-c", COMPILE], cwd=ROOT, pass_fds=[descriptor]
    )
    os.close(descriptor)


def pytest_unconfigure(config):
    if compiling := config.stash.get(COMPILING, None):
        compiling.wait()
        os.unlink(os.environ[COMPILED])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Begin with what takes longest, so that at the end nobody waits for one file.

    What is marked slow is a study over many seeds, a whole installation (Tiled over PostgreSQL, a
    stock RE Manager, the tutorial) or the longer sibling of another test; `.ci/run` runs it, too.
    """
    rank = {TESTS / name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: rank.get(item.path, len(FIRST)))
    for item in items:
        slow = FAULTS not in item.path.parents and item.get_closest_marker("slow")
        if slow and os.environ.get(SLOW) != "1":
            item.add_marker(pytest.mark.skip(reason=f"takes long; set {SLOW}=1"))


def pytest_collection_finish(session):
    """Wait for what is compiled, or each worker would compile it again, and spare the garbage
    collector what lives to the end, the libraries: 7 % of the time.
    """
    if hasattr(session.config, "workerinput"):
        with open(os.environ[COMPILED]) as locked:
            fcntl.flock(locked, fcntl.LOCK_SH)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def pytest_terminal_summary(terminalreporter):
    """Say which optional parts were not tested, and why."""
    if line := skipped.line(terminalreporter.stats.get("skipped", ())):
        terminalreporter.write_line(line)


def diffraction_rate(two_theta):
    """Expected counts per second at `two_theta` [deg]: five Gaussians on a flat background."""
    return 20 + sum(h * np.exp(-0.5 * ((two_theta - c) / 0.05) ** 2) for c, h in PEAKS)


@pytest.fixture(autouse=True)
def _environment():
    """Commands that run in this process point it at their own IOC; the next test has its own."""
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def beamline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    two_theta = 20 + 0.02 * np.arange(1500)
    counts = np.random.default_rng(7).poisson(diffraction_rate(two_theta))
    energy = np.linspace(7080.0, 7160.0, 641)
    scenes = {
        0: simulation.save_scene(
            folder / "xrd.npz",
            technique="xrd",
            two_theta=two_theta,
            counts=counts,
            count_time_s=1.0,
        ),
        1: simulation.save_scene(
            folder / "xas.npz",
            technique="xas",
            energy_ev=energy,
            mu=edge_mu(energy),
            i0_rate_hz=1e6,
        ),
    }
    root = siteroot.activate()
    channel_access.configure()  # before the first signal, whichever test makes it
    with simulation.running("sim_devices", root, scenes, speed=SPEED, port=PORT) as found:
        yield found


@pytest.fixture
def RE():
    from bluesky import RunEngine

    return RunEngine({}, context_managers=[])


@pytest.fixture
def faults(beamline):
    """Switch faults; all are gone and the ring is full again after the test."""
    import epics

    switched = set()

    def switch(name, value):
        switched.add(name)
        epics.caput(f"SIM:faults:{name}", value, wait=True, timeout=5)

    yield switch
    for name in switched:
        epics.caput(f"SIM:faults:{name}", 0, wait=True, timeout=5)
    epics.caput("SIM:ring:current", 100.0, wait=True, timeout=5)

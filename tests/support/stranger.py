"""The technique of a stranger, installed beside the project, and a site that has it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from support.made_site import copied
from support.places import ROOT, TESTS

PACKAGE = TESTS / "technique_of_a_stranger"
SECTION = "profiles/sim/profile.toml"
POSITION_DEG = 43.32


@dataclass(frozen=True)
class Stranger:
    """The interpreter that has the package, the site, and a measured file."""

    python: Path
    site: Path
    package: Path
    file: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of its processes: none of this process' own beamline."""
        own = {key: value for key, value in os.environ.items() if not key.startswith("EPICS_")}
        return {**own, "PYTHONPATH": str(ROOT), "MATERIALSDOCK_SITE": str(self.site)}

    def command(self, *words: object) -> list[str]:
        """The command line of `materialsdock` with these words."""
        return [str(self.python), "-m", "materialsdock", *map(str, words)]

    def start(self, *words: object, **how: object) -> subprocess.Popen[str]:
        """That command as a process that goes on."""
        return subprocess.Popen(self.command(*words), env=self.environment, text=True, **how)

    def run(self, *words: object) -> dict:
        """Run the command, and return what it says as JSON."""
        done = subprocess.run(
            self.command(*words, "--json"), env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


def installed(folder: Path) -> Stranger:
    """The package in an environment of its own, and the site that its author made."""
    python = _environment(folder / "venv")
    package = folder / "package"
    shutil.copytree(PACKAGE, package)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    alone = ["--no-deps", "--no-index", "--no-build-isolation", "--no-cache-dir"]
    done = subprocess.run([*pip, *alone, str(package)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    section = (package / "site" / "profile.toml").read_text()
    site = copied(folder / "site", {}, {SECTION: section})
    shutil.copy(package / "site" / "reflection.py", site / "sim_devices" / "scenes")
    return Stranger(python, site, package, _measured(folder / "copper.txt"))


def _environment(folder: Path) -> Path:
    """An empty environment that sees what this one has, the project's dependencies among it."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    here = sysconfig.get_path("purelib")
    (packages / "beside.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    return folder / "bin" / "python"


def _measured(path: Path) -> Path:
    """A scan of two columns, and nothing that says what they are."""
    x = np.linspace(42.3, 44.3, 201)
    counts = 50.0 + 2000.0 * np.exp(-0.5 * ((x - POSITION_DEG) / 0.085) ** 2)
    np.savetxt(path, np.column_stack([x, np.random.default_rng(5).poisson(counts)]))
    return path

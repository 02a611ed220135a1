"""The site of a test's night: a copy of the simulated one, with other values and patches."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from support.places import ROOT

SITE = ("devices", "plans", "sim_devices", "profiles")


def profile(margin_s: float = 4.0, **night: object) -> dict[str, str]:
    """Changes of a profile for nights in which much is broken: nothing is set aside for that."""
    keys = {
        "failures_in_a_row": 1000,
        "retry_delays_s": [0.0] * 50,
        "disk_free_gb": 0.0,
        "progress_margin_s": margin_s,
        **night,
    }
    words = "\n".join(f"{key} = {value}" for key, value in keys.items())
    return {"hysteresis_s": "0.5", "[night]": words}


def edge_mu(energy_ev: np.ndarray, e0_ev: float = 7112.0, white: float = 0.4) -> np.ndarray:
    """µ of a simulated edge."""
    step = 0.5 + np.arctan((energy_ev - e0_ev) / 1.5) / np.pi
    return 0.2 + step + white * np.exp(-0.5 * ((energy_ev - e0_ev - 4.0) / 2.0) ** 2)


def write_edge(path: Path, e0_ev: float = 7112.0, white: float = 0.4) -> Path:
    """A measured file of that edge, for sheets."""
    energy = np.arange(7060.0, 7200.0, 0.5)
    np.savetxt(path, np.column_stack([energy, edge_mu(energy, e0_ev, white)]), header="energy mu")
    return path


def copied(folder: Path, changes: Mapping[str, str], patches: Mapping[str, str]) -> Path:
    """A site in `folder`, its profile changed and its files patched; see Rig."""
    folder.mkdir()
    for name in SITE:
        shutil.copytree(ROOT / name, folder / name)
    _change_profile(folder / "profiles" / "sim" / "profile.toml", changes)
    for name, more in patches.items():
        with (folder / name).open("a") as file:
            file.write(more)
    return folder


def _change_profile(path: Path, changes: Mapping[str, str]) -> None:
    """Lines of the profile replaced or sections appended, e.g. {"speed": "2000.0"}."""
    text = path.read_text()
    for key, value in changes.items():
        if key.startswith("[") and key in text:
            text = text.replace(key, f"{key}\n{value}", 1)
        elif key.startswith("["):
            text += f"\n{key}\n{value}\n"
        else:
            text, count = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.M)
            assert count, f"no key {key} in the profile"
    path.write_text(text)

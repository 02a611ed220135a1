"""The profile that is shipped, and recipes written for a test."""

from __future__ import annotations

from support.places import ROOT

from materialsdock.profile import config

PROFILE = config.load("sim", ROOT)
FOLDER = ROOT / "profiles" / "sim"


def written(folder, text, name="r"):
    (folder / "recipes").mkdir(exist_ok=True)
    (folder / "recipes" / f"{name}.toml").write_text(text)
    return folder

"""Put ONE site folder on sys.path: that of devices/, plans/, sim_devices/ and profiles/."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from materialsdock.errors import InputError, Refused

ROOMS = ("devices", "plans", "sim_devices")


def find(site: str | Path | None = None) -> Path:
    """The site root: `site`, else MATERIALSDOCK_SITE, else the checkout, else the bundled copy.

    Raises InputError when the named folder is not a site.
    """
    here = Path(__file__).resolve().parents[1]  # the engine
    named = site or os.environ.get("MATERIALSDOCK_SITE")
    candidates = [Path(named).expanduser().resolve()] if named else [here.parent, here / "_site"]
    for root in candidates:
        if all((root / room).is_dir() for room in (*ROOMS, "profiles")):
            return root
    raise InputError(
        f"{candidates[0]} is not a site: it lacks one of devices/, plans/, sim_devices/, profiles/",
        where="--site" if site else "MATERIALSDOCK_SITE",
        remedy="name a copy of those four folders",
    )


def activate(site: str | Path | None = None) -> Path:
    """Put the site first on sys.path and return it.

    Raises Refused when another installed package owns one of the site's names.
    """
    root = find(site)
    if str(root) in sys.path:
        sys.path.remove(str(root))
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    for room in ROOMS:
        loaded = sys.modules.get(room)
        origin = loaded.__file__ if loaded else _origin(room)
        if origin is None or Path(origin).resolve().parent != root / room:
            raise Refused(
                f"the name {room!r} is taken by {origin}",
                where=str(root / room),
                remedy="uninstall that package or run from another environment",
            )
    return root


def _origin(room: str) -> str | None:
    spec = importlib.util.find_spec(room)
    return spec.origin if spec else None

"""The folder of a campaign: where ledger, catalog, scenes and reports lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from materialsdock.errors import InputError


@dataclass(frozen=True)
class DataDirectory:
    """The folder of everything measured: the ledger, the catalog, scenes and reports.

    Its folders are made; InputError where they cannot be.
    """

    path: Path

    def __post_init__(self) -> None:
        for folder in (self.path, self.scenes, self.reports):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(
                    f"no folder can be made there: {error.strerror}",
                    where=str(folder),
                    remedy="name a folder that may be written to with --out",
                ) from error

    @property
    def ledger(self) -> Path:
        """The one SQLite file that is the truth."""
        return self.path / "ledger.sqlite"

    @property
    def catalog(self) -> Path:
        """The embedded Tiled catalog, a view that can be rebuilt."""
        return self.path / "catalog"

    @property
    def scenes(self) -> Path:
        """The scenes that the simulated beamline replays."""
        return self.path / "scenes"

    @property
    def reports(self) -> Path:
        """One HTML page per job."""
        return self.path / "reports"

"""What the user of the command line asked for, checked against the sample and the profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from materialsdock.campaign import option_words
from materialsdock.errors import InputError
from materialsdock.learning.prior import library
from materialsdock.model import Measured, Sample
from materialsdock.profile import config, siteroot
from materialsdock.profile.sections import changed
from materialsdock.techniques.xas.section import prior_file
from materialsdock.techniques.xrd.phases.answer import elements_of


@dataclass(frozen=True)
class Request:
    """What the user asked for, apart from the sample; None means: as the profile says."""

    profile: str = "sim"
    site: Path | None = None
    out: Path = Path("materialsdock-data")
    stop: Sequence[str] = ()
    trials: int | None = None
    workers: int | None = None
    speed: float | None = None
    seed: int = 0
    count_time_s: float | None = None
    objective: str | None = None
    wanted: Sequence[str] = ()
    esd: float | None = None
    prior: Path | None = None
    standards: Sequence[Path] = ()
    regions: Sequence[str] = ()
    engine: str | None = None
    warm_start: bool | None = None
    store: Path | None = None
    elements: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The options that say what a job is to do."""
        words = {
            "--stop": self.stop,
            "--count-time": self.count_time_s,
            "--objective": self.objective,
            "--wanted": self.wanted,
            "--esd": self.esd,
            "--prior": self.prior,
            "--standards": self.standards,
            "--region": self.regions,
        }
        return tuple(word for word, value in words.items() if value not in (None, (), []))

    def check(self, measured: Measured, sample: Sample) -> None:
        """Refuse, all at once, options that say nothing or nothing of this sample."""
        words = {
            "--cif": sample.structures,
            "--store": self.store,
            "--elements": self.elements,
        }
        of_phases = tuple(word for word, value in words.items() if value)
        checks: list[Callable[[], object]] = [
            partial(option_words.fitting, sample.technique, (*of_phases, *self.given)),
            partial(option_words.stop_options, self.stop),
            partial(self.check_store, sample),
        ]
        if sample.technique == "xas":
            scan = float(measured.x[0]), float(measured.x[-1])
            checks.append(partial(option_words.regions, self.regions, scan))
        xrd = config.load(self.profile, siteroot.activate(self.site)).xrd
        if xrd is not None:
            objective = self.objective or xrd.objective
            checks.append(partial(option_words.aim, objective, self.wanted, self.esd))
        if self.prior is not None:
            named = self.prior
            checks.append(lambda: library.load(self._prior_file(named)))
        option_words.together(*checks)

    def load(self) -> tuple[config.Profile, Path]:
        """The profile with the request's changes, and the active site."""
        site = siteroot.activate(self.site)
        profile = config.load(self.profile, site)
        seeded = {**self.of_analysis, "seeds": (self.seed,)}
        section = changed(profile.analysis, seeded)
        news = {"analysis": section, **self._goals(profile)}
        return profile.model_copy(update=news), site

    @property
    def of_analysis(self) -> dict[str, Any]:
        """The changes that were asked of the profile's section on analysis."""
        elements = elements_of(self.elements)
        changes = {
            "trials": self.trials,
            "workers": self.workers,
            "engine": self.engine,
            "warm_start": self.warm_start,
            "store": None if self.store is None else str(self.store.resolve()),
            "elements": None if elements is None else tuple(sorted(elements)),
        }
        return {key: value for key, value in changes.items() if value is not None}

    def check_store(self, sample: Sample) -> None:
        """Refuse a store beside structures, and elements that no store is asked for."""
        if self.store is not None and sample.structures:
            raise InputError(
                "structures are given, so none is sought in the store",
                where="--store",
                remedy="leave out --cif, or --store",
            )
        if self.elements is None or self.store is not None:
            return
        profile = config.load(self.profile, siteroot.activate(self.site))
        if profile.analysis.store is None or sample.structures:
            raise InputError(
                "elements say which structures of a store are allowed, and none is searched",
                where="--elements",
                remedy="name the store with --store DIR, and no --cif",
            )

    def _prior_file(self, named: Path) -> Path:
        folder = siteroot.find(self.site) / "profiles" / self.profile
        return prior_file(named, folder, Path())

    def _goals(self, profile: config.Profile) -> dict[str, Any]:
        """The technique sections with what the user wants to know instead of the profile's."""
        # another objective does not keep what the profile wants of its own
        wanted = self.wanted or (None if self.objective is None else ())
        goals: dict[str, Any] = {
            "objective": self.objective,
            "wanted": wanted,
            "wanted_esd": self.esd,
        }
        sections: dict[str, dict[str, Any]] = {
            "xrd": goals,
            "xas": {
                "standards": tuple(self.standards) or None,
                "prior": self.prior and self._prior_file(self.prior),
                "regions": option_words.regions(self.regions) or None,
            },
        }
        found = {}
        for name, changes in sections.items():
            section = getattr(profile, name)
            asked = {key: value for key, value in changes.items() if value is not None}
            if section is not None and asked:
                found[name] = changed(section, asked)
        return found

"""The request of a user of the command line, checked against the sample and the profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

from materialsdock import technique
from materialsdock.campaign import option_words
from materialsdock.formats import command_line
from materialsdock.formats.options import NOTHING_ASKED, FileOptions
from materialsdock.model import Measured, Sample
from materialsdock.profile import config, siteroot
from materialsdock.profile.files import file_options
from materialsdock.profile.sections import changed
from materialsdock.rendering import own_options


@dataclass(frozen=True)
class MeasureRequest:
    """The request of a user, apart from the sample; None means: as the profile says.

    own : the options of each technique, by its name; file : what is said of the measured file
    """

    profile: str = "sim"
    site: Path | None = None
    out: Path = Path("materialsdock-data")
    stop: Sequence[str] = ()
    trials: int | None = None
    workers: int | None = None
    speed: float | None = None
    seed: int = 0
    count_time_s: float | None = None
    own: Mapping[str, Any] = field(default_factory=dict)
    file: FileOptions = NOTHING_ASKED

    @classmethod
    def of(cls, *, kinds: own_options.Kinds | None = None, **values: Any) -> Self:
        """The request of a command line: `values` of all options by name.

        kinds : options that the techniques bring; None: those of `measure`
        """
        common = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        own = own_options.made(own_options.of_measure() if kinds is None else kinds, values)
        return cls(**{**common, "own": own, "file": command_line.taken(values)})

    @property
    def of_techniques(self) -> dict[str, list[str]]:
        """The options of each technique that are given."""
        return {name: list(own_options.words(own).values()) for name, own in self.own.items()}

    @property
    def given(self) -> tuple[str, ...]:
        """The options that say what a job is to do, which cannot change when it goes on."""
        common = {
            "--stop": self.stop,
            "--count-time": self.count_time_s,
            **{name: self.file for name in ("--columns",) if self.file != NOTHING_ASKED},
        }
        found = [word for word, value in common.items() if value not in (None, (), [])]
        for name, own in self.own.items():
            anew = technique.named(name).options().ANEW
            found += [word for key, word in own_options.words(own).items() if key not in anew]
        return tuple(dict.fromkeys(found))

    def check(self, measured: Measured, sample: Sample) -> None:
        """Refuse, all at once, options that say nothing or nothing of this sample."""
        option_words.together(
            partial(option_words.fitting, sample.technique, self.of_techniques),
            partial(option_words.stop_options, self.stop),
            *self._checks(measured, sample),
        )

    def check_resumed(self, sample: Sample) -> None:
        """Refuse what is asked for anew of a job that goes on, where it does not fit."""
        option_words.together(*self._checks(None, sample))

    def load(self) -> tuple[config.Profile, Path]:
        """The profile with the request's changes, and the active site."""
        site = siteroot.activate(self.site)
        profile = config.load(self.profile, site)
        seeded = {**self.of_analysis, "seeds": (self.seed,)}
        news = {"analysis": changed(profile.analysis, seeded)}
        return self.applied(profile.model_copy(update=news)), site

    @property
    def reading(self) -> FileOptions:
        """The words about the measured file, of the user or else of the profile."""
        profile = config.load(self.profile, siteroot.activate(self.site))
        return self.file.over(file_options(profile.formats, self._folder))

    @property
    def of_analysis(self) -> dict[str, Any]:
        """The changes that were asked of the profile's section on analysis."""
        common = {"trials": self.trials, "workers": self.workers}
        found = {key: value for key, value in common.items() if value is not None}
        for name, own in self.own.items():
            found |= technique.named(name).options().of_analysis(own)
        return found

    def applied(self, profile: config.Profile) -> config.Profile:
        """The profile with what the user wants of each technique that it has."""
        for name, own in self.own.items():
            if name not in profile.techniques:
                continue
            if asked := technique.named(name).options().changes(own, self._folder):
                profile = profile.with_section(name, changed(profile.section(name), asked))
        return profile

    @property
    def _folder(self) -> Path:
        return siteroot.find(self.site) / "profiles" / self.profile

    def _checks(self, measured: Measured | None, sample: Sample) -> list[Callable[[], object]]:
        profile = config.load(self.profile, siteroot.activate(self.site))
        found: list[Callable[[], object]] = []
        for name, own in self.own.items():
            part = technique.named(name).options()
            found += part.checks(own, measured, sample, profile, self._folder)
        return found

"""Near-optimal trials grouped into solutions, and what tells two solutions apart, in words.

A search ends in many fits of nearly equal quality; that they agree, or how they differ, says more
than the best of them alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from materialsdock.model import FloatArray, Trial
from materialsdock.techniques.xrd.model import Fit

NEAR = 1.03  # of the best objective: what counts as near-optimal
APART_ESDS = 3.0
# Nobody would call two answers different for less than this, whatever their esds.
LEAST = {
    "length": 2e-5,  # of the length
    "angle": 2e-3,  # deg
    "weight_fraction": 0.2,  # wt%
    "biso": 0.05,  # Å²
    "coordinate": 5e-4,
    "occupancy": 0.005,
    "preferred_orientation": 0.01,
}
# What would change what is said about the sample.
MATERIAL = {
    "length": 1e-3,
    "angle": 0.1,
    "weight_fraction": 2.0,
    "coordinate": 0.02,
    "occupancy": 0.1,
}
KINDS = dict.fromkeys("abc", "length") | dict.fromkeys(("alpha", "beta", "gamma"), "angle")
KINDS |= dict.fromkeys("xyz", "coordinate")
UNITS = {"length": "Å", "angle": "°", "weight_fraction": "wt%", "biso": "Å²"}
TELLING = 0.7  # how much more often one solution must make a choice than the other
SAID = 3
CHOICES = {
    "position": "corrects positions by {}",
    "background": "takes the background as {}",
    "displacements": "refines displacements {}",
    "coordinates": "refines coordinates: {}",
    "axial": "takes axial divergence as {}",
    "widths": "refines the widths {}",
    "phase_widths": "takes peak widths as {}",
    "kalpha2": "refines the Kα2 weight: {}",
    "preferred_orientation": "refines preferred orientation: {}",
    "order": "frees parameters in the order {}",
}

Values = Mapping[str, tuple[float, float | None]]


@dataclass(frozen=True)
class Cluster:
    """Trials whose answers agree; the first is the best of them."""

    trials: tuple[Trial, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that came here."""
        return tuple(sorted({trial.seed for trial in self.trials}))


def compared(fit: Fit) -> dict[str, tuple[float, float | None]]:
    """Map the names that solutions are compared by to (value, esd); esd None: not refined."""
    found: dict[str, tuple[float, float | None]] = {}
    for phase in fit.phases:
        for key, p in phase.cell.items():
            found[f"{phase.name}.{key}"] = (p.value, p.esd)
        if len(fit.phases) > 1:
            name = f"{phase.name}.weight_fraction"
            found[name] = (phase.weight_fraction, phase.weight_fraction_esd)
    for p in fit.parameters:
        if "." in p.name and kind(p.name) in LEAST:
            found[p.name] = (p.value, p.esd)
    return found


def kind(name: str) -> str:
    """Name the kind of a parameter by the last word of its name: length, angle, biso, ..."""
    last = name.rsplit(".", 1)[-1]
    return KINDS.get(last, last)


def least(name: str, value: float, table: Mapping[str, float] = LEAST) -> float:
    """The difference of this parameter below which nobody would look [its unit]."""
    what = kind(name)
    return table[what] * (abs(value) if what == "length" else 1.0)


def clusters(trials: Sequence[Trial], near: float = NEAR) -> tuple[Cluster, ...]:
    """The near-optimal trials grouped by their answers, the cluster with the best trial first.

    near : of the best objective, what still counts
    Acceptable trials only, when there is one.  Two answers are as far apart as their most
    different parameter, in esds or in LEAST, whichever is larger; average linkage cuts at
    APART_ESDS.
    """
    usable = [t for t in trials if t.objective is not None and np.isfinite(t.objective)]
    usable = [t for t in usable if not t.violations] or usable
    if not usable:
        return ()
    ranked = sorted(usable, key=lambda t: (t.objective, t.seed, t.number))
    best = ranked[0].objective or 0.0
    kept = [t for t in ranked if (t.objective or 0.0) <= near * best]
    groups: dict[int, list[Trial]] = {}
    for trial, label in zip(kept, _labels([t.values for t in kept]), strict=True):
        groups.setdefault(label, []).append(trial)
    return tuple(Cluster(tuple(group)) for group in groups.values())


def _labels(rows: Sequence[Values]) -> list[int]:
    if len(rows) < 2 or not rows[0]:
        return [0] * len(rows)
    # half a second that no command should wait for before it clusters
    from sklearn.cluster import AgglomerativeClustering

    scaled = _scaled(rows)
    apart = np.abs(scaled[:, None] - scaled[None]).max(axis=2)
    found = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=APART_ESDS
    ).fit(apart)
    return [int(label) for label in found.labels_]


def _scaled(rows: Sequence[Values]) -> FloatArray:
    """(k, p) values in units of their median esd, at least of LEAST."""
    names = [name for name in rows[0] if all(name in row for row in rows)]
    columns = []
    for name in names:
        value = np.array([row[name][0] for row in rows])
        esds = [row[name][1] for row in rows]
        known = [e for e in esds if e is not None and np.isfinite(e) and e > 0]
        unit = max(float(np.median(known)) if known else 0.0, least(name, float(value[0])))
        columns.append(value / unit)
    return np.array(columns).T


def apart(one: Values, other: Values) -> dict[str, float]:
    """Parameters more than APART_ESDS apart -> how many esds (of the difference), the most first.

    Equal changes of symmetry-related cell lengths are named once.
    """
    found: dict[str, float] = {}
    seen: set[tuple[str, float, float]] = set()
    for name in one:
        if name not in other:
            continue
        (a, esd_a), (b, esd_b) = one[name], other[name]
        known = [e for e in (esd_a, esd_b) if e is not None and np.isfinite(e) and e > 0]
        esd = max(float(np.hypot.reduce(known)) if known else 0.0, least(name, a))
        twin = (name.rsplit(".", 1)[0] + kind(name), round(a, 9), round(b, 9))
        if abs(a - b) > APART_ESDS * esd and not (kind(name) == "length" and twin in seen):
            found[name] = abs(a - b) / esd
        seen.add(twin)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def material(one: Values, other: Values) -> bool:
    """Return True if two answers differ in what would be said about the sample (see MATERIAL)."""
    return any(
        kind(name) in MATERIAL
        and abs(one[name][0] - other[name][0]) > least(name, one[name][0], MATERIAL)
        for name in apart(one, other)
    )


def difference(best: Values, rival: Values) -> tuple[str, ...]:
    """Say how `rival` differs from `best`, one sentence per parameter, the most esds first."""
    said = []
    for name, esds in list(apart(best, rival).items())[:SAID]:
        unit = UNITS.get(kind(name), "")
        said.append(
            f"{name} is {rival[name][0]:.6g} instead of {best[name][0]:.6g} {unit}".rstrip()
            + f", {esds:.1f} esds apart"
        )
    return tuple(said)


def choices(best: Cluster, rival: Cluster) -> tuple[str, ...]:
    """Say which choices of the recipe made the rival, at most two sentences, most telling first."""
    told: list[tuple[float, str]] = []
    for key, words in CHOICES.items():
        here, there = _counts(best, key), _counts(rival, key)
        if not here or not there:
            continue
        choice, times = there.most_common(1)[0]
        telling = times / len(rival.trials) - here[choice] / len(best.trials)
        if telling >= TELLING:
            usual = here.most_common(1)[0][0]
            sentence = words.format(_word(choice)) + f" instead of {_word(usual)}"
            told.append((telling, sentence))
    return tuple(sentence for _, sentence in sorted(told, key=lambda t: -t[0])[:2])


def _counts(cluster: Cluster, key: str) -> Counter[str]:
    return Counter(str(trial.recipe[key]) for trial in cluster.trials if key in trial.recipe)


def _word(choice: str) -> str:
    return {"True": "yes", "False": "no"}.get(choice, choice.replace("_", " "))

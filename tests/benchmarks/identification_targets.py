"""The promises of identification, and what the benchmark found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def targets(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List what was promised, and what came of it."""
    cases = results["measured"].values()
    single = [c for c in cases if len(c["truth"]) == 1]
    several = [c for c in cases if len(c["truth"]) > 1]
    made = list(results["simulated"].values())
    left = list(results["without_the_first_phase"].values())

    def share(name: str, good: Sequence[bool], least: float = 1.0) -> dict[str, Any]:
        value = f"{sum(good)}/{len(good)}"
        ok = len(good) > 0 and sum(good) >= least * len(good)
        return {"name": name, "value": value, "target": f">= {least:.0%}", "ok": ok}

    def top3(case: Mapping[str, Any]) -> bool:
        return all(rank is not None and rank <= 3 for rank in case["ranks"].values())

    right = [c["verdict"] != "no confident match" for c in cases] + [
        c["verdict"] != "confident" for c in left
    ]
    speed = results["speed"]
    many = speed["seconds_match_many"]
    near = list(results["isostructural_rivals"].values())
    largest = max(results["searches"], key=int)
    search_s = results["searches"][largest]["seconds_search"]
    return [
        share("single phases in the top 3", [top3(c) for c in single]),
        share("mixtures: every phase in the top 3 of its round", [top3(c) for c in several]),
        share("mixtures: every phase in the accepted set", [c["all_found"] for c in several]),
        share("simulated 5-10 wt%: every phase in the top 3", [top3(c) for c in made]),
        share("simulated 5-10 wt%: every phase accepted", [c["all_found"] for c in made]),
        share(
            "no phase too many in the accepted set",
            [set(c["found"]) <= set(c["truth"]) for c in (*cases, *made)],
        ),
        share(
            "never confident without the right structure",
            [c["verdict"] != "confident" for c in left],
        ),
        share("right verdicts", right, 0.9),
        share(
            "among rivals: the true structure accepted or named",
            [c["true_is_named"] and c["verdict"] != "no confident match" for c in near],
        ),
        share(
            "among rivals: never confident in another",
            [c["true_is_best"] or c["verdict"] != "confident" for c in near],
        ),
        share("among rivals: no phase too many", [len(c["found"]) == 1 for c in near]),
        share(
            "elements given: a true phase comes first",
            [c["right"] for c in results["element_filter"].values()],
        ),
        {
            "name": f"store search over {largest} entries, no refinement [s]",
            "value": search_s,
            "target": "<= 5",
            "ok": search_s <= 5,
        },
        {
            "name": f"match over {speed['entries_many']} entries [s]",
            "value": many,
            "target": "<= 5",
            "ok": many <= 5,
        },
    ]

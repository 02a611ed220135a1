"""Laws on what a Rietveld engine makes of a recipe: what is asked is freed, and nothing else.

Run like the laws of `engine_laws`, on the same `EngineBench`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from materialsdock.testing.checks import near
from materialsdock.testing.crystals import CORUNDUM
from materialsdock.testing.engine_laws import PLATY, EngineBench, esd, free, parameters


def as_many_background_terms_as_wanted(bench: EngineBench) -> None:
    """Free three or seven, as the recipe says."""
    pattern, _ = bench.single
    for terms in (3, 7):
        fit = bench.refined(pattern, (CORUNDUM,), background_terms=terms)
        assert len([name for name in free(fit) if name.startswith("background.")]) == terms


def a_fixed_envelope_frees_no_background(bench: EngineBench) -> None:
    """The background is drawn, not refined."""
    pattern, _ = bench.single
    fit = bench.refined(pattern, (CORUNDUM,), background="envelope")
    assert not [name for name in free(fit) if name.startswith("background.")]
    assert np.median(fit.y_background) > 40


def positions_are_corrected_as_wanted(bench: EngineBench) -> None:
    """Correct by displacement, by zero, or not at all."""
    pattern, _ = bench.single
    wanted = {"displacement": "sample_displacement", "zero": "zero", "none": None}
    for position, refined in wanted.items():
        found = parameters(bench.refined(pattern, (CORUNDUM,), position=position))
        for name in ("sample_displacement", "zero"):
            if name == refined:
                assert esd(found[name]) > 0
            else:
                assert name not in found or found[name].esd is None
                assert name not in found or found[name].value == 0


def coordinates_switched_off_stay(bench: EngineBench) -> None:
    """Two parameters fewer, and the atoms where the CIF has them."""
    pattern, fit = bench.single
    off = bench.refined(pattern, (CORUNDUM,), coordinates=False)
    sites = [p for p in off.parameters if p.name in ("corundum.O1.x", "corundum.Al1.z")]
    assert all(p.esd is None for p in sites)
    assert {p.name: p.value for p in sites}.get("corundum.O1.x", 0.3063) == 0.3063
    assert esd(parameters(fit)["corundum.O1.x"]) > 0
    assert off.n_free == fit.n_free - 2


def displacements_together_apart_or_not_at_all(bench: EngineBench) -> None:
    """Free one Biso for all sites, one for each, none."""
    pattern, fit = bench.single
    apart = bench.refined(pattern, (CORUNDUM,), displacements="per_site")
    off = bench.refined(pattern, (CORUNDUM,), displacements="off")
    together = [parameters(fit)[f"corundum.{site}.biso"].value for site in ("Al1", "O1")]
    single_ones = [parameters(apart)[f"corundum.{site}.biso"].value for site in ("Al1", "O1")]
    assert near(together[0], together[1])
    assert single_ones[0] != single_ones[1]
    assert apart.n_free == fit.n_free + 1 == off.n_free + 2
    assert "corundum.O1.biso" in free(fit)
    assert "corundum.O1.biso" not in free(off)


def only_the_wanted_widths_are_free(bench: EngineBench) -> None:
    """Gaussian and Lorentzian terms by their letters."""
    pattern, _ = bench.single
    for widths in ("w", "wx", "uvwxy"):
        fit = bench.refined(pattern, (CORUNDUM,), widths=widths)
        assert free(fit) & set("uvwxy") == set(widths)


def the_second_line_is_refined_on_request(bench: EngineBench) -> None:
    """The weight of Kα2 comes back as planted."""
    pattern, _ = bench.single
    off = bench.refined(pattern, (CORUNDUM,), kalpha2=False)
    on = bench.refined(pattern, (CORUNDUM,), kalpha2=True)
    assert "kalpha2_weight" not in free(off)
    assert near(parameters(on)["kalpha2_weight"].value, 0.5, abs=0.03)


def texture_is_refined_only_where_an_axis_is_given(bench: EngineBench) -> None:
    """March's parameter is 1 where there is no texture."""
    pattern, fit = bench.single
    assert "corundum.preferred_orientation" not in parameters(fit)
    found = parameters(bench.refined(pattern, (PLATY,)))
    march = found["corundum.preferred_orientation"]
    assert abs(march.value - 1) < 4 * esd(march)


LAWS: tuple[Callable[[EngineBench], None], ...] = (
    as_many_background_terms_as_wanted,
    a_fixed_envelope_frees_no_background,
    positions_are_corrected_as_wanted,
    coordinates_switched_off_stay,
    displacements_together_apart_or_not_at_all,
    only_the_wanted_widths_are_free,
    the_second_line_is_refined_on_request,
    texture_is_refined_only_where_an_axis_is_given,
)

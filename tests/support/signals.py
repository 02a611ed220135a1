"""Events of the ways to measure absorption, as their devices record them."""

from __future__ import annotations

from support.places import ROOT

from materialsdock.profile import config
from materialsdock.profile.sections import changed
from sim_devices.detectors import MultiElement

PROFILE = config.load("sim", ROOT)


def profile(signal, **section):
    """The simulated instrument where absorption is measured by `signal`."""
    asked = {"signal": signal, **section}
    return PROFILE.with_section("xas", changed(PROFILE.section("xas"), asked))


def fluorescence(energy, ratio, seconds, rng, i0_hz=1e5, detector=None):
    """One event of the detector of 7 elements, which count `ratio` for each count of I0."""
    shown = (detector or MultiElement()).counted(ratio * i0_hz, seconds, rng)
    named = {
        f"{key}{n}": float(value)
        for key, values in zip(("roi", "icr", "ocr"), shown, strict=True)
        for n, value in enumerate(values, start=1)
    }
    whole = float(shown[0].sum())
    return {**named, "roi_sum": whole, "real_time_s": seconds, **_beam(energy, seconds, rng, i0_hz)}


def electrons(energy, ratio, seconds, rng, i0_hz=1e5):
    """One event of the electrometer, which counts `ratio` for each count of I0."""
    iey = float(rng.poisson(ratio * i0_hz * seconds))
    return {"iey": iey, **_beam(energy, seconds, rng, i0_hz)}


def _beam(energy, seconds, rng, i0_hz):
    i0 = float(rng.poisson(i0_hz * seconds))
    return {"mono_energy": float(energy), "i0": i0, "count_time_s": seconds}


EVENTS = {"fluorescence": fluorescence, "yield": electrons}

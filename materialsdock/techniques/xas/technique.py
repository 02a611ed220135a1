"""X-ray absorption as the seam knows it."""

from __future__ import annotations

from materialsdock.technique import Part, ReadingKeys, Technique, Way
from materialsdock.techniques.xas.signals import ELECTRON_YIELD, FLUORESCENCE

ROOM = "materialsdock.techniques.xas"

WAYS = {
    FLUORESCENCE: Way(
        ReadingKeys("mono_energy", "roi_sum", "i0"),
        "fluorescence",
        Part(f"{ROOM}.signals.fluorescence:observer"),
    ),
    ELECTRON_YIELD: Way(
        ReadingKeys("mono_energy", "iey", "i0"),
        "electrometer",
        Part(f"{ROOM}.signals.electron_yield:observer"),
    ),
}

TECHNIQUE = Technique(
    name="xas",
    title="X-ray absorption",
    axis="energy",
    unit="eV",
    symbol="eV",
    keys=ReadingKeys("mono_energy", "it", "i0"),
    counter="ion_chambers",
    section=Part(f"{ROOM}.section:Xas"),
    sheet=Part(f"{ROOM}.sheet"),
    options=Part(f"{ROOM}.options"),
    formats=Part(f"{ROOM}.formats"),
    job=Part(f"{ROOM}.job"),
    learner=Part(f"{ROOM}.learner:learner"),
    observe=Part(f"{ROOM}.reading:observe"),
    scene=Part(f"{ROOM}.scene"),
    demo=Part(f"{ROOM}.demo:sample"),
    analysis=Part(f"{ROOM}.analysis"),
    report=Part(f"{ROOM}.report.parts"),
    export=Part(f"{ROOM}.export"),
    sentinels=Part(f"{ROOM}.sentinels"),
    cli=Part(f"{ROOM}.cli:mount"),
    order=1,
    ways=WAYS,
)

"""X-ray absorption as the seam knows it."""

from __future__ import annotations

from materialsdock.technique import Part, ReadingKeys, Technique

ROOM = "materialsdock.techniques.xas"

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
)

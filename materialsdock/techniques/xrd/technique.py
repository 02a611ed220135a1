"""Powder X-ray diffraction as the seam knows it."""

from __future__ import annotations

from materialsdock.technique import Part, ReadingKeys, Technique

ROOM = "materialsdock.techniques.xrd"

TECHNIQUE = Technique(
    name="xrd",
    title="powder diffraction",
    axis="two_theta",
    unit="deg",
    symbol="°",
    keys=ReadingKeys("two_theta", "counts", "monitor"),
    counter="point_detector",
    section=Part(f"{ROOM}.section:Xrd"),
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
    refine=Part(f"{ROOM}.refine"),
    order=0,
)

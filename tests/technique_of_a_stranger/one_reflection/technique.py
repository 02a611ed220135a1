"""One reflection as the seam knows it."""

from __future__ import annotations

from materialsdock.technique import Part, ReadingKeys, Technique

TECHNIQUE = Technique(
    name="reflection",
    title="position of one reflection",
    unit="deg",
    symbol="°",
    keys=ReadingKeys("two_theta", "counts", "monitor"),
    counter="point_detector",
    observe=Part("one_reflection.reading:observe"),
    demo=Part("one_reflection.demo:sample"),
    analysis=Part("one_reflection.analysis"),
    options=Part("one_reflection.options"),
    report=Part("one_reflection.report"),
)

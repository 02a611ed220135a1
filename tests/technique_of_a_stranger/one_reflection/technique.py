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
    section=Part("one_reflection.section:Reflection"),
    sheet=Part("one_reflection.sheet"),
    options=Part("one_reflection.options"),
    formats=Part("one_reflection.formats"),
    job=Part("one_reflection.job"),
    learner=Part("one_reflection.job:learner"),
    observe=Part("one_reflection.job:observe"),
    scene=Part("one_reflection.scene"),
    demo=Part("one_reflection.scene:demo"),
    analysis=Part("one_reflection.analysis"),
    report=Part("one_reflection.report"),
    export=Part("one_reflection.export"),
)

"""One pass over a diffraction pattern: segments in the order they are counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from materialsdock.learning.counting import allocation
from materialsdock.learning.people import FORCED
from materialsdock.model import FloatArray, Proposal

Segment = tuple[int, int]
Entry = tuple[Segment, float, float]  # with its seconds per position and its score


@dataclass(frozen=True, eq=False)
class Pass:
    """One pass: the step it starts at, its segments (first, last), and seconds per position."""

    first_step: int
    segments: tuple[Segment, ...]
    count_time_s: tuple[float, ...]
    scores: tuple[float, ...]

    @classmethod
    def of(cls, first_step: int, entries: Iterable[Entry]) -> Pass:
        """The pass that has these entries, but for those without any time."""
        kept = [entry for entry in entries if entry[1] > 0]
        segments, seconds, scores = zip(*kept, strict=True) if kept else ((), (), ())
        return cls(first_step, segments, seconds, scores)

    @property
    def end(self) -> int:
        """The step after its last one."""
        return self.first_step + len(self.segments)

    def proposal(self, step: int, grid: FloatArray, number: int) -> Proposal | None:
        """Propose what is counted at `step` on `grid` (m,) in this pass; None after its end."""
        i = step - self.first_step
        if i >= len(self.segments):
            return None
        first, last = self.segments[i]
        return Proposal(
            float(grid[first]),
            float(grid[last]),
            self.count_time_s[i],
            points=last - first + 1,
            score=self.scores[i],
            sweep=number,
        )

    def without(self, barred: allocation.Mask, step: int) -> Pass:
        """The pass from `step` on without the positions in `barred` (m,)."""
        done = step - self.first_step
        entries = self._entries()[:done]
        for i in range(done, len(self.segments)):
            first, last = self.segments[i]
            pieces = allocation.segments(~barred[first : last + 1], last - first + 1, 0)
            found = [(first + a, first + b) for a, b in pieces]
            if i > done and self.segments[i] < self.segments[i - 1]:  # on its way back
                found.reverse()
            entries += [(piece, self.count_time_s[i], self.scores[i]) for piece in found]
        return Pass.of(self.first_step, entries)

    def ahead(self, segment: Segment, count_time_s: float, step: int) -> Pass:
        """The pass with `segment` at `step`, before what is left; it need not come twice."""
        done = step - self.first_step
        entries = self._entries()
        left = [entry for entry in entries[done:] if entry[0] != segment]
        return Pass.of(self.first_step, [*entries[:done], (segment, count_time_s, FORCED), *left])

    def _entries(self) -> list[Entry]:
        return list(zip(self.segments, self.count_time_s, self.scores, strict=True))

"""Which strokes of a cube do not speak for each other: those that lie on each other."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from geocnn_gui.data.source import Section
    from geocnn_gui.live.strokes import Strokes

#: Sections up to so many apart show nearly the same; a group of strokes spans up to so many, so
#: that what is labelled all through a cube still falls into several.
NEAR, SPAN = 5, 32

Pairs = np.ndarray


def grouped(
    strokes: dict[Section, Strokes],
) -> Generator[None, None, dict[Section, np.ndarray]]:
    """Return the group int (count + 1,) of each stroke of each section.

    Strokes of a class are of one group that share cells, where sections cross, or lie on each
    other in sections up to `NEAR` apart: copied along, they look alike and are right or wrong
    together. The nearest are joined first, and no group spans more than `SPAN` sections of an
    axis. Yields after each section.
    """
    firsts, total = {}, 0
    for section, each in strokes.items():
        firsts[section], total = total, total + each.count + 1
    found: list[tuple[int, Pairs]] = []
    for task in (_crossing(strokes), _beside(strokes)):
        for links in task:
            for gap, one, other, pairs in links:
                found.append((gap, pairs + np.array([firsts[one], firsts[other]])))
            yield
    groups = _Groups(strokes, total)
    for _, pairs in sorted(found, key=lambda link: link[0]):
        for one, other in pairs.tolist():
            groups.join(one, other)
    return {
        section: np.array([groups.of(first + n) for n in range(strokes[section].count + 1)])
        for section, first in firsts.items()
    }


_Link = tuple[int, "Section", "Section", Pairs]


def _beside(strokes: dict[Section, Strokes]) -> Iterator[list[_Link]]:
    """Yield for each section the pairs of its strokes and those of nearby ones along its axis."""
    for axis in {section.axis for section in strokes if section.axis is not None}:
        latest: deque[tuple[Section, dict[tuple[int, int], np.ndarray]]] = deque()
        own = sorted((s for s in strokes if s.axis == axis), key=lambda s: s.index)
        for section in own:
            blocks = {(r.start, c.start): n for r, c, n in strokes[section].blocks()}
            while latest and section.index - latest[0][0].index > NEAR:
                latest.popleft()
            yield [
                (section.index - other.index, section, other,
                 _pairs(strokes[section], strokes[other], numbers, others[at]))
                for other, others in latest for at, numbers in blocks.items() if at in others
            ]  # fmt: skip
            latest.append((section, blocks))


def _crossing(strokes: dict[Section, Strokes]) -> Iterator[list[_Link]]:
    """Yield for each section the pairs of its strokes and those of sections that cross it."""
    for one, mine in strokes.items():
        yield [
            (0, one, other, _pairs(mine, theirs, mine.along(other), theirs.along(one)))
            for other, theirs in strokes.items()
            if one.axis is not None and other.axis is not None and one.axis < other.axis
        ]


def _pairs(mine: Strokes, theirs: Strokes, one: np.ndarray, other: np.ndarray) -> Pairs:
    """Return the numbers (n, 2) that lie on each other in two arrays and are of one class."""
    both = (one > 0) & (other > 0) & (mine.ids[one] == theirs.ids[other])
    return np.unique(np.column_stack([one[both], other[both]]), axis=0)


class _Groups:
    """Disjoint sets of strokes, and the first and last section of each along each axis."""

    def __init__(self, strokes: dict[Section, Strokes], total: int) -> None:
        self._parent = list(range(total))
        self._spans: list[dict[int, tuple[int, int]]] = [
            {} if section.axis is None else {section.axis: (section.index, section.index)}
            for section, each in strokes.items() for _ in range(each.count + 1)
        ]  # fmt: skip

    def of(self, one: int) -> int:
        """Return the number of a stroke's group."""
        while self._parent[one] != one:
            self._parent[one] = one = self._parent[self._parent[one]]
        return one

    def join(self, one: int, other: int) -> None:
        """Make one of the groups of two strokes, unless it would span too much."""
        a, b = self.of(one), self.of(other)
        if a == b:
            return
        span = dict(self._spans[a])
        for axis, (low, high) in self._spans[b].items():
            first, last = span.get(axis, (low, high))
            span[axis] = min(first, low), max(last, high)
        if all(high - low <= SPAN for low, high in span.values()):
            self._parent[b], self._spans[a] = a, span

"""Why here: the strokes that look most like the cell under the cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from geocnn_gui.data.source import Section
from geocnn_gui.live.nearness import Eye, distances
from geocnn_gui.live.strokes import Part, Strokes

if TYPE_CHECKING:
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.live.cells import LabelledCells
    from geocnn_gui.live.features import Features
    from geocnn_gui.live.head import Head

MOST_LIKE = 3
#: Cells of each stroke that say how far strokes are from each other, and of all of them.
_STROKE_CELLS, _ALL_CELLS = 6, 1500
#: "Very like" is what lies as near as the nearer half of strokes to another one, "like" is what
#: lies as near as nearly all do.
_VERY, _NEARLY_ALL = 50, 95

Words = Literal["very like", "like", "unlike"]


@dataclass(frozen=True, slots=True)
class LikeStroke:
    """A stroke of the class `label`: the cell of it that is most like, and all of it in `parts`.

    `distance` is in the usual distance from a stroke to the next one.
    """

    section: Section
    cell: tuple[int, int]
    parts: tuple[Part, ...]
    label: int
    distance: float
    words: Words


class Why:
    """Finds the strokes nearest in the space of features; built anew when the head changes.

    Of the labels those cells stand for their strokes that the head was fitted to.
    """

    def __init__(
        self, features: Features, labels: LabelSnapshot, head: Head, cells: LabelledCells
    ) -> None:
        self._features, self._cells = features, cells
        self._eye = Eye.of(features, head)
        self._strokes = [
            Strokes(features.source, labels, section, head.ids) for section in cells.sections
        ]
        self._owner = self._owners()
        known = np.flatnonzero(self._owner >= 0)
        self._cells, self._owner = cells.take(known), self._owner[known]
        self._scaled = self._eye.scaled(self._cells.features)
        self._very, self._far = self._usual()

    def _owners(self) -> np.ndarray:
        """Return a number for the stroke of each cell, -1 for those that are labelled no more."""
        numbers = np.zeros(len(self._cells.ids), np.int64)
        for place, strokes in enumerate(self._strokes):
            here = np.flatnonzero(self._cells.place == place)
            numbers[here] = strokes.at(self._cells.cells[here])
        both = self._cells.place * (numbers.max(initial=0) + 1) + numbers
        _, owner = np.unique(both, return_inverse=True)
        return np.where(numbers > 0, owner, -1)

    def _usual(self) -> tuple[float, float]:
        """Return how far cells are from the nearest one of another stroke: usually, and at most."""
        order = np.argsort(self._owner, kind="stable")
        owner = self._owner[order]
        first = np.searchsorted(owner, owner)
        size = np.bincount(owner, minlength=int(owner.max(initial=0)) + 1)[owner]
        place = np.arange(len(owner)) - first
        some = order[place % np.maximum(1, -(-size // _STROKE_CELLS)) == 0]
        some = some[:: max(1, -(-len(some) // _ALL_CELLS))]
        every = distances(self._scaled[some], self._scaled[some])
        every[self._owner[some][:, None] == self._owner[some]] = np.inf
        nearest = every.min(axis=1, initial=np.inf)
        nearest = nearest[np.isfinite(nearest)]
        if not len(nearest):
            return 1.0, 2.0
        very, far = np.percentile(nearest, (_VERY, _NEARLY_ALL))
        return max(float(very), 1e-6), float(far)

    def at(self, section: Section, row: int, column: int) -> tuple[LikeStroke, ...]:
        """Return the three strokes most like a cell, the nearest first; none where it is dead.

        The stroke that the cell itself is of does not count.
        """
        found, live = self._features.at(section, np.array([[row, column]]))
        if not live[0] or not len(self._owner):
            return ()
        far = distances(self._eye.scaled(found), self._scaled)[0]
        far[self._owner == self._own(section, row, column)] = np.inf
        likes: list[LikeStroke] = []
        for _ in range(MOST_LIKE):
            at = int(far.argmin())
            if not np.isfinite(far[at]):
                break
            likes.append(self._like(at, float(far[at])))
            far[self._owner == self._owner[at]] = np.inf
        return tuple(likes)

    def _own(self, section: Section, row: int, column: int) -> int:
        """Return the stroke that a cell is of, -2 where none or one that has no cell here."""
        if section not in self._cells.sections:
            return -2
        place = self._cells.sections.index(section)
        strokes = self._strokes[place]
        number = int(strokes.at(np.array([[row, column]]))[0])
        mine = np.flatnonzero(self._cells.place == place)
        if not number or not len(mine):
            return -2
        top, bottom, left, right = strokes.boxes[number].tolist()
        cells = self._cells.cells[mine]
        inside = (cells >= (top, left)).all(axis=1) & (cells < (bottom, right)).all(axis=1)
        near = mine[inside]
        near = near[strokes.at(self._cells.cells[near]) == number]
        return int(self._owner[near[0]]) if len(near) else -2

    def _like(self, at: int, distance: float) -> LikeStroke:
        place, cell = int(self._cells.place[at]), self._cells.cells[at]
        strokes = self._strokes[place]
        number = int(strokes.at(cell[None])[0])
        words: Words = "very like" if distance <= self._very else "like"
        words = words if distance <= self._far else "unlike"
        return LikeStroke(
            self._cells.sections[place], (int(cell[0]), int(cell[1])), strokes.parts(number),
            int(self._cells.ids[at]), distance / self._very, words,
        )  # fmt: skip

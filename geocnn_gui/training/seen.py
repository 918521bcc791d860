"""Which labelled cells of a source a training sees: the model file tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Plane
from geocnn_gui.labels.store import LabelSnapshot, LabelStore
from geocnn_gui.models.ground import HELD_OUT, TRAINED
from geocnn_gui.scoring.split import BlockSplit

if TYPE_CHECKING:
    from collections.abc import Iterator


Part = tuple[slice, slice]


@dataclass
class Seen:
    """The labelled, live cells of the sections of one source that are trained on."""

    shape: tuple[int, ...]
    planes: list[Plane] = field(default_factory=list)
    splits: list[BlockSplit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._cells = LabelStore(self.shape)

    def add(self, plane: Plane, part: Part, cells: np.ndarray) -> None:
        """Take the cells of a part of a section; `cells` is bool (rows, columns)."""
        _set(self._cells, plane, part, cells, TRAINED)

    def ground(self, *, buffer: int) -> LabelSnapshot:
        """Return each cell as trained on or held out; those within `buffer` of held ground as new.

        A network that was fitted to all labels afterwards has no buffer: give 0.
        """
        seen = self._cells.snapshot()
        if not self.splits:
            return seen
        marked = LabelStore(self.shape, None if buffer else seen)
        for plane, split, part, cells in self._parts(seen):
            if buffer:
                _set(marked, plane, part, _far(split, part, cells, buffer), TRAINED)
        for plane, split, part, cells in self._parts(seen):
            if (held := cells & _held(split, part)).any():
                _set(marked, plane, part, held, HELD_OUT)
        return marked.snapshot()

    def _parts(self, seen: LabelSnapshot) -> Iterator[tuple[Plane, BlockSplit, Part, np.ndarray]]:
        windows = seen.labelled_windows()
        for plane, split in zip(self.planes, self.splits, strict=True):
            for window in windows:
                part = plane.cells(window)
                if part is not None:
                    yield plane, split, part, plane.picture(seen.read(plane.window(*part))) > 0


def _set(store: LabelStore, plane: Plane, part: Part, cells: np.ndarray, value: int) -> None:
    window = plane.window(*part)
    values = store.read(window)
    values[plane.array(cells)] = value
    store.write(window, values)


def _held(split: BlockSplit, part: Part) -> np.ndarray:
    rows, columns = (np.arange(span.start, span.stop) // split.side for span in part)
    return split.held[np.ix_(rows, columns)]


def _far(split: BlockSplit, part: Part, cells: np.ndarray, buffer: int) -> np.ndarray:
    """Return those of the cells that are not within `buffer` of held-out ground."""
    rows, columns = np.nonzero(cells)
    near = split.is_near(rows + part[0].start, columns + part[1].start, buffer)
    far = np.zeros_like(cells)
    far[rows[~near], columns[~near]] = True
    return far

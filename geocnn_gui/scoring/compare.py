"""Compare a prediction with labels: apart for cells trained on, held out, near those, new; where it errs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from geocnn_gui.events import Event, Progress
from geocnn_gui.labels.store import CHUNK_SHAPES, LabelSnapshot
from geocnn_gui.models.ground import HELD_OUT, NEAR, NEW, TRAINED
from geocnn_gui.models.unit_scores import UnitScores
from geocnn_gui.scoring.metrics import Confusion

if TYPE_CHECKING:
    from collections.abc import Generator

    from geocnn_gui.data.source import Plane, Window

Subset = Literal["all", "held_out", "trained", "near", "new"]
#: The parts of the labelled cells that are scored apart, as values of a `Ground`.
VALUES: dict[Subset, int] = {
    "held_out": HELD_OUT, "trained": TRAINED, "near": NEAR, "new": NEW,
}  # fmt: skip
#: Values of an error map; 0 is unlabelled.
RIGHT, WRONG = 1, 2
#: Side of the block of cells to which a picture jumps.
_BLOCK = 64
#: Reads predicted class ids uint8 (*window.size).
Read = Callable[["Window"], np.ndarray]
Pair = tuple[int, int]


#: Of more blocks than this neighbours are put together.
_MOST_BLOCKS = 400
#: Where a block begins, the codes (ground value, truth, predicted) in it, and how often each.
Block = tuple[tuple[int, ...], np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Truth against prediction: `counts` int64 (4, 256, 256) by ground value, truth, predicted.

    `blocks` are the same counts, apart for every chunk of the labels.
    """

    counts: np.ndarray
    blocks: tuple[Block, ...] = ()

    def confusion(self, subset: Subset = "all") -> Confusion:
        """Return the counts of one part of the cells, or of all."""
        if subset == "all":
            return Confusion(self.counts.sum(0))
        return Confusion(self.counts[VALUES[subset]])

    def refitted(self) -> Comparison:
        """Return the same with the cells held out among those trained on."""
        counts = self.counts.copy()
        counts[TRAINED] += counts[HELD_OUT]
        counts[HELD_OUT] = 0
        moved = [
            (at, np.where(codes >> 16 == HELD_OUT, codes - (HELD_OUT - TRAINED) * 65536, codes), n)
            for at, codes, n in self.blocks
        ]
        return Comparison(counts, tuple(moved))

    def cells(self, subset: Subset = "all") -> int:
        """Count the labelled cells of a part."""
        return int(self.confusion(subset).counts.sum())

    def units(self, subset: Subset = "all") -> UnitScores:
        """Return the counts of a part block by block, for an interval; classes are those in its truth."""
        ids = np.flatnonzero(self.confusion(subset).counts.sum(1))
        place = np.full(256, len(ids))
        place[ids] = np.arange(len(ids))
        tables: dict[str, np.ndarray] = {}
        width = _width([offset for offset, _, _ in self.blocks])
        for offset, codes, numbers in self.blocks:
            value, truth, predicted = codes >> 16, codes >> 8 & 255, codes & 255
            own = (value >= 0) if subset == "all" else value == VALUES[subset]
            name = "-".join(str(low // w * w) for low, w in zip(offset, width, strict=True))
            table = tables.setdefault(name, np.zeros((len(ids), len(ids) + 1), np.int64))
            np.add.at(table, (place[truth[own]], place[predicted[own]]), numbers[own])
        held = {name: table for name, table in tables.items() if table.any()}
        nested = tuple(tuple(map(tuple, table.tolist())) for table in held.values())
        return UnitScores(kind="block", ids=tuple(held), tables=nested)


def _width(offsets: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Return how wide blocks are, so that there are not too many: chunks, or twice, ... as wide."""
    width = np.array(CHUNK_SHAPES[len(offsets[0])] if offsets else (1,))
    while len({tuple(each) for each in (np.array(offsets) // width).tolist()}) > _MOST_BLOCKS:
        width *= 2
    return tuple(width.tolist())


def compare(
    truth: LabelSnapshot, read: Read, seen: LabelSnapshot | None = None
) -> Generator[Event, None, Comparison]:
    """Count labels against a prediction of the same shape, chunk by chunk; return the counts.

    Without `seen` (values of a `Ground`) all cells count as new. Memory is bounded by a chunk.
    """
    counts = np.zeros(len(VALUES) * 65536, np.int64)
    blocks: list[Block] = []
    windows = truth.labelled_windows()
    for done, window in enumerate(windows, 1):
        labels = truth.read(window)
        known = labels > 0
        codes = labels[known].astype(np.int64) * 256 + read(window)[known]
        if seen is not None:
            codes += seen.read(window)[known].astype(np.int64) * 65536
        here = np.bincount(codes, minlength=len(counts))
        counts += here
        found = np.flatnonzero(here)
        blocks.append((window.offset, found, here[found]))
        if done < len(windows):
            yield Progress(done, len(windows), "Scoring")
    return Comparison(counts.reshape(-1, 256, 256), tuple(blocks))


@dataclass(frozen=True)
class ErrorMap:
    """Right and wrong cells of a prediction, or those of one cell of the confusion matrix.

    `pair` are a truth id and a predicted id; `subset` (with `seen`) leaves only those cells.
    """

    truth: LabelSnapshot
    predicted: Read
    pair: Pair | None = None
    subset: Subset = "all"
    seen: LabelSnapshot | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the cells per axis."""
        return self.truth.shape

    def read_classes(self, window: Window) -> np.ndarray:
        """Return uint8 (*window.size): 0 nothing to show, `RIGHT`, `WRONG`."""
        truth = self.truth.read(window)
        if not truth.any():
            return truth
        predicted = self.predicted(window)
        marks = np.where(truth == predicted, RIGHT, WRONG)
        marks[truth == 0] = 0
        if self.pair is not None:
            marks[(truth != self.pair[0]) | (predicted != self.pair[1])] = 0
        if self.subset != "all":
            seen = np.zeros_like(truth) if self.seen is None else self.seen.read(window)
            marks[seen != VALUES[self.subset]] = 0
        return marks.astype(np.uint8)

    def read_confidence(self, window: Window) -> np.ndarray:
        """Return float32 (*window.size): 1 where there is a mark."""
        return (self.read_classes(window) > 0).astype(np.float32)

    def _sought(self, window: Window) -> np.ndarray:
        """Say which cells a search looks for: those of the pair, else the wrong ones."""
        marks = self.read_classes(window)
        return marks == WRONG if self.pair is None else marks > 0

    def count_along(self, axis: int) -> np.ndarray:
        """Count what is sought in every section across an axis, int64 (shape[axis],)."""
        counts = np.zeros(self.shape[axis], np.int64)
        for window in self.truth.labelled_windows():
            found = self._sought(window)
            others = tuple(a for a in range(found.ndim) if a != axis)
            counts[window.slices[axis]] += found.sum(axis=others)
        return counts

    def densest_block(self, plane: Plane) -> tuple[slice, slice] | None:
        """Return rows and columns of a section where most of what is sought lies together."""
        best: tuple[slice, slice] | None = None
        most = 0
        for chunk in self.truth.labelled_windows():
            if (cells := plane.cells(chunk)) is None:
                continue
            found = plane.picture(self._sought(plane.window(*cells)))
            count, rows, columns = _densest(found)
            if count > most:
                top, left = cells[0].start, cells[1].start
                most = count
                best = (
                    slice(top + rows.start, top + rows.stop),
                    slice(left + columns.start, left + columns.stop),
                )
        return best


def _densest(found: np.ndarray) -> tuple[int, slice, slice]:
    """Return the count and the bounding box of the fullest block of bool (rows, columns)."""
    starts = [np.arange(0, size, _BLOCK) for size in found.shape]
    sums = np.add.reduceat(np.add.reduceat(found.astype(np.int64), starts[0], 0), starts[1], 1)
    row, column = (int(i) * _BLOCK for i in np.unravel_index(int(sums.argmax()), sums.shape))
    block = found[row : row + _BLOCK, column : column + _BLOCK]
    rows, columns = np.nonzero(block)
    if not len(rows):
        return 0, slice(0, 0), slice(0, 0)
    return (
        len(rows),
        slice(row + int(rows.min()), row + int(rows.max()) + 1),
        slice(column + int(columns.min()), column + int(columns.max()) + 1),
    )

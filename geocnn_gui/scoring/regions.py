"""Ground as boxes of a source, painted into windows of a picture: held out, tested, too near."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Plane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Painter = Callable[[slice, slice], np.ndarray]

#: Cells are looked up tile by tile, so that a picture of any size is never painted whole.
_TILE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Boxes of a picture: `spans` int64 (n, 4), rows from and to, columns from and to, half-open.

    `owners` int64 (n,), from 1, says whose each box is. Boxes of several owners do not overlap
    where `paint` is asked for. Made by `of`: in order of their first row, so that a window finds
    its own quickly; `tallest` is the most rows of any.
    """

    spans: np.ndarray
    owners: np.ndarray
    tallest: int

    @classmethod
    def of(cls, spans: np.ndarray, owners: np.ndarray) -> Boxes:
        """Return boxes in order of their first row."""
        order = np.argsort(spans[:, 0], kind="stable")
        spans = spans[order]
        return cls(spans, owners[order], int((spans[:, 1] - spans[:, 0]).max(initial=0)))

    def cover(self, rows: slice, columns: slice) -> np.ndarray:
        """Return bool (rows, columns): cells within any box."""
        return self._sum(rows, columns, None) > 0

    def paint(self, rows: slice, columns: slice) -> np.ndarray:
        """Return int64 (rows, columns): whose each cell is, 0 for nobody's."""
        return self._sum(rows, columns, self.owners)

    def covers(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Say for each cell whether it lies within any box."""
        return look_up(self.cover, rows, columns)

    def within(self, shape: tuple[int, int]) -> Boxes:
        """Return the boxes cut at the borders of a picture of `shape`; those outside are left."""
        spans = np.clip(self.spans, 0, np.array([shape[0], shape[0], shape[1], shape[1]]))
        kept = (spans[:, 0] < spans[:, 1]) & (spans[:, 2] < spans[:, 3])
        return Boxes.of(spans[kept], self.owners[kept])

    def _sum(self, rows: slice, columns: slice, weights: np.ndarray | None) -> np.ndarray:
        """Sum the weights (None: 1) of the boxes over each cell, by differences at corners."""
        height, width = rows.stop - rows.start, columns.stop - columns.start
        here = slice(*np.searchsorted(self.spans[:, 0], (rows.start - self.tallest, rows.stop)))
        spans = self.spans[here]
        top, bottom = (np.clip(spans[:, i] - rows.start, 0, height) for i in (0, 1))
        left, right = (np.clip(spans[:, i] - columns.start, 0, width) for i in (2, 3))
        seen = (top < bottom) & (left < right)
        steps = np.zeros((height + 1, width + 1), np.int64)
        weight = 1 if weights is None else weights[here][seen]
        for row, column, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1),
                                  (bottom, right, 1)):  # fmt: skip
            np.add.at(steps, (row[seen], column[seen]), sign * weight)
        np.cumsum(steps, axis=0, out=steps)
        return np.cumsum(steps, axis=1, out=steps)[:height, :width]


def look_up(painter: Painter, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return what `painter` paints at each of the cells, painting only tiles that hold some."""
    if not len(rows):
        return painter(slice(0, 1), slice(0, 1)).ravel()[:0]
    tiles = (rows // _TILE) * (int(columns.max()) // _TILE + 1) + columns // _TILE
    order = np.argsort(tiles, kind="stable")
    cuts = np.flatnonzero(np.diff(tiles[order])) + 1
    parts = []
    for cells in np.split(order, cuts):
        row, column = rows[cells], columns[cells]
        top, left = int(row.min()), int(column.min())
        tile = painter(slice(top, int(row.max()) + 1), slice(left, int(column.max()) + 1))
        parts.append(tile[row - top, column - left])
    found = np.empty(len(rows), parts[0].dtype)
    found[order] = np.concatenate(parts)
    return found


def source_cells(plane: Plane, rows: np.ndarray, columns: np.ndarray) -> list[np.ndarray]:
    """Return the source index along each axis of a picture's cells."""
    places: list[np.ndarray] = [np.zeros(1, np.int64)] * plane.ndim
    places[plane.row_axis], places[plane.column_axis] = rows, columns
    if plane.section.axis is not None:
        places[plane.section.axis] = np.full(1, plane.section.index)
    return [np.asarray(place, np.int64) for place in places]


def project(
    boxes: np.ndarray, owners: np.ndarray, plane: Plane, *, grow: tuple[int, ...] | None = None
) -> Boxes:
    """Return where boxes of the source, int64 (n, axes, 2), lie on a picture.

    Each is widened by `grow` cells per source axis, also across the sections of a cube.
    """
    widths = np.array(grow or (0,) * plane.ndim)
    low, high = boxes[:, :, 0] - widths, boxes[:, :, 1] + widths
    axis, index = plane.section.axis, plane.section.index
    if axis is not None:
        here = (low[:, axis] <= index) & (index < high[:, axis])
        low, high, owners = low[here], high[here], owners[here]
    row, column = plane.row_axis, plane.column_axis
    spans = np.stack([low[:, row], high[:, row], low[:, column], high[:, column]], axis=1)
    return Boxes.of(spans, owners)


@dataclass(frozen=True, slots=True)
class PixelDraw:
    """A draw of single cells of a source, the same on every section that shows the cell.

    Drawn are those whose number from 0 to 1 lies in `low` <= number < `high`.
    """

    source: int
    plane: Plane
    seed: int
    low: float
    high: float

    def numbers(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return each cell's number, float64; `rows` and `columns` broadcast."""
        mixed = np.full(1, self.seed * 1_000_003 + self.source + 1, np.uint64)
        for place in source_cells(self.plane, rows, columns):
            mixed = _mix(mixed ^ _mix(place.astype(np.uint64)))
        return (mixed >> np.uint64(11)) / float(2**53)

    def drawn(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Say for each cell whether it is drawn."""
        numbers = self.numbers(rows, columns)
        return (self.low <= numbers) & (numbers < self.high)

    def drawn_mask(self, rows: slice, columns: slice) -> np.ndarray:
        """Return bool (rows, columns)."""
        row = np.arange(rows.start, rows.stop)[:, None]
        return self.drawn(row, np.arange(columns.start, columns.stop)[None])


def _mix(values: np.ndarray) -> np.ndarray:
    """Scatter the bits of uint64 (splitmix64: Steele, Lea and Flood, OOPSLA 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@dataclass(frozen=True, slots=True, eq=False)
class PlaneSplit:
    """What a fold of a split means for one picture.

    `held` and `test` are the ground of the units held out and of those kept for the test, owners
    being unit numbers from 1; `near` is both with the buffer around them, also seen across the
    sections of a cube. With `pixels` only the cells drawn within `held` are held out.
    """

    shape: tuple[int, int]
    held: Boxes
    test: Boxes
    near: Boxes
    pixels: PixelDraw | None = None

    def held_mask(self, rows: slice, columns: slice) -> np.ndarray:
        """Return bool (rows, columns): cells held out for the score."""
        mask = self.held.cover(rows, columns)
        return mask if self.pixels is None else mask & self.pixels.drawn_mask(rows, columns)

    def test_mask(self, rows: slice, columns: slice) -> np.ndarray:
        """Return bool (rows, columns): cells of the test set."""
        return self.test.cover(rows, columns)

    def near_mask(self, rows: slice, columns: slice) -> np.ndarray:
        """Return bool (rows, columns): cells not to train on; held out, of the test, or near."""
        mask = self.near.cover(rows, columns)
        return mask if self.pixels is None else mask | self.held_mask(rows, columns)

    def unit_mask(self, rows: slice, columns: slice) -> np.ndarray:
        """Return int64 (rows, columns): number from 1 of the unit held out there, else 0."""
        return np.where(self.held_mask(rows, columns), self.held.paint(rows, columns), 0)

    def is_held(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Say for each cell whether it is held out for the score."""
        return look_up(self.held_mask, rows, columns)

    def is_test(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Say for each cell whether it belongs to the test set."""
        return look_up(self.test_mask, rows, columns)

    def is_near(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Say for each cell whether it must not be trained on."""
        return look_up(self.near_mask, rows, columns)

    def held_windows(self, *, side: int = _TILE) -> Iterator[tuple[slice, slice]]:
        """Yield the windows, within tiles of `side`, that hold all that is held out."""
        spans = self.held.within(self.shape).spans
        for top in range(0, self.shape[0], side):
            band = spans[(spans[:, 0] < top + side) & (spans[:, 1] > top)]
            for left in range(0, self.shape[1], side) if len(band) else ():
                here = band[(band[:, 2] < left + side) & (band[:, 3] > left)]
                if len(here):
                    yield (
                        slice(max(top, int(here[:, 0].min())), min(top + side, int(here[:, 1].max()))),
                        slice(max(left, int(here[:, 2].min())), min(left + side, int(here[:, 3].max()))),
                    )  # fmt: skip

"""Strokes: the regions of equal label of a section that hang together, block by block."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import csgraph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geocnn_gui.data.source import Section, Source
    from geocnn_gui.labels.store import LabelSnapshot

_CORNERS = np.ones((3, 3), bool)


@dataclass(frozen=True, slots=True)
class Part:
    """A block of cells `rows` x `columns` of a section, of which `mask` (bool) counts."""

    rows: slice
    columns: slice
    mask: np.ndarray

    def cells(self) -> np.ndarray:
        """Return the cells that count, int (n, 2), rows and columns of the section."""
        return np.argwhere(self.mask) + np.array([self.rows.start, self.columns.start])


class Strokes:
    """The strokes of a section, numbered from 1; cells hang together by sides and corners.

    `ids` uint8, `sizes` (cells) and `boxes` (first and last row + 1, first and last column + 1)
    have a row for each number; that of 0 stands for no stroke. Only blocks that hold labels are
    looked at, one at a time: of a large section little is in memory.
    """

    def __init__(
        self, source: Source, labels: LabelSnapshot, section: Section, known: Sequence[int]
    ) -> None:
        """Look for the strokes of the classes `known`."""
        self.section = section
        self._plane, self._labels = source.plane(section), labels
        self._shape = source.picture_shape(section)
        self._known = np.zeros(256, bool)
        self._known[list(known)] = True
        self._blocks = self._labelled_blocks()
        self._firsts: list[int] = []
        self._join()

    def _labelled_blocks(self) -> list[tuple[slice, slice]]:
        found = [self._plane.cells(window) for window in self._labels.labelled_windows()]
        return [cells for cells in found if cells is not None]

    @property
    def count(self) -> int:
        """Return how many strokes there are."""
        return len(self.ids) - 1

    def blocks(
        self, rows: slice | None = None, columns: slice | None = None
    ) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Yield rows, columns and the numbers int32 of the blocks that hold strokes.

        With `rows` and `columns` only those that have cells there.
        """
        for number, (down, across) in enumerate(self._blocks):
            if _meet(down, rows) and _meet(across, columns):
                local, _ = self._local(down, across)
                yield down, across, self._table[np.where(local, local + self._firsts[number], 0)]

    def at(self, cells: np.ndarray) -> np.ndarray:
        """Return the numbers int32 (n,) of cells int (n, 2)."""
        found = np.zeros(len(cells), np.int32)
        if not len(cells):
            return found
        low, high = cells.min(axis=0), cells.max(axis=0) + 1
        for rows, columns, numbers in self.blocks(slice(low[0], high[0]), slice(low[1], high[1])):
            low = np.array([rows.start, columns.start])
            inside = ((cells >= low) & (cells < low + numbers.shape)).all(axis=1)
            found[inside] = numbers[tuple((cells[inside] - low).T)]
        return found

    def along(self, other: Section) -> np.ndarray:
        """Return the numbers int32 (n,) along the line where a section of another axis crosses."""
        down = self._plane.row_axis == other.axis
        cells = np.zeros((self._shape[1 if down else 0], 2), int)
        cells[:, 0 if down else 1] = other.index
        cells[:, 1 if down else 0] = np.arange(len(cells))
        return self.at(cells)

    def parts(self, number: int) -> tuple[Part, ...]:
        """Return where a stroke is."""
        return tuple(
            Part(rows, columns, numbers == number)
            for rows, columns, numbers in self.blocks(*self.box(number))
            if (numbers == number).any()
        )

    def box(self, number: int) -> tuple[slice, slice]:
        """Return the rows and columns that a stroke takes."""
        top, bottom, left, right = self.boxes[number].tolist()
        return slice(top, bottom), slice(left, right)

    def _local(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return numbers from 1 int32 within a block, and the class of each, 0 first."""
        values = self._plane.picture(self._labels.read(self._plane.window(rows, columns)))
        numbers, ids = np.zeros(values.shape, np.int32), [np.zeros(1, np.uint8)]
        count = 0
        for one in np.unique(values).tolist():
            if not self._known[one]:
                continue
            found = np.zeros(values.shape, np.int32)
            ndimage.label(values == one, _CORNERS, output=found)
            more = int(found.max(initial=0))
            numbers += np.where(found, found + count, 0)
            ids.append(np.full(more, one, np.uint8))
            count += more
        return numbers, np.concatenate(ids)

    def _join(self) -> None:
        """Give the strokes of all blocks numbers, those that go on beyond a block one."""
        ids, boxes, sizes = [np.zeros(1, np.uint8)], [np.zeros((1, 4), int)], [np.zeros(1, int)]
        edges, first = _Edges(self._shape), 0
        for rows, columns in self._blocks:
            local, own = self._local(rows, columns)
            self._firsts.append(first)
            edges.add(rows, columns, np.where(local, local + first, 0))
            ids.append(own[1:])
            boxes.append(_boxes(local, rows.start, columns.start))
            sizes.append(np.bincount(local.ravel(), minlength=len(own))[1:])
            first += len(own) - 1
        every = np.concatenate(ids)
        self._number(every, np.concatenate(boxes), np.concatenate(sizes), edges.pairs(every))

    def _number(
        self, ids: np.ndarray, boxes: np.ndarray, sizes: np.ndarray, pairs: np.ndarray
    ) -> None:
        links = sparse.coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(ids),) * 2)
        count, table = csgraph.connected_components(links, directed=False)
        self._table = table.astype(np.int32)  # 0 is linked with nothing and comes first
        self.ids, self.sizes = np.zeros(count, np.uint8), np.bincount(table, sizes).astype(int)
        self.ids[table] = ids
        self.boxes = np.zeros((count, 4), int)
        self.boxes[:, [0, 2]] = max(self._shape)
        for column, least in enumerate((True, False, True, False)):
            (np.minimum if least else np.maximum).at(self.boxes[:, column], table, boxes[:, column])


class _Edges:
    """The lines of numbers on both sides of the borders between blocks, over the whole section."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._lines: dict[tuple[bool, int], dict[bool, np.ndarray]] = defaultdict(dict)

    def add(self, rows: slice, columns: slice, numbers: np.ndarray) -> None:
        """Take the outer lines of a block."""
        self._put((True, rows.start), False, columns, numbers[0])
        self._put((True, rows.stop), True, columns, numbers[-1])
        self._put((False, columns.start), False, rows, numbers[:, 0])
        self._put((False, columns.stop), True, rows, numbers[:, -1])

    def _put(self, border: tuple[bool, int], before: bool, part: slice, line: np.ndarray) -> None:
        sides = self._lines[border]
        if before not in sides:
            sides[before] = np.zeros(self._shape[1 if border[0] else 0], np.int64)
        sides[before][part] = line

    def pairs(self, ids: np.ndarray) -> np.ndarray:
        """Return the numbers (n, 2) that touch across a border and are of one class."""
        found = [np.zeros((0, 2), np.int64)]
        for sides in self._lines.values():
            if len(sides) < 2:
                continue
            a, b = sides[True], sides[False]
            for one, other in ((a, b), (a[1:], b[:-1]), (a[:-1], b[1:])):
                touch = (one > 0) & (other > 0) & (ids[one] == ids[other])
                found.append(np.column_stack([one[touch], other[touch]]))
        return np.concatenate(found)


def _meet(a: slice, b: slice | None) -> bool:
    return b is None or (a.start < b.stop and b.start < a.stop)


def _boxes(numbers: np.ndarray, top: int, left: int) -> np.ndarray:
    """Return (n, 4) of the boxes of the numbers 1 to n of a block."""
    found = [
        (top + rows.start, top + rows.stop, left + columns.start, left + columns.stop)
        for rows, columns in ndimage.find_objects(numbers)
    ]
    return np.array(found, int).reshape(-1, 4)

"""Labelled sections of sources, and the patches drawn from them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from geocnn_gui.data.source import Section, Source
from geocnn_gui.data.statistics import BandStatistics
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.scaling import scale_picture
from geocnn_gui.scoring.split import BlockSplit, LabelledCells

#: Sections up to this many values are kept in memory; of wider ones patches are read as needed.
_KEPT_VALUES = 32_000_000
#: Of more labelled cells of a class in a section, this many stand for all as patch centres.
_CELLS_PER_CLASS = 100_000


@dataclass
class LabelledPicture:
    """A section with labels, as a network reads it.

    `lookup` maps a label id to its class number 1..n (0: unlabelled or not trained).
    """

    source: Source
    section: Section
    labels: LabelSnapshot
    statistics: tuple[BandStatistics, ...]
    lookup: np.ndarray
    cells: LabelledCells = field(init=False)
    split: BlockSplit | None = None
    _kept: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.plane = self.source.plane(self.section)
        self.shape = self.source.picture_shape(self.section)
        self.cells = self._find_cells()

    def _find_cells(self) -> LabelledCells:
        nothing = np.zeros(0, np.int64)
        rows, columns, classes = [nothing], [nothing], [nothing]
        for window in self.labels.labelled_windows():
            part = self.plane.cells(window)
            if part is None:
                continue
            numbers = self._labels(*part)
            r, c = np.nonzero(numbers)
            rows.append(r + part[0].start)
            columns.append(c + part[1].start)
            classes.append(numbers[r, c].astype(np.int64) - 1)
        return _thin(np.concatenate(rows), np.concatenate(columns), np.concatenate(classes))

    def _labels(self, rows: slice, columns: slice) -> np.ndarray:
        ids = self.plane.picture(self.labels.read(self.plane.window(rows, columns)))
        live = self.plane.picture(self.source.live(self.plane.window(rows, columns)))
        return np.where(live, self.lookup[ids], 0)

    def values(self, rows: slice, columns: slice) -> np.ndarray:
        """Return scaled values float32 (bands, rows, columns) of bounded slices."""
        if self._kept is None and np.prod(self.shape) * len(self.statistics) <= _KEPT_VALUES:
            whole = self.source.read_picture(
                self.section, slice(0, self.shape[0]), slice(0, self.shape[1])
            )
            self._kept = scale_picture(whole, self.statistics)
        if self._kept is not None:
            return self._kept[:, rows, columns]
        return scale_picture(self.source.read_picture(self.section, rows, columns), self.statistics)

    def training_labels(self, rows: slice, columns: slice, *, buffer: int) -> np.ndarray:
        """Return class numbers uint8 (rows, columns) without those held out and `buffer` around."""
        numbers = self._labels(rows, columns)
        if self.split is not None:
            numbers = np.where(self.split.mask(rows, columns, grow=buffer), 0, numbers)
        return numbers

    def held_labels(self, rows: slice, columns: slice) -> np.ndarray:
        """Return class numbers uint8 (rows, columns) of the held-out cells only."""
        assert self.split is not None
        return np.where(self.split.mask(rows, columns), self._labels(rows, columns), 0)

    def patch(
        self, row: int, column: int, side: int, *, buffer: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return values (bands, side, side) and class numbers (side, side) around a cell.

        Beyond the picture values are reflected and labels are 0.
        """
        spans, pads = [], []
        for at, size in zip((row, column), self.shape, strict=True):
            start = at - side // 2
            spans.append(slice(max(start, 0), min(start + side, size)))
            pads.append((max(-start, 0), max(start + side - size, 0)))
        values = self.values(*spans)
        numbers = self.training_labels(*spans, buffer=buffer)
        if any(sum(pad) for pad in pads):
            values = np.pad(values, [(0, 0), *pads], mode="symmetric")
            numbers = np.pad(numbers, pads)
        return values, numbers


def _thin(rows: np.ndarray, columns: np.ndarray, classes: np.ndarray) -> LabelledCells:
    """Keep at most `_CELLS_PER_CLASS` cells of each class, chosen evenly."""
    kept = [np.zeros(0, np.int64)]
    for number in np.unique(classes):
        found = np.flatnonzero(classes == number)
        step = -(-len(found) // _CELLS_PER_CLASS)
        kept.append(found[::step])
    chosen = np.concatenate(kept)
    return LabelledCells(rows[chosen], columns[chosen], classes[chosen])


class PatchSampler:
    """Draw patches whose middle lies on a labelled cell; same seed, same patches."""

    def __init__(
        self,
        pictures: list[LabelledPicture],
        *,
        classes: int,
        balance: bool,
        buffer: int,
        seed: int,
    ) -> None:
        self._pictures = pictures
        self._buffer = buffer
        self._random = np.random.default_rng(seed)
        table = [
            np.stack([np.full(len(c.rows), i), c.rows, c.columns, c.classes], 1)
            for i, c in enumerate(_training_cells(p, buffer) for p in pictures)
        ]
        cells = np.concatenate(table)
        self._by_class = [cells[cells[:, 3] == k, :3] for k in range(classes)]
        counts = np.array([len(c) for c in self._by_class], float)
        # The square root lies between drawing classes as they come and all alike.
        weights = np.sqrt(counts) if balance else counts
        self._shares = weights / weights.sum()
        self.counts = counts

    def draw(self, n: int, side: int, *, jitter: int) -> tuple[np.ndarray, np.ndarray]:
        """Return values float32 (n, bands, side, side) and class numbers uint8 (n, side, side).

        Middles lie within `jitter` cells of a labelled cell.
        """
        patches = []
        for number in self._random.choice(len(self._shares), n, p=self._shares):
            cells = self._by_class[number]
            picture, row, column = cells[self._random.integers(len(cells))]
            move_row, move_column = self._random.integers(-jitter, jitter + 1, 2)
            picture = self._pictures[picture]
            row = int(np.clip(row + move_row, 0, picture.shape[0] - 1))
            column = int(np.clip(column + move_column, 0, picture.shape[1] - 1))
            patches.append(picture.patch(row, column, side, buffer=self._buffer))
        values, numbers = zip(*patches, strict=True)
        return np.stack(values), np.stack(numbers)


def _training_cells(picture: LabelledPicture, buffer: int) -> LabelledCells:
    cells, split = picture.cells, picture.split
    if split is None or not len(cells.rows):
        return cells
    free = ~split.is_held(cells.rows, cells.columns, grow=buffer)
    return LabelledCells(cells.rows[free], cells.columns[free], cells.classes[free])

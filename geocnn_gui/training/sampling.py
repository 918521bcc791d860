"""Labelled sections of sources, and the patches drawn from them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from geocnn_gui.data.source import Section, Source
from geocnn_gui.data.statistics import BandStatistics
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.scaling import scale_picture
from geocnn_gui.scoring.regions import PlaneSplit
from geocnn_gui.scoring.split import LabelledCells
from geocnn_gui.training.held import dense_logits, held_windows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from geocnn_gui.inference.device import Device
    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.training.held import HeldWindow

#: Values of sections kept in memory, all together; of further ones patches are read as needed.
_KEPT_VALUES = 64_000_000
#: All at once, a step takes patches of so many values.
_AT_ONCE_VALUES = 32_000_000
#: Of more labelled cells of a class in a source, about this many stand for all as patch centres.
_CELLS_PER_CLASS = 200_000


@dataclass
class LabelledPicture:
    """A section with labels, as a network reads it.

    `lookup` maps a label id to its class number 1..n (0: unlabelled or not trained). `kept`
    says whether its values stay in memory. Run `find_cells` once before anything else.
    """

    #: What stands for no label in patches.
    nowhere: ClassVar[float] = 0

    source: Source
    section: Section
    labels: LabelSnapshot
    statistics: tuple[BandStatistics, ...]
    lookup: np.ndarray
    kept: bool = False
    cells: LabelledCells = field(init=False)
    split: PlaneSplit | None = None
    _values: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.plane = self.source.plane(self.section)
        self.shape = self.source.picture_shape(self.section)
        #: Whether each cell is a sample of its own, and which records they were cut from.
        self.samples = False
        self.records: np.ndarray | None = None

    def find_cells(self) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
        """Set `cells`, chunk by chunk; yields each with its rows and columns and class numbers."""
        parts = [np.zeros((3, 0), np.int32)]
        steps = self._steps()
        for window in self.labels.labelled_windows():
            part = self.plane.cells(window)
            if part is not None:
                numbers = self.class_numbers(*part)
                parts.append(_thinned(numbers, part, steps))
                yield part, numbers
        rows, columns, classes = np.concatenate(parts, axis=1).astype(np.int64)
        own = tuple(int(step) for step in steps[1:])
        self.cells = LabelledCells(rows, columns, classes, step=int(steps.max()), steps=own)

    def _steps(self) -> np.ndarray:
        """Return for each class number: of so many of its cells in a row one is taken."""
        totals = np.zeros(int(self.lookup.max()) + 1, np.int64)
        for number, count in self.labels.counts.items():
            totals[self.lookup[number]] += count
        return np.maximum(1, -(-totals // _CELLS_PER_CLASS))

    def class_numbers(self, rows: slice, columns: slice) -> np.ndarray:
        """Return class numbers uint8 (rows, columns) of the live, labelled cells, else 0."""
        ids = self.plane.picture(self.labels.read(self.plane.window(rows, columns)))
        live = self.plane.picture(self.source.live(self.plane.window(rows, columns)))
        return np.where(live, self.lookup[ids], 0)

    def values(self, rows: slice, columns: slice) -> np.ndarray:
        """Return scaled values float32 (bands, rows, columns) of bounded slices."""
        if self.kept and self._values is None:
            whole = self.source.read_picture(
                self.section, slice(0, self.shape[0]), slice(0, self.shape[1])
            )
            self._values = scale_picture(whole, self.statistics)
        if self._values is not None:
            return self._values[:, rows, columns]
        return scale_picture(self.source.read_picture(self.section, rows, columns), self.statistics)

    def training_labels(self, rows: slice, columns: slice) -> np.ndarray:
        """Return class numbers uint8 (rows, columns) without those held out or too near to that."""
        numbers = self.class_numbers(rows, columns)
        if self.split is not None:
            numbers = np.where(self.split.near_mask(rows, columns), 0, numbers)
        return numbers

    def patch(self, row: int, column: int, form: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return values (bands, *form) and class numbers (*form) around a cell.

        `form` is rows, columns. Beyond the picture values are reflected and labels are 0.
        """
        spans, pads = [], []
        for at, size, side in zip((row, column), self.shape, form, strict=True):
            start = at - side // 2
            spans.append(slice(max(start, 0), min(start + side, size)))
            pads.append((max(-start, 0), max(start + side - size, 0)))
        values = self.values(*spans)
        numbers = self.training_labels(*spans)
        if any(sum(pad) for pad in pads):
            values = np.pad(values, [(0, 0), *pads], mode="symmetric")
            numbers = np.pad(numbers, pads, constant_values=self.nowhere)
        return values, numbers

    def moved(self, row: int, column: int, move: tuple[int, int]) -> tuple[int, int]:
        """Return the cell that lies `move` from another, or the nearest within the picture."""
        along = zip((row, column), move, self.shape, strict=True)
        row, column = (int(np.clip(at + by, 0, size - 1)) for at, by, size in along)
        return row, column

    def held_windows(self, net: SegmentationNet) -> Iterator[HeldWindow]:
        """Yield the windows to predict for what is held out of this picture."""
        return held_windows(self, net)

    def logits(self, net: SegmentationNet, part: tuple[slice, slice], device: Device) -> Tensor:
        """Return logits float32 (classes, rows, columns) of a part, on the CPU."""
        return dense_logits(self, net, part, device)


def _thinned(numbers: np.ndarray, part: tuple[slice, slice], steps: np.ndarray) -> np.ndarray:
    """Return int32 (3, n): rows, columns, class indices of a chunk, evenly thinned."""
    found = [np.zeros((3, 0), np.int64)]
    for number in np.unique(numbers[numbers > 0]):
        rows, columns = np.nonzero(numbers == number)
        step = int(steps[number])
        taken = slice((part[0].start + part[1].start) % step, None, step)
        rows, columns = rows[taken] + part[0].start, columns[taken] + part[1].start
        found.append(np.stack([rows, columns, np.full(len(rows), number - 1)]))
    return np.concatenate(found, axis=1).astype(np.int32)


def keep_small(pictures: list[LabelledPicture]) -> None:
    """Mark the pictures whose values stay in memory: as many as fit the budget, in order."""
    left = _KEPT_VALUES
    for picture in pictures:
        size = int(np.prod(picture.shape)) * len(picture.statistics)
        picture.kept = size <= left
        left -= size if picture.kept else 0


def thinned_by(cells: int, pictures: list[LabelledPicture], form: tuple[int, ...]) -> int:
    """Return of how many labelled cells one is taken, where a step takes all at once."""
    values = math.prod(form) * max(1, len(pictures[0].source.bands))
    return max(1, -(-cells * values // _AT_ONCE_VALUES))


def patches_at_once(pictures: list[LabelledPicture], form: tuple[int, ...]) -> int:
    """Return the most patches of a step that takes all at once."""
    cells = sum(len(picture.cells.rows) for picture in pictures)
    return -(-cells // thinned_by(cells, pictures, form))


class PatchSampler:
    """Draw patches whose middle lies on a labelled cell; same seed, same patches."""

    def __init__(
        self,
        pictures: list[LabelledPicture],
        *,
        classes: int,
        balance: bool,
        seed: int,
        most: int | None = None,
    ) -> None:
        """Take the pictures' labelled cells, evenly thinned to `most` where that is given."""
        self._pictures = pictures
        self._random = np.random.default_rng(seed)
        own = [_training_cells(p) for p in pictures]
        table = [
            np.stack([np.full(len(c.rows), i), c.rows, c.columns, c.classes], 1)
            for i, c in enumerate(own)
        ]
        cells = np.concatenate(table)
        self._by_class = [cells[cells[:, 3] == k, :3] for k in range(classes)]
        # Of classes with very many labels, those that the listed cells stand for.
        counts = np.sum([np.bincount(c.classes, c.stands_for, classes) for c in own], axis=0)
        if most is not None and len(cells) > most:
            step = -(-len(cells) // most)
            self._by_class = [each[::step] for each in self._by_class]
            cells = np.concatenate(self._by_class)
        self._cells = cells[:, :3]
        # The square root lies between drawing classes as they come and all alike.
        weights = np.sqrt(counts) if balance else counts
        self.shares = weights / weights.sum()
        self.counts = counts

    @property
    def state(self) -> dict[str, Any]:
        """Return where its random numbers are, as plain numbers."""
        return dict(self._random.bit_generator.state)

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._random.bit_generator.state = state

    def whole(self, form: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return a patch around every labelled cell, evenly thinned where they are too many."""
        places = self.every_place(form)
        patches = [self._pictures[p].patch(row, column, form) for p, row, column in places]
        values, numbers = zip(*patches, strict=True)
        return np.stack(values), np.stack(numbers)

    def whole_in_words(self, form: tuple[int, ...]) -> str:
        """Say how many patches `whole` gives."""
        step = thinned_by(len(self._cells), self._pictures, form)
        many = f"All at once: {-(-len(self._cells) // step):,} patches in a step"
        return f"{many}." if step == 1 else f"{many}, around every {step:,}. labelled cell."

    def draw(
        self, n: int, form: tuple[int, ...], *, jitter: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return values float32 (n, bands, *form) and class numbers uint8 (n, *form).

        Middles lie within `jitter` (rows, columns) of a labelled cell.
        """
        places = self.places(n, jitter=jitter)
        patches = [self._pictures[p].patch(row, column, form) for p, row, column in places]
        values, numbers = zip(*patches, strict=True)
        return np.stack(values), np.stack(numbers)

    def places(self, n: int, *, jitter: tuple[int, int]) -> list[tuple[int, int, int]]:
        """Return where `draw` would take patches: numbers of pictures, rows, columns."""
        low, high = -np.array(jitter), np.array(jitter) + 1
        found = []
        for number in self._random.choice(len(self.shares), n, p=self.shares):
            cells = self._by_class[number]
            picture, row, column = cells[self._random.integers(len(cells))]
            move_row, move_column = self._random.integers(low, high)
            row, column = self._pictures[picture].moved(row, column, (move_row, move_column))
            found.append((int(picture), int(row), int(column)))
        return found

    @property
    def all_places(self) -> list[tuple[int, int, int]]:
        """Return all places that `places` draws from, without moving them."""
        return [(int(p), int(row), int(column)) for p, row, column in self._cells]

    def every_place(self, form: tuple[int, ...]) -> list[tuple[int, int, int]]:
        """Return where `whole` takes patches."""
        step = thinned_by(len(self._cells), self._pictures, form)
        return [(int(p), int(row), int(column)) for p, row, column in self._cells[::step]]


def _training_cells(picture: LabelledPicture) -> LabelledCells:
    cells, split = picture.cells, picture.split
    if split is None or not len(cells.rows):
        return cells
    free = ~split.is_near(cells.rows, cells.columns)
    return LabelledCells(
        cells.rows[free], cells.columns[free], cells.classes[free], cells.step, cells.steps
    )

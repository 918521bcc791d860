"""Choose which labels are held out for the score: whole blocks, never single pixels."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from geocnn_gui.data.source import Plane

#: Sides of blocks tried, in cells, from the widest; the first that leaves enough blocks is taken.
BLOCK_SIDES = (256, 192, 128, 96, 64, 48, 32, 16)
_ENOUGH_BLOCKS = 10
_DRAWS = 400
#: A block of a source: number of the source, then the block's place along each axis.
_Key = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LabelledCells:
    """Where a picture's labelled cells lie: `rows`, `columns` int, `classes` index 0..n-1.

    Of a picture with very many only every `step`-th may be listed.
    """

    rows: np.ndarray
    columns: np.ndarray
    classes: np.ndarray
    step: int = 1


@dataclass(frozen=True, slots=True)
class LabelledPlane:
    """A picture of source number `source`: how it lies there, its shape, its labelled cells."""

    source: int
    plane: Plane
    shape: tuple[int, int]
    cells: LabelledCells


@dataclass(frozen=True, slots=True)
class BlockSplit:
    """Blocks of `side` cells of one picture, bool (block rows, block columns).

    `held` are scored. `near` are those too close to train on, also seen across the sections of
    a cube: a held-out block of the next inline is no new ground.
    """

    side: int
    held: np.ndarray
    near: np.ndarray

    def is_held(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Say for each cell whether it is held out."""
        return self.held[rows // self.side, columns // self.side]

    def is_near(self, rows: np.ndarray, columns: np.ndarray, buffer: int) -> np.ndarray:
        """Say for each cell whether held-out ground lies within `buffer` (at most a side) of it."""
        found = np.zeros(len(rows), bool)
        for down in {-buffer, 0, buffer}:
            for right in {-buffer, 0, buffer}:
                row = np.clip((rows + down) // self.side, 0, self.near.shape[0] - 1)
                column = np.clip((columns + right) // self.side, 0, self.near.shape[1] - 1)
                found |= self.near[row, column]
        return found

    def held_mask(self, rows: slice, columns: slice) -> np.ndarray:
        """Return bool (rows, columns): cells held out."""
        return self._mask(self.held, rows, columns, 0)

    def near_mask(self, rows: slice, columns: slice, buffer: int) -> np.ndarray:
        """Return bool (rows, columns): cells within `buffer` of held-out ground."""
        return self._mask(self.near, rows, columns, buffer)

    def _mask(self, blocks: np.ndarray, rows: slice, columns: slice, grow: int) -> np.ndarray:
        mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
        for block_row, block_column in np.argwhere(blocks):
            top, left = block_row * self.side - grow, block_column * self.side - grow
            high = self.side + 2 * grow
            mask[
                max(top - rows.start, 0) : max(top + high - rows.start, 0),
                max(left - columns.start, 0) : max(left + high - columns.start, 0),
            ] = True
        return mask


def choose_blocks(
    pictures: list[LabelledPlane], *, classes: int, share: float, buffer: int, seed: int
) -> list[BlockSplit] | None:
    """Hold out blocks with about `share` of every class's labels; one split per picture.

    Blocks are boxes of the source, so the sections of a cube hold out the same ground. Every
    class keeps labels to train on farther than `buffer` from all that is held out. Returns None
    when the labels lie in too few blocks for that.
    """
    if share <= 0:
        return None
    for side in BLOCK_SIDES:
        keys, counts = _count(pictures, side, classes)
        if len(keys) < (4 if side == BLOCK_SIDES[-1] else _ENOUGH_BLOCKS):
            continue
        chosen = _draw(counts, share, np.random.default_rng(seed))
        if chosen is None:
            continue
        held = {keys[i] for i in chosen}
        splits = [_split(picture, held, side, buffer) for picture in pictures]
        if _every_class_stays(pictures, splits, buffer, counts.sum(0) > 0):
            return splits
    return None


def _grid(shape: tuple[int, int], side: int) -> tuple[int, int]:
    return -(-shape[0] // side), -(-shape[1] // side)


def _count(pictures: list[LabelledPlane], side: int, classes: int) -> tuple[list[_Key], np.ndarray]:
    """Return the blocks that hold labels, and their labels per class (blocks, classes)."""
    total: dict[_Key, np.ndarray] = defaultdict(lambda: np.zeros(classes, np.int64))
    for picture in pictures:
        height, width = _grid(picture.shape, side)
        cells = picture.cells
        flat = ((cells.rows // side) * width + cells.columns // side) * classes + cells.classes
        table = np.bincount(flat, minlength=height * width * classes).reshape(-1, classes)
        for block in np.flatnonzero(table.sum(1)):
            total[_key(picture, side, int(block // width), int(block % width))] += table[block]
    return list(total), np.array(list(total.values())).reshape(-1, classes)


def _key(picture: LabelledPlane, side: int, row: int, column: int) -> _Key:
    """Return which block of the source a picture's block lies in."""
    plane = picture.plane
    place = [0] * plane.ndim
    place[plane.row_axis], place[plane.column_axis] = row, column
    if plane.section.axis is not None:
        place[plane.section.axis] = plane.section.index // side
    return (picture.source, *place)


def _split(picture: LabelledPlane, held: set[_Key], side: int, buffer: int) -> BlockSplit:
    """Return what the blocks `held` of the source mean for a picture."""
    plane = picture.plane
    axis, index = plane.section.axis, plane.section.index
    here, near = np.zeros((2, *_grid(picture.shape, side)), bool)
    for source, *place in held:
        if source != picture.source:
            continue
        block = place[plane.row_axis], place[plane.column_axis]
        slab = None if axis is None else place[axis]
        here[block] |= slab in (None, index // side)
        near[block] |= slab in (None, *((index + off) // side for off in (-buffer, 0, buffer)))
    return BlockSplit(side, here, near)


def _every_class_stays(
    pictures: list[LabelledPlane], splits: list[BlockSplit], buffer: int, present: np.ndarray
) -> bool:
    left = np.zeros(len(present), np.int64)
    for picture, split in zip(pictures, splits, strict=True):
        cells = picture.cells
        free = ~split.is_near(cells.rows, cells.columns, buffer)
        left += np.bincount(cells.classes[free], minlength=len(left))
    return bool(np.all(left[present] > 0))


def _draw(counts: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray | None:
    """Return the indices of the blocks, of many random choices the most even over classes."""
    total = counts.sum(0)
    held_number = max(1, round(share * len(counts)))
    best, best_cost = None, np.inf
    for _ in range(_DRAWS):
        number = int(np.clip(held_number + rng.integers(-1, 2), 1, len(counts) - 1))
        chosen = rng.choice(len(counts), number, replace=False)
        held = counts[chosen].sum(0)
        if np.any((held == total) & (total > 0)):  # a class would be lost for training
            continue
        shares = held[total > 0] / total[total > 0]
        cost = np.abs(shares - share).mean() + 0.5 * (shares == 0).mean()
        if cost < best_cost:
            best, best_cost = chosen, cost
    return best

"""Choose which labels are held out for the score: whole blocks, never single pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Sides of blocks tried, in cells, from the widest; the first that leaves enough blocks is taken.
BLOCK_SIDES = (256, 192, 128, 96, 64, 48, 32, 16)
_ENOUGH_BLOCKS = 10
_DRAWS = 400


@dataclass(frozen=True, slots=True)
class LabelledCells:
    """Where a picture's labelled cells lie: `rows`, `columns` int, `classes` index 0..n-1."""

    rows: np.ndarray
    columns: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True, slots=True)
class BlockSplit:
    """Blocks of `side` cells of one picture; `held` bool (block rows, block columns)."""

    side: int
    held: np.ndarray

    def is_held(self, rows: np.ndarray, columns: np.ndarray, *, grow: int = 0) -> np.ndarray:
        """Say for each cell whether a held-out block lies within `grow` (at most a side) of it."""
        held = np.zeros(len(rows), bool)
        for down in {-grow, 0, grow}:
            for right in {-grow, 0, grow}:
                row = np.clip((rows + down) // self.side, 0, self.held.shape[0] - 1)
                column = np.clip((columns + right) // self.side, 0, self.held.shape[1] - 1)
                held |= self.held[row, column]
        return held

    def mask(self, rows: slice, columns: slice, *, grow: int = 0) -> np.ndarray:
        """Return bool (rows, columns): cells held out, grown by `grow` cells on each side."""
        mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
        for block_row, block_column in np.argwhere(self.held):
            top, left = block_row * self.side - grow, block_column * self.side - grow
            high = self.side + 2 * grow
            mask[
                max(top - rows.start, 0) : max(top + high - rows.start, 0),
                max(left - columns.start, 0) : max(left + high - columns.start, 0),
            ] = True
        return mask


def choose_blocks(
    pictures: list[LabelledCells],
    shapes: list[tuple[int, int]],
    *,
    classes: int,
    share: float,
    seed: int,
) -> list[BlockSplit] | None:
    """Hold out blocks with about `share` of every class's labels; one split per picture.

    Every class that is held out also stays in training. Returns None when the labels lie in too
    few blocks for that.
    """
    if share <= 0:
        return None
    for side in BLOCK_SIDES:
        counts, places = _count(pictures, shapes, side, classes)
        if len(counts) >= _ENOUGH_BLOCKS or (side == BLOCK_SIDES[-1] and len(counts) >= 4):
            chosen = _draw(counts, share, np.random.default_rng(seed))
            if chosen is not None:
                return _as_splits(places[chosen], shapes, side)
    return None


def _grid(shape: tuple[int, int], side: int) -> tuple[int, int]:
    return -(-shape[0] // side), -(-shape[1] // side)


def _count(
    pictures: list[LabelledCells], shapes: list[tuple[int, int]], side: int, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels per non-empty block (blocks, classes) and where it lies (blocks, 3)."""
    counts, places = [], []
    for number, (cells, shape) in enumerate(zip(pictures, shapes, strict=True)):
        height, width = _grid(shape, side)
        flat = ((cells.rows // side) * width + cells.columns // side) * classes + cells.classes
        table = np.bincount(flat, minlength=height * width * classes).reshape(-1, classes)
        full = np.flatnonzero(table.sum(1))
        counts.append(table[full])
        places.append(np.stack([np.full(len(full), number), full // width, full % width], 1))
    return np.concatenate(counts), np.concatenate(places)


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


def _as_splits(places: np.ndarray, shapes: list[tuple[int, int]], side: int) -> list[BlockSplit]:
    splits = [BlockSplit(side, np.zeros(_grid(shape, side), bool)) for shape in shapes]
    for number, row, column in places:
        splits[number].held[row, column] = True
    return splits

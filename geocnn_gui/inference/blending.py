"""Blend the probabilities of windows that overlap, so that no seam shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from geocnn_gui.inference.tiles import Tile


@dataclass(frozen=True, slots=True)
class _Kept:
    """Probabilities (classes, h, w) of a window from picture row `top` on; None of a dead one."""

    shares: Tensor | None
    top: int
    left: int

    def cut(self, rows: slice, columns: slice) -> Tensor | None:
        if self.shares is None:
            return None
        return self.shares[
            :,
            rows.start - self.top : rows.stop - self.top,
            columns.start - self.left : columns.stop - self.left,
        ]


class Blender:
    """Blends the windows of one picture as they come, row by row.

    In the cells where a window overlaps those above it and to its left it is faded in with a
    raised cosine while they are faded out; the weights of a cell add up to one. `grid` are the
    tiles of `tiles.blend_windows`.
    """

    def __init__(self, grid: Iterable[Tile], overlap: int) -> None:
        self._tiles, self._overlap = list(grid), overlap
        self._size = (self._tiles[-1].rows.stop, self._tiles[-1].columns.stop)
        lefts = {tile.columns.start for tile in self._tiles}
        self._across = len(lefts)
        self._kept: dict[int, _Kept] = {}

    def windows_for(self, numbers: Iterable[int]) -> list[int]:
        """Return the windows that tiles depend on: their own and those above and left, in order."""
        needed = {n for number in numbers for n in self._neighbours(number)}
        return sorted(needed)

    def _neighbours(self, number: int) -> list[int]:
        """Return a tile and those above, left, and above left that overlap it."""
        row, column = divmod(number, self._across)
        return [
            r * self._across + c
            for r in (row - 1, row)
            for c in (column - 1, column)
            if r >= 0 and c >= 0
        ]

    def keep(self, number: int, shares: Tensor | None) -> None:
        """Take the probabilities of a window."""
        tile = self._tiles[number]
        self._kept[number] = _Kept(shares, tile.rows.start, tile.columns.start)

    def blend(self, number: int) -> Tensor | None:
        """Return probabilities (classes, h, w) of tile `number`, None where its window is dead.

        The windows of `windows_for` have been kept, those of `number` last.
        """
        tile, own = self._tiles[number], self._kept[number].shares
        if own is None:
            return None
        size = (tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start)
        total, weights = own.new_zeros(len(own), *size), own.new_zeros(size)
        for neighbour in self._neighbours(number):
            self._add(neighbour, tile, total, weights)
        return total / weights

    def _add(self, number: int, tile: Tile, total: Tensor, weights: Tensor) -> None:
        other = self._tiles[number]
        rows, columns = (
            slice(a.start, min(a.stop, b.stop))
            for a, b in ((tile.rows, other.wide_rows), (tile.columns, other.wide_columns))
        )
        part = self._kept[number].cut(rows, columns)
        if part is None:  # dead: its cells weigh nothing
            return
        down = fade(rows, other.rows, other.wide_rows, self._overlaps(other.rows, 0))
        across = fade(columns, other.columns, other.wide_columns, self._overlaps(other.columns, 1))
        down, across = (torch.from_numpy(each).to(part.device) for each in (down, across))
        weight = down[:, None] * across[None]
        height, width = weight.shape
        total[:, :height, :width] += part * weight
        weights[:height, :width] += weight

    def _overlaps(self, own: slice, axis: int) -> int:
        """Return by how much the window before one that begins at `own.start` reaches into it."""
        return min(self._overlap, self._size[axis] - own.start) if own.start else 0

    def drop(self, number: int) -> None:
        """Forget, after window `number`, what no later tile needs."""
        column = number % self._across
        if column:
            self._kept.pop(number - self._across - 1, None)
            if number - 1 in self._kept:
                self._kept[number - 1] = self._below(number - 1)
        if column == self._across - 1:
            self._kept.pop(number - self._across, None)

    def _below(self, number: int) -> _Kept:
        """Return what the tiles below need of a window."""
        kept, tile = self._kept[number], self._tiles[number]
        cut = tile.rows.stop - kept.top
        if kept.shares is None or cut <= 0:
            return kept
        return _Kept(kept.shares[:, cut:].clone(), tile.rows.stop, kept.left)


def fade(part: slice, own: slice, wide: slice, before: int) -> np.ndarray:
    """Return the weight float32 of a window along one axis, for picture cells `part`.

    It rises over the `before` cells that the window before shares with it, is 1 inside, and
    falls from `own.stop` to the window's end, by curves that make up for each other.
    """
    cells = np.arange(part.start, part.stop) + 0.5
    weights = np.ones(len(cells))
    if before:
        weights *= 0.5 - 0.5 * np.cos(np.pi * np.clip((cells - own.start) / before, 0, 1))
    if wide.stop > own.stop:
        away = np.clip((cells - own.stop) / (wide.stop - own.stop), 0, 1)
        weights *= 0.5 + 0.5 * np.cos(np.pi * away)
    return weights.astype(np.float32)

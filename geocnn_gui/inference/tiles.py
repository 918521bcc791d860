"""Cut a picture into tiles whose cores, put together, equal a prediction of the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Side of a tile's core in cells: one forward pass, and what Stop has to wait for.
CORE = 512


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture to predict, `rows` x `columns`, and the wider part to look at for it.

    `wide_rows` and `wide_columns` reach a halo further, as far as the picture goes.
    """

    rows: slice
    columns: slice
    wide_rows: slice
    wide_columns: slice

    @property
    def core(self) -> tuple[slice, slice]:
        """Return where `rows` and `columns` lie in an array that begins where the wide part does."""
        top, left = self.wide_rows.start, self.wide_columns.start
        return (
            slice(self.rows.start - top, self.rows.stop - top),
            slice(self.columns.start - left, self.columns.stop - left),
        )

    @property
    def seen(self) -> int:
        """Count the cells that it looks at."""
        return _length(self.wide_rows) * _length(self.wide_columns)

    @property
    def form(self) -> tuple[int, ...]:
        """Return what tiles that go through a network together have in common."""
        (rows, columns), size = self.core, (self.wide_rows, self.wide_columns)
        return (*map(_length, size), rows.start, rows.stop, columns.start, columns.stop)

    @property
    def window(self) -> Tile:
        """Return the tile that predicts all that this one looks at."""
        return Tile(self.wide_rows, self.wide_columns, self.wide_rows, self.wide_columns)

    def pieces(self, *, halo: int, stride: int, core: int) -> Iterator[Tile]:
        """Yield smaller tiles that put together equal this one; none looks beyond it."""
        down = _cuts(self.rows, self.wide_rows, halo, max(1, core // stride) * stride)
        across = _cuts(self.columns, self.wide_columns, halo, max(1, core // stride) * stride)
        for rows, wide_rows in down:
            for columns, wide_columns in across:
                yield Tile(rows, columns, wide_rows, wide_columns)


def tiles(shape: tuple[int, int], *, halo: int, stride: int, core: int = CORE) -> Iterator[Tile]:
    """Yield the tiles of a picture of `shape`, row by row; their cores cover it once.

    Wide parts begin on the grid of the network's `stride`, as the whole picture does, and hold
    all that can change the core: the `halo`, or the picture to its edge. So tiles need no
    blending, and no padding but at the picture's own edge.
    """
    halo = -(-halo // stride) * stride
    down, across = (starts(size, core, stride) for size in shape)
    for rows, wide_rows in _spans(down, shape[0], halo):
        for columns, wide_columns in _spans(across, shape[1], halo):
            yield Tile(rows, columns, wide_rows, wide_columns)


def blend_windows(
    shape: tuple[int, int], *, overlap: int, stride: int, core: int
) -> Iterator[Tile]:
    """Yield tiles of about `core`, row by row, that look `overlap` further down and right.

    They are to be predicted as pictures of their own (`Tile.window`) and blended where they
    overlap.
    """
    down, across = (starts(size, core, stride) for size in shape)
    for top in down:
        for left in across:
            spans = ((top, down.step, shape[0]), (left, across.step, shape[1]))
            rows, columns = (slice(a, min(a + step, size)) for a, step, size in spans)
            wide = (slice(a, min(a + step + overlap, size)) for a, step, size in spans)
            yield Tile(rows, columns, *wide)


def tile_count(shape: tuple[int, int], *, stride: int, core: int = CORE) -> int:
    """Return how many tiles `tiles` yields."""
    down, across = (starts(size, core, stride) for size in shape)
    return len(down) * len(across)


def starts(size: int, core: int, stride: int) -> range:
    """Return where cores begin: of about equal size, for a narrow last one costs a whole halo."""
    core = max(1, core // stride) * stride
    parts = -(-size // core)
    return range(0, size, -(-size // (parts * stride)) * stride)


def _spans(starts: range, size: int, halo: int) -> list[tuple[slice, slice]]:
    return [
        (
            slice(start, min(start + starts.step, size)),
            slice(max(0, start - halo), min(start + starts.step + halo, size)),
        )
        for start in starts
    ]


def _cuts(part: slice, wide: slice, halo: int, core: int) -> list[tuple[slice, slice]]:
    return [
        (
            slice(start, min(start + core, part.stop)),
            slice(max(wide.start, start - halo), min(start + core + halo, wide.stop)),
        )
        for start in range(part.start, part.stop, core)
    ]


def _length(part: slice) -> int:
    return part.stop - part.start


def pad_to_stride(values: np.ndarray, stride: int) -> np.ndarray:
    """Return (bands, h, w) reflected at bottom and right to multiples of `stride`.

    Reflection repeats where the picture is smaller than what is missing; a single row or column
    is repeated as it is.
    """
    pads = [(0, -size % stride) for size in values.shape[1:]]
    if not any(after for _, after in pads):
        return values
    return np.pad(values, [(0, 0), *pads], mode="reflect")

"""Random patches of sources without labels, drawn from blocks that are read little by little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Section
from geocnn_gui.data.statistics import estimate_statistics
from geocnn_gui.models.scaling import scale_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geocnn_gui.data.source import Source
    from geocnn_gui.data.statistics import BandStatistics

#: Side of a patch, of the blocks that are read, how many of these are held, and in how many bytes.
PATCH, _BLOCK, _HELD, _ROOM = 128, 384, 48, 2**27
#: A block with fewer live cells than this share is not taken, if another one can be had.
_LEAST_LIVE, _TRIES = 0.2, 8


class Patches:
    """Draws patches, all sources alike; with each draw one more block of data is read.

    Sections of cubes are taken along every axis. The same seed draws the same patches.
    """

    def __init__(self, sources: Sequence[Source], seed: int) -> None:
        self._sources = [(source, estimate_statistics(source)) for source in sources]
        self._random = np.random.default_rng(seed)
        self._blocks: list[tuple[np.ndarray, np.ndarray]] = []
        cell = max(4 * len(source.bands) + 1 for source in sources)  # float32, and one bool
        self._most = min(_HELD, max(1, _ROOM // (cell * _BLOCK**2)))
        self._oldest = 0

    def draw(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return scaled values float32 (count, bands, side, side) and live cells bool.

        Live cells are (count, 1, side, side). Smaller pictures are mirrored at their ends.
        """
        self._read_one()
        pairs = [self._patch(*self._blocks[i])
                 for i in self._random.integers(0, len(self._blocks), count)]  # fmt: skip
        return np.stack([values for values, _ in pairs]), np.stack(
            [live[None] for _, live in pairs]
        )

    def _read_one(self) -> None:
        number = self._random.integers(0, len(self._sources))
        block = self._block(*self._sources[number])
        for _ in range(_TRIES):
            if block[1].mean() >= _LEAST_LIVE:
                break
            block = self._block(*self._sources[number])
        if len(self._blocks) < self._most:
            self._blocks.append(block)
        else:
            self._blocks[self._oldest] = block
            self._oldest = (self._oldest + 1) % self._most

    def _block(
        self, source: Source, statistics: tuple[BandStatistics, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        section = self._section(source)
        parts = []
        for size in source.picture_shape(section):
            start = int(self._random.integers(0, max(1, size - _BLOCK + 1)))
            parts.append(slice(start, min(start + _BLOCK, size)))
        picture = source.read_picture(section, *parts)
        values, live = scale_picture(picture, statistics), picture.live
        more = [(0, max(0, PATCH - size)) for size in live.shape]
        return np.pad(values, ((0, 0), *more), mode="symmetric"), np.pad(live, more, "symmetric")

    def _section(self, source: Source) -> Section:
        if not source.section_axes:
            return Section()
        axis = int(self._random.choice(source.section_axes))
        return Section(axis, int(self._random.integers(0, source.shape[axis])))

    def _patch(self, values: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        row, column = (int(self._random.integers(0, size - PATCH + 1)) for size in live.shape)
        cells = slice(row, row + PATCH), slice(column, column + PATCH)
        turn = slice(None, None, -1) if self._random.random() < 0.5 else slice(None)
        return values[:, *cells][..., turn], live[cells][..., turn]

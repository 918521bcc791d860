"""What the live head says of a section, in memory, read as a stored prediction is read."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from geocnn_gui.data.source import Plane, Section, Source, Window
    from geocnn_gui.labels.classes import Classes

_LEVELS = 254


class LiveMap:
    """Classes and confidence of one section, tile by tile; 0 where nothing is said yet.

    One thread puts tiles, any thread may read. `classes` are those that the head knows;
    `target` is None, as of a stored prediction of classes.
    """

    target = None

    def __init__(self, source: Source, section: Section, classes: Classes) -> None:
        self.source, self.section, self.classes = source, section, classes
        self.plane: Plane = source.plane(section)
        self._tiles: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        self._lock = threading.Lock()

    @property
    def empty(self) -> bool:
        """Say whether nothing is said of any cell yet."""
        return not self._tiles

    def put(
        self, rows: slice, columns: slice, classes: np.ndarray, confidence: np.ndarray
    ) -> Window:
        """Take the classes uint8 and confidence float32 0-1 (rows, columns) of a tile.

        Returns its window in the source.
        """
        levels = np.rint(confidence * _LEVELS).astype(np.uint8)
        with self._lock:
            self._tiles[rows.start, columns.start] = classes, levels
        return self.plane.window(rows, columns)

    def forget(self, kept: Collection[tuple[int, int]]) -> list[Window]:
        """Drop all tiles but those with these first rows and columns; return their windows."""
        with self._lock:
            dropped = {at: self._tiles.pop(at) for at in set(self._tiles) - set(kept)}
        return [
            self.plane.window(
                slice(top, top + tile[0].shape[0]), slice(left, left + tile[0].shape[1])
            )
            for (top, left), tile in dropped.items()
        ]

    def read_classes(self, window: Window) -> np.ndarray:
        """Return class ids uint8 (*window.size); 0 is not said."""
        return self._read(window, 0)

    def read_confidence(self, window: Window) -> np.ndarray:
        """Return the probability of the class named, float32 (*window.size) 0-1."""
        return self._read(window, 1).astype(np.float32) / np.float32(_LEVELS)

    def read_values(self, window: Window) -> np.ndarray:
        """Return NaN float32 (*window.size): what is said are classes."""
        return np.full(window.size, np.nan, np.float32)

    def _read(self, window: Window, which: int) -> np.ndarray:
        values = np.zeros(window.size, np.uint8)
        cells = self.plane.cells(window)
        if cells is None:
            return values
        picture = np.zeros([part.stop - part.start for part in cells], np.uint8)
        with self._lock:
            tiles = tuple(self._tiles.items())
        for (top, left), tile in tiles:
            _lay(picture, cells, tile[which], top, left)
        return self._spread(picture, window)

    def _spread(self, picture: np.ndarray, window: Window) -> np.ndarray:
        """Return values (*window.size) of a window that holds the picture's cells."""
        values = np.zeros(window.size, np.uint8)
        axis = self.section.axis
        array = self.plane.array(picture)
        if axis is None:
            values[...] = array
        else:
            at = self.section.index - window.offset[axis]
            values[tuple(slice(at, at + 1) if i == axis else slice(None)
                         for i in range(values.ndim))] = array  # fmt: skip
        return values


def _lay(
    picture: np.ndarray, cells: tuple[slice, slice], tile: np.ndarray, top: int, left: int
) -> None:
    """Copy the part of a tile that lies in the cells of a picture."""
    places = []
    for part, start, size in zip(cells, (top, left), tile.shape, strict=True):
        low, high = max(part.start, start), min(part.stop, start + size)
        if low >= high:
            return
        places.append(
            (slice(low - part.start, high - part.start), slice(low - start, high - start))
        )
    picture[places[0][0], places[1][0]] = tile[places[0][1], places[1][1]]

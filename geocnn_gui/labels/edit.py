"""One change of labels: where, what stood there, what comes; applied, undone, journalled."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.labels.store import LabelStore


@dataclass(frozen=True, slots=True, eq=False)
class LabelEdit:
    """A change of the cells of `window` where `mask` is set.

    `mask` is bool (*window.size). `before` and `after` are uint8 (cells,), the values under the
    mask in C order; either may be one int when all are the same.
    """

    window: Window
    mask: np.ndarray
    before: np.ndarray | int
    after: np.ndarray | int

    @classmethod
    def paint(
        cls, store: LabelStore, window: Window, mask: np.ndarray, value: np.ndarray | int
    ) -> LabelEdit:
        """Return the edit that sets the masked cells to `value` (0 erases); nothing is changed yet.

        `value` is one class id, or uint8 (*window.size) with an id for each cell. Cells that
        have the value already are left out and the window shrinks to the rest.
        """
        old = store.read(window)
        new = np.asarray(value, np.uint8) if isinstance(value, np.ndarray) else int(value)
        return cls._between(window, mask & (old != new), old, new)

    @classmethod
    def replace(
        cls, store: LabelStore, window: Window, values: np.ndarray, *, erase: bool = False
    ) -> LabelEdit:
        """Return the edit that puts uint8 `values` (*window.size) into the store.

        Where they are 0 the labels stay, or go when `erase` is set.
        """
        old = store.read(window)
        mask = old != values
        if not erase:
            mask &= values != 0
        return cls._between(window, mask, old, np.asarray(values, np.uint8))

    @classmethod
    def _between(
        cls, window: Window, mask: np.ndarray, old: np.ndarray, new: np.ndarray | int
    ) -> LabelEdit:
        box = _bounds(mask)
        mask = np.ascontiguousarray(mask[box])
        inner = Window.from_slices(box)
        offset = tuple(a + b for a, b in zip(window.offset, inner.offset, strict=True))
        after = new if isinstance(new, int) else _shorten(new[box][mask])
        return cls(Window(offset, inner.size), mask, _shorten(old[box][mask]), after)

    @property
    def cells(self) -> int:
        """Count the cells that change."""
        return int(np.count_nonzero(self.mask))

    def inverse(self) -> LabelEdit:
        """Return the edit that undoes this one."""
        return replace(self, before=self.after, after=self.before)

    def pieces(self, most: int) -> Iterator[LabelEdit]:
        """Yield edits of windows of `most` cells that together are this one."""
        size = list(self.window.size)
        while math.prod(size) > most and max(size) > 1:
            longest = size.index(max(size))
            size[longest] = -(-size[longest] // 2)
        if tuple(size) == self.window.size:
            yield self
            return
        values = [_laid_out(each, self.mask) for each in (self.before, self.after)]
        starts = (range(0, n, step) for n, step in zip(self.window.size, size, strict=True))
        for corner in product(*starts):
            box = tuple(slice(c, c + step) for c, step in zip(corner, size, strict=True))
            mask = self.mask[box]
            if mask.any():
                offset = tuple(a + b for a, b in zip(self.window.offset, corner, strict=True))
                before, after = (v if isinstance(v, int) else v[box][mask] for v in values)
                yield LabelEdit(Window(offset, mask.shape), mask, before, after)

    def apply(self, store: LabelStore) -> None:
        """Write `after` into the store."""
        values = store.read(self.window)
        values[self.mask] = self.after
        store.write(self.window, values)

    def revert(self, store: LabelStore) -> None:
        """Write `before` into the store."""
        self.inverse().apply(store)


def _bounds(mask: np.ndarray) -> tuple[slice, ...]:
    """Return the smallest slices that hold all of `mask`; empty ones when it is empty."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(i for i in range(mask.ndim) if i != axis)
        hits = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(hits[0]), int(hits[-1]) + 1) if hits.size else slice(0, 0))
    return tuple(box)


def _shorten(values: np.ndarray) -> np.ndarray | int:
    """Return the one value when all are the same, so that undo of a stroke holds few bytes."""
    if values.size and (values == values[0]).all():
        return int(values[0])
    return values


def _laid_out(values: np.ndarray | int, mask: np.ndarray) -> np.ndarray | int:
    """Return values under a mask as an array of its shape."""
    if isinstance(values, int):
        return values
    whole = np.zeros(mask.shape, np.uint8)
    whole[mask] = values
    return whole

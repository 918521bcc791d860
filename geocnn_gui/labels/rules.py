"""Rules of painting: which cells a stroke may change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geocnn_gui.labels.classes import UNLABELLED


@dataclass(frozen=True, slots=True)
class PaintRules:
    """What painting must leave alone.

    A class in `locked` is neither painted over, nor erased, nor painted with. With
    `only_unlabelled` a cell that has a label keeps it; the eraser is not bound by that.
    """

    only_unlabelled: bool = False
    locked: frozenset[int] = frozenset()

    def may_change(self, old: np.ndarray, mask: np.ndarray, value: np.ndarray | int) -> np.ndarray:
        """Return the cells of `mask` (bool) that may get `value`, bool of the same shape.

        `old` are the labels there, uint8 of the same shape; `value` is one class id, 0 to erase,
        or an id for each cell.
        """
        free = mask
        if self.locked:
            free = free & ~self._is_locked(old) & ~self._is_locked(np.asarray(value, np.uint8))
        if self.only_unlabelled:
            free = free & ((old == UNLABELLED) | (np.asarray(value) == UNLABELLED))
        return free

    def only_locks(self) -> PaintRules:
        """Return the rules that bind where labels come from a file: locked classes alone."""
        return PaintRules(locked=self.locked)

    def _is_locked(self, ids: np.ndarray) -> np.ndarray:
        table = np.zeros(256, bool)
        table[list(self.locked)] = True
        return table[ids]

"""Rules of painting: which cells a stroke may change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.labels.classes import UNLABELLED
from geocnn_gui.labels.edit import LabelEdit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.labels.store import LabelSnapshot, LabelStore


@dataclass(frozen=True, slots=True)
class PaintRules:
    """What painting must leave alone.

    A class in `locked` is neither painted over, nor erased, nor painted with. With
    `only_unlabelled` a cell that has a label keeps it; the eraser is not bound by that.
    """

    only_unlabelled: bool = False
    locked: frozenset[int] = frozenset()

    @property
    def bind(self) -> bool:
        """Say whether there is anything that painting must leave alone."""
        return self.only_unlabelled or bool(self.locked)

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


def merge_labels(
    store: LabelStore, snapshot: LabelSnapshot, table: np.ndarray, rules: PaintRules
) -> Iterator[tuple[LabelEdit, int]]:
    """Yield the edits that lay labels over those of a store, and how many cells each spares.

    `table` (uint8 (256,)) turns the ids of `snapshot` into those of the store. Where the snapshot
    has no label nothing changes.
    """
    for window in snapshot.labelled_windows():
        old, new = store.read(window), table[snapshot.read(window)]
        differs = (new != UNLABELLED) & (new != old)
        free = rules.may_change(old, differs, new)
        spared = int(np.count_nonzero(differs)) - int(np.count_nonzero(free))
        yield LabelEdit.paint(store, window, free, new), spared

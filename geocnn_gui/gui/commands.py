"""Undo steps: thin commands around Qt-free changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QUndoCommand

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.labels.edit import LabelEdit


class Step(QUndoCommand):
    """A change that was made already; undo and redo call functions that answer "done".

    Where one cannot (a full disk), the step is dropped from the stack: what is on disk and what
    the stack says stay the same.
    """

    def __init__(self, text: str, redo: Callable[[], bool], undo: Callable[[], bool]) -> None:
        super().__init__(text)
        self._redo, self._undo = redo, undo
        self._made = True

    def redo(self) -> None:
        """Make the change again; the first call, from push, finds it made."""
        if self._made:
            self._made = False
        elif not self._redo():
            self.setObsolete(True)

    def undo(self) -> None:
        """Take the change back."""
        if not self._undo():
            self.setObsolete(True)


def paint_step(
    text: str, edits: tuple[LabelEdit, ...], apply: Callable[[tuple[LabelEdit, ...]], bool]
) -> Step:
    """Return the step of label edits that `apply` has made."""
    inverse = tuple(edit.inverse() for edit in reversed(edits))
    return Step(text, lambda: apply(edits), lambda: apply(inverse))

"""What can be undone in the window: the steps of the project, and those of this sitting only."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from geocnn_gui.errors import CannotWrite, GeoCNNError
from geocnn_gui.project.history import HISTORY_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.edit import LabelEdit
    from geocnn_gui.project.history import History
    from geocnn_gui.project.history_log import LoggedStep


@dataclass(frozen=True, eq=False)
class Step:
    """A change that was made already and is undone in this sitting only.

    `redo` and `undo` answer "done". One that cannot be is forgotten: what it would change is
    gone.
    """

    text: str
    redo: Callable[[], bool]
    undo: Callable[[], bool]
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step as it is listed: its name, when it was made (seconds since 1970), and where.

    `sources` are the ids of those whose labels it changed. `kept` says that a restart keeps it.
    """

    text: str
    time: float
    sources: frozenset[str] = frozenset()
    kept: bool = True


class Steps(QObject):
    """The steps that can be undone and made again, oldest first; `position` of them stand.

    Those of labels and classes are the project's (`History`) and survive a restart; others,
    deleted runs and units moved in the split, live as long as the project is open.

    Signals
    -------
    changed: the steps or the position. made: a Changed. failed: a GeoCNNError; nothing changed.
    """

    changed = Signal()
    made = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._history: History | None = None
        self._rows: list[Step | None] = []  # None: the project's next
        self._position = 0

    def attach(self, history: History | None) -> None:
        """Take the steps of a project, or of none."""
        self._history = history
        self._rows, self._position = [], 0
        self.refresh()

    def refresh(self) -> None:
        """Follow steps of the project that were read, forgotten or put aside."""
        logged = self._history.steps if self._history is not None else ()
        known = sum(row is None for row in self._rows)
        while known > len(logged):
            known -= self._rows.pop(0) is None
            self._position = max(self._position - 1, 0)
        if known < len(logged):
            self._rows = [None] * len(logged)
            self._position = self._history.position if self._history is not None else 0
        self.changed.emit()

    @property
    def rows(self) -> tuple[StepRow, ...]:
        """Return all steps, those undone too."""
        logged = iter(self._history.steps if self._history is not None else ())
        return tuple(_row(next(logged) if row is None else row) for row in self._rows)

    @property
    def position(self) -> int:
        """Return how many steps stand."""
        return self._position

    @property
    def size(self) -> int:
        """Return the bytes that the steps take on disk."""
        return self._history.size if self._history is not None else 0

    @property
    def most(self) -> int:
        """Return the bytes above which the oldest steps are forgotten."""
        return self._history.most if self._history is not None else HISTORY_LIMIT

    @property
    def can_undo(self) -> bool:
        """Say whether a step stands."""
        return self._position > 0

    @property
    def can_redo(self) -> bool:
        """Say whether a step is undone."""
        return self._position < len(self._rows)

    @property
    def undo_text(self) -> str:
        """Return the name of the step that would be undone; "" where there is none."""
        return self._text(self._position - 1) if self.can_undo else ""

    @property
    def redo_text(self) -> str:
        """Return the name of the step that would be made again; "" where there is none."""
        return self._text(self._position) if self.can_redo else ""

    def _text(self, number: int) -> str:
        row = self._rows[number]
        if row is not None or self._history is None:
            return row.text if row is not None else ""
        return self._history.steps[sum(r is None for r in self._rows[:number])].text

    def stands_last(self, step: Step) -> bool:
        """Say whether a step is the one that would be undone."""
        return self.can_undo and self._rows[self._position - 1] is step

    def do(
        self, text: str, parts: Iterable[tuple[str, LabelEdit]] = (), *,
        classes: Classes | None = None,
    ) -> bool:  # fmt: skip
        """Make a step of labels and classes, as `History.do`; say whether it could be done."""
        if self._history is None:
            return False
        try:
            changed = self._history.do(text, parts, classes=classes)
        except GeoCNNError as error:
            self.failed.emit(error)
            self.refresh()
            return False
        if changed.windows or changed.classes:
            self._rows[self._position :] = [None]
            self._position += 1
            self.refresh()
            self.made.emit(changed)
        return True

    def push(self, step: Step) -> None:
        """Take a step of this sitting that was made; those undone are forgotten."""
        with suppress(CannotWrite):  # they can be made again then, it is no harm
            if self._history is not None:
                self._history.drop_undone()
        self._rows[self._position :] = [step]
        self._position += 1
        self.refresh()

    def undo(self) -> None:
        """Take the last step back."""
        self.go_to(self._position - 1)

    def redo(self) -> None:
        """Make the step again that was taken back last."""
        self.go_to(self._position + 1)

    def go_to(self, position: int) -> None:
        """Take back or make again so many steps that `position` of them stand."""
        target = min(max(position, 0), len(self._rows))
        while self._position != target:
            if not self._go_on(target):
                break
        self.refresh()

    def _go_on(self, target: int) -> bool:
        """Take the next step towards `target`, or the next ones of the project at once."""
        forward = target > self._position
        row = self._rows[self._position - (not forward)]
        if row is None:
            return self._go_in_project(target)
        done = row.redo() if forward else row.undo()
        if not done:
            self._rows.remove(row)
        if done or not forward:
            self._position += 1 if forward else -1
        return done

    def _go_in_project(self, target: int) -> bool:
        assert self._history is not None
        forward, at = target > self._position, self._position
        while at != target and self._rows[at - (not forward)] is None:
            at += 1 if forward else -1
        count = len(self._history.steps)
        try:
            changed = self._history.go_to(self._history.position + at - self._position)
        except GeoCNNError as error:
            self.failed.emit(error)
            return False
        if len(self._history.steps) != count:  # they were put aside
            return False
        self._position = at
        self.made.emit(changed)
        return True


def _row(step: Step | LoggedStep) -> StepRow:
    if isinstance(step, Step):
        return StepRow(step.text, step.time, kept=False)
    return StepRow(step.text, step.time, step.sources)

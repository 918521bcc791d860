"""What can be undone in the window: the steps of the project, and those of this sitting only."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from geocnn_gui.errors import CannotWrite
from geocnn_gui.gui.step_runner import StepRunner, Task, ignore
from geocnn_gui.project.history import HISTORY_LIMIT, Changed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.edit import LabelEdit
    from geocnn_gui.project.history import History, Making
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


class Steps(StepRunner):
    """The steps that can be undone and made again, oldest first; `position` of them stand.

    Those of labels and classes are the project's (`History`) and survive a restart; others,
    deleted runs and units moved in the split, live as long as the project is open.

    Signals
    -------
    changed: the steps or the position. made: a Changed.
    """

    changed = Signal()
    made = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._logged: tuple[LoggedStep, ...] = ()  # as they were when nothing was on its way
        self._size = 0
        self._rows: list[Step | None] = []  # None: the project's next
        self._position = 0

    def attach(self, history: History | None) -> None:
        """Take the steps of a project, or of none."""
        self.finish()
        self._history = history
        self._rows, self._position = [], 0
        self.refresh()

    def refresh(self) -> None:
        """Follow steps of the project that were read, forgotten or put aside."""
        if self._job is not None:
            return
        history = self._history
        self._logged, self._size = (history.steps, history.size) if history is not None else ((), 0)
        known = sum(row is None for row in self._rows)
        while known > len(self._logged):
            known -= self._rows.pop(0) is None
            self._position = max(self._position - 1, 0)
        if known < len(self._logged):
            self._rows = [None] * len(self._logged)
            self._position = history.position if history is not None else 0
        self.changed.emit()

    @property
    def rows(self) -> tuple[StepRow, ...]:
        """Return all steps, those undone too."""
        logged = iter(self._logged)
        return tuple(_row(next(logged) if row is None else row) for row in self._rows)

    @property
    def position(self) -> int:
        """Return how many steps stand."""
        return self._position

    @property
    def size(self) -> int:
        """Return the bytes that the steps take on disk."""
        return self._size

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
        if row is not None:
            return row.text
        return self._logged[sum(r is None for r in self._rows[:number])].text

    def stands_last(self, step: Step) -> bool:
        """Say whether a step is the one that would be undone."""
        return self.can_undo and self._rows[self._position - 1] is step

    def do(
        self, text: str, parts: Iterable[tuple[str, LabelEdit]] = (), *,
        classes: Classes | None = None, cells: int = 0, title: str = "",
        before: Callable[[], object] | None = None, then: Callable[[bool], object] | None = None,
    ) -> bool:  # fmt: skip
        """Make a step of labels and classes, as `History.do`; say whether it is done already.

        `cells` are about those of all parts, `weighed`: where they are many it is made in the
        background, under `title`, `parts` drawn there. `before` is called first. `then` hears,
        on this thread, whether it was done, in any case.
        """
        history = self._history
        if history is None:
            return False

        def making() -> Making:
            if before is not None:
                before()
            return (yield from history.doing(text, parts, classes=classes))

        def done(changed: Changed) -> None:
            if changed.windows or changed.classes:
                self._rows[self._position :] = [None]
                self._position += 1
                self.refresh()
                self.made.emit(changed)

        return self._run(Task(making(), 2 * cells, title or text, done, then or ignore))

    def push(self, step: Step) -> None:
        """Take a step of this sitting that was made; those undone are forgotten."""
        self.when_idle(lambda: self._push(step))

    def _push(self, step: Step) -> None:
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

    def go_to(self, position: int, then: Callable[[], object] | None = None) -> None:
        """Take back or make again so many steps that `position` of them stand.

        `then` is called at the end, also where it could not be done; nothing is done at all
        while another step is on its way.
        """
        if self._task is None:
            self._go_on(min(max(position, 0), len(self._rows)), then or _nothing)

    def _go_on(self, target: int, then: Callable[[], object]) -> None:
        """Take the next steps towards `target`: those of the project at once, others one by one."""
        while self._position != target:
            forward = target > self._position
            row = self._rows[self._position - (not forward)]
            if row is None:
                self._go_in_project(target, then)
                return
            done = row.redo() if forward else row.undo()
            if not done:
                self._rows.remove(row)
            if done or not forward:
                self._position += 1 if forward else -1
            if not done:
                break
        self.refresh()
        then()

    def _go_in_project(self, target: int, then: Callable[[], object]) -> None:
        history = self._history
        assert history is not None
        forward, at = target > self._position, self._position
        while at != target and self._rows[at - (not forward)] is None:
            at += 1 if forward else -1
        place = history.position + at - self._position

        def done(changed: Changed) -> None:
            if changed.windows or changed.classes:  # else the steps were put aside
                self._position = at
                self.made.emit(changed)

        def go_on(_: bool) -> None:
            if self._position == at:
                self._go_on(target, then)
            else:
                self.refresh()
                then()

        title = "Making it again" if forward else "Taking it back"
        self._run(Task(history.going_to(place), history.cells_to(place), title, done, go_on))


def _nothing() -> None:
    """Do nothing."""


def _row(step: Step | LoggedStep) -> StepRow:
    if isinstance(step, Step):
        return StepRow(step.text, step.time, kept=False)
    return StepRow(step.text, step.time, step.sources)

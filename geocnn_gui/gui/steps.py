"""What can be undone in the window: the steps of the project, and those of this sitting only."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from geocnn_gui.errors import CannotWrite, GeoCNNError
from geocnn_gui.events import Progress
from geocnn_gui.gui.jobs import Job
from geocnn_gui.project.history import HISTORY_LIMIT, Changed, Making
from geocnn_gui.project.history_log import drawn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.edit import LabelEdit
    from geocnn_gui.project.history import History
    from geocnn_gui.project.history_log import LoggedStep

#: What meets more cells runs on another thread; fewer take a few hundredths of a second.
LIGHT_CELLS = 1_000_000
#: Seconds that such a step may take before anyone is told to wait for it.
PATIENCE = 0.3


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


@dataclass(eq=False)
class _Task:
    """Work on steps and labels: `making` meets `cells` in all; then `done` or not, `then` hears."""

    making: Making
    cells: int
    title: str
    done: Callable[[Changed], object]
    then: Callable[[bool], object]
    changed: Changed | None = None
    begun: float = field(default_factory=time.monotonic)

    def events(self) -> Iterator[Progress]:
        """Make it, saying how far it is; nothing is changed when this is closed before its end."""
        met = 0
        with closing(self._kept()) as making:
            for cells in making:
                met = min(met + cells, self.cells)
                yield Progress(met, self.cells, f"{self.title} {met / max(self.cells, 1):.0%}")

    def _kept(self) -> Making:
        self.changed = yield from self.making
        return self.changed


class Steps(QObject):
    """The steps that can be undone and made again, oldest first; `position` of them stand.

    Those of labels and classes are the project's (`History`) and survive a restart; others,
    deleted runs and units moved in the split, live as long as the project is open.

    A step of many cells is made on another thread, one at a time: `busy` names it meanwhile,
    and what else is asked for waits until it has ended. It is made wholly or not at all.

    Signals
    -------
    changed: the steps or the position. made: a Changed. failed: a GeoCNNError; nothing changed.
    busy_changed: `busy` or `stopping`. progressed: a Progress of it. stopped: its name; nothing
    changed.
    """

    changed = Signal()
    made = Signal(object)
    failed = Signal(object)
    busy_changed = Signal()
    progressed = Signal(object)
    stopped = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._history: History | None = None
        self._logged: tuple[LoggedStep, ...] = ()  # as they were when nothing was on its way
        self._size = 0
        self._rows: list[Step | None] = []  # None: the project's next
        self._position = 0
        self._task: _Task | None = None
        self._job: Job | None = None
        self._waiting: deque[Callable[[], object]] = deque()

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
    def busy(self) -> str:
        """Say what is being made on another thread; "" while nothing is."""
        return self._task.title if self._task is not None else ""

    @property
    def long_busy(self) -> str:
        """Say what is being made for longer than a moment already; "" while nothing is."""
        late = self._task is not None and time.monotonic() > self._task.begun + PATIENCE
        return self.busy if late else ""

    @property
    def stopping(self) -> bool:
        """Say whether what is being made was asked to stop."""
        return self._job is not None and self._job.stopping

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

        `cells` are about those of all parts: where they are many it is made in the background,
        under `title`, `parts` drawn there. `before` is called first. `then` hears, on this
        thread, whether it was done, in any case.
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

        return self._run(_Task(making(), 2 * cells, title or text, done, then or _ignore))

    def work(
        self, function: Callable[[], object], *, cells: int, title: str,
        then: Callable[[bool], object] | None = None,
    ) -> None:  # fmt: skip
        """Call what tidies the labels, in its turn; in the background as `do`."""

        def making() -> Making:
            function()
            return Changed()
            yield 0

        self._run(_Task(making(), cells, title, _ignore, then or _ignore))

    def _run(self, task: _Task) -> bool:
        """Make a task at once, in the background where it is large, or when its turn comes."""
        if self._task is not None:
            self._waiting.append(lambda: self._run(task))
            return False
        if task.cells <= LIGHT_CELLS:
            return self._run_here(task)
        task.begun = time.monotonic()
        self._task = task
        job = self._job = Job(self._with_tidying(task), title=task.title, parent=self)
        job.stepped.connect(self.progressed)
        job.ended.connect(self._on_ended)
        job.start()
        self.busy_changed.emit()
        return False

    def _run_here(self, task: _Task) -> bool:
        try:
            task.changed = drawn(task.making)
        except GeoCNNError as error:
            self._settle(task, error)
            return False
        self._settle(task)
        history = self._history
        if history is not None and history.grown:
            self.work(history.tidy, cells=LIGHT_CELLS + 1, title="Tidying the labels")
        return True

    def _with_tidying(self, task: _Task) -> Iterator[Progress]:
        yield from task.events()
        if self._history is not None:
            self._history.tidy()

    def _on_ended(self) -> None:
        task, job = self._task, self._job
        if task is None or job is None:
            return
        self._task = self._job = None
        job.ended.disconnect(self._on_ended)
        job.deleteLater()
        self._settle(task, job.error)
        if task.changed is None and job.error is None:
            self.stopped.emit(task.title)
        self.busy_changed.emit()
        while self._waiting and self._task is None:
            self._waiting.popleft()()

    def _settle(self, task: _Task, error: Exception | None = None) -> None:
        """Take what a task has come to."""
        if task.changed is not None:
            task.done(task.changed)
        else:
            if error is not None:
                self.failed.emit(error)
            self.refresh()
        task.then(task.changed is not None)

    def when_idle(self, act: Callable[[], object]) -> None:
        """Call something now, or when what is on its way and what waits already have ended."""
        if self._task is None:
            act()
        else:
            self._waiting.append(act)

    def stop(self) -> None:
        """Stop what is being made; nothing of it stays."""
        if self._job is not None and not self._job.stopping:
            self._job.stop()
            self.busy_changed.emit()

    def finish(self) -> None:
        """Wait for what is on its way and what waits, before the labels are closed."""
        while self._job is not None:
            self._job.wait()
            self._on_ended()

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
        self._run(_Task(history.going_to(place), history.cells_to(place), title, done, go_on))


def _ignore(_: object) -> None:
    """Do nothing with an answer."""


def _nothing() -> None:
    """Do nothing."""


def _row(step: Step | LoggedStep) -> StepRow:
    if isinstance(step, Step):
        return StepRow(step.text, step.time, kept=False)
    return StepRow(step.text, step.time, step.sources)

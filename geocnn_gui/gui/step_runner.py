"""Make steps of labels one at a time: small ones at once, large ones on another thread."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from geocnn_gui.events import Progress
from geocnn_gui.gui.jobs import Job
from geocnn_gui.project.history import Changed, Making
from geocnn_gui.project.history_log import drawn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.project.history import History

#: What meets more cells of a plane runs on another thread; fewer take a few hundredths of a second.
LIGHT_CELLS = 1_000_000
#: Seconds that such a step may take before anyone is told to wait for it.
PATIENCE = 0.3


@dataclass(eq=False)
class Task:
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
                yield Progress(met, self.cells, f"{self.title} {100 * met // max(self.cells, 1)} %")

    def _kept(self) -> Making:
        self.changed = yield from self.making
        return self.changed


class StepRunner(QObject):
    """Runs what changes or tidies labels, one thing at a time.

    What meets many cells runs on another thread: `busy` names it meanwhile, and what else is
    asked for waits until it has ended. A step is made wholly or not at all.

    Signals
    -------
    failed: an exception; nothing changed. busy_changed: `busy` or `stopping`. progressed: a
    Progress. stopped: what was stopped; nothing changed.
    """

    failed = Signal(object)
    busy_changed = Signal()
    progressed = Signal(object)
    stopped = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._history: History | None = None
        self._task: Task | None = None
        self._job: Job | None = None
        self._waiting: deque[Callable[[], object]] = deque()

    def refresh(self) -> None:
        """Follow what has become of the steps."""

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

    def work(
        self, function: Callable[[], object], *, cells: int, title: str,
        then: Callable[[bool], object] | None = None,
    ) -> None:  # fmt: skip
        """Call what tidies the labels, in its turn; in the background as `do`."""

        def making() -> Making:
            function()
            return Changed()
            yield 0

        self._run(Task(making(), cells, title, ignore, then or ignore))

    def _run(self, task: Task) -> bool:
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

    def _run_here(self, task: Task) -> bool:
        try:
            task.changed = drawn(task.making)
        except Exception as error:  # noqa: BLE001 - a bug or no memory: what was shown goes too
            self._settle(task, error)
            return False
        self._settle(task)
        history = self._history
        if history is not None and history.grown:
            self.work(history.tidy, cells=LIGHT_CELLS + 1, title="Tidying the labels")
        return True

    def _with_tidying(self, task: Task) -> Iterator[Progress]:
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

    def _settle(self, task: Task, error: Exception | None = None) -> None:
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


def ignore(_: object) -> None:
    """Do nothing with an answer."""

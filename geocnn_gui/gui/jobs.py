"""Run work off the GUI's thread: tasks of events (`Job`) and short calls (`Calls`)."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QThread, QTimer, Signal

from geocnn_gui.errors import GeoCNNError
from geocnn_gui.events import Event, Progress, TileDone
from geocnn_gui.gui.in_use import SourceLeft

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Emitting on every step starves the GUI's thread; so many milliseconds lie between two rounds.
ROUND_MS = 50
#: Short calls at once: one that opens, one that measures, one that draws a thumbnail.
_CALLS = 3
_log = logging.getLogger(__name__)


class Job(QThread):
    """Draws events from a generator on its own thread; emits them on the GUI's, in rounds.

    The task knows nothing of Qt: it yields, returns or raises. Between two yields it can be
    paused; stopping closes the generator there, so its `finally` blocks run. The worker only
    appends to a queue; a timer of the GUI's thread empties it twenty times a second, keeps the
    newest Progress, and hands tiles over together: none is lost.

    Signals
    -------
    stepped: an Event other than TileDone. tiles_done: list of TileDone.
    ended: exactly once and last: "succeeded", "stopped" or "failed"; `error` is set then.
    """

    stepped = Signal(object)
    tiles_done = Signal(list)
    pause_changed = Signal()
    ended = Signal(str)

    def __init__(self, task: Iterator[Event], *, title: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self.outcome: str | None = None
        self.error: Exception | None = None
        self._task = task
        self._events: deque[Event] = deque()
        self._go_on = threading.Event()
        self._go_on.set()
        self._timer = QTimer(self)
        self._timer.setInterval(ROUND_MS)
        self._timer.timeout.connect(self._drain)
        self.started.connect(self._timer.start)
        self.finished.connect(self._on_finished)

    @property
    def paused(self) -> bool:
        """Say whether the task rests before its next step."""
        return not self._go_on.is_set()

    @property
    def stopping(self) -> bool:
        """Say whether Stop was asked for."""
        return self.isInterruptionRequested()

    def pause(self) -> None:
        """Let the task rest after the step in hand."""
        self._go_on.clear()
        self.pause_changed.emit()

    def resume(self) -> None:
        """Let the task go on."""
        self._go_on.set()
        self.pause_changed.emit()

    def stop(self) -> None:
        """Close the task after the step in hand; what it has is kept by its own `finally`."""
        self.requestInterruption()
        self._go_on.set()

    def run(self) -> None:
        """Drive the task; called by Qt on the new thread."""
        try:
            self.outcome = "stopped" if self._stopped_while_stepping() else "succeeded"
        except Exception as error:  # noqa: BLE001  the one place where a task's errors surface
            self.error, self.outcome = error, "failed"
            _log_unexpected(self.title, error)

    def _stopped_while_stepping(self) -> bool:
        for event in self._task:
            self._events.append(event)
            self._go_on.wait()
            if self.isInterruptionRequested():
                _close(self._task)
                return True
        return self.isInterruptionRequested()

    def _drain(self) -> None:
        tiles: list[TileDone] = []
        progress: Progress | None = None
        for _ in range(len(self._events)):
            match self._events.popleft():
                case TileDone() as tile:
                    tiles.append(tile)
                case Progress() as progress:
                    pass
                case event:
                    self.stepped.emit(event)
        if tiles:
            self.tiles_done.emit(tiles)
        if progress is not None:
            self.stepped.emit(progress)

    def _on_finished(self) -> None:
        self.wait()  # the thread's very last steps
        self._timer.stop()
        self._drain()
        self.ended.emit(self.outcome or "failed")


class Calls(QObject):
    """Calls short functions on a few threads; brings results and errors to this one.

    There is no way to stop a call: whoever asked ignores an answer that is no longer wanted.
    """

    _ended = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool: ThreadPoolExecutor | None = None
        self._under_way: list[_Call] = []
        self._ended.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def start(
        self,
        function: Callable[[], Any],
        done: Callable[[Any], object],
        failed: Callable[[Exception], object],
        *,
        dropped: Callable[[Any], object] | None = None,
        title: str = "",
    ) -> None:
        """Call `function` in the background, then `done` or `failed` on this thread.

        `dropped` is given an answer that `wait` drops, to close what it holds.
        """
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_CALLS, thread_name_prefix="call")
        call = _Call(function, done, failed, dropped, title)
        self._under_way.append(call)
        self._pool.submit(call.run).add_done_callback(lambda _: self._ended.emit(call))

    def wait(self) -> None:
        """Let running calls end; their answers are dropped, those not begun are forgotten."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)
        calls, self._under_way = self._under_way, []
        for call in calls:
            if call.dropped is not None and call.result is not None:
                call.dropped(call.result)

    def _deliver(self, call: _Call) -> None:
        if call not in self._under_way:
            return
        self._under_way.remove(call)
        if call.error is None:
            call.done(call.result)
        else:
            call.failed(call.error)


@dataclass(slots=True, eq=False)
class _Call:
    function: Callable[[], Any]
    done: Callable[[Any], object]
    failed: Callable[[Exception], object]
    dropped: Callable[[Any], object] | None
    title: str
    result: Any = None
    error: Exception | None = None

    def run(self) -> None:
        try:
            self.result = self.function()
        except Exception as error:  # noqa: BLE001  handed to whoever asked
            self.error = error
            _log_unexpected(self.title, error)


def _close(task: Iterator[Event]) -> None:
    close: Callable[[], None] | None = getattr(task, "close", None)
    if close is not None:
        close()


def _log_unexpected(title: str, error: Exception) -> None:
    if not isinstance(error, GeoCNNError | SourceLeft):
        _log.error("%s failed", title or "A background call", exc_info=error)

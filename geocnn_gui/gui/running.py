"""The session's running task: it starts, is watched, paused and stopped here; one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from geocnn_gui.events import EpochDone, Note, Progress, Saved, TileDone
from geocnn_gui.gui.accepting import Accepting
from geocnn_gui.gui.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Source
    from geocnn_gui.events import Event

Work = Literal["", "train", "predict", "score", "export", "copy", "download", "check", "rate"]


class Running(Accepting):
    """State with a task; `work` says what kind the job in hand is, "" when there is none.

    What is special to one kind of work lies in the classes below this one, which take
    `_on_job_ended`, `_on_tiles` and `_on_saved` further.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.work: Work = ""
        self.progress: Progress | None = None
        self._job_source: Source | None = None

    def why_not_now(self) -> str:
        """Say why no task can start now; "" when one can."""
        return "Wait for the running task, or stop it." if self.job is not None else ""

    def pause_job(self) -> None:
        """Let the running task rest."""
        if self.job is not None:
            self.job.pause()

    def resume_job(self) -> None:
        """Let the paused task go on."""
        if self.job is not None:
            self.job.resume()

    def stop_job(self) -> None:
        """Stop the running task; what it has so far is kept."""
        if self.job is not None and not self.job.stopping:
            self.job.stop()
            self.job_changed.emit()

    def _start(self, task: Iterator[Event], work: Work, title: str) -> bool:
        """Run a task, holding the source in view if there is one; say whether it has begun."""
        if self.job is not None:
            self.tell("Wait for the running task, or stop it.", "warning")
            return False
        if self.source is not None:
            self.in_use.hold(self.source)
        self._job_source = self.source
        job = Job(task, title=title, parent=self)
        self.job, self.work, self.progress = job, work, None
        job.stepped.connect(self._on_event)
        job.tiles_done.connect(self._on_tiles)
        job.pause_changed.connect(self.job_changed)
        job.ended.connect(self._on_job_ended)
        job.start()
        self.job_changed.emit()
        return True

    def _on_event(self, event: Event) -> None:
        match event:
            case Progress():
                self.progress = event
                self.progressed.emit(event)
            case EpochDone():
                self._on_epoch(event)
            case Note(text, warning):
                self.tell(text, "warning") if warning else self.noted.emit(text)
            case Saved():
                self._on_saved(event)

    def _on_epoch(self, event: EpochDone) -> None:
        """Take an epoch of the training in hand."""

    def _on_tiles(self, tiles: list[TileDone]) -> None:
        """Take tiles that are on disk."""

    def _on_saved(self, event: Saved) -> None:
        """Take a result that stands under its final name."""

    def _on_job_ended(self, outcome: str) -> None:
        """Let go of the job and say that it has ended: "succeeded", "stopped" or "failed"."""
        job = self.job
        self.job, self.work, self.progress = None, "", None
        if self._job_source is not None:
            self.in_use.release(self._job_source)
            self._job_source = None
        if job is not None:
            job.deleteLater()
            if job.error is not None:
                self.report(job.error)
        self.job_changed.emit()

    def shut_down(self) -> None:
        """Stop what runs and wait for it: the last step of the window."""
        if self.job is not None:
            self.job.stop()
            self.job.wait()
        self._calls.wait()

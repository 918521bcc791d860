"""The survey learned in the background: what Live's backbone is, and the job that makes it better."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QThread, QTimer, Signal

from geocnn_gui import resources
from geocnn_gui.errors import GeoCNNError
from geocnn_gui.events import Progress, Saved
from geocnn_gui.gui import survey_task
from geocnn_gui.gui.in_use import SourceLeft
from geocnn_gui.gui.jobs import Job
from geocnn_gui.models.survey_card import whole_card
from geocnn_gui.project.backbones import backbone_path

if TYPE_CHECKING:
    from geocnn_gui.data.source import Source
    from geocnn_gui.events import Event
    from geocnn_gui.gui.state import State

#: Learning begins so long after a source was opened, in milliseconds.
DELAY_MS = 4000


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a learning is of: the project's sources of a domain and number of bands."""

    out: Path
    entries: frozenset[str]


class Survey(QObject):
    """Learns the project's data without labels while there is nothing heavier to do.

    `automatic` says whether it begins by itself; `job` runs beside the session's tasks and rests
    while one of them runs; `progress` is its latest.

    Signals
    -------
    changed: `automatic`, `job`, whether it rests, what is learned. progressed: `progress`.
    saved: a better backbone is on disk.
    """

    changed = Signal()
    progressed = Signal()
    saved = Signal()

    def __init__(self, session: State) -> None:
        super().__init__(session)
        self._session = session
        self.automatic = False
        self.steps = survey_task.STEPS
        self.job: Job | None = None
        self.progress: Progress | None = None
        self.resting = False  # the user wants it to
        self._kind: _Kind | None = None
        self._refused: set[Path] = set()  # stopped by the user, or failed
        self._held: Source | None = None
        self._longer = 0
        self._soon = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._soon.timeout.connect(self._begin)
        session.source_changed.connect(self._on_source)
        session.project_changed.connect(self._begin_soon)
        session.job_changed.connect(self._make_way)

    # -- what there is -----------------------------------------------------------------------------

    def files(self) -> tuple[Path, ...]:
        """Return the backbones to work with on the source in view, the best one first."""
        source, out = self._session.source, self._out()
        if source is None:
            return ()
        own = () if out is None or not out.is_file() else (out,)
        bundled = resources.backbone(source.domain)
        return own if bundled is None else (*own, bundled)

    def words(self) -> str:
        """Say what is known of the data in view: "this survey, 400 steps"."""
        out, source = self._out(), self._session.source
        if source is None:
            return ""
        card = whole_card(out) if out is not None else None
        if card is not None:
            return f"this survey, {card.steps} steps"
        return f"bundled {source.domain}" if resources.backbone(source.domain) else "untrained"

    def _out(self) -> Path | None:
        project, source = self._session.project, self._session.source
        if project is None or source is None:
            return None
        return backbone_path(project.folder, source.domain, len(source.bands))

    def why_not(self) -> str:
        """Say why the data in view cannot be learned; "" where they can."""
        if reason := self._session.live.why_not():
            return reason
        return self._session.why_read_only()

    def why_no_longer(self) -> str:
        """Say why learning cannot go on longer now; "" where it can."""
        return self.why_not() or ("It is being learned." if self.job is not None else "")

    # -- what the user wants -----------------------------------------------------------------------

    def set_automatic(self, automatic: bool) -> None:
        """Learn by itself what is opened, or not; stops what began by itself."""
        if automatic == self.automatic:
            return
        self.automatic = automatic
        if automatic:
            self._refused.clear()
            self._begin_soon()
        elif self.job is not None:
            self.job.stop()
        self.changed.emit()

    def learn_longer(self) -> None:
        """Learn the data in view for as many steps again, or what is left of the first."""
        if self.why_no_longer():
            return
        out = self._out()
        card = whole_card(out) if out is not None else None
        self._longer = self.steps if card is not None and card.steps >= card.goal else 0
        self._refused.discard(out) if out is not None else None
        self._start()

    def pause(self) -> None:
        """Let the learning rest, or go on."""
        self.resting = not self.resting
        self._make_way()
        self.changed.emit()

    def stop(self) -> None:
        """Stop learning; what is learned is kept. It begins again with the next opening."""
        if self.job is not None and not self.job.stopping:
            if self._kind is not None:
                self._refused.add(self._kind.out)
            self.job.stop()
            self.changed.emit()

    def close(self) -> None:
        """Stop, keep what is learned, and wait for it; for the end of the window."""
        self._soon.stop()
        self.automatic = False
        if self.job is not None:
            self.job.stop()
            self.job.wait()

    # -- following the session -----------------------------------------------------------------------

    def _on_source(self) -> None:
        if self._session.project is None:
            self._refused.clear()
        self._begin_soon()
        self.changed.emit()

    def _begin_soon(self) -> None:
        wanted = self._wanted()
        if self.job is not None and wanted != self._kind:
            self.job.stop()  # what it has is kept, and taken up where it is wanted again
        if self.automatic and wanted is not None:
            self._soon.start()

    def _wanted(self) -> _Kind | None:
        """Return what should be learned of what is open; None where nothing can be."""
        out, project = self._out(), self._session.project
        if out is None or project is None or self.why_not():
            return None
        return _Kind(out, frozenset(entry.id for entry in project.sources))

    def _begin(self) -> None:
        wanted = self._wanted()
        if not self.automatic or wanted is None or wanted.out in self._refused:
            return
        if self._session.busy:
            self._soon.start()
        elif self.job is None:
            self._start()

    def _start(self) -> None:
        session, wanted = self._session, self._wanted()
        if wanted is None or session.source is None or session.project is None:
            return
        others = tuple(e for e in session.project.sources if e.id != session.entry_id)
        ground = survey_task.Ground(
            session.source, others, wanted.out, resources.backbone(session.source.domain),
            self.steps, self._longer,
        )  # fmt: skip
        self._longer = 0
        try:
            session.in_use.hold(session.source)
        except SourceLeft:
            return
        self._held, self._kind, self.resting, self.progress = session.source, wanted, False, None
        self.job = Job(survey_task.learn_survey(ground), title="Learning this survey", parent=self)
        self.job.stepped.connect(self._on_event)
        self.job.pause_changed.connect(self.changed)
        self.job.ended.connect(self._on_ended)
        self._make_way()
        self.job.start(QThread.Priority.LowPriority)
        self.changed.emit()

    def _make_way(self) -> None:
        """Rest while a task of the session runs, and while the user wants it."""
        if self.job is None:
            return
        task = self._session.job
        rest = self.resting or (task is not None and not task.paused)
        if rest and not self.job.paused:
            self.job.pause()
        elif self.job.paused and not rest:
            self.job.resume()

    def _on_event(self, event: Event) -> None:
        match event:
            case Progress():
                self.progress = event
                self.progressed.emit()
            case Saved():
                self._tell_saved()

    def _tell_saved(self) -> None:
        kind = self._kind
        if kind is not None and kind.out == self._out() and kind.out.is_file():
            self.saved.emit()
            self._session.live.renew()

    def _on_ended(self, outcome: str) -> None:
        job, kind, self.job, self.progress = self.job, self._kind, None, None
        if self._held is not None:
            self._session.in_use.release(self._held)
            self._held = None
        if job is not None:
            job.deleteLater()
            if job.error is not None and kind is not None:
                self._on_failed(job.error, kind.out)
        if outcome == "stopped":
            self._tell_saved()  # the last state is written when it is closed
        if outcome == "stopped" or self._wanted() != kind:
            self._begin_soon()  # what it was stopped for may be gone again
        self.changed.emit()

    def _on_failed(self, error: Exception, out: Path) -> None:
        """Tell once why the data are not learned; nothing is told of a project that was left."""
        if out != self._out() or out in self._refused:
            return
        self._refused.add(out)
        if isinstance(error, GeoCNNError):
            self._session.tell(f"The survey is not learned any further. {error}", "warning")
        else:
            self._session.report(error)

"""What runs now, how far it is and how to stop it; past runs with their score; the curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.panels.model_panel import title_of
from geocnn_gui.gui.theme import colours, set_icon
from geocnn_gui.gui.widgets.card import Card, button, duration, label
from geocnn_gui.gui.widgets.curve_plot import CurvePlot
from geocnn_gui.models.weights import read_card

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtCore import QEvent

    from geocnn_gui.events import EpochDone, Progress
    from geocnn_gui.gui.session import Session

_PATH = Qt.ItemDataRole.UserRole
_STEPS = 1000
_EMPTY = "No run yet: a training shows its progress, its curves and its score here."


class RunsPanel(Card):
    """One running task at the top, past runs below it, curves at the right."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.setObjectName("runs_panel")
        self.setMinimumHeight(140)
        self._session = session
        self._title = label(name="job_title")
        self._left = label(role="muted", name="time_left")
        self._pause = button("Pause", self._toggle_pause, name="pause")
        self._stop = button("Stop", session.stop_job, name="stop")
        set_icon(self._pause, "pause")
        set_icon(self._stop, "stop")
        self._bar = QProgressBar()
        self._bar.setObjectName("progress")
        self._bar.setTextVisible(False)
        self._note = label(role="muted", name="job_note", wrap=True)
        self._runs = QListWidget()
        self._runs.setObjectName("run_list")
        self._runs.itemActivated.connect(self._on_run)
        self._runs.itemClicked.connect(self._on_run)
        self._loss = CurvePlot("Loss")
        self._loss.setObjectName("loss_plot")
        self._iou = CurvePlot("Mean IoU, held out")
        self._iou.setObjectName("iou_plot")
        self._empty = label(_EMPTY, role="muted", name="no_runs", wrap=True)
        self._lay_out()
        session.job_changed.connect(self._refresh)
        session.busy_changed.connect(self._refresh)
        session.progressed.connect(self._show_progress)
        session.epoch_done.connect(self._draw)
        session.noted.connect(self._on_noted)
        session.runs_changed.connect(self._list_runs)
        session.runs_changed.connect(self._draw)
        session.model_changed.connect(self._list_runs)
        self._refresh()
        self._list_runs()
        self._draw()

    def _lay_out(self) -> None:
        self._head = QWidget()
        top = QHBoxLayout(self._head)
        top.setContentsMargins(0, 0, 0, 0)
        top.setSpacing(8)
        top.addWidget(self._title, 1)
        for widget in (self._left, self._pause, self._stop):
            top.addWidget(widget)
        side = QWidget()
        left = QVBoxLayout(side)
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(6)
        left.addWidget(label("RUNS", role="heading"))
        left.addWidget(self._head)
        left.addWidget(self._bar)
        left.addWidget(self._note)
        left.addWidget(self._empty)
        left.addWidget(self._runs, 10)
        left.addStretch(1)
        line = QHBoxLayout()
        line.setSpacing(24)
        line.addWidget(side, 4)
        line.addWidget(self._loss, 3)
        line.addWidget(self._iou, 3)
        self.body.setContentsMargins(12, 10, 12, 8)
        self.body.addLayout(line)

    # The running task

    def _refresh(self) -> None:
        job, busy = self._session.job, self._session.busy
        running = job is not None
        for widget in (self._pause, self._stop):
            widget.setVisible(running)
        self._bar.setVisible(running or bool(busy))
        self._left.setText("")
        self._show_empty()
        self._head.setVisible(running or bool(busy))
        if job is None:
            self._note.hide()
            self._bar.setRange(0, 0)
            self._title.setText(f"{busy} …" if busy else "")
            return
        self._pause.setText("Resume" if job.paused else "Pause")
        set_icon(self._pause, "play" if job.paused else "pause")
        self._pause.setEnabled(not job.stopping)
        self._stop.setEnabled(not job.stopping)
        self._stop.setText("Stopping …" if job.stopping else "Stop")
        self._stop.setToolTip("Stop; the best weights so far are kept")
        if self._session.progress is None:
            self._bar.setRange(0, 0)
            self._title.setText(f"{job.title} …")
        else:
            self._show_progress(self._session.progress)

    def _show_progress(self, progress: Progress) -> None:
        job = self._session.job
        paused = " (paused)" if job is not None and job.paused else ""
        self._title.setText(progress.text + paused)
        self._bar.setRange(0, _STEPS if progress.total > 0 else 0)
        if progress.total > 0:
            self._bar.setValue(round(_STEPS * progress.done / progress.total))
        left = progress.seconds_left
        self._left.setText("" if left is None or paused else f"{duration(left)} left")

    def _on_noted(self, text: str) -> None:
        self._note.setText(text)
        self._note.setVisible(self._session.job is not None)

    def _toggle_pause(self) -> None:
        job = self._session.job
        if job is not None and job.paused:
            self._session.resume_job()
        else:
            self._session.pause_job()

    # Past runs

    def _list_runs(self) -> None:
        project = self._session.project
        self._runs.clear()
        for folder in reversed(project.runs if project is not None else ()):
            model = folder / "model.safetensors"
            if model.exists():
                self._add_run(folder.name, model)
        self._show_empty()

    def _show_empty(self) -> None:
        session = self._session
        waiting = session.job is None and not session.busy and not self._runs.count()
        self._empty.setVisible(waiting)
        self._runs.setVisible(self._runs.count() > 0)

    def _add_run(self, name: str, model: Path) -> None:
        text, tip = describe_run(name, model)
        item = QListWidgetItem(text, self._runs)
        item.setToolTip(tip)
        item.setData(_PATH, model)
        if model == self._session.model_path:
            item.setSelected(True)

    def _on_run(self, item: QListWidgetItem) -> None:
        model = item.data(_PATH)
        if model != self._session.model_path:
            self._session.use_run(model)

    # The curves

    def _draw(self, _: EpochDone | None = None) -> None:
        epochs, c = self._session.epochs, colours()
        held = [e for e in epochs if e.stage == "holdout"]
        refit = [e for e in epochs if e.stage == "refit"]
        loss = (
            ("training", c.accent, tuple((e.epoch, e.loss) for e in held)),
            ("held out", c.warning, tuple(
                (e.epoch, e.holdout_loss) for e in held if e.holdout_loss is not None)),
            ("refit", c.muted, tuple((e.epoch, e.loss) for e in refit)),
        )  # fmt: skip
        iou = tuple((e.epoch, e.holdout_iou) for e in held if e.holdout_iou is not None)
        self._loss.show_curves(loss, empty="")
        self._iou.show_curves((("", "#0b9e6f", iou),), empty="No score yet." if epochs else "")

    def changeEvent(self, event: QEvent) -> None:
        """Draw the curves in the new theme's colours."""
        super().changeEvent(event)
        if event.type() == event.Type.PaletteChange and hasattr(self, "_iou"):
            self._draw()


def describe_run(name: str, model: Path) -> tuple[str, str]:
    """Return the line of a run in the list, and its tooltip."""
    number = int(name) if name.isdecimal() else name
    try:
        card = read_card(model)
    except GeoCNNError as error:
        return f"run {number}   damaged", str(error)
    score = card.training.holdout_iou
    said = "no held-out score" if score is None else f"mean IoU {score:.2f} on held-out blocks"
    stopped = "" if card.training.refit else ", stopped early"
    return f"run {number}   {title_of(card.spec)}   {said}{stopped}", "Click to predict with it"

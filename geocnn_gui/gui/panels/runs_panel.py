"""What runs now, how far it is and how to stop it; past runs with their score; the curves."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QProgressBar,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from geocnn_gui.events import score_of
from geocnn_gui.gui.panels.run_rows import chosen_sentence, compared, held_runs, row_of
from geocnn_gui.gui.theme import colours, set_icon
from geocnn_gui.gui.widgets.card import Card, button, duration, enable, label
from geocnn_gui.gui.widgets.compare_runs import RUN_COLOURS, CompareRuns
from geocnn_gui.gui.widgets.curve_plot import Band, Curve, CurvePlot, band_of, score_title
from geocnn_gui.gui.widgets.notes_dialog import NotesDialog
from geocnn_gui.gui.widgets.run_tree import RunTree

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtCore import QEvent, QPoint
    from PySide6.QtGui import QShowEvent

    from geocnn_gui.events import EpochDone, Progress
    from geocnn_gui.gui.session import Session
    from geocnn_gui.project.runs import Run

_STEPS = 1000
_EMPTY = "No run yet: a training shows its progress, its curves and its score here."
#: Heights in pixels: with runs to show, and without.
_LEAST, _USUAL, _MOST = 150, 168, 16_777_215
_ONE = "Choose one run."


class RunsPanel(Card):
    """One running task at the top, past runs below it, curves at the right."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.setObjectName("runs_panel")
        self._session = session
        self._known: dict[Path, Run] = {}
        self._newest: Path | None = None
        self._height = _USUAL
        self._title = label(name="job_title")
        self._left = label(role="muted", name="time_left")
        self._pause = button("Pause", self._toggle_pause, name="pause")
        self._stop = button("Stop", session.stop_job, name="stop")
        set_icon(self._pause, "pause")
        set_icon(self._stop, "stop")
        self._bar = QProgressBar()
        self._bar.setObjectName("progress")
        self._bar.setTextVisible(False)
        self._note = label(role="muted", name="job_note")
        self._note.setSizePolicy(self._note.sizePolicy().Policy.Ignored,
                                 self._note.sizePolicy().Policy.Fixed)  # fmt: skip
        self._tree = RunTree()
        self._loss = CurvePlot("Loss")
        self._loss.setObjectName("loss_plot")
        self._iou = CurvePlot("Mean IoU, held out")
        self._iou.setObjectName("iou_plot")
        self._empty = label(_EMPTY, role="muted", name="no_runs")
        self._tools = self._make_tools()
        self._lay_out()
        self._listen()
        self._list_runs()
        self._refresh()

    def _listen(self) -> None:
        session, tree = self._session, self._tree
        session.job_changed.connect(self._list_runs)
        session.job_changed.connect(self._refresh)
        session.busy_changed.connect(self._refresh)
        session.progressed.connect(self._show_progress)
        session.epoch_done.connect(self._on_epoch)
        session.noted.connect(self._on_noted)
        for signal in (session.runs_changed, session.model_changed):
            signal.connect(self._list_runs)
        session.source_changed.connect(self._on_chosen)
        tree.itemSelectionChanged.connect(self._on_chosen)
        tree.itemActivated.connect(lambda *_: self._use())
        tree.customContextMenuRequested.connect(self._show_menu)
        tree.renamed.connect(self._on_renamed)

    def _lay_out(self) -> None:
        self._head = QWidget()
        top = QHBoxLayout(self._head)
        top.setContentsMargins(0, 0, 0, 0)
        top.setSpacing(8)
        top.addWidget(self._title, 1)
        for widget in (self._left, self._pause, self._stop):
            top.addWidget(widget)
        first = QHBoxLayout()
        first.setSpacing(10)
        first.addWidget(label("RUNS", role="heading"))
        first.addWidget(self._empty)
        first.addWidget(self._head, 1)
        first.addStretch(0)
        first.addWidget(self._tools)
        side = QWidget()
        left = self._column = QVBoxLayout(side)
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(4)
        left.addLayout(first)
        left.addWidget(self._bar)
        left.addWidget(self._note)
        left.addWidget(self._tree, 10)
        line = QHBoxLayout()
        line.setSpacing(24)
        line.addWidget(side, 6)
        line.addWidget(self._loss, 4)
        line.addWidget(self._iou, 4)
        self.body.setContentsMargins(12, 8, 12, 8)
        self.body.addLayout(line)

    def _make_tools(self) -> QWidget:
        """Make the small buttons: what can be done with the chosen runs."""
        tools = QWidget()
        line = QHBoxLayout(tools)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(2)
        self._buttons: dict[str, QToolButton] = {}
        for name, picture, act in (
            ("continue", "play", self._continue), ("use", "model", self._use),
            ("compare", "compare", self._compare), ("export", "export", self._export),
            ("delete", "delete", self._delete),
        ):  # fmt: skip
            made = QToolButton()
            made.setObjectName(f"run_{name}")
            made.setIconSize(QSize(16, 16))
            set_icon(made, picture)
            made.clicked.connect(lambda _=False, act=act: act())
            line.addWidget(made)
            self._buttons[name] = made
        return tools

    # The running task

    def _refresh(self) -> None:
        job, busy = self._session.job, self._session.reading
        running = job is not None
        for widget in (self._pause, self._stop):
            widget.setVisible(running)
        self._bar.setVisible(running or bool(busy))
        self._left.setText("")
        self._head.setVisible(running or bool(busy))
        self._note.setVisible(running and bool(self._note.text()))
        self._show_empty()
        if job is None:
            self._note.setText("")
            self._bar.setRange(0, 0)
            self._title.setText(f"{busy} …" if busy else "")
            return
        self._pause.setText("Resume" if job.paused else "Pause")
        set_icon(self._pause, "play" if job.paused else "pause")
        self._pause.setEnabled(not job.stopping)
        self._stop.setEnabled(not job.stopping)
        self._stop.setText("Stopping …" if job.stopping else "Stop")
        train = self._session.work == "train"
        self._stop.setToolTip("Stop; the best weights so far are kept" if train else "Stop")
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
        self._note.setToolTip(text)
        self._note.setVisible(self._session.job is not None)

    def _toggle_pause(self) -> None:
        job = self._session.job
        if job is not None and job.paused:
            self._session.resume_job()
        else:
            self._session.pause_job()

    # The runs

    def _list_runs(self) -> None:
        runs, session = self._session.runs, self._session
        self._known = {run.folder: run for run in runs}
        self._tree.show_rows(tuple(row_of(run, session.model_path) for run in runs))
        begun = session.run_folder if session.work == "train" else None
        newest = runs[0].folder if runs else None
        if begun in self._known and begun != self._newest:
            self._newest = begun
            self._tree.choose(begun)
        elif newest is not None and not self._tree.chosen():
            self._tree.choose(newest)
        self._show_empty()

    def _show_empty(self) -> None:
        """Take no more room than there is something to show."""
        idle = self._session.job is None and not self._session.reading
        some = bool(self._known) or self._session.work == "train"
        self._empty.setVisible(idle and not some)
        self._tree.setVisible(bool(self._known))
        self._tools.setVisible(idle and some)
        for plot in (self._loss, self._iou):
            plot.setVisible(some)
        if not some and self.minimumHeight() and self.isVisible():
            self._height = self.height()
        self._column.activate()
        self.body.activate()
        self.setMinimumHeight(_LEAST if some else 0)
        self.setMaximumHeight(_MOST if some else self.body.sizeHint().height() + 6)
        self._fit()

    def _fit(self) -> None:
        """Give the room that is not needed to what stands above, or take it back."""
        rows = self.parentWidget()
        if isinstance(rows, QSplitter) and self.isVisible():
            sizes, here = rows.sizes(), rows.indexOf(self)
            if self.minimumHeight():
                wanted = max(self._height, _LEAST) if sizes[here] < _LEAST else sizes[here]
            else:
                wanted = self.maximumHeight()
            sizes[0] += sizes[here] - wanted
            sizes[here] = wanted
            rows.setSizes(sizes)

    def showEvent(self, event: QShowEvent) -> None:
        """Fit into the window once it is there."""
        super().showEvent(event)
        QTimer.singleShot(0, self, self._fit)

    def _runs(self) -> tuple[Run, ...]:
        return tuple(self._known[key] for key in self._tree.chosen() if key in self._known)

    def _run(self) -> Run | None:
        """Return the run whose curves are drawn: the one chosen last."""
        current, chosen = self._tree.current(), self._tree.chosen()
        key = current if current in chosen else next(iter(chosen), None)
        return self._known.get(key) if key is not None else None

    def _on_chosen(self) -> None:
        self._draw()
        runs = self._runs()
        for name, (_, reason, tip) in self._offers(runs).items():
            if name in self._buttons:
                enable(self._buttons[name], reason, tip=tip)
                self._buttons[name].setAccessibleName(tip)

    def _offers(self, runs: tuple[Run, ...]) -> dict[str, tuple[str, str, str]]:
        """Return for each thing that can be done: its text, why not now, what it does."""
        session, run = self._session, runs[0] if len(runs) == 1 else None
        model = "" if run is not None and run.model is not None else "It has no model."
        one = "" if run is not None else _ONE
        fixed = one or (session.why_no_change(run) if run is not None else "")
        blocked = next((why for r in runs if (why := session.why_no_deletion(r))), "")
        several = "" if 2 <= len(runs) <= len(RUN_COLOURS) else (
            f"Choose two to {len(RUN_COLOURS)} runs (Ctrl+click).")  # fmt: skip
        title = chosen_sentence(runs) if runs else "the run"
        go_on = one or (session.why_no_going_on(run) if run is not None else "")
        return {
            "continue": ("Continue training", go_on, f"Go on with the training of {title}"),
            "use": ("Use its model", one or model, f"Predict with the model of {title}"),
            "rename": ("Rename", fixed, "Give it a name (F2)"),
            "notes": ("Notes…", fixed, "Write down what was tried"),
            "compare": ("Compare…", several, "Compare the chosen runs"),
            "export": ("Export model…", one or model, f"Save the model of {title} as one file"),
            "delete": ("Delete", blocked if runs else _ONE, f"Delete {title}; it can be undone"),
        }

    def _show_menu(self, at: QPoint) -> None:
        runs = self._runs()
        if not runs:
            return
        acts = {
            "continue": self._continue, "use": self._use, "rename": self._tree.rename,
            "notes": self._take_notes, "compare": self._compare, "export": self._export,
            "delete": self._delete,
        }  # fmt: skip
        menu = QMenu(self)
        menu.setObjectName("run_menu")
        menu.setToolTipsVisible(True)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name, (text, reason, tip) in self._offers(runs).items():
            if name in ("rename", "compare", "delete"):
                menu.addSeparator()
            action = menu.addAction(text, acts[name])
            action.setObjectName(f"run_menu_{name}")
            action.setEnabled(not reason)
            action.setToolTip(reason or tip)
        menu.popup(self._tree.viewport().mapToGlobal(at))

    def _continue(self) -> None:
        run = self._run()
        if run is not None:
            self._session.continue_run(run)

    def _use(self) -> None:
        run = self._run()
        if run is not None:
            self._session.take_run(run)

    def _export(self) -> None:
        run = self._run()
        if run is not None:
            self._session.request_model_name.emit(run)

    def _delete(self) -> None:
        self._session.delete_runs(self._runs())

    def _compare(self) -> None:
        runs = tuple(compared(run, self._session.epochs_of(run)) for run in self._runs())
        CompareRuns(runs, self).show()

    def _take_notes(self) -> None:
        run = self._run()
        if run is not None and run.record is not None:
            save = partial(self._session.note_run, run)
            NotesDialog(f"Notes on {run.title}", run.record.notes, save, self).show()

    def _on_renamed(self, key: Path, name: str) -> None:
        run = self._known.get(key)
        if run is not None and name != run.title:
            self._session.rename_run(run, name)

    # The curves

    def _on_epoch(self) -> None:
        run = self._run()
        if run is None or run.state == "running":
            self._draw()

    def _draw(self) -> None:
        run = self._run()
        session = self._session
        epochs = session.epochs_of(run) if run is not None else tuple(session.epochs)
        self._draw_epochs(epochs)

    def _draw_epochs(self, epochs: tuple[EpochDone, ...]) -> None:
        c = colours()
        loss: list[Curve] = []
        iou: list[Curve] = []
        bands: list[Band] = []
        for number, held in enumerate(held_runs(epochs)):
            names = ("", "") if number else ("training", "held out")
            scored = [(e.epoch, e.holdout_loss) for e in held if e.holdout_loss is not None]
            loss.append((names[0], c.accent, tuple((e.epoch, e.loss) for e in held)))
            loss.append((names[1], c.warning, tuple(scored)))
            figures = [(e.epoch, score_of(e)) for e in held]
            points = [(epoch, figure) for epoch, figure in figures if figure is not None]
            iou.append(("", "#0b9e6f", tuple(points)))
            bands.append(("#0b9e6f", band_of(held)))
        refit = tuple((e.epoch, e.loss) for e in epochs if e.stage == "refit")
        self._loss.show_curves((*loss, ("refit", c.muted, refit)), empty="")
        empty = "No score yet." if epochs else ""
        title = score_title(e for e in epochs if e.stage == "holdout")
        self._iou.show_curves(tuple(iou), empty=empty, bands=tuple(bands), title=title)

    def changeEvent(self, event: QEvent) -> None:
        """Draw the curves in the new theme's colours."""
        super().changeEvent(event)
        if event.type() == event.Type.PaletteChange and hasattr(self, "_tools"):
            self._list_runs()

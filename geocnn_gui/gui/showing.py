"""Bring what was opened into view, and let go of what was there."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geocnn_gui.data.source import Section
from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.keeping import Keeping
from geocnn_gui.gui.state import first_view
from geocnn_gui.gui.training import MODEL_FILE
from geocnn_gui.labels.classes import by_id
from geocnn_gui.models.compatibility import differences

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Source
    from geocnn_gui.data.statistics import BandStatistics
    from geocnn_gui.gui.opening import Opened
    from geocnn_gui.models.weights import ModelCard


class Showing(Keeping):
    """State that opens in the background, one thing at a time, and shows it."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._adding = False

    def _open(
        self, function: Callable[[], Opened | Source], done: Callable[[Any], None], path: str
    ) -> None:
        if self.busy:
            self.tell(f"{self.busy}: wait for it to end.", "warning")
            return
        name = Path(path).name.replace("example:", "example ")
        self._set_busy(f"Opening {name}")
        self._calls.start(
            function, lambda answer: self.steps.when_idle(lambda: done(answer)),
            self._on_open_failed, dropped=lambda opened: opened.close(),
            title=f"Opening {name}",
        )  # fmt: skip

    def _on_open_failed(self, error: Exception) -> None:
        self._set_busy("")
        self._on_problem(error)
        self._open_waiting()

    def _on_problem(self, problem: Exception) -> None:
        """Tell why a source is not shown."""
        self.report(problem)

    def _open_waiting(self) -> None:
        """Go on with the next file that was asked for."""

    def _join(self, source: Source, join: Callable[[], Opened]) -> None:
        """Show a source that was opened for the project at hand."""
        try:
            opened = join()
        except GeoCNNError as error:
            source.close()
            self._on_open_failed(error)
            return
        self._show(opened)

    def _show(self, opened: Opened) -> None:
        self._set_busy("")
        other = opened.project is not self.project
        in_hand = self.model_path, self.model_card
        self._leave_source()
        if other:
            self._leave_project()
        self._take(opened)
        if other:
            self._restore_work()
        self._frame()
        self.classes_changed.emit()
        self.source_changed.emit()
        self.project_changed.emit()
        if other:
            self._take_last_run()
            self._keep_model(*in_hand)
        if self.model_path is not None and self.source is not None:
            self.use_run(self.model_path)
        self._tell_notes(opened)
        self._estimate_statistics()
        self._adding = True
        self._open_waiting()

    def _take(self, opened: Opened) -> None:
        if opened.project is not self.project:
            self.steps.attach(opened.project.history)
        self.project, self.classes = opened.project, opened.project.classes
        if opened.entry is not None and opened.source is not None and opened.labels is not None:
            self.entry_id = opened.entry.id
            self.source, self.labels = opened.source, opened.labels
            self._books[self.entry_id] = opened.labels
        if by_id(self.classes, self.current_class) is None:
            self.current_class = self.classes[0].id if self.classes else 0

    def _frame(self) -> None:
        """Choose the section and how it is drawn: as it was left, else what suits the data."""
        if self.source is not None:
            self.section = self.source.first_section()
            self.view = first_view(self.source)
            self._restore_view()

    def _keep_model(self, path: Path | None, card: ModelCard | None) -> None:
        """Keep a model in hand that fits the new source, where its project has none of its own."""
        if self.model_path is not None or path is None or card is None or self.source is None:
            return
        with suppress(GeoCNNError):  # it does not fit, or is gone
            differences(card, self.source)
            self._set_model(path)

    def _tell_notes(self, opened: Opened) -> None:
        """Tell what a user should know of what was opened."""
        if opened.labels is not None and opened.labels.recovered:
            self.tell(opened.labels.recovered, "warning")
        self._tell_history()
        if opened.problem is not None:
            self._on_problem(opened.problem)

    def _estimate_statistics(self) -> None:
        from geocnn_gui.data.statistics import estimate_statistics

        source = self.source
        if source is None:
            return

        def done(statistics: tuple[BandStatistics, ...]) -> None:
            self.statistics = statistics
            self.statistics_changed.emit()
            self.view_changed.emit()

        self._look_at(source, lambda: estimate_statistics(source), done)

    def _take_last_run(self) -> None:
        """Take the newest whole model of the project in hand."""
        runs = self.project.runs if self.project is not None else ()
        for model in (run / MODEL_FILE for run in reversed(runs)):
            with suppress(GeoCNNError):  # a damaged one: the list of runs says so
                if model.exists():
                    self._set_model(model)
                    break
        self.runs_changed.emit()

    def close_source(self) -> None:
        """Close the project; the window shows the welcome page."""
        if self.project is None:
            return
        self._leave_source()
        self._leave_project()
        self.source_changed.emit()
        self.project_changed.emit()
        self.runs_changed.emit()

    def _leave_source(self) -> None:
        self.end_stroke()  # what was painted while another source opened is kept
        self.steps.finish()
        self._note_view()
        if self.source is not None:
            self.in_use.retire(self.source)
        self.source = self.labels = self.statistics = None
        self.entry_id, self.section = "", Section()
        self.show_prediction(None)

    def _leave_project(self) -> None:
        self.keep_work()
        self.steps.attach(None)
        if self.project is not None:
            self.project.close()
        self.project, self.classes, self.saved_at = None, (), None
        self._books = {}
        self._forget_training()
        self._set_model(None)

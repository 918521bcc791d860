"""The one object that owns everything that is open; views read it and listen to it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geocnn_gui.data.source import EXAMPLES, Section, open_source
from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui import opening
from geocnn_gui.gui.exporting import Exporting
from geocnn_gui.gui.scoring import Score
from geocnn_gui.gui.state import CursorReadout, Message, Overlay, Tool, ViewState, first_view
from geocnn_gui.gui.training import MODEL_FILE
from geocnn_gui.labels.classes import by_id
from geocnn_gui.models.compatibility import differences
from geocnn_gui.project.home import default_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Source
    from geocnn_gui.data.statistics import BandStatistics
    from geocnn_gui.gui.opening import Opened
    from geocnn_gui.models.weights import ModelCard
    from geocnn_gui.project.project import SourceEntry

__all__ = ["MODEL_FILE", "CursorReadout", "Message", "Overlay", "Score", "Session", "Tool",
           "ViewState"]  # fmt: skip


class Session(Exporting):
    """Open, close and switch sources; see `State` for the attributes and the signals."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: list[Path | str] = []
        self._adding = False

    def open_paths(self, paths: Sequence[Path | str]) -> None:
        """Open the first file that can be read; the others become sources of its project."""
        if self.busy:
            self.tell(f"{self.busy}: wait for it to end.", "warning")
            return
        self._waiting, self._adding = list(paths), False
        self._open_waiting()

    def _open_waiting(self) -> None:
        while self._waiting and not self.busy:
            path = self._waiting.pop(0)
            if self._adding:
                self.add_path(path)
            else:
                self.open_path(path)

    def open_path(self, path: Path | str) -> None:
        """Open a file or "example:NAME" in the background, with the project kept for it."""
        key = _key(path)
        if self.project is not None and default_folder(key) == self.project.folder:
            self._adding = True  # its project is open here
            self.add_path(path)
        else:
            self._open(lambda: opening.open_work(key), self._show, key)

    def add_path(self, path: Path | str) -> None:
        """Open a file as one more source of the project, or as the first."""
        project, key = self.project, _key(path)
        if project is None:
            self.open_path(path)
            return
        known = next((entry for entry in project.sources if entry.path == key), None)
        if known is not None:
            self.show_entry(known.id)
            return
        self._open(
            lambda: open_source(key),
            lambda source: self._join(source, lambda: opening.place(project, key, source)),
            key,
        )

    def show_entry(self, entry_id: str) -> None:
        """Show another source of the project."""
        if self.project is not None and entry_id != self.entry_id:
            self._reopen(self.project.source(entry_id))

    def choose(self, **choices: str) -> None:
        """Read the source in view another way: `vertical` as "time" or "depth", and so on.

        The choice is kept with the project.
        """
        if self.project is None or self.source is None:
            return
        kept = self.project.source(self.entry_id).choices
        try:
            self.project.set_choices(self.entry_id, {**kept, **choices})
        except GeoCNNError as error:
            self.report(error)
            return
        self._reopen(self.project.source(self.entry_id))

    def _reopen(self, entry: SourceEntry) -> None:
        project = self.project
        if project is None:
            return
        self._open(
            lambda: opening.open_entry(entry),
            lambda source: self._join(source, lambda: opening.show_again(project, entry, source)),
            entry.path,
        )

    def _join(self, source: Source, join: Callable[[], Opened]) -> None:
        """Show a source that was opened for the project at hand."""
        try:
            opened = join()
        except GeoCNNError as error:
            source.close()
            self._on_open_failed(error)
            return
        self._show(opened)

    def _open(self, function: Callable[[], Any], done: Callable[[Any], None], path: str) -> None:
        if self.busy:
            self.tell(f"{self.busy}: wait for it to end.", "warning")
            return
        name = Path(path).name.replace("example:", "example ")
        self._set_busy(f"Opening {name}")
        self._calls.start(function, done, self._on_open_failed, title=f"Opening {name}")

    def _on_open_failed(self, error: Exception) -> None:
        self._set_busy("")
        self.report(error)
        self._open_waiting()

    def _show(self, opened: Opened) -> None:
        self._set_busy("")
        other = opened.project is not self.project
        in_hand = self.model_path, self.model_card
        self._leave_source()
        if other:
            self._leave_project()
        self.project, self.entry_id = opened.project, opened.entry.id
        self.source, self.labels = opened.source, opened.labels
        self._books[self.entry_id] = opened.labels
        self.classes = opened.project.classes
        if by_id(self.classes, self.current_class) is None:
            self.current_class = self.classes[0].id if self.classes else 0
        self.section = opened.source.first_section()
        self.view = first_view(opened.source)
        self.classes_changed.emit()
        self.source_changed.emit()
        self.project_changed.emit()
        if other:
            self._take_last_run()
            self._keep_model(*in_hand)
        if self.model_path is not None:
            self.use_run(self.model_path)
        self._tell_notes(opened)
        self._estimate_statistics()
        self._adding = True
        self._open_waiting()

    def _keep_model(self, path: Path | None, card: ModelCard | None) -> None:
        """Keep a model in hand that fits the new source, where its project has none of its own."""
        if self.model_path is not None or path is None or card is None or self.source is None:
            return
        with suppress(GeoCNNError):  # it does not fit, or is gone
            differences(card, self.source)
            self._set_model(path)

    def _tell_notes(self, opened: Opened) -> None:
        if opened.labels.recovered:
            self.tell(opened.labels.recovered, "warning")
        if not opened.entry.unchanged:
            self.tell(f"{opened.entry.path} has changed since it was added.", "warning")
        self._tell_suggestion(opened.source)

    def _tell_suggestion(self, source: Source) -> None:
        """Offer to read a file as its samples speak for, where its header says otherwise."""
        suggested, now = (x.get("sample_format") for x in (source.suggestion, source.choices))
        if suggested is None or now is None:
            return
        names = {"ibm": "IBM", "ieee": "IEEE"}
        self.tell(
            f"{source.name} says {names[now]} floats but its samples look {names[suggested]}.",
            "warning",
            actions=(
                (f"Read as {names[suggested]}", lambda: self.choose(sample_format=suggested)),
                ("Keep", lambda: self.choose(sample_format=now)),
            ),
        )

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
        if self.source is None:
            return
        self._leave_source()
        self._leave_project()
        self.source_changed.emit()
        self.project_changed.emit()
        self.runs_changed.emit()

    def _leave_source(self) -> None:
        self.end_stroke()  # what was painted while another source opened is kept
        self.undo_stack.clear()
        if self.source is not None:
            self.in_use.retire(self.source)
        self.source = self.labels = self.statistics = None
        self.entry_id, self.section = "", Section()
        self.show_prediction(None)

    def _leave_project(self) -> None:
        if self.project is not None:
            self.project.close()
        self.project, self.classes, self.saved_at = None, (), None
        self._books = {}
        self.epochs, self.run_folder = [], None
        self._set_model(None)

    def shut_down(self) -> None:
        """Stop what runs, wait for it, and close everything: the last step of the window."""
        super().shut_down()
        self.close_source()


def _key(path: Path | str) -> str:
    """Return how a project knows a source: an example's name, or the absolute path."""
    return str(path) if str(path) in EXAMPLES else str(Path(path).expanduser().resolve())

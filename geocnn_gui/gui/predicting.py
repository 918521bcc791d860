"""The session's model in hand, and predicting with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geocnn_gui.data.source import Window
from geocnn_gui.errors import GeoCNNError, UnreadableFile
from geocnn_gui.files import write_bytes
from geocnn_gui.gui.running import Running
from geocnn_gui.inference.journal import JOURNAL
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.inference.store import folder_of, progress_in
from geocnn_gui.models.compatibility import differences
from geocnn_gui.models.weights import read_card

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from geocnn_gui.events import TileDone
    from geocnn_gui.inference.journal import Record
    from geocnn_gui.inference.store import PredictionStore


class Predicting(Running):
    """State with a model to predict with, and its predictions."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._prediction_folder: Path | None = None
        self._shown_is_ours = False  # the prediction in view is by a model of this project
        self.prediction_spec = PredictionSpec()
        self._progress_of: tuple[object, Record | None] = (None, None)
        self.classes_changed.connect(self._rename_prediction)

    def why_no_prediction(self) -> str:
        """Say what a prediction still lacks; "" when it can start."""
        if self.source is None:
            return "Open a file first."
        if reason := self.why_read_only():
            return reason
        if self.job is not None:
            return "Wait for the running task, or stop it."
        if self.model_card is None:
            return "Train a model or open one first."
        try:
            differences(self.model_card, self.source)
        except GeoCNNError as error:
            return str(error)
        return ""

    def open_model(self, path: Path | str) -> None:
        """Predict with a model file from now on."""
        try:
            self._set_model(Path(path))
        except GeoCNNError as error:
            self.report(error)

    def use_run(self, model: Path) -> None:
        """Take the model of an earlier run in hand, with what it said of this source."""
        self.open_model(model)
        self.show_prediction(None)
        folder = self.prediction_folder()
        if folder is not None and folder.is_dir():
            self._show_folder(folder)
        if self.source is None and self.model_path == model:
            self.tell(f"{model.name} is the model in hand: open the data to predict.")

    def why_no_model(self) -> str:
        """Say why there is no model to save; "" when there is one."""
        return "" if self.model_path is not None else "Train a model or open one first."

    def save_model(self, path: Path | str) -> None:
        """Write a copy of the model in hand to a file, whole or not at all."""
        if self.model_path is not None:
            self.copy_model(self.model_path, path)

    def copy_model(self, model: Path, path: Path | str) -> None:
        """Write a copy of a model file, whole or not at all."""
        try:
            write_bytes(Path(path), model.read_bytes())
        except GeoCNNError as error:
            self.report(error)
        except OSError as error:
            way_out = "train again or open another model"
            self.report(UnreadableFile(f"Cannot read {model} ({error.strerror})", way_out))
        else:
            self.tell(f"Model saved to {path}.")

    def _set_model(self, path: Path | None) -> None:
        self.model_card = None if path is None else read_card(path)
        self.model_path = path
        self.model_changed.emit()

    def start_prediction(self, *, whole: bool = False) -> None:
        """Predict the section in view, or the whole source, with the model in hand."""
        from geocnn_gui import workflow

        folder = self.prediction_folder()
        if self.source is None or self.model_path is None:
            return
        if folder is None:
            way_out = "train again or open another model"
            self.report(UnreadableFile(f"{self.model_path} is gone", way_out))
            return
        if reason := self.why_read_only():
            self.tell(reason, "warning")
            return
        if self._source_has_changed():
            return
        sections = None if whole or self.section.axis is None else [self.section]
        task = workflow.predict(
            self.model_path, self.source, folder=folder, sections=sections,
            spec=self.prediction_spec,
        )  # fmt: skip
        if self._start(task, "predict", "Predicting"):
            self._prediction_folder = folder

    def _source_has_changed(self) -> bool:
        """Say whether the file in view is another than was opened, and tell so."""
        entry = self.project.source(self.entry_id) if self.project is not None else None
        if entry is None or entry.state != "changed":
            return False
        self.tell(
            f"{entry.path} has changed since it was opened: close the project and open it again.",
            "warning",
        )
        return True

    def set_prediction_spec(self, spec: PredictionSpec) -> None:
        """Predict in another manner from now on."""
        self.prediction_spec = spec
        self.model_changed.emit()

    def unfinished_prediction(self, *, whole: bool) -> Record | None:
        """Return what a stopped prediction by the model in hand has done, in the same manner.

        With `whole` that of all sections, otherwise that of the section in view; None where
        there is none to be continued.
        """
        folder = self.prediction_folder()
        if folder is None or self.source is None or self.work == "predict":
            return None
        record = self._progress_in(folder)
        if record is None or record.count >= record.total:
            return None
        wanted = self.prediction_spec.model_dump(exclude={"memory"})
        if any(record.settings.get(key) != value for key, value in wanted.items()):
            return None
        if self.section.axis is None:
            return record
        same = record.whole if whole else record.asked == (self.section,)
        return record if same else None

    def _progress_in(self, folder: Path) -> Record | None:
        """Return what was done in `folder`, read again only after it has changed."""
        journal = folder / JOURNAL
        state = (folder, journal.stat().st_mtime_ns if journal.is_file() else 0)
        if self._progress_of[0] != state:
            self._progress_of = state, progress_in(folder)
        return self._progress_of[1]

    def check_tiling(self) -> None:
        """Measure how far tiles are from one pass, on the section in view; a note says it."""
        from geocnn_gui import workflow

        if self.source is None or self.model_path is None:
            return
        task = workflow.check_tiling(
            self.model_path, self.source, section=self.section, spec=self.prediction_spec
        )
        self._start(task, "check", "Checking the tiling")

    def prediction_folder(self) -> Path | None:
        """Return where the model in hand puts what it says of the source in view."""
        if self.project is None or self.model_path is None or not self.entry_id:
            return None
        try:
            return folder_of(self.model_path, self.project.prediction_folder(self.entry_id))
        except OSError:  # the model has gone
            return None

    def show_prediction(self, store: PredictionStore | None) -> None:
        """Draw another prediction over the data, or none."""
        self.prediction = store
        self.overlay_changed.emit()

    def _predicts_here(self) -> bool:
        """Say whether the job in hand predicts the source in view."""
        folder, project = self._prediction_folder, self.project
        if folder is None or project is None or not self.entry_id:
            return False
        return folder.parent == project.prediction_folder(self.entry_id)

    def _on_tiles(self, tiles: list[TileDone]) -> None:
        if not self._predicts_here():
            return
        if self.prediction is None or self.prediction.folder != self._prediction_folder:
            self._show_folder(self._prediction_folder)
        for tile in tiles:
            self.tile_done.emit(Window(tile.offset, tile.size))

    def _show_folder(self, folder: Path | None) -> None:
        from geocnn_gui.inference.store import PredictionStore

        if folder is None or self.source is None:
            return
        try:
            store = PredictionStore.open(folder)
        except GeoCNNError as error:
            self.report(error)
            return
        if store.is_of(self.source):
            self._shown_is_ours = self._model_made_here()
            if self._shown_is_ours:
                store.show_as(self.classes)
            fresh = self.prediction is None or self.prediction.target is None
            self.show_prediction(store)
            self.set_view(overlay_visible=True)
            if store.target is not None and fresh:  # values stand for the data, not over them
                self.set_view(overlay_opacity=1.0)

    def _model_made_here(self) -> bool:
        """Say whether the model in hand is of this project, so that its classes are these."""
        project, model = self.project, self.model_path
        return project is not None and model is not None and project.folder in model.parents

    def _rename_prediction(self) -> None:
        """Show the prediction by the names and colours that the classes have now."""
        shown = self.prediction
        if shown is not None and self._shown_is_ours and shown.show_as(self.classes):
            self.overlay_changed.emit()

    def _on_job_ended(self, outcome: str) -> None:
        self._show_what_was_predicted()
        super()._on_job_ended(outcome)

    def _show_what_was_predicted(self) -> None:
        """Show the prediction that has ended, where no tile of it has come."""
        folder, shown = self._prediction_folder, self.prediction
        other = shown is None or shown.folder != folder
        if folder is not None and other and self._predicts_here() and folder.is_dir():
            self._show_folder(folder)
        self._prediction_folder = None

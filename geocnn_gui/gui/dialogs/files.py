"""Ask for files without blocking what runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget

from geocnn_gui.project.home import data_home

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.export.segy import Samples
    from geocnn_gui.export.table import Kind
    from geocnn_gui.gui.exporting import Cells
    from geocnn_gui.gui.session import Session
    from geocnn_gui.project.runs import Run

DATA = "Data (*.sgy *.segy *.seg *.tif *.tiff *.gtif *.png *.jpg *.jpeg *.npy *.npz);;All files (*)"
LABELS = "Labels (*.tif *.tiff *.gtif *.png *.sgy *.segy *.npy);;All files (*)"
TABLES = "Tables (*.csv *.txt);;All files (*)"
MODELS = "Models (*.safetensors);;All files (*)"
WEIGHTS = "Weights (*.pth *.pt *.safetensors);;All files (*)"

REPORTS = "Table (*.csv);;JSON (*.json)"


class Asker:
    """Opens file dialogs over a window for what the session can do with files.

    `folder` is where the first one looks; `folder_changed` is told where a file was chosen.
    `cells` answers with the rows and columns in view.
    """

    def __init__(
        self,
        window: QWidget,
        session: Session,
        *,
        folder: str,
        folder_changed: Callable[[str], None],
        cells: Callable[[], Cells],
    ) -> None:
        self._window, self._session, self._cells = window, session, cells
        self._folder, self._changed = folder or str(Path.home()), folder_changed

    def data(self) -> None:
        """Ask for a file and open it."""
        self._ask("Open", DATA, self._session.open_path)

    def folder(self) -> None:
        """Ask for a folder of images by class, or of records, and open it."""
        dialog = QFileDialog(self._window, "Open folder", self._folder)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        self._open(dialog, self._session.open_path)

    def project(self) -> None:
        """Ask for a project folder and open it."""
        home = data_home() / "projects"
        dialog = QFileDialog(self._window, "Open project", str(home if home.is_dir() else ""))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        self._open(dialog, self._session.open_project, keep=False)

    def copy_name(self) -> None:
        """Ask for the name of a new folder and copy the project there."""
        project = self._session.project
        if project is None:
            return
        dialog = QFileDialog(self._window, "Save a copy of the project", self._folder)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile(f"{project.name} copy")
        self._open(dialog, self._session.save_project_copy)

    def place(self, entry_id: str) -> None:
        """Ask where the file of a source is now."""
        self._ask("Where is it now?", DATA, lambda path: self._session.use_place(entry_id, path))

    def more_data(self) -> None:
        """Ask for a file and add it to the project."""
        self._ask("Add to project", DATA, self._session.add_path)

    def labels(self) -> None:
        """Ask for a label file and lay it over the labels."""
        self._ask("Labels from a file", LABELS, self._session.import_labels)

    def truth(self) -> None:
        """Ask for a label file and score the prediction against it."""
        self._ask("Score against a label file", LABELS, self._session.start_scoring)

    def target(self) -> None:
        """Ask for a file of values and learn them."""
        self._ask("Values to learn", self._values, self._session.choose_target)

    def true_values(self) -> None:
        """Ask for a file of true values and score the predicted ones against it."""
        self._ask("Score against true values", self._values, self._session.start_value_scoring)

    @property
    def _values(self) -> str:
        source = self._session.source
        return TABLES if source is not None and source.samples is not None else DATA

    def report_name(self) -> None:
        """Ask for a name and write the figures of the score there."""
        dialog = QFileDialog(self._window, "Save report", self._folder, REPORTS)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("csv")
        dialog.filterSelected.connect(
            lambda chosen: dialog.setDefaultSuffix("json" if "json" in chosen else "csv")
        )
        dialog.selectFile("scores.csv")
        self._open(dialog, self._session.save_report)

    def model(self) -> None:
        """Ask for a model file and predict with it."""
        self._ask("Open model", MODELS, lambda path: self._session.use_run(Path(path)))

    def weights(self, act: Callable[[str], object]) -> None:
        """Ask for a file of pretrained weights and hand it on."""
        self._ask("Pretrained weights", WEIGHTS, act)

    def model_name(self) -> None:
        """Ask for a name and write the model in hand there."""
        self._ask_model_name("", self._session.save_model)

    def run_model_name(self, run: Run) -> None:
        """Ask for a name and write the model of a run there."""
        self._ask_model_name(f" {run.title}", lambda path: self._session.save_run_model(run, path))

    def _ask_model_name(self, more: str, act: Callable[[str], object]) -> None:
        dialog = QFileDialog(self._window, "Save model", self._folder, MODELS)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("safetensors")
        project = self._session.project
        name = f"{project.name if project is not None else 'model'}{more}"
        plain = re.sub(r"[^ \w.-]", "_", name)
        dialog.selectFile(f"{plain}.safetensors")
        self._open(dialog, act)

    def labels_name(self) -> None:
        """Ask for a name and write the labels there."""
        self._ask_name("Save labels", "labels", self._session.save_labels)

    def export_name(self, kind: Kind, suffix: str = "", samples: Samples = "source") -> None:
        """Ask for a name and export there; `suffix` is the format to offer first."""
        kind = self._session.main_kind(kind)

        def write(path: str) -> None:
            kept = samples if Path(path).suffix.lower() in (".sgy", ".segy") else "source"
            self._session.start_export(path, kind, samples=kept, cells=self._cells())

        self._ask_name("Export", kind, write, suffix)

    def _ask(self, title: str, kinds: str, act: Callable[[str], object]) -> None:
        dialog = QFileDialog(self._window, title, self._folder, kinds)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._open(dialog, act)

    def _ask_name(
        self, title: str, kind: Kind, act: Callable[[str], object], suffix: str = ""
    ) -> None:
        from geocnn_gui.export.table import formats_for

        source = self._session.source
        if source is None:
            return
        formats = formats_for(kind, source)
        by_filter = {each.filter: each.suffixes[0] for each in formats}
        dialog = QFileDialog(self._window, title, self._folder, ";;".join(by_filter))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        first = next((each for each in formats if suffix in each.suffixes), formats[0])
        dialog.selectNameFilter(first.filter)
        dialog.setDefaultSuffix(first.suffixes[0])
        dialog.filterSelected.connect(lambda chosen: dialog.setDefaultSuffix(by_filter[chosen]))
        stem = source.path.stem if source.path else source.name.replace(" ", "_")
        dialog.selectFile(f"{stem}_{kind}{first.suffixes[0]}")
        self._open(dialog, act)

    def _open(
        self, dialog: QFileDialog, act: Callable[[str], object], *, keep: bool = True
    ) -> None:
        """Show a dialog; `keep` says whether the next one starts where this one ended."""

        def chosen(path: str) -> None:
            if keep:
                self._folder = str(Path(path).parent)
                self._changed(self._folder)
            act(path)

        dialog.setObjectName("file_dialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(chosen)
        dialog.open()

"""Ask for files without blocking what runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.data.source import Source

DATA = "Data (*.sgy *.segy *.seg *.tif *.tiff *.gtif *.png *.jpg *.jpeg *.npy *.npz);;All files (*)"
LABELS = "Labels (*.tif *.tiff *.gtif *.png *.sgy *.segy *.npy);;All files (*)"
MODELS = "Models (*.safetensors);;All files (*)"


class Asker:
    """Opens file dialogs over a window; remembers the folder, by `folder_changed`."""

    def __init__(self, window: QWidget, folder: str, folder_changed: Callable[[str], None]) -> None:
        self._window, self._folder, self._changed = window, folder, folder_changed

    def ask(self, title: str, kinds: str, act: Callable[[str], object]) -> None:
        """Ask for a file that exists and call `act` with it."""
        dialog = QFileDialog(self._window, title, self._folder or str(Path.home()), kinds)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._open(dialog, act)

    def ask_name(self, title: str, source: Source, what: str, act: Callable[[str], object]) -> None:
        """Ask for the name of a file about `source` to write and call `act` with it."""
        suffixes = suffixes_for(source)
        dialog = QFileDialog(
            self._window, title, self._folder or str(Path.home()), ";;".join(suffixes.values())
        )
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        first = next(iter(suffixes))
        dialog.setDefaultSuffix(first)
        by_filter = {text: suffix for suffix, text in suffixes.items()}
        dialog.filterSelected.connect(lambda chosen: dialog.setDefaultSuffix(by_filter[chosen]))
        stem = source.path.stem if source.path else source.name.replace(" ", "_")
        dialog.selectFile(f"{stem}_{what}.{first}")
        self._open(dialog, act)

    def _open(self, dialog: QFileDialog, act: Callable[[str], object]) -> None:
        def chosen(path: str) -> None:
            self._folder = str(Path(path).parent)
            self._changed(self._folder)
            act(path)

        dialog.setObjectName("file_dialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(chosen)
        dialog.open()


def suffixes_for(source: Source) -> dict[str, str]:
    """Return suffix -> filter of the formats that suit a source, the most natural first."""
    segy = {"sgy": "SEG-Y (*.sgy)"} if source.format.startswith("SEG-Y") else {}
    tiff = {"tif": "GeoTIFF (*.tif)"} if source.kind != "cube" else {}
    return {**segy, **tiff, "npy": "NumPy (*.npy)"}

"""Short boxes: what this program is; whether to quit while something runs."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from geocnn_gui import __version__
from geocnn_gui.gui.theme import app_icon


class AboutDialog(QMessageBox):
    """Name, version, purpose; does not block the window."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("about_dialog")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("About GeoCNN")
        self.setIconPixmap(app_icon().pixmap(QSize(64, 64)))
        self.setText(f"GeoCNN {__version__}")
        self.setInformativeText(
            "Paint classes on seismic and imagery, train a network on them, and see what it makes"
            " of the rest."
        )


def may_quit(parent: QWidget) -> bool:
    """Ask whether to stop what runs and quit."""
    box = QMessageBox(parent)
    box.setObjectName("quit_dialog")
    box.setWindowTitle("Quit GeoCNN")
    box.setText("A task is running. Stop it and quit?")
    box.setInformativeText("The best weights so far are kept.")
    stop = box.addButton("Stop and quit", QMessageBox.ButtonRole.AcceptRole)
    box.addButton("Stay", QMessageBox.ButtonRole.RejectRole)
    box.exec()
    chosen = box.clickedButton() is stop
    box.deleteLater()
    return chosen

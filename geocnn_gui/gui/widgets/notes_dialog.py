"""A page for notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import button

if TYPE_CHECKING:
    from collections.abc import Callable


class NotesDialog(QDialog):
    """Edits a text; `save` is told when it is kept. Does not block the window."""

    def __init__(
        self, title: str, text: str, save: Callable[[str], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("notes_dialog")
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._save = save
        self._text = QPlainTextEdit(text)
        self._text.setObjectName("notes_text")
        self._text.setPlaceholderText("What was tried, what came of it.")
        self._text.setTabChangesFocus(True)
        line = QHBoxLayout()
        line.addStretch(1)
        line.addWidget(button("Cancel", self.close, name="notes_cancel"))
        line.addWidget(button("Save", self._keep, name="notes_save", primary=True))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 12)
        layout.setSpacing(10)
        layout.addWidget(self._text)
        layout.addLayout(line)
        self.resize(420, 220)

    def _keep(self) -> None:
        self._save(self._text.toPlainText())
        self.close()

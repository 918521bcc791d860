"""A row of small buttons of which one is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget

if TYPE_CHECKING:
    from collections.abc import Mapping


class ChoiceRow(QWidget):
    """Few choices side by side; Tab reaches the row, arrows or Space choose.

    Signals
    -------
    chosen: the key of the choice that the user took.
    """

    chosen = Signal(str)

    def __init__(self, choices: Mapping[str, str], *, name: str, title: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(title)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QToolButton] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for key, text in choices.items():
            button = QToolButton()
            button.setText(text)
            button.setCheckable(True)
            button.setObjectName(f"{name}_{key}")
            button.clicked.connect(lambda _=False, key=key: self.chosen.emit(key))
            self._group.addButton(button)
            self._buttons[key] = button
            layout.addWidget(button)
        layout.addStretch(1)

    def choose(self, key: str) -> None:
        """Mark a choice without saying that it was taken."""
        self._buttons[key].setChecked(True)

    def explain(self, key: str, reason: str, *, tip: str = "") -> None:
        """Enable a choice where there is no `reason` not to; the tooltip says it where there is."""
        self._buttons[key].setEnabled(not reason)
        self._buttons[key].setToolTip(reason or tip)

"""A value that is one of a few words or the name of a file."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import link

if TYPE_CHECKING:
    from collections.abc import Callable

    #: Ask the user for a file, and call what it is given with its path.
    Ask = Callable[[Callable[[str], object]], object]


class ChoiceOrFile(QWidget):
    """A list of words, and a button that asks for a file; `changed` tells of another value."""

    changed = Signal()

    def __init__(self, choices: dict[str, str], value: str, *, ask: Ask | None = None) -> None:
        super().__init__()
        self._choices = choices
        self._box = QComboBox()
        self._box.setObjectName("choice")
        self._box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self._box.setMinimumContentsLength(8)
        self.setFocusProxy(self._box)
        for key, words in choices.items():
            self._box.addItem(words, key)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._box, 1)
        if ask is not None:
            layout.addWidget(
                link("File…", lambda: ask(self.choose), name="choose_file", tip="Choose a file")
            )
        self._box.currentIndexChanged.connect(self._on_changed)
        self.choose(value)

    def value(self) -> str:
        """Return the word's key or the file's path."""
        return self._box.currentData()

    def offer(self, choices: dict[str, str]) -> None:
        """Offer other words; the value stays."""
        value = self.value()
        before = self._box.blockSignals(True)
        self._choices = choices
        self._box.clear()
        for key, words in choices.items():
            self._box.addItem(words, key)
        self._box.blockSignals(before)
        self.choose(value)

    def choose(self, value: str) -> None:
        """Take one of the words, or a file, which joins the list."""
        if value not in self._choices:
            place = len(self._choices)
            before = self._box.blockSignals(True)  # the coming and going of items is no news
            self._box.removeItem(place)
            self._box.addItem(PurePath(value).name, value)
            self._box.setCurrentIndex(-1)
            self._box.blockSignals(before)
        self._box.setCurrentIndex(self._box.findData(value))

    def _on_changed(self) -> None:
        self._box.setToolTip("" if self.value() in self._choices else self.value())
        self.changed.emit()

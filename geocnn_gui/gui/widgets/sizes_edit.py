"""A size that is one number for every axis, a number for each, or a word."""

from __future__ import annotations

import re
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox

#: How several numbers are set apart: "3 x 5", "3, 5", "3 5".
_BETWEEN = re.compile(r"[\s,;x×]+")

#: Sizes that are offered beside the words.
_USUAL = ("1", "2", "3", "5", "7")


class SizesEdit(QComboBox):
    """Takes "3", "3 x 5" or one of `words`; `changed` tells of every other text while one types.

    `words`: what is offered -> the value that it stands for. Text that is none of these is
    handed on as it is, for the spec to refuse.
    """

    changed = Signal()

    def __init__(self, words: dict[str, Any], value: Any) -> None:
        super().__init__()
        self._words = words
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.addItems([*words, *_USUAL])
        self.setCompleter(None)  # type: ignore[arg-type]
        self.setEditText(self._text(value))
        self.editTextChanged.connect(lambda _: self.changed.emit())

    def value(self) -> Any:
        """Return a number, several, what the word stands for, or the text."""
        text = self.currentText().strip()
        if text.casefold() in self._words:
            return self._words[text.casefold()]
        parts = [part for part in _BETWEEN.split(text) if part]
        if not parts or not all(part.isdecimal() for part in parts):
            return text
        numbers = tuple(map(int, parts))
        return numbers[0] if len(numbers) == 1 else numbers

    def complaint(self) -> str:
        """Say what is wrong with the text as such; "" where it is a size or a word."""
        if not isinstance(self.value(), str) or self.value() in self._words.values():
            return ""
        offered = ", ".join(self._words)
        return "a number, or one for each axis (3 x 5)" + (f"; or {offered}" if offered else "")

    def _text(self, value: Any) -> str:
        for word, meaning in self._words.items():
            if meaning == value and type(meaning) is type(value):
                return word
        return " x ".join(map(str, value)) if isinstance(value, tuple) else str(value)

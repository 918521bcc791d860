"""A number, or "auto": measured by the program."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QSpinBox, QWidget


class AutoNumber(QWidget):
    """A box to tick for "auto", and the number where it is not; `changed` tells of another value."""

    changed = Signal()

    def __init__(self, value: str | int, low: int, high: int) -> None:
        super().__init__()
        self.auto, self.number = QCheckBox("Auto"), QSpinBox()
        self.auto.setObjectName("auto")
        self.number.setObjectName("number")
        self.number.setRange(low, high)
        self.number.setKeyboardTracking(False)
        self.setFocusProxy(self.auto)
        if isinstance(value, int):
            self.number.setValue(value)
        self.auto.setChecked(value == "auto")
        self.number.setEnabled(value != "auto")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.auto)
        layout.addWidget(self.number, 1)
        self.auto.toggled.connect(self._on_toggled)
        self.number.valueChanged.connect(lambda _: self.changed.emit())

    def value(self) -> str | int:
        """Return "auto" or the number."""
        return "auto" if self.auto.isChecked() else self.number.value()

    def _on_toggled(self, auto: bool) -> None:
        self.number.setEnabled(not auto)
        self.changed.emit()

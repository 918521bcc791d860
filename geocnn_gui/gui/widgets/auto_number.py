"""A number, or "auto": measured by the program."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QHBoxLayout, QSpinBox, QWidget

#: One click on an arrow makes a number that spans powers of ten so much larger.
_FACTOR = 1.25


class PowerBox(QDoubleSpinBox):
    """A number that may be 0.3 or 0.0000003: written short, changed by a share of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.setDecimals(9)

    def textFromValue(self, value: float) -> str:
        """Write a number with three digits that count."""
        return f"{value:.3g}"

    def valueFromText(self, text: str) -> float:
        """Read a number, also one like 3e-4."""
        return float(text.replace(",", "."))

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Let a number be typed as people write them."""
        state = QValidator.State.Intermediate
        try:
            if self.minimum() <= self.valueFromText(text) <= self.maximum():
                state = QValidator.State.Acceptable
        except ValueError:
            if not set(text) <= set("0123456789.,e-+"):
                state = QValidator.State.Invalid
        return state, text, position

    def stepBy(self, steps: int) -> None:
        """Go up or down by a quarter of the number."""
        self.setValue(float(f"{(self.value() or 1e-4) * _FACTOR**steps:.3g}"))


class AutoNumber(QWidget):
    """A box to tick for "auto", and the number where it is not; `changed` tells of another value.

    Where it is ticked the number that "auto" stands for can be shown.
    """

    changed = Signal()

    def __init__(self, value: str | float, low: float, high: float, *, whole: bool = True) -> None:
        super().__init__()
        self.auto = QCheckBox("Auto")
        self.number: QSpinBox | PowerBox = QSpinBox() if whole else PowerBox()
        self.auto.setObjectName("auto")
        self.number.setObjectName("number")
        if isinstance(self.number, QSpinBox):
            self.number.setRange(int(low), int(high))
        else:
            self.number.setRange(low, high)
        self.number.setKeyboardTracking(False)
        self.setFocusProxy(self.auto)
        if not isinstance(value, str):
            self._show(value)
        self.auto.setChecked(value == "auto")
        self.number.setEnabled(value != "auto")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.auto)
        layout.addWidget(self.number, 1)
        self.auto.toggled.connect(self._on_toggled)
        self.number.valueChanged.connect(lambda _: self.changed.emit())

    def value(self) -> str | int | float:
        """Return "auto" or the number."""
        return "auto" if self.auto.isChecked() else self.number.value()

    def set_value(self, value: str | float) -> None:
        """Take "auto" or a number, as if it had been chosen here."""
        if not isinstance(value, str):
            self._show(value)
        self.auto.setChecked(value == "auto")
        self.changed.emit()

    def show_usual(self, number: float) -> None:
        """Show what "auto" stands for, where it is ticked."""
        if self.auto.isChecked():
            self._show(number)

    def _show(self, number: float) -> None:
        before = self.number.blockSignals(True)
        if isinstance(self.number, QSpinBox):
            self.number.setValue(int(number))
        else:
            self.number.setValue(number)
        self.number.blockSignals(before)

    def _on_toggled(self, auto: bool) -> None:
        self.number.setEnabled(not auto)
        self.changed.emit()

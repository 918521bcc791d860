"""The bar above the picture: which section, how strong, in which colours and bands."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QToolButton,
    QWidget,
)

from geocnn_gui.gui.widgets.band_button import BandButton

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PySide6.QtGui import QMouseEvent

    from geocnn_gui.data.source import Axis

#: The gain slider runs from a tenth to ten, in hundredths of a decade.
_GAIN_STEPS = 100


class GainSlider(QSlider):
    """A slider for a factor on a logarithmic scale; a double click sets it to 1.

    Signals
    -------
    gain_changed: the factor, 0.1 to 10.
    """

    gain_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setRange(-_GAIN_STEPS, _GAIN_STEPS)
        self.setPageStep(10)
        self.setFixedWidth(84)
        self.setAccessibleName("Gain")
        self.setToolTip("Gain; double click for 1")
        self.valueChanged.connect(lambda value: self.gain_changed.emit(10 ** (value / _GAIN_STEPS)))

    def set_gain(self, gain: float) -> None:
        """Show a factor without saying that it changed."""
        with QSignalBlocker(self):
            self.setValue(round(math.log10(max(gain, 1e-6)) * _GAIN_STEPS))

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Set the factor to 1."""
        self.setValue(0)


class SectionBar(QWidget):
    """Navigates the sections of a cube and chooses how the data is drawn; knows no session.

    Signals
    -------
    axis_chosen: number of an axis. index_chosen: section along it. step_requested: sections to
    go on. gain_changed: factor. colour_map_chosen: name. bands_chosen: tuple of band numbers.
    aspect_locked: whether cells keep their proportions.
    """

    axis_chosen = Signal(int)
    index_chosen = Signal(int)
    step_requested = Signal(int)
    gain_changed = Signal(float)
    colour_map_chosen = Signal(str)
    bands_chosen = Signal(object)
    aspect_locked = Signal(bool)

    def __init__(self, colour_maps: Mapping[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axes: tuple[Axis, ...] = ()
        self._axis = 0
        self._make_navigator()
        self._make_look(colour_maps)
        self._lay_out()
        self.set_sections(())

    def set_title(self, text: str, tip: str = "") -> None:
        """Name a source that has one section only."""
        self.title.setText(text)
        self.title.setToolTip(tip)

    def set_sections(self, axes: Sequence[Axis]) -> None:
        """Offer sections along these axes; none for a source that is one picture."""
        self._axes = tuple(axes)
        for widget in self._navigator:
            widget.setVisible(bool(axes))
        self.title.setVisible(not axes)
        with QSignalBlocker(self.axis):
            self.axis.clear()
            self.axis.addItems([axis.name.capitalize() for axis in axes])

    def set_section(self, axis: int, index: int) -> None:
        """Show which section is in view."""
        if not self._axes:
            return
        self._axis = axis
        shown = self._axes[axis]
        with QSignalBlocker(self.axis), QSignalBlocker(self.slider), QSignalBlocker(self.number):
            self.axis.setCurrentIndex(axis)
            self.slider.setRange(0, shown.size - 1)
            self.slider.setPageStep(max(shown.size // 20, 1))
            self.slider.setValue(index)
            ends = sorted((shown.at(0), shown.at(shown.size - 1)))
            self.number.setDecimals(0 if shown.step == int(shown.step) else 2)
            self.number.setRange(*ends)
            self.number.setSingleStep(abs(shown.step))
            self.number.setSuffix(f" {shown.unit}" if shown.unit else "")
            self.number.setValue(shown.at(index))
        self.previous.setEnabled(index > 0)
        self.following.setEnabled(index < shown.size - 1)

    def set_look(self, *, gain: float, colour_map: str, lock_aspect: bool) -> None:
        """Show gain, colour map and whether the proportions are locked."""
        self.gain.set_gain(gain)
        with QSignalBlocker(self.colour_map), QSignalBlocker(self.lock):
            self.colour_map.setCurrentIndex(self.colour_map.findData(colour_map))
            self.lock.setChecked(lock_aspect)

    def set_bands(
        self, names: Sequence[str], bands: tuple[int, ...], natural: tuple[int, ...] | None
    ) -> None:
        """Offer bands where there are several, and show which are drawn."""
        self.bands.setVisible(len(names) > 1)
        self.colour_map.setVisible(len(bands) == 1)
        self.bands.set_choices(names, natural)
        self.bands.set_bands(bands)

    def _make_navigator(self) -> None:
        self.title = QLabel(self)
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.axis = QComboBox(self)
        self.axis.setAccessibleName("Section direction")
        self.axis.activated.connect(self.axis_chosen)
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setAccessibleName("Section")
        self.slider.valueChanged.connect(self.index_chosen)
        self.number = QDoubleSpinBox(self)
        self.number.setAccessibleName("Section number")
        self.number.setKeyboardTracking(False)
        self.number.valueChanged.connect(self._on_number)
        self.previous = self._step_button("\u2039", "Previous section (Left)", -1)
        self.following = self._step_button("\u203a", "Next section (Right)", 1)
        self._navigator = (self.axis, self.slider, self.number, self.previous, self.following)

    def _step_button(self, text: str, tip: str, step: int) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip.partition(" (")[0])
        button.setAutoRepeat(True)
        button.clicked.connect(lambda: self.step_requested.emit(step))
        return button

    def _make_look(self, colour_maps: Mapping[str, str]) -> None:
        self.gain_title = QLabel("Gain", self)
        self.gain = GainSlider(self)
        self.gain.gain_changed.connect(self.gain_changed)
        self.colour_map = QComboBox(self)
        self.colour_map.setAccessibleName("Colour map")
        self.colour_map.setToolTip("Colour map")
        for name, title in colour_maps.items():
            self.colour_map.addItem(title, name)
        self.colour_map.activated.connect(
            lambda _: self.colour_map_chosen.emit(self.colour_map.currentData())
        )
        self.bands = BandButton(self)
        self.bands.bands_chosen.connect(self.bands_chosen)
        self.lock = QToolButton(self)
        self.lock.setText("1:1")
        self.lock.setCheckable(True)
        self.lock.setToolTip("Keep the true proportions of the cells")
        self.lock.toggled.connect(self.aspect_locked)

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.axis)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.title, 1)
        for widget in (self.number, self.previous, self.following):
            layout.addWidget(widget)
        layout.addSpacing(8)
        for widget in (self.gain_title, self.gain, self.colour_map, self.bands, self.lock):
            layout.addWidget(widget)

    def _on_number(self, value: float) -> None:
        index = self._axes[self._axis].index_of(value)
        self.index_chosen.emit(index)

"""The strip beside the tools: what the tool in hand can be set to, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolButton, QWidget

from geocnn_gui.gui.theme import set_icon

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What each tool takes; a tool that is not here takes nothing.
TAKES: dict[str, tuple[str, ...]] = {
    "brush": ("size", "square"),
    "eraser": ("size", "square"),
    "accept": ("size", "square"),
    "line": ("size", "square"),
    "edge": ("size", "square"),
    "fill": ("tolerance", "fence"),
    "wand": ("tolerance", "fence", "prediction"),
}
_SLIDER = 90


class ToolStrip(QWidget):
    """Sets width and shape of brushes and how regions are found; knows no session.

    Signals
    -------
    size_changed: the width in cells. changed: fields of the tools' settings, by name.
    """

    size_changed = Signal(int)
    changed = Signal(dict)

    def __init__(self, largest: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("tool_strip")
        self._make_sliders(largest)
        self._make_switches()
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(4, 0, 4, 0)
        self._layout.setSpacing(6)
        for widget in (*self._size, *self._tolerance, self.square, self.prediction, self.fence):
            self._layout.addWidget(widget)
        self._layout.addStretch(1)
        self._room = 8 + sum(each.sizeHint().width() + 6 for each in (*self._size, self.square))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        """Return the room that a brush takes at least, so that what is beside stays in place."""
        return super().sizeHint().expandedTo(QSize(self._room, 0))

    def minimumSizeHint(self) -> QSize:
        """Return the same: nothing here can be narrower."""
        return self.sizeHint()

    def show_tool(self, tool: str, size: int, settings: Mapping[str, Any]) -> None:
        """Show what `tool` takes, with `size` and `settings` (names of `ToolSettings`)."""
        takes = TAKES.get(tool, ())
        on_prediction = settings["wand_target"] == "prediction"
        for name, widgets in (
            ("size", self._size), ("square", (self.square,)), ("fence", (self.fence,)),
            ("prediction", (self.prediction,)),
        ):  # fmt: skip
            for widget in widgets:
                widget.setVisible(name in takes)
        near = "tolerance" in takes and not ("prediction" in takes and on_prediction)
        for widget in self._tolerance:
            widget.setVisible(near)
        blocked = (self.width_slider, self.tolerance, self.square, self.fence, self.prediction)
        blockers = [QSignalBlocker(widget) for widget in blocked]
        self.width_slider.setValue(size)
        self.tolerance.setValue(settings["tolerance"])
        self.square.setChecked(settings["brush_shape"] == "square")
        self.fence.setChecked(settings["stop_at_labels"])
        self.prediction.setChecked(on_prediction)
        del blockers
        self._size[2].setText(f"{size} px")  # type: ignore[attr-defined]
        self._say_tolerance(settings["tolerance"])

    def _say_tolerance(self, percent: int) -> None:
        text = "any" if percent >= self.tolerance.maximum() else f"{percent} %"
        self._tolerance[2].setText(text)  # type: ignore[attr-defined]

    def _make_sliders(self, largest: int) -> None:
        self.width_slider = _slider(
            "brush_size", 1, 60, "Width of brush, eraser and line ([ and ])"
        )
        self.width_slider.valueChanged.connect(self.size_changed)
        self._size = (_muted("Size"), self.width_slider, _muted(f"{largest} px", "brush_size_text"))
        self.tolerance = _slider(
            "tolerance", 0, 100,
            "How far values may differ from the one clicked, in percent of the spread of the data "
            "(2nd to 98th percentile); 0: not at all, 100: any value",
        )  # fmt: skip
        self.tolerance.valueChanged.connect(lambda value: self.changed.emit({"tolerance": value}))
        self._tolerance = (_muted("Tolerance"), self.tolerance, _muted("100 %", "tolerance_text"))

    def _make_switches(self) -> None:
        self.square = _switch("square_brush", "square", "Square brush")
        self.square.toggled.connect(
            lambda on: self.changed.emit({"brush_shape": "square" if on else "round"})
        )
        self.prediction = _switch(
            "wand_on_prediction", "predict", "Take regions of one predicted class, not of the data"
        )
        self.prediction.toggled.connect(
            lambda on: self.changed.emit({"wand_target": "prediction" if on else "data"})
        )
        self.fence = _switch(
            "stop_at_labels", "fence",
            "Stop at labels: fill only what is labelled as the cell clicked, or unlabelled as it",
        )  # fmt: skip
        self.fence.toggled.connect(lambda on: self.changed.emit({"stop_at_labels": on}))


def _muted(text: str, name: str = "") -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setProperty("role", "muted")
    if name:  # a figure that changes must not move what is beside it
        label.setMinimumWidth(label.fontMetrics().horizontalAdvance(text))
    return label


def _slider(name: str, low: int, high: int, tip: str) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setObjectName(name)
    slider.setRange(low, high)
    slider.setFixedWidth(_SLIDER)
    slider.setToolTip(tip)
    slider.setAccessibleName(tip.split(" (")[0])
    return slider


def _switch(name: str, icon: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName(name)
    button.setCheckable(True)
    button.setToolTip(tip)
    button.setAccessibleName(tip.split(":")[0])
    set_icon(button, icon)
    return button

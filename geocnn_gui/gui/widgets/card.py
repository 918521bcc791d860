"""The framed boxes of the window and the small parts that fill them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Callable

THIN_SPACE = "\u202f"


class Card(QFrame):
    """A bordered box with an optional heading; put things into `body`."""

    def __init__(self, heading: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", "true")
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(12, 12, 12, 12)
        self.body.setSpacing(8)
        if heading:
            self.body.addWidget(label(heading.upper(), role="heading"))


class Fold(QWidget):
    """A line that unfolds what lies under it."""

    def __init__(self, text: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.button = QToolButton(self)
        self.button.setProperty("role", "fold")
        self.button.setText(text)
        self.button.setCheckable(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setArrowType(Qt.ArrowType.RightArrow)
        self.button.setIconSize(QSize(10, 10))
        self._content = content
        content.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.button)
        layout.addWidget(content)
        self.button.toggled.connect(self._on_toggled)

    def unfold(self) -> None:
        """Open it and bring what lies under it into sight."""
        self.button.setChecked(True)
        QTimer.singleShot(0, self, self._come_into_view)

    def _come_into_view(self) -> None:
        area = self.parentWidget()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if area is not None:
            area.ensureWidgetVisible(self)

    def _on_toggled(self, opened: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow
        self.button.setArrowType(arrow)
        self._content.setVisible(opened)


def label(text: str = "", *, role: str = "", name: str = "", wrap: bool = False) -> QLabel:
    """Return a label; `role` is "heading", "title", "muted", "warning" or "figure"."""
    made = QLabel(text)
    made.setProperty("role", role)
    made.setObjectName(name)
    made.setWordWrap(wrap)
    if wrap:
        made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    return made


def button(
    text: str, clicked: Callable[[], object], *, name: str, tip: str = "", primary: bool = False
) -> QPushButton:
    """Return a push button with an object name."""
    made = QPushButton(text)
    made.setObjectName(name)
    made.setToolTip(tip)
    made.setAutoDefault(False)
    if primary:
        made.setProperty("primary", "true")
    made.clicked.connect(lambda: clicked())
    return made


def link(text: str, clicked: Callable[[], object], *, name: str, tip: str = "") -> QPushButton:
    """Return a button that looks like a link."""
    made = button(text, clicked, name=name, tip=tip)
    made.setProperty("link", "true")
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    return made


def scrolled(content: QWidget) -> QScrollArea:
    """Put `content` into an area that scrolls up and down where there is too little room."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    for field in content.findChildren(QWidget):
        keep_from_wheel(field)
    return area


def keep_from_wheel(field: QWidget) -> None:
    """Let the wheel scroll the panel over a field, not change what it says, until it has the focus."""
    if isinstance(field, QComboBox | QAbstractSpinBox | QAbstractSlider):
        field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        field.installEventFilter(_WheelKeeper(field))


class _WheelKeeper(QObject):
    """Passes the wheel on to what lies behind a field that has no focus."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the wheel from a field without focus."""
        inside = isinstance(watched, QWidget) and watched.hasFocus()
        if event.type() != QEvent.Type.Wheel or inside:
            return False
        event.ignore()
        return True


def enable(widget: QWidget, reason: str, *, tip: str = "") -> None:
    """Enable `widget` where there is no `reason` not to; the tooltip says it where there is."""
    widget.setEnabled(not reason)
    widget.setToolTip(reason or tip)


def grouped(number: int) -> str:
    """Write a count with thin spaces: 41 280."""
    return f"{number:,}".replace(",", THIN_SPACE)


def plural(number: int, noun: str) -> str:
    """Write a count with its noun: "1 class", "4 classes", "41 280 pixels"."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{grouped(number)} {noun}{ending}"


def duration(seconds: float) -> str:
    """Write a time left: "0:42", "1:05:00"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

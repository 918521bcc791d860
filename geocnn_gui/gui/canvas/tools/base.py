"""What every tool is: the canvas it asks of, and what it answers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QPointF, QRect, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from geocnn_gui.labels.classes import by_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from geocnn_gui.gui.canvas import viewport
    from geocnn_gui.gui.canvas.tools.questions import Questions
    from geocnn_gui.gui.canvas.viewport import Viewport
    from geocnn_gui.gui.session import Session
    from geocnn_gui.labels.tools import Shape

Point = tuple[float, float]


class Host(Protocol):
    """What a tool may ask of the canvas it works on (see `Canvas`)."""

    session: Session

    @property
    def viewport(self) -> Viewport:
        """Where the picture lies."""
        ...

    @property
    def picture_shape(self) -> viewport.Shape:
        """Rows and columns."""
        ...

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the picture."""

    def fit(self) -> None:
        """Show the whole picture."""

    def show_painted(
        self, rows: slice, columns: slice, mask: np.ndarray, value: np.ndarray | int
    ) -> None:
        """Show cells before they are written."""

    def update_overlay(self) -> None:
        """Draw again where the tool was and is."""

    @property
    def size_f(self) -> QSizeF:
        """The widget's size in device-independent pixels."""
        ...

    @property
    def questions(self) -> Questions:
        """Asks for the data on another thread."""
        ...


class Tool:
    """A tool that does nothing; the others override what they answer to."""

    cursor = Qt.CursorShape.CrossCursor
    held_cursor = Qt.CursorShape.CrossCursor

    def __init__(self, host: Host) -> None:
        self.host = host

    @property
    def hint(self) -> str:
        """Return a sentence on what to do next; "" where the tool explains itself."""
        return ""

    def press(self, at: QPointF) -> None:
        """Answer to the left button going down."""

    def drag(self, at: QPointF) -> None:
        """Answer to a move with the button down."""

    def release(self, at: QPointF) -> None:
        """Answer to the button going up."""

    def hover(self, at: QPointF | None) -> None:
        """Answer to the cursor moving, or leaving the canvas (None)."""

    def double_click(self, at: QPointF) -> None:
        """Answer to a double click; the first click was a press and a release."""
        self.press(at)

    def accept(self) -> None:
        """Answer to Enter."""

    def step_back(self) -> None:
        """Answer to Backspace."""

    def cancel(self) -> None:
        """Answer to Esc: undo what is in hand."""

    def finish(self) -> None:
        """End what is in hand because the tool or the section changes."""

    def relabelled(self) -> None:
        """Answer to labels that have changed while something is in hand."""

    def paint(self, painter: QPainter) -> None:
        """Draw over the picture."""

    def area(self) -> QRect:
        """Return the widget pixels that `paint` touches."""
        return QRect()


def paint_shape(host: Host, shape: Shape, value: int) -> None:
    """Paint masked cells of the section in view, and show them at once."""
    rows, columns, mask = shape
    if mask.any():
        painted = host.session.paint(host.session.section, rows, columns, mask, value)
        host.show_painted(rows, columns, painted, value)


def paint_once(host: Host, shapes: Iterable[Shape]) -> None:
    """Paint shapes on the section in view with the current class, as one undo step."""
    host.session.begin_stroke()
    for shape in shapes:
        paint_shape(host, shape, host.session.current_class)
    host.session.end_stroke()


def class_colour(session: Session) -> str:
    """Return the colour ("#rrggbb") of the class in hand; grey for "unlabelled"."""
    found = by_id(session.classes, session.current_class)
    return found.color if found is not None else "#808080"


def outline_pens() -> tuple[QPen, QPen]:
    """Return the pens of an outline that shows on anything: dark below, light above."""
    return QPen(QColor(0, 0, 0, 170), 3.0), QPen(QColor(255, 255, 255, 235), 1.2)

"""What the mouse does to the picture: one small class per tool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from geocnn_gui.labels.tools import brush_stroke, polygon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.gui.canvas.viewport import Shape, Viewport
    from geocnn_gui.gui.session import Session

Point = tuple[float, float]
#: A press that moves by fewer pixels is a click.
_STILL = 4


class Host(Protocol):
    """What a tool may ask of the canvas it works on (see `Canvas`)."""

    session: Session

    @property
    def viewport(self) -> Viewport:
        """Where the picture lies."""
        ...

    @property
    def picture_shape(self) -> Shape:
        """Rows and columns."""
        ...

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the picture."""

    def fit(self) -> None:
        """Show the whole picture."""

    def show_painted(self, rows: slice, columns: slice, mask: np.ndarray, value: int) -> None:
        """Show cells before they are written."""

    def update_overlay(self) -> None:
        """Draw again where the tool was and is."""


class Tool:
    """A tool that does nothing; the others override what they answer to."""

    cursor = Qt.CursorShape.CrossCursor
    held_cursor = Qt.CursorShape.CrossCursor

    def __init__(self, host: Host) -> None:
        self.host = host

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

    def paint(self, painter: QPainter) -> None:
        """Draw over the picture."""

    def area(self) -> QRect:
        """Return the widget pixels that `paint` touches."""
        return QRect()


class PanTool(Tool):
    """Drag the picture; a click pins what is inspected, a double click shows all of it."""

    cursor = Qt.CursorShape.OpenHandCursor
    held_cursor = Qt.CursorShape.ClosedHandCursor

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._last: QPointF | None = None
        self._spot: QPointF | None = None

    def press(self, at: QPointF) -> None:
        """Take hold of the picture."""
        self._last = self._spot = at

    def drag(self, at: QPointF) -> None:
        """Move the picture along."""
        if self._spot is not None and (at - self._spot).manhattanLength() >= _STILL:
            self._spot = None
        if self._last is not None:
            self.host.pan_by(at.x() - self._last.x(), at.y() - self._last.y())
            self._last = at

    def release(self, at: QPointF) -> None:
        """Let go; where the mouse has not moved it was a click."""
        row, column = self.host.viewport.cell_at(at)
        rows, columns = self.host.picture_shape
        if self._spot is not None and 0 <= row < rows and 0 <= column < columns:
            self.host.session.pin_cell(row, column)
        self._last = self._spot = None

    def double_click(self, at: QPointF) -> None:
        """Show the whole picture."""
        self.host.fit()


class BrushTool(Tool):
    """Paint the current class, or erase, along the mouse; every drag is one edit."""

    def __init__(self, host: Host, *, erases: bool = False) -> None:
        super().__init__(host)
        self._erases = erases
        self._last: Point | None = None
        self._at: QPointF | None = None

    @property
    def _value(self) -> int:
        return 0 if self._erases else self.host.session.current_class

    def press(self, at: QPointF) -> None:
        """Begin a stroke with a dab."""
        if self.host.session.labels is None:
            return
        self.host.session.begin_stroke()
        self._last = self.host.viewport.point_at(at)
        self._sweep(self._last)

    def drag(self, at: QPointF) -> None:
        """Sweep from the last point to this one."""
        if self._last is not None:
            self._sweep(self.host.viewport.point_at(at))

    def release(self, at: QPointF) -> None:
        """End the stroke."""
        self.finish()

    def hover(self, at: QPointF | None) -> None:
        """Move the outline of the brush."""
        self._at = at

    def cancel(self) -> None:
        """Take back the stroke in hand."""
        if self._last is not None:
            self._last = None
            self.host.session.abort_stroke()

    def finish(self) -> None:
        """Keep the stroke in hand."""
        if self._last is not None:
            self._last = None
            self.host.session.end_stroke()

    def paint(self, painter: QPainter) -> None:
        """Draw the outline of the brush, dark on light on dark."""
        if self._at is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in _outline_pens():
            painter.setPen(pen)
            painter.drawEllipse(self._outline(self._at))

    def area(self) -> QRect:
        """Return the pixels of the outline."""
        if self._at is None:
            return QRect()
        return self._outline(self._at).toAlignedRect().adjusted(-3, -3, 3, 3)

    def _outline(self, at: QPointF) -> QRectF:
        view, size = self.host.viewport, self.host.session.brush_size
        width, height = size * view.x_scale, size * view.y_scale
        return QRectF(at.x() - width / 2, at.y() - height / 2, width, height)

    def _sweep(self, to: Point) -> None:
        points = np.array([self._last, to])
        radius = self.host.session.brush_size / 2
        _paint(self.host, brush_stroke(points, radius, self.host.picture_shape), self._value)
        self._last = to


class PolygonTool(Tool):
    """Fill a polygon with the current class: click its corners, close with Enter or two clicks."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._corners: list[Point] = []
        self._at: QPointF | None = None

    @property
    def corners(self) -> tuple[Point, ...]:
        """Return the corners set so far, (row, column)."""
        return tuple(self._corners)

    def press(self, at: QPointF) -> None:
        """Set a corner."""
        if self.host.session.labels is not None:
            self._corners.append(self.host.viewport.point_at(at))
            self.host.update_overlay()

    def hover(self, at: QPointF | None) -> None:
        """Let the open side follow the cursor."""
        self._at = at

    def double_click(self, at: QPointF) -> None:
        """Close the polygon; its last corner was set by the first click."""
        self.accept()

    def accept(self) -> None:
        """Fill the polygon."""
        corners, self._corners = self._corners, []
        self.host.update_overlay()
        if len(corners) < 3:
            return
        session = self.host.session
        session.begin_stroke()
        shape = polygon(np.array(corners), self.host.picture_shape)
        _paint(self.host, shape, session.current_class)
        session.end_stroke()

    def step_back(self) -> None:
        """Drop the last corner."""
        if self._corners:
            self._corners.pop()
            self.host.update_overlay()

    def cancel(self) -> None:
        """Drop the polygon."""
        self._corners = []
        self.host.update_overlay()

    def finish(self) -> None:
        """Drop the polygon: it belongs to the section it was begun on."""
        self.cancel()

    def paint(self, painter: QPainter) -> None:
        """Draw the sides and corners."""
        points = list(self._pixels())
        if not points:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        path = [*points, self._at] if self._at is not None else points
        for pen in _outline_pens():
            painter.setPen(pen)
            painter.drawPolyline(QPolygonF(path))
        painter.setPen(QPen(QColor(0, 0, 0, 200), 1))
        painter.setBrush(QColor("white"))
        for point in points:
            painter.drawEllipse(point, 3.0, 3.0)

    def area(self) -> QRect:
        """Return the pixels of the sides and corners."""
        points = list(self._pixels())
        if not points:
            return QRect()
        path = [*points, self._at] if self._at is not None else points
        return QPolygonF(path).boundingRect().toAlignedRect().adjusted(-5, -5, 5, 5)

    def _pixels(self) -> Iterator[QPointF]:
        return (self.host.viewport.pixel_of(*corner) for corner in self._corners)


class SplitTool(PanTool):
    """Click on a unit of the split: held out, of the test set, trained on; drag the picture."""

    cursor = Qt.CursorShape.PointingHandCursor

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._pressed: QPointF | None = None

    def press(self, at: QPointF) -> None:
        """Begin a click, or a drag."""
        super().press(at)
        self._pressed = at

    def drag(self, at: QPointF) -> None:
        """Move the picture once the mouse has left the spot."""
        if self._pressed is not None and (at - self._pressed).manhattanLength() < _STILL:
            return
        self._pressed = None
        super().drag(at)

    def release(self, at: QPointF) -> None:
        """Change the unit that was clicked on."""
        super().release(at)
        if self._pressed is not None:
            row, column = self.host.viewport.cell_at(at)
            rows, columns = self.host.picture_shape
            if 0 <= row < rows and 0 <= column < columns:
                self.host.session.toggle_unit(row, column)
        self._pressed = None

    def double_click(self, at: QPointF) -> None:
        """Count as a second click."""
        self.press(at)


def make_tools(host: Host) -> dict[str, Tool]:
    """Return the tools by the names the session uses."""
    return {
        "pan": PanTool(host),
        "brush": BrushTool(host),
        "eraser": BrushTool(host, erases=True),
        "polygon": PolygonTool(host),
        "split": SplitTool(host),
    }


def _paint(host: Host, shape: tuple[slice, slice, np.ndarray], value: int) -> None:
    rows, columns, mask = shape
    if mask.any():
        host.session.paint(host.session.section, rows, columns, mask, value)
        host.show_painted(rows, columns, mask, value)


def _outline_pens() -> tuple[QPen, QPen]:
    return QPen(QColor(0, 0, 0, 170), 3.0), QPen(QColor(255, 255, 255, 235), 1.2)

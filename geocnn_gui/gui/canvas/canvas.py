"""The widget the picture is drawn on, and where the mouse and the keys work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPalette
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QWidget

from geocnn_gui.gui.canvas.image_item import ImageItem
from geocnn_gui.gui.canvas.index_item import IndexItem
from geocnn_gui.gui.canvas.inspect_item import InspectItem
from geocnn_gui.gui.canvas.mark_item import MarkItem
from geocnn_gui.gui.canvas.split_item import SplitItem
from geocnn_gui.gui.canvas.tools import Questions, Tool, make_tools
from geocnn_gui.gui.canvas.viewport import LARGEST_CELL, Shape, Viewport, fit

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import (
        QEnterEvent,
        QFocusEvent,
        QKeyEvent,
        QMouseEvent,
        QPaintEvent,
        QResizeEvent,
        QWheelEvent,
    )

    from geocnn_gui.gui.session import Session

#: Zoom of one unit of wheel angle (a notch is 120).
_WHEEL = 1.0015
_SMALLEST_VIEW = 0.5
#: A block of cells is seen well when it is so many pixels long; one that is brought into view
#: takes up to such a share of it, with cells of at most so many pixels.
_SEEN, _SHARE, _COMFORT = 24, 0.25, 12.0
_LEFT, _MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton


class Canvas(QWidget):
    """Draws the data, the prediction, the labels and the tool in hand, in that order.

    Signals
    -------
    viewport_changed: the picture moved, was scaled or the widget resized. cursor_moved: the cell
    (row, column) under the cursor, or None. opacity_turned: a change of the overlay's opacity.
    hint_changed: what the tool in hand says to do next.
    """

    viewport_changed = Signal()
    cursor_moved = Signal(object)
    opacity_turned = Signal(float)
    hint_changed = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.image, self.prediction, self.labels = ImageItem(), IndexItem(), IndexItem()
        self.split, self.inside, self.marks = SplitItem(), InspectItem(), MarkItem()
        self._viewport = Viewport()
        self._shape: Shape = (0, 0)
        self._aspect: float | None = None
        self._fitted = True
        self.questions = Questions(session, self)
        self._tools = make_tools(self)
        self._tool: Tool = self._tools[session.tool]
        self._held: Tool | None = None
        self._button = Qt.MouseButton.NoButton
        self._ids = frozenset(one.id for one in session.classes)
        self._space = False
        self._touched = QRect()
        self._hint = ""
        self._last_at: QPointF | None = None
        self.setObjectName("canvas")
        self.setAccessibleName("Canvas")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 120)
        self.questions.failed.connect(self.finish_gesture)
        self._update_cursor()

    # -- the view ------------------------------------------------------------------------------

    @property
    def viewport(self) -> Viewport:
        """Return where the picture lies on the widget."""
        return self._viewport

    @property
    def picture_shape(self) -> Shape:
        """Return the (rows, columns) of the section shown; (0, 0) for none."""
        return self._shape

    @property
    def size_f(self) -> QSizeF:
        """Return the widget's size in device-independent pixels."""
        return QSizeF(self.size())

    def set_picture(self, shape: Shape, aspect: float | None) -> None:
        """Show pictures of another shape or cell aspect; the view is kept where neither changes."""
        if shape != self._shape or aspect != self._aspect:
            refit = shape != self._shape or self._fitted or aspect is not None
            self._shape, self._aspect = shape, aspect
            if refit:
                self.fit()
        self.update()

    def fit(self) -> None:
        """Show the whole picture."""
        self._fitted = True
        self._move_to(fit(self.size_f, self._shape, self._aspect))

    def pan_by(self, dx: float, dy: float) -> None:
        """Move the picture by so many pixels."""
        self._fitted = False
        self._move_to(self._viewport.panned(dx, dy).within(self.size_f, self._shape))

    def zoom(self, at: QPointF, x_factor: float, y_factor: float) -> None:
        """Magnify around a point, within what makes sense."""
        whole = fit(self.size_f, self._shape, self._aspect)
        x_factor = _held_in(x_factor, self._viewport.x_scale, whole.x_scale)
        y_factor = _held_in(y_factor, self._viewport.y_scale, whole.y_scale)
        if self._aspect is not None:
            x_factor = y_factor = min(x_factor, y_factor, key=lambda f: abs(f - 1))
        self._fitted = False
        zoomed = self._viewport.zoomed(at, x_factor, y_factor)
        self._move_to(zoomed.within(self.size_f, self._shape))

    def show_block(self, rows: slice, columns: slice) -> None:
        """Bring a block of cells into view, large enough to be seen; leave it where it is so."""
        box = self._viewport.rectangle(rows, columns)
        inside = QRectF(QPointF(0, 0), self.size_f).contains(box)
        if inside and max(box.width(), box.height()) >= _SEEN:
            return
        middle = QPointF(self.size_f.width() / 2, self.size_f.height() / 2)
        self.pan_by(middle.x() - box.center().x(), middle.y() - box.center().y())
        room = _SHARE * min(self.size_f.width(), self.size_f.height())
        factor = room / max(box.width(), box.height(), 1e-9)
        if not inside or factor > 1:
            scale = max(self._viewport.x_scale, self._viewport.y_scale)
            factor = min(factor, max(_COMFORT / scale, 1.0))
            self.zoom(middle, factor, factor)

    def _move_to(self, viewport: Viewport) -> None:
        self._viewport = viewport
        self.update()
        self.viewport_changed.emit()

    # -- the tool in hand ----------------------------------------------------------------------

    def use_tool(self, name: str) -> None:
        """Take another tool in hand, or show the one in hand anew (another brush size)."""
        tool = self._tools[name]
        if tool is not self._tool:
            self._tool.finish()
            self._tool.hover(None)
            self._tool = tool
            self._tool.hover(self._last_at)
        self._update_cursor()
        self.update_overlay()

    def finish_gesture(self) -> None:
        """End what the tool has in hand, because what it works on changes."""
        self._tool.finish()
        self._held = None

    def take_labels(self) -> None:
        """Let the tool in hand look again, as labels or classes have changed.

        Where a class has gone it drops what it has in hand, which may be of that class.
        """
        ids = frozenset(one.id for one in self.session.classes)
        gone, self._ids = self._ids - ids, ids
        if gone:
            self._tool.cancel()
        else:
            self._tool.relabelled()

    def show_painted(
        self, rows: slice, columns: slice, mask: np.ndarray, value: np.ndarray | int
    ) -> None:
        """Show cells in a stroke before it is written; `value` may be an id for each cell."""
        values = [value] if isinstance(value, int) else np.unique(value[mask])
        for one in values:
            cells = mask if isinstance(value, int) else mask & (value == one)
            self.labels.paint_mask(rows, columns, cells, int(one))
        self.update(self._viewport.dirty(rows, columns))

    def update_overlay(self) -> None:
        """Draw again where the tool was and where it is."""
        area = self._tool.area()
        self.update(self._touched)
        self.update(area)
        self._touched = area
        if self._hint != self._tool.hint:
            self._hint = self._tool.hint
            self.hint_changed.emit(self._hint)

    def _update_cursor(self) -> None:
        pan = self._tools["pan"]
        if self._held is not None:
            self.setCursor(self._held.held_cursor)
        else:
            self.setCursor(pan.cursor if self._space else self._tool.cursor)

    # -- Qt's events ---------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the layers within what has changed."""
        painter = QPainter(self)
        painter.fillRect(event.rect(), neutral_colour(self.palette()))
        view, size = self.session.view, self.size_f
        self.image.paint(painter, self._viewport, size)
        if view.overlay_visible:
            errors = self.session.errors is not None
            if errors or view.overlay != "none":
                self.prediction.paint(painter, self._viewport, size)
            if view.labels_visible and not errors:  # they would lie over the very same cells
                self.labels.paint(painter, self._viewport, size)
        self.split.paint(painter, self._viewport, units=self.session.tool == "split")
        self.inside.paint(painter, self._viewport)
        self.marks.paint(painter, self._viewport)
        self._tool.paint(painter)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the whole picture in view, or its centre."""
        if self._fitted:
            self._viewport = fit(self.size_f, self._shape, self._aspect)
        else:
            old = QSizeF(event.oldSize())
            self._viewport = self._viewport.resized(old, self.size_f)
        self.viewport_changed.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin what the tool does, or pan with the middle button or the space key."""
        if self._held is not None or event.button() not in (_LEFT, _MIDDLE) or not self._shape[0]:
            return
        pans = self._space or event.button() == _MIDDLE
        self._button = event.button()
        self._held = self._tools["pan"] if pans else self._tool
        self._held.press(event.position())
        self._update_cursor()
        self._follow(event.position())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show the whole picture, close the polygon, or dab again."""
        if self._held is not None:
            return
        if event.button() == _LEFT and not self._space and self._shape[0]:
            self._held, self._button = self._tool, _LEFT
            self._tool.double_click(event.position())
        elif event.button() == _MIDDLE:
            self.fit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with what is in hand; say which cell is under the cursor."""
        if self._held is not None:
            self._held.drag(event.position())
        self._follow(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End what was in hand, when the button goes up that began it."""
        if self._held is not None and event.button() == self._button:
            self._held.release(event.position())
            self._held = None
            self._update_cursor()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the cursor; with Shift, turn the overlay's opacity."""
        delta = event.angleDelta().y() or event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.opacity_turned.emit(delta / 120 * 0.05)
        elif self._shape[0]:
            factor = _WHEEL**delta
            self.zoom(event.position(), factor, factor)
            self._follow(event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Answer to Space, Esc, Enter and Backspace; other keys are the window's."""
        answers = {
            Qt.Key.Key_Escape: self._cancel,
            Qt.Key.Key_Return: self._tool.accept,
            Qt.Key.Key_Enter: self._tool.accept,
            Qt.Key.Key_Backspace: self._tool.step_back,
        }
        if event.key() == Qt.Key.Key_Space:
            self._space = True
            self._update_cursor()
        elif (answer := answers.get(Qt.Key(event.key()))) is not None:
            answer()
        else:
            super().keyPressEvent(event)

    def _cancel(self) -> None:
        """Drop the shape in hand, the errors shown and the place to label next."""
        self._tool.cancel()
        self.session.next_places.put_away()
        if self.session.errors is not None:
            self.session.pick_confusion(None)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Let the space key go."""
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space = False
                self._update_cursor()
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Forget a held space key, whose release goes elsewhere."""
        self._space = False
        self._update_cursor()
        super().focusOutEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show the tool under the cursor; take the keys, unless something is being typed."""
        typing = (QLineEdit, QAbstractSpinBox)
        if self.isActiveWindow() and not isinstance(QApplication.focusWidget(), typing):
            self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._follow(event.position())

    def leaveEvent(self, _event: QEvent) -> None:
        """Hide what follows the cursor."""
        self._last_at = None
        self._tool.hover(None)
        self.update_overlay()
        self.cursor_moved.emit(None)

    def _follow(self, at: QPointF) -> None:
        self._last_at = at
        self._tool.hover(None if self._space else at)
        self.update_overlay()
        row, column = self._viewport.cell_at(at)
        inside = 0 <= row < self._shape[0] and 0 <= column < self._shape[1]
        self.cursor_moved.emit((row, column) if inside else None)


def neutral_colour(palette: QPalette) -> QColor:
    """Return the colour behind the picture, which masked cells show."""
    window = palette.color(QPalette.ColorRole.Window)
    return window.darker(106) if window.lightness() > 128 else window.darker(125)


def _held_in(factor: float, scale: float, whole: float) -> float:
    low, high = whole * _SMALLEST_VIEW, max(LARGEST_CELL, whole)
    return min(max(scale * factor, low), high) / scale

"""Tools that move the picture, or ask of a place in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt

from geocnn_gui.gui.canvas.tools.base import Tool

if TYPE_CHECKING:
    from geocnn_gui.gui.canvas.tools.base import Host

#: A press that moves by fewer pixels is a click.
_STILL = 4


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


class PickTool(Tool):
    """Click on a class to paint with it, with the tool that was in hand before."""

    def press(self, at: QPointF) -> None:
        """Take the class of the cell."""
        row, column = self.host.viewport.cell_at(at)
        rows, columns = self.host.picture_shape
        if 0 <= row < rows and 0 <= column < columns:
            self.host.session.pick_class(row, column)

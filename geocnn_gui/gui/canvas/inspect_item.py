"""Draws what is seen inside a model over the picture: values, boxes, and the place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from geocnn_gui.gui.widgets.value_image import value_image

if TYPE_CHECKING:
    from geocnn_gui.gui.canvas.viewport import Viewport
    from geocnn_gui.gui.inspecting import InspectOverlay, Span

_MARK = 7


class InspectItem:
    """Values of a window as an image, made once; boxes are lines of one width at any scale."""

    def __init__(self) -> None:
        self._overlay: InspectOverlay | None = None
        self._image: QImage | None = None

    @property
    def overlay(self) -> InspectOverlay | None:
        """Return what is drawn."""
        return self._overlay

    def set_overlay(self, overlay: InspectOverlay | None) -> None:
        """Take what is to be drawn; None draws nothing."""
        self._overlay, self._image = overlay, None
        if overlay is not None and overlay.values is not None and overlay.values.size:
            self._image = value_image(
                overlay.values, signed=overlay.signed, opacity=overlay.opacity
            )

    def paint(self, painter: QPainter, viewport: Viewport) -> None:
        """Draw it."""
        overlay = self._overlay
        if overlay is None:
            return
        painter.save()
        if self._image is not None:
            painter.drawImage(_box(viewport, overlay.rows, overlay.columns), self._image)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for rows, columns, colour in overlay.boxes:
            box = _box(viewport, rows, columns)
            for pen in (QPen(QColor(0, 0, 0, 150), 3.0), QPen(QColor(colour), 1.4)):
                painter.setPen(pen)
                painter.drawRect(box)
        self._paint_place(painter, viewport.pixel_of(*overlay.place))
        painter.restore()

    def _paint_place(self, painter: QPainter, at: QPointF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for pen in (QPen(QColor(0, 0, 0, 190), 3.2), QPen(QColor("white"), 1.4)):
            painter.setPen(pen)
            painter.drawLine(at - QPointF(_MARK, 0), at + QPointF(_MARK, 0))
            painter.drawLine(at - QPointF(0, _MARK), at + QPointF(0, _MARK))


def _box(viewport: Viewport, rows: Span, columns: Span) -> QRectF:
    x, y = viewport.x_of(columns[0]), viewport.y_of(rows[0])
    return QRectF(x, y, viewport.x_of(columns[1]) - x, viewport.y_of(rows[1]) - y)

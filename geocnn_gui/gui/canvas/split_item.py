"""Draws what a split holds out over the picture: units, the buffer around them, the test set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen, QTransform

from geocnn_gui.scoring.split_spec import TEST

if TYPE_CHECKING:
    from geocnn_gui.gui.canvas.viewport import Viewport
    from geocnn_gui.gui.splitting import SplitGround
    from geocnn_gui.scoring.regions import Boxes

#: Not among the colours that classes are given.
HELD, BUFFER, TESTED = "#ff2e88", "#f7b6d0", "#7c3aed"
#: Of more boxes than this in view only the ground is tinted.
_MOST_BOXES = 20_000
_FOLD_SEEN = 26


class SplitItem:
    """Paths in cells, made once for a split and a section; drawn under any view."""

    def __init__(self) -> None:
        self._near, self._held, self._test = QPainterPath(), QPainterPath(), QPainterPath()
        self._units, self._others = QPainterPath(), QPainterPath()
        self._folds: list[tuple[QRectF, int]] = []
        self._shown = False

    def set_ground(self, ground: SplitGround | None) -> None:
        """Take what is to be drawn; None draws nothing."""
        self.__init__()
        if ground is None:
            return
        self._shown = True
        roles = np.array(ground.roles, np.int64)
        of_box = roles[ground.units.owners - 1]
        self._held = _path(ground.units, of_box == ground.fold)
        self._others = _path(ground.units, (of_box >= 0) & (of_box != ground.fold))
        self._test = _path(ground.units, of_box == TEST)
        self._units = _outlines(ground.units)
        self._near = _path(ground.near, np.ones(len(ground.near.spans), bool))
        self._near = self._near.subtracted(self._held).subtracted(self._test)
        if roles.max(initial=-1) > 0:
            self._folds = _numbers(ground.units, of_box)

    def paint(self, painter: QPainter, viewport: Viewport, *, units: bool) -> None:
        """Draw it; with `units` the borders of all units too, to click on."""
        if not self._shown:
            return
        painter.save()
        v = viewport
        to_pixels = QTransform(v.x_scale, 0, 0, v.y_scale, -v.left * v.x_scale, -v.top * v.y_scale)
        painter.setTransform(to_pixels)
        back = to_pixels.inverted()[0]
        for path, colour, alpha, pattern in (
            (self._near, BUFFER, 95, Qt.BrushStyle.SolidPattern),
            (self._others, HELD, 24, Qt.BrushStyle.SolidPattern),
            (self._held, HELD, 70, Qt.BrushStyle.SolidPattern),
            (self._held, HELD, 200, Qt.BrushStyle.BDiagPattern),
            (self._test, TESTED, 80, Qt.BrushStyle.SolidPattern),
            (self._test, TESTED, 210, Qt.BrushStyle.FDiagPattern),
        ):
            painter.fillPath(path, _brush(colour, alpha, pattern, back))
        if units:
            _stroke(painter, self._units, QColor(255, 255, 255, 150), 1.0)
        _stroke(painter, self._others, QColor(HELD), 0.8)
        _stroke(painter, self._held, QColor(HELD), 1.6)
        _stroke(painter, self._test, QColor(TESTED), 1.6)
        painter.restore()
        self._paint_folds(painter, to_pixels)

    def _paint_folds(self, painter: QPainter, to_pixels: QTransform) -> None:
        """Write the number of the fold on every unit that is large enough."""
        painter.save()
        for box, fold in self._folds:
            place = to_pixels.mapRect(box)
            if min(place.width(), place.height()) < _FOLD_SEEN:
                continue
            for shift, ink in ((1, QColor(0, 0, 0, 190)), (0, QColor("white"))):
                painter.setPen(ink)
                painter.drawText(
                    place.translated(shift, shift), Qt.AlignmentFlag.AlignCenter, str(fold + 1)
                )
        painter.restore()


def _brush(colour: str, alpha: int, pattern: Qt.BrushStyle, back: QTransform) -> QBrush:
    tint = QColor(colour)
    tint.setAlpha(alpha)
    brush = QBrush(tint, pattern)
    brush.setTransform(back)  # hatched in pixels, whatever the scale
    return brush


def _stroke(painter: QPainter, path: QPainterPath, colour: QColor, width: float) -> None:
    pen = QPen(colour, width)
    pen.setCosmetic(True)
    painter.strokePath(path, pen)


def _path(boxes: Boxes, which: np.ndarray) -> QPainterPath:
    """Return the outline of all these boxes together."""
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    spans = boxes.spans[which]
    for top, bottom, left, right in spans[:_MOST_BOXES].tolist():
        path.addRect(left, top, right - left, bottom - top)
    return path.simplified() if len(spans) < 2000 else path


def _outlines(boxes: Boxes) -> QPainterPath:
    path = QPainterPath()
    for unit in np.unique(boxes.owners)[:_MOST_BOXES]:
        path.addPath(_path(boxes, boxes.owners == unit))
    return path


def _numbers(boxes: Boxes, roles: np.ndarray) -> list[tuple[QRectF, int]]:
    found = []
    for unit in np.unique(boxes.owners[roles >= 0]):
        own = boxes.owners == unit
        spans = boxes.spans[own]
        top, left = spans[:, 0].min(), spans[:, 2].min()
        bottom, right = spans[:, 1].max(), spans[:, 3].max()
        box = QRectF(float(left), float(top), float(right - left), float(bottom - top))
        found.append((box, int(roles[own][0])))
    return found

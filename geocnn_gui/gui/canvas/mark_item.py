"""Outlines over the picture: the place to label next, strokes that are like, a suspect label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QTransform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geocnn_gui.gui.canvas.viewport import Viewport
    from geocnn_gui.gui.marks import Kind, Mark

#: White on black is seen on any colour; a suspect is the one thing that asks for an answer.
_INKS: dict[Kind, str] = {"place": "#ffffff", "like": "#ffffff", "suspect": "#ff2e88"}
#: Of cells with more runs only the box is outlined.
_MOST_RUNS = 6000


class MarkItem:
    """Paths in cells, made once; drawn with lines of one width at any scale."""

    def __init__(self) -> None:
        self.marks: tuple[Mark, ...] = ()
        self._paths: list[tuple[Kind, QPainterPath]] = []

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """Take what is to be outlined."""
        self.marks = tuple(marks)
        self._paths = [(mark.kind, _outline(mark)) for mark in marks]

    def paint(self, painter: QPainter, viewport: Viewport) -> None:
        """Draw it."""
        if not self._paths:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        v = viewport
        painter.setTransform(
            QTransform(v.x_scale, 0, 0, v.y_scale, -v.left * v.x_scale, -v.top * v.y_scale)
        )
        for kind, path in self._paths:
            for ink, width in ((QColor(0, 0, 0, 190), 4.0), (QColor(_INKS[kind]), 1.8)):
                pen = QPen(ink, width)
                pen.setCosmetic(True)
                painter.strokePath(path, pen)
        painter.restore()


def _outline(mark: Mark) -> QPainterPath:
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    runs = [
        run for part in mark.parts for run in _runs(part.mask, part.rows.start, part.columns.start)
    ]
    if not runs or len(runs) > _MOST_RUNS:
        path.addRect(_box(mark))
        return path
    for row, start, stop in runs:
        path.addRect(start, row, stop - start, 1)
    return path.simplified()


def _box(mark: Mark) -> QRectF:
    rows, columns = mark.rows, mark.columns
    return QRectF(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)


def _runs(mask: np.ndarray, top: int, left: int) -> list[tuple[int, int, int]]:
    """Return row, first and last column + 1 of the runs of cells of a mask."""
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, stops = np.nonzero(edges == -1)
    return list(zip((rows + top).tolist(), (starts + left).tolist(), (stops + left).tolist(),
                    strict=True))  # fmt: skip

"""A network drawn from the data to the answer: heights follow sizes, widths follow channels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPen
from PySide6.QtWidgets import QToolTip, QWidget

from geocnn_gui.gui.theme import colours, mix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QMouseEvent, QPaintEvent

#: Between two boxes, least and most width of one, and room for the words below, in pixels.
_GAP, _THIN, _WIDE, _WORDS = 6.0, 3.0, 60.0, 16.0
#: A small network is drawn so many times as wide as that at most.
_LARGEST = 2.6


@dataclass(frozen=True, slots=True)
class Lane:
    """Branch `number` of the `count` branches of a block, which are drawn above one another."""

    block: str
    number: int
    count: int


@dataclass(frozen=True, slots=True)
class Box:
    """A layer to draw: `output` is channels and size, `kind` chooses the colour.

    `kind`: "data", "kernels", "pool", "dense" or "thin" (what keeps the size and learns little).
    """

    path: str
    title: str
    output: tuple[int, ...]
    kind: str
    problem: bool = False
    lane: Lane | None = None


class LayerDrawing(QWidget):
    """Draws boxes in a row; a click picks one.

    Signals
    -------
    picked: the path of the box clicked.
    """

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("layer_drawing")
        self._boxes: tuple[Box, ...] = ()
        self._places: list[QRectF] = []
        self._current = ""
        self.setMinimumHeight(96)
        self.setMouseTracking(True)

    def show_boxes(self, boxes: Sequence[Box]) -> None:
        """Draw another network."""
        self._boxes = tuple(boxes)
        self._place()
        self.update()

    def show_current(self, path: str) -> None:
        """Mark a box."""
        self._current = path
        self.update()

    def place_of(self, path: str) -> QRectF:
        """Return where the box called `path` is drawn; raises `KeyError`."""
        for box, place in zip(self._boxes, self._places, strict=True):
            if box.path == path:
                return place
        raise KeyError(path)

    def sizeHint(self) -> QSize:
        """Ask for a strip."""
        return QSize(480, 120)

    def resizeEvent(self, event: QEvent) -> None:
        """Spread the boxes over the new width."""
        self._place()

    def _place(self) -> None:
        """Find a rectangle for each box: all of them fit into the width."""
        spans, wanted = _spans(self._boxes)
        height = self.height() - _WORDS - 6
        scale = min(_LARGEST, (self.width() - 8.0) / wanted) if wanted else 1.0
        left = max(4.0, (self.width() - wanted * scale) / 2)
        tallest = max((_extent(box) for box in self._boxes if len(box.output) > 1), default=1.0)
        self._places = []
        for box, (begin, end) in zip(self._boxes, spans, strict=True):
            lane = box.lane or Lane("", 0, 1)
            room = height / lane.count
            share = _extent(box) / tallest if len(box.output) > 1 else _length(box)
            tall = max(4.0, (room - 2 * (lane.count > 1)) * share)
            top = 3 + room * lane.number + (room - tall) / 2
            wide = max(1.5, (end - begin) * scale)
            self._places.append(QRectF(left + begin * scale, top, wide, tall))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the boxes, and under them what they give where there is room."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        said, last = "", -1e9
        metrics = painter.fontMetrics()
        for box, place in zip(self._boxes, self._places, strict=True):
            self._draw(painter, box, place)
            words = _words(box) if box.lane is None else ""
            half = metrics.horizontalAdvance(words) / 2
            middle = min(max(place.center().x(), half + 2), self.width() - half - 2)
            if words and words != said and middle - half > last + 10:
                painter.setPen(QColor(colours().muted))
                base = QPointF(middle - half, self.height() - 4.0)
                painter.drawText(base, words)
                said, last = words, middle + half

    def _draw(self, painter: QPainter, box: Box, place: QRectF) -> None:
        c = colours()
        shades = {
            "data": mix(c.muted, c.card, 0.35), "kernels": mix(c.accent, c.card, 0.75),
            "pool": mix(c.accent, c.card, 0.3), "dense": mix(c.text, c.card, 0.6),
            "thin": mix(c.accent, c.card, 0.5),
        }  # fmt: skip
        fill = QColor(c.error if box.problem else shades[box.kind])
        chosen = box.path == self._current
        painter.setPen(QPen(QColor(c.text), 1.6) if chosen else Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        radius = min(2.0, place.width() / 3)
        painter.drawRoundedRect(place, radius, radius)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Pick the box under the cursor."""
        if (box := self._at(event.position())) is not None:
            self.picked.emit(box.path)

    def event(self, event: QEvent) -> bool:
        """Name the box under the cursor."""
        if isinstance(event, QHelpEvent):
            box = self._at(QPointF(event.pos()))
            text = f"{box.title}: {' x '.join(map(str, box.output))}" if box is not None else ""
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def _at(self, point: QPointF) -> Box | None:
        """Return the box nearest to a point, within reach of a thin one."""
        near = [
            (_distance(place, point, upright=box.lane is not None), box)
            for box, place in zip(self._boxes, self._places, strict=True)
        ]
        best = min(near, key=lambda each: each[0], default=None)
        return best[1] if best is not None and best[0] <= _GAP else None


def _distance(place: QRectF, point: QPointF, *, upright: bool) -> float:
    """Return how far a point lies beside a box; above or below one counts among branches only."""
    beside = max(place.left() - point.x(), point.x() - place.right(), 0.0)
    off = max(place.top() - point.y(), point.y() - place.bottom(), 0.0)
    return max(beside, off) if upright else beside


def _spans(boxes: Sequence[Box]) -> tuple[list[tuple[float, float]], float]:
    """Return where each box begins and ends, and the width of all, before they are scaled."""
    spans: list[tuple[float, float]] = []
    x = widest = 0.0
    block, number, begin = "", 0, 0.0
    for box in boxes:
        lane = box.lane
        if lane is None:
            x, block = max(x, widest), ""
        elif lane.block != block:
            x = begin = max(x, widest)
            block, number = lane.block, lane.number
        elif lane.number != number:
            x, number = begin, lane.number
        x += 0.0 if box.kind == "thin" or not spans else _GAP
        spans.append((x, x + _width(box)))
        x += _width(box)
        widest = max(x, widest)
    return spans, widest


def _width(box: Box) -> float:
    """Return how wide a box is: the logarithm of its channels."""
    if box.kind == "thin":
        return _THIN
    channels = box.output[0] if len(box.output) > 1 else 1
    return min(_WIDE, _THIN + 4.5 * math.log2(1 + channels))


def _extent(box: Box) -> float:
    """Return how tall a box is: the root of its size."""
    return math.sqrt(max(1, min(max(box.output[1:]), 512)))


def _length(box: Box) -> float:
    """Return how long a row of numbers is drawn, as a share of the whole height."""
    return min(1.0, math.log2(1 + box.output[0]) / 12)


def _words(box: Box) -> str:
    if len(box.output) == 1:
        return str(box.output[0])
    sizes = box.output[1:]
    return f"{box.output[0]} @ {sizes[0] if len(set(sizes)) == 1 else 'x'.join(map(str, sizes))}"

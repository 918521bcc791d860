"""The tool that fills what lies between two lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QPainter, QPolygonF

from geocnn_gui.gui.canvas.index_item import IndexItem
from geocnn_gui.gui.canvas.parts import Part
from geocnn_gui.gui.canvas.tools.base import Host, Point, outline_pens
from geocnn_gui.gui.canvas.tools.ground import Ground, block_around, reader_of
from geocnn_gui.gui.canvas.tools.vertices import VertexTool
from geocnn_gui.labels.tools import Shape, Span, between, between_box, blocks, connected, trimmed

if TYPE_CHECKING:
    from PySide6.QtCore import QPointF, QRect

#: White, as 0xAARRGGBB: a painted line that was clicked on.
_LIT = 0xC0FFFFFF
_NO_LINE = "There is no painted line {} this place: draw the two lines, or click on them."


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """A line that bounds: `points` of one drawn; `shape` of one painted, `cut` if it goes on."""

    span: Span
    points: np.ndarray | None = None
    shape: Shape | None = None
    cut: bool = False


class BetweenTool(VertexTool):
    """Draw two lines, or click on painted ones: what lies between gets the class in hand.

    A line is drawn from point to point and ended with Enter or a double click. A double click
    before any line is drawn takes the painted lines above and below that place.
    """

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._line: _Line | None = None
        self._preview = IndexItem()

    @property
    def hint(self) -> str:
        """Say what to do next."""
        if self._corners:
            return "Click along the line; Enter or a double click ends it."
        if self._line is not None:
            return "Now the second line: draw it, or click on a painted one."
        return ("Draw a line or click on a painted one, then another; "
                "a double click fills between the painted lines above and below.")  # fmt: skip

    def press(self, at: QPointF) -> None:
        """Set a point, or take the painted line that is clicked on."""
        cell = self._cell_at(at)
        if cell is None or self._corners or not self._label_at(cell):
            super().press(at)
            return
        read = reader_of(self.host, block_around(self.host, cell), data=False)
        self.host.questions.ask(lambda: _line_at(read(), cell), self._take)

    def accept(self) -> None:
        """End the line in hand, or fill between the painted lines around the one point set."""
        if len(self._corners) == 1 and self._line is None:
            self._fill_around(self._corners.pop())
        elif len(self._corners) > 1:
            super().accept()
        self.host.update_overlay()

    def draw(self, points: np.ndarray) -> None:
        """Take the line that was drawn."""
        span = Span.drawn(points, self.host.picture_shape)
        if (span.first >= 0).any():
            self._take(_Line(span, points=points))

    def step_back(self) -> None:
        """Drop the last point, or else the first line."""
        if self._corners:
            super().step_back()
        else:
            self._drop_line()

    def cancel(self) -> None:
        """Drop both lines."""
        self._drop_line()
        super().cancel()

    def paint(self, painter: QPainter) -> None:
        """Draw the first line, and the one in hand."""
        self._preview.paint(painter, self.host.viewport, self.host.size_f)
        line = self._drawn_line()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for pen in outline_pens():
            painter.setPen(pen)
            painter.drawPolyline(line)
        super().paint(painter)

    def area(self) -> QRect:
        """Return the pixels of both lines."""
        part, line = self._preview.part, self._drawn_line()
        area = super().area()
        if part is not None:
            area = area.united(self.host.viewport.dirty(part.rows, part.columns))
        return area.united(line.boundingRect().toAlignedRect().adjusted(-4, -4, 4, 4))

    def _drawn_line(self) -> QPolygonF:
        """Return the first line in pixels, where it was drawn."""
        points = self._line.points if self._line is not None else None
        view = self.host.viewport
        return QPolygonF([view.pixel_of(*at) for at in points] if points is not None else [])

    def _drop_line(self) -> None:
        self.host.questions.forget()
        self._line = None
        self._preview.clear()
        self.host.update_overlay()

    def _cell_at(self, at: QPointF) -> tuple[int, int] | None:
        cell, shape = self.host.viewport.cell_at(at), self.host.picture_shape
        return cell if all(0 <= i < n for i, n in zip(cell, shape, strict=True)) else None

    def _label_at(self, cell: tuple[int, int]) -> int:
        session = self.host.session
        if session.source is None or session.labels is None:
            return 0
        rows, columns = (slice(at, at + 1) for at in cell)
        window = session.source.plane(session.section).window(rows, columns)
        return int(session.labels.store.read(window).flat[0])

    def _take(self, line: _Line) -> None:
        """Keep the first line, or fill between it and the second."""
        first = self._line
        if first is not None:
            self._drop_line()
            self._fill(first, line)
            return
        self._line = line
        if line.shape is not None:
            rows, columns, mask = line.shape
            self._preview.set_colours([0, *[_LIT] * 255])
            self._preview.set_levels(Part(rows, columns), mask.astype(np.uint8))
        self.host.update_overlay()

    def _fill(self, one: _Line, other: _Line) -> None:
        lines, session = (one.span, other.span), self.host.session
        whole = between_box(*lines)
        if whole[0].start >= whole[0].stop:
            session.tell("The two lines share no column with anything between them.")
            return
        shapes = (between(*lines, within=block) for block in blocks(*whole))
        session.paint_shapes(session.section, shapes, session.current_class, box=whole)
        if one.cut or other.cut:
            session.tell("A line goes on beyond the view and a little more: it was cut there.")

    def _fill_around(self, point: Point) -> None:
        cell = tuple(int(np.floor(at + 0.5)) for at in point)
        if not all(0 <= i < n for i, n in zip(cell, self.host.picture_shape, strict=True)):
            return
        place = cell[0], cell[1]
        read = reader_of(self.host, block_around(self.host, place), data=False)
        self.host.questions.ask(lambda: _lines_around(read(), place), self._take_both)

    def _take_both(self, lines: tuple[_Line | None, _Line | None]) -> None:
        above, below = lines
        if above is None or below is None:
            self.host.session.tell(_NO_LINE.format("above" if above is None else "below"))
        else:
            self._fill(above, below)


def _line_at(ground: Ground, cell: tuple[int, int]) -> _Line:
    """Return the label of one class that hangs together with a cell, by sides and corners."""
    seed = ground.place(cell)
    mask = connected(ground.labels == ground.labels[seed], seed, corners=True)
    shape = trimmed(ground.rows, ground.columns, mask)
    return _Line(Span.of(shape, kept=True), shape=shape, cut=ground.cuts(mask))


def _lines_around(ground: Ground, cell: tuple[int, int]) -> tuple[_Line | None, _Line | None]:
    """Return the painted lines above and below a cell, None where there is none."""
    row, column = ground.place(cell)
    labelled = np.flatnonzero(ground.labels[:, column])
    above, below = labelled[labelled < row], labelled[labelled > row]
    found = (above[-1:], below[:1])
    first, second = (
        _line_at(ground, (int(at[0]) + ground.rows.start, cell[1])) if at.size else None
        for at in found
    )
    return first, second

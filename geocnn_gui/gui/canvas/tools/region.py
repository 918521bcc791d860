"""Tools that fill what is alike around a cell: flood fill and magic wand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter

from geocnn_gui.gui.canvas.colour_maps import class_colours
from geocnn_gui.gui.canvas.index_item import IndexItem
from geocnn_gui.gui.canvas.parts import Part
from geocnn_gui.gui.canvas.tools.base import Host, Tool, outline_pens, paint_once
from geocnn_gui.gui.canvas.tools.ground import Ground, block_around, reader_of
from geocnn_gui.gui.tooling import ANY_VALUE
from geocnn_gui.labels.tools import Shape, connected, flood, trimmed

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.gui.session import Session

#: A drag of so many pixels is the whole tolerance; a shorter one than `_STILL` is a click.
_REACH, _STILL = 400, 5
_OPACITY = 0.55
#: Percentiles between which the data spreads, as `BandStatistics` has them.
_ENDS = 2, 98


@dataclass(frozen=True, slots=True, eq=False)
class _Region:
    shape: Shape
    cut: bool
    live: bool


class RegionTool(Tool):
    """Press on a cell: the region around it is found on another thread, then painted.

    A second press before that drops the first.
    """

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._cell: tuple[int, int] | None = None
        self._ground: Ground | None = None
        self._region: _Region | None = None
        self._released = False
        self._preview = IndexItem()

    @property
    def tolerance(self) -> int:
        """Return the tolerance in percent."""
        return self.host.session.tool_settings.tolerance

    def press(self, at: QPointF) -> None:
        """Ask what lies around the cell."""
        self.cancel()
        cell = self.host.viewport.cell_at(at)
        inside = all(0 <= i < n for i, n in zip(cell, self.host.picture_shape, strict=True))
        session = self.host.session
        if not inside or not session.may_paint():
            return
        if reason := self.why_not():
            session.tell(reason)
            return
        self._cell, self._released = cell, False
        self.relabelled()

    def relabelled(self) -> None:
        """Read what lies around the cell, anew where labels have changed."""
        if self._cell is not None:
            read = reader_of(self.host, block_around(self.host, self._cell))
            self.host.questions.ask(read, self._take_ground)

    def why_not(self) -> str:
        """Say why no region can be found; "" where one can."""
        return ""

    def release(self, at: QPointF) -> None:
        """Paint the region as soon as it is known."""
        self._released = True
        self._end()

    def double_click(self, at: QPointF) -> None:
        """Do nothing more than the click did."""

    def cancel(self) -> None:
        """Drop the region."""
        if self._cell is not None:
            self.host.questions.forget()
        self._cell = self._ground = self._region = None
        self._preview.clear()
        self.host.update_overlay()

    def finish(self) -> None:
        """Drop the region: it belongs to the section it was begun on."""
        self.cancel()

    def paint(self, painter: QPainter) -> None:
        """Draw the region."""
        self._preview.paint(painter, self.host.viewport, self.host.size_f)

    def area(self) -> QRect:
        """Return the pixels of the region."""
        part = self._preview.part
        return self.host.viewport.dirty(part.rows, part.columns) if part is not None else QRect()

    def grow(self) -> None:
        """Find the region anew."""
        ground, cell, session = self._ground, self._cell, self.host.session
        if ground is None or cell is None:
            return
        like = self.finder(ground, ground.place(cell))
        same = session.tool_settings.stop_at_labels

        def find() -> _Region:
            seed = ground.place(cell)
            free = ground.live & (ground.labels == ground.labels[seed]) if same else ground.live
            mask = like(free)
            shape = trimmed(ground.rows, ground.columns, mask)
            return _Region(shape, ground.cuts(mask), bool(ground.live[seed]))

        self.host.questions.ask(find, self._take_region)

    def finder(self, ground: Ground, seed: tuple[int, int]) -> Callable[[np.ndarray], np.ndarray]:
        """Return what finds the cells like `seed` among those that are free; for a thread."""
        most = _tolerances(self.host.session, ground, self.tolerance)
        return lambda free: flood(ground.values, seed, most, free=free)

    def _take_ground(self, ground: Ground) -> None:
        self._ground = ground
        self.grow()

    def _take_region(self, region: _Region) -> None:
        self._region = region
        rows, columns, mask = region.shape
        if mask.any():
            session = self.host.session
            level = session.current_class or 255  # which is no class, hence grey
            self._preview.set_colours(class_colours(session.classes, _OPACITY))
            self._preview.set_levels(Part(rows, columns), mask.astype(np.uint8) * level)
        else:
            self._preview.clear()
        self.host.update_overlay()
        self._end()

    def _end(self) -> None:
        """Paint the region, once the mouse is up and it is known as it was asked for."""
        region = self._region
        if not self._released or region is None or self.host.questions.waits:
            return
        self.cancel()
        paint_once(self.host, [region.shape])
        session = self.host.session
        if not region.live:
            session.tell("There is no data here to fill.")
        elif region.cut:
            session.tell(
                "The region goes on beyond what is searched, the view and a little more: it was "
                "cut there. Move or zoom the view and click again."
            )


class FillTool(RegionTool):
    """Click: cells that hang together and whose values are near that of the cell are filled."""

    def release(self, at: QPointF) -> None:
        """Do nothing: the press was the click."""

    def press(self, at: QPointF) -> None:
        """Fill around the cell."""
        super().press(at)
        self._released = True


class WandTool(RegionTool):
    """Press and drag: the further, the larger the region; it is painted when the mouse is up.

    On a prediction the region is what hangs together of one predicted class.
    """

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._spot: QPointF | None = None
        self._at: QPointF | None = None
        self._dragged: int | None = None

    @property
    def tolerance(self) -> int:
        """Return the tolerance that was dragged to, else that of the strip."""
        return super().tolerance if self._dragged is None else self._dragged

    @property
    def hint(self) -> str:
        """Say what to do."""
        if self.on_prediction:
            return "Click on a region of the prediction: it gets the class in hand."
        return "Press and drag away from the spot: the region grows until you let go."

    @property
    def on_prediction(self) -> bool:
        """Say whether regions are of a predicted class."""
        return self.host.session.tool_settings.wand_target == "prediction"

    def why_not(self) -> str:
        """Say what keeps it from a prediction."""
        shown = self.host.session.shown_map
        if not self.on_prediction:
            return ""
        if shown is None:
            return "Predict first, or let the wand work on the data."
        return (
            "" if shown.target is None else "Values are predicted here: use the wand on the data."
        )

    def press(self, at: QPointF) -> None:
        """Take the tolerance of the strip until the mouse moves."""
        self._dragged = None
        super().press(at)
        self._spot = self._at = at

    def drag(self, at: QPointF) -> None:
        """Take the distance from the spot as tolerance."""
        if self._spot is None or self._cell is None or self._released or self.on_prediction:
            return
        way = math.hypot(at.x() - self._spot.x(), at.y() - self._spot.y())
        if self._dragged is None and way < _STILL:
            return
        self._at = at
        tolerance = min(round(way / _REACH * ANY_VALUE), ANY_VALUE)
        if tolerance != self._dragged:
            self._dragged = tolerance
            self.grow()
        self.host.update_overlay()

    def release(self, at: QPointF) -> None:
        """Keep the tolerance for the next click, and paint."""
        if self._dragged is not None and self._cell is not None:
            self.host.session.set_tool_settings(tolerance=self._dragged)
        super().release(at)

    def cancel(self) -> None:
        """Drop the region."""
        self._spot = None
        super().cancel()

    def finder(self, ground: Ground, seed: tuple[int, int]) -> Callable[[np.ndarray], np.ndarray]:
        """Return what finds the cells like `seed`; not predicted is like nothing."""
        if not self.on_prediction or ground.predicted is None:
            return super().finder(ground, seed)
        ids = ground.predicted
        return lambda free: connected(free & (ids == ids[seed]) & (ids > 0), seed)

    def paint(self, painter: QPainter) -> None:
        """Draw the region, and the tolerance beside the cursor."""
        super().paint(painter)
        if self._spot is None or self._at is None or self._dragged is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for pen in outline_pens():
            painter.setPen(pen)
            painter.drawLine(self._spot, self._at)
        box = self._text_box()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 170))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(QColor("white"))
        text = "any value" if self._dragged == ANY_VALUE else f"{self._dragged} %"
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def area(self) -> QRect:
        """Return the pixels of the region and of the drag."""
        if self._spot is None or self._at is None:
            return super().area()
        line = QRectF(self._spot, self._at).normalized().united(self._text_box())
        return super().area().united(line.toAlignedRect().adjusted(-4, -4, 4, 4))

    def _text_box(self) -> QRectF:
        assert self._at is not None
        room, size = self.host.size_f, QSizeF(76, 22)
        x = min(self._at.x() + 14, room.width() - size.width() - 4)
        y = min(self._at.y() + 14, room.height() - size.height() - 4)
        return QRectF(QPointF(x, y), size)


def _tolerances(session: Session, ground: Ground, percent: int) -> np.ndarray:
    """Return how far values may differ, for each band in view."""
    if percent >= ANY_VALUE:
        return np.full(len(ground.values), np.inf)
    known = session.statistics
    if known is not None:
        spread = np.array([known[band].high - known[band].low for band in session.view.bands])
    elif ground.live.any():
        ends = np.percentile(ground.values[:, ground.live], _ENDS, axis=1)
        spread = ends[1] - ends[0]
    else:
        spread = np.zeros(len(ground.values))
    return spread * percent / 100

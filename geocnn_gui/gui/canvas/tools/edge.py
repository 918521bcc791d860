"""The smart edge: scribble classes, and random walks part the cells between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRect

from geocnn_gui.data.source import Picture
from geocnn_gui.gui.canvas.colour_maps import class_colours
from geocnn_gui.gui.canvas.index_item import IndexItem, thinned
from geocnn_gui.gui.canvas.parts import Part
from geocnn_gui.gui.canvas.reader import averaged
from geocnn_gui.gui.canvas.tools.brush import BrushTool
from geocnn_gui.gui.canvas.tools.ground import Ground, most_cells, reader_of
from geocnn_gui.labels.tools import Sketch, random_walk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtCore import QPointF
    from PySide6.QtGui import QPainter

    from geocnn_gui.gui.canvas.tools.base import Host
    from geocnn_gui.labels.tools import Shape

#: Walks go over at most so many cells along a side; of larger windows, over blocks of cells.
MOST_WALKED = 512
_SCRIBBLED, _FILLED = 0.9, 0.4


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    rows: slice
    columns: slice
    ids: np.ndarray


class EdgeTool(BrushTool):
    """Scribble two classes or more; the cells between take the class that is nearer in the data.

    Labels within the box around the scribbles count as scribbles. The answer is shown after each
    stroke and painted with Enter, as one edit; Backspace drops a stroke, Esc all.
    """

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._strokes: list[list[tuple[Sequence[Shape], int]]] = []
        self._sketch = Sketch()
        self._answer: _Answer | None = None
        self._wanted = False
        self._drawn, self._filled = IndexItem(), IndexItem()

    @property
    def hint(self) -> str:
        """Say what to do next."""
        if self._answer is not None:
            return "Enter paints what is shown; scribble on to better it; Esc drops it."
        if self._strokes:
            return "Scribble a second class too (keys 1 to 9); Backspace drops a stroke."
        return "Scribble inside two classes or more: what lies between is parted along edges."

    def press(self, at: QPointF) -> None:
        """Begin a scribble with a dab."""
        session = self.host.session
        if not session.may_paint():
            return
        if not session.current_class:
            session.tell("Choose a class to scribble with: unlabelled has no edge to find.")
            return
        self.host.questions.forget()
        self._answer, self._wanted = None, False
        self._strokes.append([])
        self._last = self.host.viewport.point_at(at)
        self._sweep(self._last)

    def put(self, shapes: Sequence[Shape]) -> None:
        """Draw what one step of the mouse has swept."""
        shapes = [shape for shape in shapes if shape[2].any()]
        rows, columns = self._sketch.box_with(shapes)
        if (rows.stop - rows.start) * (columns.stop - columns.start) > most_cells(self.host):
            self.host.session.tell(
                f"The scribbles lie too far apart to be held at once: at most {most_cells(self.host):,} "
                f"{self.host.session.cell_noun}s around them. Zoom in.".replace(",", "\u202f"),
                "warning",
            )
            return
        self._strokes[-1].append((shapes, self.value))
        self._sketch.add(shapes, self.value)
        self._show()

    def finish(self) -> None:
        """Drop the scribbles: they belong to the section they were begun on."""
        self.cancel()

    def release(self, at: QPointF) -> None:
        """End the scribble and ask what lies between."""
        self._last = None
        self._walk()

    def cancel(self) -> None:
        """Drop all scribbles."""
        self._last = None
        self._strokes, self._sketch = [], Sketch()
        self._forget()
        self._drawn.clear()
        self.host.update_overlay()

    def step_back(self) -> None:
        """Drop the last scribble."""
        if self._last is not None or not self._strokes:
            return
        self._strokes.pop()
        self._sketch = Sketch()
        for shapes, value in (step for stroke in self._strokes for step in stroke):
            self._sketch.add(shapes, value)
        self._forget()
        self._show()
        self._walk()

    def relabelled(self) -> None:
        """Ask anew: labels are scribbles too, and what was found may lie over them."""
        if self._strokes and self._last is None:
            self._answer = None
            self._walk()

    def accept(self) -> None:
        """Paint scribbles and what lies between, as soon as that is known."""
        if not self._strokes or self._last is not None:
            return
        self._wanted = True
        if self._answer is None and not self.host.questions.waits:
            self._wanted = False
            self.host.session.tell("Scribble at least two classes, then press Enter.")
        self._end()

    def paint(self, painter: QPainter) -> None:
        """Draw the answer, the scribbles and the brush."""
        for item in (self._filled, self._drawn):
            item.paint(painter, self.host.viewport, self.host.size_f)
        super().paint(painter)

    def area(self) -> QRect:
        """Return the pixels of the scribbles, the answer between them and the brush."""
        part = self._drawn.part
        box = self.host.viewport.dirty(part.rows, part.columns) if part is not None else QRect()
        return box.united(super().area())

    def _forget(self) -> None:
        self.host.questions.forget()
        self._answer, self._wanted = None, False
        self._filled.clear()

    def _show(self) -> None:
        sketch = self._sketch
        if not sketch.ids.size:
            self._drawn.clear()
        else:
            self._drawn.set_colours(class_colours(self.host.session.classes, _SCRIBBLED))
            self._drawn.set_levels(Part(sketch.rows, sketch.columns), sketch.ids)
        self.host.update_overlay()

    def _walk(self) -> None:
        """Ask for the classes between the scribbles."""
        sketch = self._sketch
        if not sketch.ids.size:
            return
        read = reader_of(self.host, (sketch.rows, sketch.columns))
        drawn = sketch.ids.copy()
        self.host.questions.ask(lambda: _between(read(), drawn), self._take)

    def _take(self, answer: _Answer | None) -> None:
        self._answer = answer
        if answer is None:
            self._filled.clear()
            if self._wanted:
                self._wanted = False
                self.host.session.tell("Scribble at least two classes, then press Enter.")
        else:
            self._filled.set_colours(class_colours(self.host.session.classes, _FILLED))
            self._filled.set_levels(Part(answer.rows, answer.columns), answer.ids)
        self.host.update_overlay()
        self._end()

    def _end(self) -> None:
        answer, session = self._answer, self.host.session
        if not self._wanted or answer is None:
            return
        self.cancel()
        session.begin_stroke()
        painted = session.paint_values(session.section, answer.rows, answer.columns, answer.ids)
        self.host.show_painted(answer.rows, answer.columns, painted, answer.ids)
        session.end_stroke("Smart edge")


def _between(ground: Ground, drawn: np.ndarray) -> _Answer | None:
    """Return scribbles and classes for cells without a label; None for fewer than two classes.

    Live cells only; where the block is large, of blocks of cells whose values are averaged.
    """
    seeds = np.where(ground.live, np.where(drawn > 0, drawn, ground.labels), 0).astype(np.uint8)
    if np.unique(seeds[seeds > 0]).size < 2:
        return None
    steps = tuple(-(-n // MOST_WALKED) for n in seeds.shape)
    step = (max(steps), max(steps))
    picture = averaged(Picture(ground.values, ground.live), step)
    ids = random_walk(picture.values, picture.live, thinned(seeds, step))
    ids = ids.repeat(step[0], axis=0).repeat(step[1], axis=1)[: seeds.shape[0], : seeds.shape[1]]
    ids = np.where(drawn > 0, drawn, np.where(ground.labels > 0, 0, ids))
    return _Answer(ground.rows, ground.columns, np.where(ground.live, ids, 0).astype(np.uint8))

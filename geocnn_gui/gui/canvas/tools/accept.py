"""The brush that accepts the prediction."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.gui.canvas.tools.brush import BrushTool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PySide6.QtCore import QPointF

    from geocnn_gui.labels.tools import Shape

#: Rows of a strip.
_STRIP = 256


class AcceptTool(BrushTool):
    """Label what the brush sweeps as it is predicted; every drag is one edit."""

    def press(self, at: QPointF) -> None:
        """Begin a stroke, where there is a prediction to accept."""
        if self.host.session.check_accepting():
            super().press(at)

    def put(self, shapes: Sequence[Shape]) -> None:
        """Label what one step of the mouse has swept."""
        if not self.host.session.why_no_accepting():
            for part in chain.from_iterable(map(strips, shapes)):
                self._put_strip(*part)

    def _put_strip(self, rows: slice, columns: slice, mask: np.ndarray) -> None:
        session = self.host.session
        values = session.predicted_labels(session.section, rows, columns)
        values[~mask] = 0
        painted = session.paint_values(session.section, rows, columns, values)
        self.host.show_painted(rows, columns, painted, values)


def strips(shape: Shape) -> Iterator[Shape]:
    """Cut a shape into strips as narrow as it is there: little is read for a long, thin sweep."""
    rows, columns, mask = shape
    for start in range(0, len(mask), _STRIP):
        part = mask[start : start + _STRIP]
        hits = np.flatnonzero(part.any(axis=0))
        if hits.size:
            left, right = int(hits[0]), int(hits[-1]) + 1
            across = slice(columns.start + left, columns.start + right)
            first = rows.start + start
            yield slice(first, first + len(part)), across, part[:, left:right]

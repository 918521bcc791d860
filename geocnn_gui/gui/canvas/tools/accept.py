"""The brush that accepts the prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.gui.canvas.tools.brush import BrushTool

if TYPE_CHECKING:
    from PySide6.QtCore import QPointF

    from geocnn_gui.labels.tools import Shape


class AcceptTool(BrushTool):
    """Label what the brush sweeps as it is predicted; every drag is one edit."""

    def press(self, at: QPointF) -> None:
        """Begin a stroke, where there is a prediction to accept."""
        if self.host.session.check_accepting():
            super().press(at)

    def put(self, shape: Shape) -> None:
        """Label what one step of the mouse has swept."""
        rows, columns, mask = shape
        session = self.host.session
        if not mask.any() or session.why_no_accepting():
            return
        values = session.predicted_labels(session.section, rows, columns)
        values[~mask] = 0
        painted = session.paint_values(session.section, rows, columns, values)
        self.host.show_painted(rows, columns, painted, values)

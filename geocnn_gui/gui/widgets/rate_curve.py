"""The loss at each learning rate that was tried."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from geocnn_gui.gui.widgets.curve_plot import CurvePlot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtWidgets import QWidget

    from geocnn_gui.events import RateTried

#: What lies so many times above the first loss is cut off, so that the fall can be seen.
_MOST = 1.5


class RateCurve(CurvePlot):
    """A curve over powers of ten, with an upright line at the rate that was taken."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Loss over learning rate", parent)
        self.setObjectName("rate_curve")

    def show_rates(
        self, tried: Sequence[RateTried], taken: float | None, colours: tuple[str, str]
    ) -> None:
        """Draw what was tried, and the rate that was `taken`; colours of curve and line."""
        most = _MOST * tried[0].loss if tried else 0.0
        points = tuple((math.log10(each.rate), min(each.loss, most)) for each in tried)
        curves = [("", colours[0], points)]
        if taken is not None and points:
            losses = [loss for _, loss in points]
            at = math.log10(taken)
            line = ((at, max(losses)), (at, min(losses)))
            curves.append((f"{taken:.2g}", colours[1], line))
        self.show_curves(tuple(curves), empty="Nothing was tried yet.")
        self.setVisible(bool(points))

    def _values(self) -> tuple[float, float]:
        values = [point[1] for _, _, points in self._curves for point in points]
        low, high = min(values), max(values)
        return (low, high) if high > low else (low - 0.5, high + 0.5)

    def _said(self, tick: float) -> str:
        return f"1e{tick:g}"

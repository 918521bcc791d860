"""Shapes drawn on a picture as masks, and the regions of its data; without Qt.

Points are (row, column) in picture cells; the centre of cell (i, j) is (i, j), as in `Axis.at`.
What is drawn becomes (rows, columns, mask): the bounding slices inside the picture and bool
(rows, columns) of the cells covered; the slices are empty where the shape misses the picture.
"""

from __future__ import annotations

from geocnn_gui.labels.tools.between import Span, between
from geocnn_gui.labels.tools.box import Shape
from geocnn_gui.labels.tools.fill import connected, flood, trimmed
from geocnn_gui.labels.tools.polygon import polygon
from geocnn_gui.labels.tools.sketch import Sketch
from geocnn_gui.labels.tools.stroke import brush_stroke
from geocnn_gui.labels.tools.walk import random_walk

__all__ = ["Shape", "Sketch", "Span", "between", "brush_stroke", "connected", "flood", "polygon",
           "random_walk", "trimmed"]  # fmt: skip

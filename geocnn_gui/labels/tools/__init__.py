"""Shapes drawn on a picture as masks, and the regions of its data; without Qt.

Points are (row, column) in picture cells; the centre of cell (i, j) is (i, j), as in `Axis.at`.
What is drawn becomes (rows, columns, mask): the bounding slices inside the picture and bool
(rows, columns) of the cells covered; the slices are empty where the shape misses the picture.
"""

from __future__ import annotations

from geocnn_gui.labels.tools.between import Span, between, between_box
from geocnn_gui.labels.tools.box import Shape, blocks, box
from geocnn_gui.labels.tools.fill import connected, flood, trimmed
from geocnn_gui.labels.tools.polygon import polygon
from geocnn_gui.labels.tools.sketch import Sketch
from geocnn_gui.labels.tools.stroke import brush_stroke, pieces_of_line
from geocnn_gui.labels.tools.walk import random_walk

__all__ = ["Shape", "Sketch", "Span", "between", "between_box", "blocks", "box", "brush_stroke",
           "connected", "flood", "pieces_of_line", "polygon", "random_walk", "trimmed"]  # fmt: skip

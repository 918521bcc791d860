"""Shapes drawn on a picture as masks; NumPy only.

Points are (row, column) in picture cells; the centre of cell (i, j) is (i, j), as in `Axis.at`.
Every tool returns (rows, columns, mask): the bounding slices inside the picture and bool
(rows, columns) of the cells covered; the slices are empty where the shape misses the picture.
"""

from __future__ import annotations

from geocnn_gui.labels.tools.box import Shape
from geocnn_gui.labels.tools.polygon import polygon
from geocnn_gui.labels.tools.stroke import brush_stroke

__all__ = ["Shape", "brush_stroke", "polygon"]

"""Where the labels of pictures lie: what a split is planned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geocnn_gui.data.source import Plane

#: Sides of blocks tried, in cells.
BLOCK_SIDES = (256, 192, 128, 96, 64, 48, 32, 16)


@dataclass(frozen=True, slots=True)
class LabelledCells:
    """Where a picture's labelled cells lie: `rows`, `columns` int, `classes` index 0..n-1.

    Of a picture with very many only every `step`-th may be listed.
    """

    rows: np.ndarray
    columns: np.ndarray
    classes: np.ndarray
    step: int = 1


@dataclass(frozen=True, slots=True)
class LabelledPlane:
    """A picture of source number `source`: how it lies there, its shape, its labelled cells."""

    source: int
    plane: Plane
    shape: tuple[int, int]
    cells: LabelledCells

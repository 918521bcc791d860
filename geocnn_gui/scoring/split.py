"""Where the labels of pictures lie: what a split is planned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geocnn_gui.data.source import Plane

#: Sides of blocks tried, in cells.
BLOCK_SIDES = (256, 192, 128, 96, 64, 48, 32, 16)
#: ... and in samples, which may be few.
SAMPLE_SIDES = (*BLOCK_SIDES, 8, 4, 2, 1)


@dataclass(frozen=True, slots=True)
class LabelledCells:
    """Where a picture's labelled cells lie: `rows`, `columns` int, `classes` index 0..n-1.

    Of a picture with very many only every `step`-th may be listed, or of each class every
    `steps`-th.
    """

    rows: np.ndarray
    columns: np.ndarray
    classes: np.ndarray
    step: int = 1
    steps: tuple[int, ...] = ()

    @property
    def stands_for(self) -> np.ndarray:
        """Return of each cell for how many of its class it is listed, int64 (n,)."""
        if not self.steps:
            return np.ones(len(self.rows), np.int64)
        return np.array(self.steps, np.int64)[self.classes]


@dataclass(frozen=True, slots=True)
class LabelledPlane:
    """A picture of source number `source`: how it lies there, its shape, its labelled cells.

    Of a sample set, whose cells are `samples`, `records` int64 (columns,) may say which of them
    belong together.
    """

    source: int
    plane: Plane
    shape: tuple[int, int]
    cells: LabelledCells
    samples: bool = False
    records: np.ndarray | None = None

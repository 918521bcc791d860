"""What can be exported of a prediction: its classes or its confidence, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from geocnn_gui.data.source import Window
from geocnn_gui.labels.classes import Classes

if TYPE_CHECKING:
    from collections.abc import Iterator

What = Literal["classes", "confidence"]
_BLOCK_CELLS = 2**22


class Prediction(Protocol):
    """What a writer reads: `inference.store.PredictionStore` has it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the cells per axis of the source."""
        ...

    def read_classes(self, window: Window) -> np.ndarray:
        """Return class ids uint8 (*window.size)."""
        ...

    def read_confidence(self, window: Window) -> np.ndarray:
        """Return confidence float32 0..1 (*window.size)."""
        ...


@dataclass(frozen=True, slots=True)
class Layer:
    """One of the two arrays of a prediction, in the source's array order; 0 is no prediction."""

    prediction: Prediction
    what: What
    classes: Classes

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the cells per axis."""
        return self.prediction.shape

    @property
    def dtype(self) -> np.dtype:
        """Return uint8 for classes, float32 for confidence."""
        return np.dtype(np.uint8 if self.what == "classes" else np.float32)

    def read(self, window: Window) -> np.ndarray:
        """Return the values of a window, a copy."""
        if self.what == "classes":
            return self.prediction.read_classes(window)
        return self.prediction.read_confidence(window)


def slabs(shape: tuple[int, ...]) -> list[Window]:
    """Cut an array along its first axis into windows of a few million cells."""
    thick = max(1, _BLOCK_CELLS // max(1, int(np.prod(shape[1:], dtype=np.int64))))
    return [
        Window((start, *(0,) * (len(shape) - 1)), (min(thick, shape[0] - start), *shape[1:]))
        for start in range(0, shape[0], thick)
    ]


def squares(shape: tuple[int, int], side: int) -> Iterator[Window]:
    """Yield windows of at most `side` x `side` cells that cover `shape`, row by row."""
    for row, column in product(range(0, shape[0], side), range(0, shape[1], side)):
        yield Window((row, column), (min(side, shape[0] - row), min(side, shape[1] - column)))

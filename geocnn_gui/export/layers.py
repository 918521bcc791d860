"""What can be exported of a prediction: classes, confidence, probabilities, values; by blocks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np

from geocnn_gui.data.source import Window
from geocnn_gui.errors import BadRequest
from geocnn_gui.labels.classes import Classes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.models.target import Target

What = Literal["classes", "confidence", "probabilities", "values"]
_BLOCK_CELLS = 2**22


class Prediction(Protocol):
    """What every writer reads."""

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


@runtime_checkable
class ModelPrediction(Prediction, Protocol):
    """What a model leaves: `inference.store.PredictionStore` has it."""

    @property
    def model(self) -> str:
        """Return the model file's name and a digest of it, "" where that is not known."""
        ...

    @property
    def has_probabilities(self) -> bool:
        """Say whether `read_probabilities` has something to read."""
        ...

    def read_probabilities(self, window: Window) -> np.ndarray:
        """Return probabilities float32 0..1 (classes, *window.size), NaN where not predicted."""
        ...


@runtime_checkable
class ValuePrediction(Prediction, Protocol):
    """What a model of a continuous target leaves: `inference.store.PredictionStore` has it."""

    @property
    def target(self) -> Target | None:
        """Return what the values are, None where there are classes."""
        ...

    def read_values(self, window: Window) -> np.ndarray:
        """Return values float32 (*window.size) in the target's unit, NaN where not predicted."""
        ...


def target_of(prediction: Prediction | None) -> Target | None:
    """Return what the values of a prediction are, None where it holds classes."""
    return prediction.target if isinstance(prediction, ValuePrediction) else None


@dataclass(frozen=True, slots=True)
class Layer:
    """One of the arrays of a prediction, in the source's array order.

    0 is no prediction, NaN where it is probabilities or values. Raises `BadRequest` where the prediction
    was made without probabilities.
    """

    prediction: Prediction
    what: What
    classes: Classes

    def __post_init__(self) -> None:
        made = self.prediction if isinstance(self.prediction, ModelPrediction) else None
        if self.what == "probabilities" and not (made is not None and made.has_probabilities):
            raise BadRequest(
                "This prediction holds the likeliest class of each cell only",
                "predict again with probabilities",
            )
        if (self.what == "values") != (self.target is not None):
            kinds = ("values", "classes") if self.target is not None else ("classes", "values")
            raise BadRequest(
                f"This prediction holds {kinds[0]} and no {kinds[1]}", f"export its {kinds[0]}"
            )

    @property
    def target(self) -> Target | None:
        """Return what values are, None where it is no layer of values."""
        return target_of(self.prediction)

    @property
    def model(self) -> str:
        """Return the model file's name and a digest of it, "" where no model made it."""
        return self.prediction.model if isinstance(self.prediction, ModelPrediction) else ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the cells per axis, behind the classes where it is probabilities."""
        lead = (len(self.classes),) if self.what == "probabilities" else ()
        return *lead, *self.prediction.shape

    @property
    def dtype(self) -> np.dtype:
        """Return uint8 for classes, float32 otherwise."""
        return np.dtype(np.uint8 if self.what == "classes" else np.float32)

    def read(self, window: Window) -> np.ndarray:
        """Return the values of a window, a copy: (*window.size), behind classes where there are."""
        if self.what == "classes":
            return self.prediction.read_classes(window)
        if self.what == "probabilities" and isinstance(self.prediction, ModelPrediction):
            return self.prediction.read_probabilities(window)
        if self.what == "values" and isinstance(self.prediction, ValuePrediction):
            return self.prediction.read_values(window)
        return self.prediction.read_confidence(window)


def slabs(shape: tuple[int, ...], *, values: int = 1) -> list[Window]:
    """Cut an array along its first axis into windows of a few million values, so many a cell."""
    thick = max(1, _BLOCK_CELLS // max(1, values * int(np.prod(shape[1:], dtype=np.int64))))
    return [
        Window((start, *(0,) * (len(shape) - 1)), (min(thick, shape[0] - start), *shape[1:]))
        for start in range(0, shape[0], thick)
    ]


def squares(shape: tuple[int, int], side: int) -> Iterator[Window]:
    """Yield windows of at most `side` x `side` cells that cover `shape`, row by row."""
    for row, column in product(range(0, shape[0], side), range(0, shape[1], side)):
        yield Window((row, column), (min(side, shape[0] - row), min(side, shape[1] - column)))

"""What a network for continuous values has learned: the quantity, its unit, its standardisation."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from pydantic import Field, field_validator

from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.spec_base import Spec

#: Standard deviations of the target to both sides that the colours show, and how near to 0 its
#: middle lies where values swing around that.
_WIDE, _AROUND_0 = 2.5, 0.25
#: How a value that is predicted is drawn where only classes are known.
COLOR = "#0072b2"
#: Width of the 5th to 95th percentile of a normal distribution, in standard deviations.
_NORMAL_WIDTH = 3.29
#: Share of the range left to each side by heads that never quite reach their ends.
_MARGIN = 0.05


class Target(Spec):
    """A quantity that a network predicts: value = output x scale + mean, in `unit`.

    `span` holds the values of the first and last colour where the head bends its output.
    """

    name: Annotated[str, Field(min_length=1, max_length=80)]
    unit: Annotated[str, Field(max_length=40)] = ""
    mean: float = 0.0
    scale: Annotated[float, Field(gt=0)] = 1.0
    span: tuple[float, float] | None = None

    @field_validator("mean", "scale")
    @classmethod
    def _finite(cls, value: float) -> float:
        if not math.isfinite(value):
            raise ValueError("not a finite number")
        return value

    @field_validator("span")
    @classmethod
    def _in_order(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not -math.inf < value[0] < value[1] < math.inf:
            raise ValueError("not two finite numbers in order")
        return value

    @property
    def title(self) -> str:
        """Name the quantity with its unit: "Porosity (%)"."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def centred(self) -> bool:
        """Say whether values swing around 0, as amplitudes do."""
        return self.span is None and abs(self.mean) < _AROUND_0 * self.scale

    @property
    def limits(self) -> tuple[float, float]:
        """Return the values of the first and last colour."""
        if self.span is not None:
            return self.span
        middle = 0.0 if self.centred else self.mean
        return middle - _WIDE * self.scale, middle + _WIDE * self.scale

    @property
    def as_class(self) -> LabelClass:
        """Return the one class whose cells are those that have a value."""
        return LabelClass(id=1, name=self.name, color=COLOR)


def middle_and_scale(
    values: np.ndarray, head: str = "linear", ends: tuple[float, float] = (0.0, 0.0)
) -> tuple[float, float]:
    """Return by what a target is standardised so that a network's head reaches all of it.

    `values` float64 (n,) is a sample of it, `ends` its lowest and highest value. A linear head has
    the median and the spread, ReLU 0 and the spread from 0, sigmoid (0 to 1) and tanh (-1 to 1)
    the ends with a margin. A scale of 0 says that it is the same everywhere.
    """
    fifth, middle, ninety_fifth = np.percentile(values, (5, 50, 95)).tolist()
    spread = (ninety_fifth - fifth) / _NORMAL_WIDTH or float(values.std())
    low, high = ends
    match head:
        case "relu":
            return 0.0, spread and max(spread, ninety_fifth / _NORMAL_WIDTH)
        case "sigmoid":
            return low - _MARGIN * (high - low), (1 + 2 * _MARGIN) * (high - low)
        case "tanh":
            return (low + high) / 2, (0.5 + _MARGIN) * (high - low)
    return middle, spread

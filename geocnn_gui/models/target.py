"""What a network for continuous values has learned: the quantity, its unit, its standardisation."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, field_validator

from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.spec_base import Spec

#: Standard deviations of the target to both sides that the colours show, and how near to 0 its
#: middle lies where values swing around that.
_WIDE, _AROUND_0 = 2.5, 0.25
#: How a value that is predicted is drawn where only classes are known.
COLOR = "#0072b2"


class Target(Spec):
    """A quantity that a network predicts: value = output x scale + mean, in `unit`."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    unit: Annotated[str, Field(max_length=40)] = ""
    mean: float = 0.0
    scale: Annotated[float, Field(gt=0)] = 1.0

    @field_validator("mean", "scale")
    @classmethod
    def _finite(cls, value: float) -> float:
        if not math.isfinite(value):
            raise ValueError("not a finite number")
        return value

    @property
    def title(self) -> str:
        """Name the quantity with its unit: "Porosity (%)"."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def centred(self) -> bool:
        """Say whether values swing around 0, as amplitudes do."""
        return abs(self.mean) < _AROUND_0 * self.scale

    @property
    def limits(self) -> tuple[float, float]:
        """Return the values of the first and last colour."""
        middle = 0.0 if self.centred else self.mean
        return middle - _WIDE * self.scale, middle + _WIDE * self.scale

    @property
    def as_class(self) -> LabelClass:
        """Return the one class whose cells are those that have a value."""
        return LabelClass(id=1, name=self.name, color=COLOR)

"""Figures of values that come block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(slots=True)
class Tally:
    """Count, lowest, highest, mean and standard deviation of the values added so far.

    `cells` counts those without a value too.
    """

    cells: int = 0
    count: int = 0
    low: float = np.inf
    high: float = -np.inf
    mean: float = 0.0
    _squares: float = 0.0

    @property
    def deviation(self) -> float:
        """Return the standard deviation (of the population, as GDAL's)."""
        return float(np.sqrt(self._squares / self.count)) if self.count else 0.0

    def add(self, values: np.ndarray, valid: np.ndarray) -> None:
        """Add the values where `valid`; both of one shape."""
        self.cells += values.size
        values = values[valid].astype(np.float64)
        if not values.size:
            return
        mean = float(values.mean())
        apart, both = mean - self.mean, self.count + values.size
        # Of two parts: the spread within each, and that between their means.
        self._squares += float(np.square(values - mean).sum())
        self._squares += apart**2 * self.count * values.size / both
        self.mean += apart * values.size / both
        self.count = both
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))

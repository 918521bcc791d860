"""Which values the colours span, and which proportions a picture has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geocnn_gui.data.source import Picture, Section, Source

Limits = tuple[float, float]
Histogram = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the colours span: (low, high) per shown band, and their mean, as the handles show it.

    `symmetric` says that zero is in the middle, where seismic wants it to stay.
    """

    limits: tuple[Limits, ...]
    mean: Limits
    symmetric: bool = False

    def with_gain(self, gain: float) -> Stretch:
        """Return the limits drawn in closer (gain above 1) around their middle."""
        limits = tuple(_scaled(low, high, 1 / gain) for low, high in self.limits)
        return Stretch(limits, _scaled(*self.mean, 1 / gain), self.symmetric)


class Percentiles(Protocol):
    """The 2nd and 98th percentile of a band, as `BandStatistics` has them."""

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Estimate:
    """Percentiles of the picture in hand, until those of the source are known."""

    low: float
    high: float

    @classmethod
    def of(cls, picture: Picture) -> tuple[Estimate, ...]:
        """Estimate every band of a picture from at most some 100,000 live cells."""
        return tuple(cls(*_percentiles(samples, (2, 98))) for samples in live_samples(picture))


def live_samples(picture: Picture, most: int = 100_000) -> np.ndarray:
    """Return about `most` live values of each band, float32 (bands, n)."""
    every = max(1, int((picture.live.size / most) ** 0.5))
    return picture.values[:, ::every, ::every][:, picture.live[::every, ::every]]


def histograms(picture: Picture, bins: int = 96) -> tuple[Histogram, ...]:
    """Return (counts, edges) of every band, from the 0.1st to the 99.9th percentile."""
    found = []
    for samples in live_samples(picture):
        low, high = _percentiles(samples, (0.1, 99.9))
        found.append(np.histogram(samples, bins, (low, high if high > low else low + 1)))
    return tuple(found)


def default_limits(source: Source, statistics: Percentiles) -> Limits:
    """Return the 2nd and 98th percentile; for seismic around zero, symmetric about it."""
    low, high = statistics.low, statistics.high
    if source.domain == "seismic" and low < 0 < high:
        high = max(-low, high)
        low = -high
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def stretch_of(
    source: Source,
    statistics: Sequence[Percentiles],
    chosen: tuple[float | None, float | None] = (None, None),
) -> Stretch:
    """Return the limits of the shown bands, of which `statistics` are the figures.

    `chosen` (low, high) replaces the limits of a single band. Of three bands it replaces the
    mean of their limits; each moves along in proportion, so that the colours keep their balance.
    """
    limits = [default_limits(source, one) for one in statistics]
    mean = (
        sum(low for low, _ in limits) / len(limits),
        sum(high for _, high in limits) / len(limits),
    )
    low, high = (mean[i] if value is None else value for i, value in enumerate(chosen))
    if high <= low:
        low, high = mean
    moved = tuple(_moved(one, mean, (low, high)) for one in limits)
    around_zero = source.domain == "seismic" and mean[0] < 0 < mean[1]
    symmetric = around_zero and abs(low + high) <= 1e-6 * (high - low)
    return Stretch(moved, (low, high), symmetric)


def cell_aspect(source: Source, section: Section) -> float:
    """Return a cell's height over its width where both axes share a unit, else 1."""
    plane = source.plane(section)
    down, across = source.axes[plane.row_axis], source.axes[plane.column_axis]
    if down.unit != across.unit or not down.step or not across.step:
        return 1.0
    return abs(down.step / across.step)


def _percentiles(samples: np.ndarray, at: tuple[float, float]) -> Limits:
    if samples.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(samples, at)
    return float(low), float(high)


def _moved(one: Limits, mean: Limits, chosen: Limits) -> Limits:
    """Move one band's limits as the mean was moved, in proportion to the band's width."""
    factor = (one[1] - one[0]) / (mean[1] - mean[0])
    return one[0] + (chosen[0] - mean[0]) * factor, one[1] + (chosen[1] - mean[1]) * factor


def _scaled(low: float, high: float, factor: float) -> Limits:
    middle, half = (low + high) / 2, (high - low) / 2 * factor
    return middle - half, middle + half

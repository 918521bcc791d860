"""Sources whose traces are standardised, each by itself: amplitudes without their strength."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.samples import Samples, SampleSource
from geocnn_gui.data.source import Source, Window

if TYPE_CHECKING:
    from geocnn_gui.data.source import Section

#: Of what varies less than this share of its own mean nothing is made larger.
_LEAST = 1e-6


def standardised(source: Source, window: int) -> Source:
    """Return `source` with the mean taken off each trace and its deviation made 1.

    A sample is standardised as a whole, column by column. Elsewhere it is done around each cell,
    over `window` cells of its trace, as a sample of that length cut there would be.
    """
    if isinstance(source, SampleSource):
        return _standardised_set(source)
    return StandardisedSource(source, window)


class StandardisedSamples(Samples):
    """Samples whose columns have a mean of 0 and a deviation of 1, band by band."""

    def __init__(self, inner: Samples) -> None:
        self._inner = inner
        self.names, self.dims, self.size = inner.names, inner.dims, inner.size
        self.labels, self.classes = inner.labels, inner.classes
        self.groups, self.fit = inner.groups, inner.fit

    def read(self, index: int) -> np.ndarray:
        """Return float32 (bands, rows, columns), NaN where there is no data."""
        values = self._inner.read(index).astype(np.float64)
        live = np.isfinite(values)
        count = np.maximum(live.sum(axis=1, keepdims=True), 1)
        mean = np.where(live, values, 0).sum(axis=1, keepdims=True) / count
        apart = np.where(live, values - mean, 0)
        deviation = np.sqrt((apart**2).sum(axis=1, keepdims=True) / count)
        return np.where(live, _divided(apart, deviation, mean), np.nan).astype(np.float32)


def _standardised_set(source: SampleSource) -> SampleSource:
    view = SampleSource(
        StandardisedSamples(source.set), name=source.name, domain=source.domain,
        bands=source.bands, dtype=source.dtype, path=source.path,
    )  # fmt: skip
    view.format, view.choices, view.spacing = source.format, source.choices, source.spacing
    view.notes = source.notes
    return view


class StandardisedSource(Source):
    """Another source seen with every cell in deviations of its trace around it."""

    def __init__(self, inner: Source, window: int) -> None:
        self._inner, self._window = inner, max(2, window)
        self.path, self.name, self.kind, self.domain = (
            inner.path, inner.name, inner.kind, inner.domain,
        )  # fmt: skip
        self.format, self.dtype, self.axes = inner.format, np.dtype(np.float32), inner.axes
        self.bands, self.spacing, self.crs = inner.bands, inner.spacing, inner.crs
        self.transform, self.choices = inner.transform, inner.choices
        upright = [i for i, axis in enumerate(inner.axes) if axis.vertical]
        self._axis = upright[0] if upright else 0

    def read(self, window: Window) -> np.ndarray:
        """Return float32: (value - mean) / deviation of the live cells around, 0 where dead."""
        wide, core = self._wide(window)
        values = self._inner.read(wide)
        values = self._inner.to_physical(values if self.banded else values[None])
        live = self._inner.live(wide)
        values = np.where(live, values, 0).astype(np.float64)
        axis = self._axis
        bounds = self._bounds(window, wide)
        count = np.maximum(_sums(live.astype(np.float64), bounds, axis), 1)
        mean = _sums(values, bounds, axis + 1) / count
        square = _sums(values**2, bounds, axis + 1) / count
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        apart = values.take(range(core.start, core.stop), axis + 1) - mean
        found = np.where(self._inner.live(window), _divided(apart, deviation, mean), 0)
        found = found.astype(np.float32)
        return found if self.banded else found[0]

    def live(self, window: Window) -> np.ndarray:
        """Return what the source itself says."""
        return self._inner.live(window)

    def close(self) -> None:
        """Close the source itself."""
        self._inner.close()

    def map_position(
        self, section: Section, row: float, column: float
    ) -> tuple[float, float] | None:
        """Return what the source itself says."""
        return self._inner.map_position(section, row, column)

    def _wide(self, window: Window) -> tuple[Window, slice]:
        """Return a window with all that is needed around it, and where it lies there."""
        low, high = window.offset[self._axis], window.stop[self._axis]
        start = max(0, low - self._window // 2)
        stop = min(self.shape[self._axis], high + self._window)
        offset, size = list(window.offset), list(window.size)
        offset[self._axis], size[self._axis] = start, stop - start
        return Window(tuple(offset), tuple(size)), slice(low - start, high - start)

    def _bounds(self, window: Window, wide: Window) -> tuple[np.ndarray, np.ndarray]:
        """Return for each cell along the trace where its surroundings begin and end in `wide`."""
        cells = np.arange(window.offset[self._axis], window.stop[self._axis])
        start, length = wide.offset[self._axis], self.shape[self._axis]
        low = np.maximum(cells - self._window // 2, 0)
        high = np.minimum(cells - self._window // 2 + self._window, length)
        return low - start, high - start


def _sums(values: np.ndarray, bounds: tuple[np.ndarray, np.ndarray], axis: int) -> np.ndarray:
    """Return the sums of `values` between the bounds along an axis."""
    low, high = bounds
    total = np.cumsum(values, axis=axis)
    pads = [(0, 0)] * values.ndim
    pads[axis] = (1, 0)
    total = np.pad(total, pads)
    return total.take(high, axis) - total.take(low, axis)


def _divided(apart: np.ndarray, deviation: np.ndarray, mean: np.ndarray) -> np.ndarray:
    flat = deviation <= _LEAST * np.abs(mean)
    return np.where(flat, 0, apart / np.where(flat, 1, deviation))

"""Parts of cubes as networks on volumes read them: depth across sections, samples down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.source import Section, Source, Window
from geocnn_gui.data.statistics import BandStatistics
from geocnn_gui.errors import BadRequest
from geocnn_gui.models.scaling import scale_values

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Depth, rows and columns of a volume: which axis of the cube each is.
Axes = tuple[int, int, int]
#: A part of a cube or of a volume, three bounded slices.
Box = tuple[slice, slice, slice]


def sees_volumes(spec: object) -> bool:
    """Say whether the network of a spec reads volumes, which only cubes have."""
    return getattr(spec, "dims", 2) == 3


def require_cube(source: Source) -> None:
    """Raise `BadRequest` where a source has no volumes."""
    if not source.section_axes:
        what = "a sample set" if source.samples is not None else "a single section or picture"
        raise BadRequest(
            f"{source.name} is {what}, and this network sees volumes",
            "open a cube, or choose a network on pictures",
        )


def volume_axes(source: Source, section: Section) -> Axes:
    """Return how a volume around a section lies in a cube.

    The section's own axis is the depth, rows and columns are those of its picture. Around a time
    slice it is that of the first sections instead: samples stay down in every volume.
    """
    axis = section.axis
    if axis is None or source.axes[axis].vertical:
        axis = next(i for i in source.section_axes if not source.axes[i].vertical)
    plane = source.plane(Section(axis, 0))
    return axis, plane.row_axis, plane.column_axis


@dataclass
class Cube:
    """A cube as it is read for a network; `most` values are kept in memory, if that is all of it."""

    source: Source
    statistics: tuple[BandStatistics, ...]
    most: int = 0
    _whole: tuple[np.ndarray, np.ndarray] | None = None

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Return scaled values float32 (bands, *size) and which are live, bool (*size)."""
        shape = self.source.shape
        if self._whole is None and int(np.prod(shape)) * len(self.source.bands) <= self.most:
            self._whole = self._read(Window.whole(shape))
        if self._whole is None:
            return self._read(window)
        values, live = self._whole
        return values[(slice(None), *window.slices)], live[window.slices]

    def volume(self, axes: Axes, box: Box) -> tuple[np.ndarray, np.ndarray]:
        """Return values float32 (bands, depth, rows, columns) and live bool of a box of them."""
        values, live = self.read(window_of(axes, box))
        return to_volume(values, axes), to_volume(live, axes)

    def _read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        values, live = self.source.read(window), self.source.live(window)
        values = self.source.to_physical(values if self.source.banded else values[None])
        return scale_values(values, live, self.statistics), live


def window_of(axes: Axes, box: Sequence[slice]) -> Window:
    """Return the window of the cube that a box of a volume is."""
    spans = [slice(0, 0)] * 3
    for axis, span in zip(axes, box, strict=True):
        spans[axis] = span
    return Window.from_slices(tuple(spans))


def to_volume(array: np.ndarray, axes: Axes) -> np.ndarray:
    """Turn (..., *window.size) into (..., depth, rows, columns)."""
    lead = array.ndim - 3
    return array.transpose(*range(lead), *(lead + axis for axis in axes))


def from_volume(array: np.ndarray, axes: Axes) -> np.ndarray:
    """Turn (..., depth, rows, columns) back into (..., *window.size)."""
    lead = array.ndim - 3
    return array.transpose(*range(lead), *(lead + axes.index(i) for i in range(3)))

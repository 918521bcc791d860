"""Say how much of a source a prediction covers: what it leaves out is written as 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.events import Event, Progress
from geocnn_gui.export.layers import Prediction, slabs

if TYPE_CHECKING:
    from collections.abc import Generator

    from geocnn_gui.data.source import Source

_HALF = 0.5


def find_extent(prediction: Prediction, source: Source) -> Generator[Event, None, str]:
    """Return a sentence on what of a prediction is missing, "" where it seems whole.

    For a cube all cells are looked at: a section counts when any cell of it has a class.
    """
    counts = (yield from _count_sections(prediction)) if len(source.shape) == 3 else []
    shares = [
        (count / axis.size, f"{count:,} of {axis.size:,} {_plural(axis.name)}")
        for count, axis in zip(counts, source.axes, strict=False)
    ]
    if shares and min(shares[:-1])[0] < 1:
        return f"{min(shares[:-1])[1]} are predicted; all else will be 0."
    if shares and shares[-1][0] < _HALF:  # traces begin and end with dead samples
        return f"{shares[-1][1]} are predicted; all else will be 0."
    if not getattr(prediction, "complete", True):
        return "The prediction was stopped: what it has not reached will be 0."
    return ""


def extent_of(prediction: Prediction, source: Source) -> str:
    """Return what `find_extent` does, at one go."""
    steps = find_extent(prediction, source)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


def _count_sections(prediction: Prediction) -> Generator[Event, None, list[int]]:
    found = [np.zeros(size, bool) for size in prediction.shape]
    parts = slabs(prediction.shape)
    for done, window in enumerate(parts, 1):
        cells = prediction.read_classes(window) > 0
        for axis, sections in enumerate(found):
            others = tuple(other for other in range(cells.ndim) if other != axis)
            sections[window.slices[axis]] |= cells.any(axis=others)
        yield Progress(done, len(parts), "Looking at what is predicted")
    return [int(sections.sum()) for sections in found]


def _plural(axis: str) -> str:
    return f"{axis} slices" if axis in ("time", "depth") else f"{axis}s"

"""Small sources whose values are known."""

from __future__ import annotations

import numpy as np

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band
from geocnn_gui.labels.classes import LabelClass

CLASSES = (
    LabelClass(id=1, name="Sand", color="#ff0000"),
    LabelClass(id=2, name="Salt", color="#0000ff"),
)


def line_source(traces: int = 40, samples: int = 30) -> ArraySource:
    """A ramp from -1 to 1 along the traces."""
    array = np.repeat(np.linspace(-1, 1, traces, dtype=np.float32)[:, None], samples, axis=1)
    axes = (Axis("cdp", "", 101, 1, traces), Axis("time", "ms", 0, 4, samples))
    return ArraySource(
        array, kind="line", axes=axes, bands=(Band("amplitude"),), domain="seismic", name="line"
    )


def cube_source() -> ArraySource:
    """Amplitude is the inline's number, plus a little of the crossline and sample."""
    inline, crossline, sample = np.indices((6, 7, 8), np.float32)
    axes = (
        Axis("inline", "", 100, 2, 6),
        Axis("crossline", "", 300, 1, 7),
        Axis("time", "ms", 400, 4, 8),
    )
    array = inline - 2.5 + crossline / 100 + sample / 1000
    return ArraySource(
        array, kind="cube", axes=axes, bands=(Band("amplitude"),), domain="seismic", name="cube"
    )


def scene_source(rows: int = 20, columns: int = 40) -> ArraySource:
    """Three coloured bands of a scene; the first row is nodata."""
    array = np.random.default_rng(0).integers(1, 200, (3, rows, columns)).astype(np.float32)
    array[:, 0] = np.nan
    axes = (Axis("row", "m", 6_000_000, -30, rows), Axis("column", "m", 500_000, 30, columns))
    bands = tuple(Band(name, colour=name) for name in ("blue", "green", "red"))
    return ArraySource(array, kind="raster", axes=axes, bands=bands, domain="imagery", name="scene")

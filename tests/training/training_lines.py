"""A small section that can be learned: bright over dark layers."""

from __future__ import annotations

import numpy as np

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Source
from geocnn_gui.inference.device import Device
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.training.sections import Pair

CPU = Device("cpu", "cpu", "CPU")
CLASSES = (
    LabelClass(id=3, name="Dark", color="#111111"),
    LabelClass(id=9, name="Bright", color="#eeeeee"),
)


def a_line(seed: int = 0, *, live: bool = True) -> tuple[Source, np.ndarray]:
    """Return a line of 260 traces x 160 samples and its truth, (trace, sample)."""
    random = np.random.default_rng(seed)
    depth = 80 + 30 * np.sin(np.arange(260) / 40)
    truth = np.where(np.arange(160) > depth[:, None], 9, 3).astype(np.uint8)
    values = np.where(truth == 9, 1000.0, -1000.0) + random.normal(0, 300, truth.shape)
    values = values.astype(np.float32) if live else np.full(truth.shape, np.nan, np.float32)
    axes = (Axis("cdp", "", 1, 1, 260), Axis("time", "ms", 0, 4, 160))
    source = ArraySource(
        values, kind="line", axes=axes, bands=(Band("amplitude"),), domain="seismic", name="Line"
    )
    return source, truth


def a_pair(seed: int = 0) -> Pair:
    source, truth = a_line(seed)
    return Pair(source, LabelSnapshot.from_array(truth))

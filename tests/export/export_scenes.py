"""Predictions and rasters as tests export them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.target import Target

if TYPE_CHECKING:
    from geocnn_gui.data.source import Window

CLASSES = (
    LabelClass(id=1, name="Salt", color="#d55e00"),
    LabelClass(id=4, name="Chaotic, gassy = odd", color="#56b4e9"),
)


class ArrayPrediction:
    """A finished prediction in memory, with some cells unpredicted."""

    def __init__(self, shape, *, seed=0):
        random = np.random.default_rng(seed)
        self.shape = shape
        self.ids = random.choice(np.array([0, 1, 4], np.uint8), shape)
        levels = random.integers(85, 256, shape)
        self.confidence = np.where(self.ids > 0, levels / 255, 0).astype(np.float32)
        shares = np.where(self.ids == 1, self.confidence, 1 - self.confidence)
        shares = np.stack([shares, 1 - shares]).astype(np.float32)
        self.probabilities = np.where(self.ids > 0, shares, np.float32(np.nan))
        self.model, self.has_probabilities = "tiny net.safetensors 0123456789abcdef", True

    def read_classes(self, window: Window) -> np.ndarray:
        return self.ids[window.slices].copy()

    def read_confidence(self, window: Window) -> np.ndarray:
        return self.confidence[window.slices].copy()

    def read_probabilities(self, window: Window) -> np.ndarray:
        return self.probabilities[(slice(None), *window.slices)].copy()


class ValueArray:
    """A finished prediction of values in memory, with some cells unpredicted."""

    target, model = Target(name="Porosity", unit="%", mean=20, scale=5), "net.safetensors 0123"

    def __init__(self, shape, *, seed=0):
        random = np.random.default_rng(seed)
        self.shape = shape
        self.values = random.normal(20, 5, shape).astype(np.float32)
        self.values[random.random(shape) < 0.1] = np.nan

    def read_classes(self, window: Window) -> np.ndarray:
        return np.isfinite(self.values[window.slices]).astype(np.uint8)

    def read_confidence(self, window: Window) -> np.ndarray:
        return self.read_classes(window).astype(np.float32)

    def read_values(self, window: Window) -> np.ndarray:
        return self.values[window.slices].copy()


def scene(shape, *, transform=None, crs=None) -> ArraySource:
    """Return an empty raster with a place on the map."""
    axes = (Axis("row", "px", 0, 1, shape[0]), Axis("column", "px", 0, 1, shape[1]))
    source = ArraySource(
        np.zeros((1, *shape), np.uint8), kind="raster", axes=axes, bands=(Band("b"),),
        domain="imagery", name="scene",
    )  # fmt: skip
    source.transform, source.crs = transform, crs
    return source

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from geocnn_gui.export.table import export_prediction
from geocnn_gui.labels.classes import LabelClass

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


@pytest.fixture
def files() -> Path:
    return Path(__file__).parents[1] / "files"


@pytest.fixture
def predict():
    return lambda source, **options: ArrayPrediction(source.shape, **options)


@pytest.fixture
def export():
    """Export to the end; return the events."""

    def run(prediction, source, out, what="classes"):
        return list(export_prediction(prediction, source, CLASSES, out, what))

    return run

from __future__ import annotations

from pathlib import Path

import pytest
from export_scenes import CLASSES, ArrayPrediction

from geocnn_gui.export.table import export_prediction


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

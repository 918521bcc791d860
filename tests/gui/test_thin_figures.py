"""Thin classes in the Score panel."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QLabel, QPushButton

from geocnn_gui.data.source import Window
from geocnn_gui.gui.panels.score_panel import ScorePanel
from geocnn_gui.gui.widgets.curve_plot import CurvePlot
from geocnn_gui.inference.store import PredictionStore

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(opened, qtbot, tmp_path):
    """On inline 12 class 2 is one row thick, and predicted two rows lower, with probabilities."""
    labels = opened.labels.store
    labels.write(Window((12, 0, 0), (1, 30, 20)), 1)
    labels.write(Window((12, 0, 10), (1, 30, 1)), 2)
    store = PredictionStore.create(
        tmp_path / "prediction", opened.source, opened.classes, probabilities=True
    )
    ids = np.ones((20, 30, 24), np.uint8)
    ids[:, :, 12] = 2
    shares = np.stack([np.where(ids == 1, 0.8, 0.3), np.where(ids == 2, 0.7, 0.2)])
    store.write(Window.whole((20, 30, 24)), ids, shares.max(0), shares)
    opened.show_prediction(store)
    panel = ScorePanel(opened, ask_file=lambda: None)
    panel.resize(330, 1100)
    panel.show()
    qtbot.waitExposed(panel)
    score(panel, opened, qtbot)
    yield panel
    panel.close()
    panel.deleteLater()


def score(panel, session, qtbot):
    with qtbot.waitSignal(session.scored, timeout=10000):
        qtbot.mouseClick(panel.findChild(QPushButton, "score_labels"), LEFT)
    qtbot.waitUntil(lambda: session.job is None)


def test_that_a_thin_class_is_judged_with_slack(panel, opened):
    each = {c.id: c for c in opened.score.scores.classes}
    assert (each[2].f1, each[2].f1_tolerant) == (0, 1)
    assert each[1].f1_tolerant is None
    assert "2 samples or traces" in panel.findChild(QLabel, "thin_told").text()
    plot = panel.findChild(CurvePlot, "thin_curve")
    assert plot.isVisible()
    assert [name for name, *_ in plot.curves] == ["Class 2"]
    assert 0.2 < opened.score.evaluation.thresholds[2].threshold <= 0.7


def test_that_the_user_may_know_better_which_classes_are_thin(panel, opened, qtbot):
    box = panel.findChild(QCheckBox, "thin_2")
    assert box.isChecked()
    with qtbot.waitSignal(opened.scored, timeout=10000):
        box.click()
    qtbot.waitUntil(lambda: opened.job is None)
    assert not any(c.thin for c in opened.score.scores.classes)
    assert not panel.findChild(CurvePlot, "thin_curve").isVisible()

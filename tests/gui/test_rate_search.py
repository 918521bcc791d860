"""The button that finds a learning rate: its curve, what it takes, and the way back."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QLabel, QPushButton

from geocnn_gui import workflow
from geocnn_gui.events import Note, Progress, RateFound, RateTried
from geocnn_gui.gui.panels.train_panel import TrainPanel
from geocnn_gui.gui.widgets.rate_curve import RateCurve

TRIED = [RateTried(10.0**-power, loss) for power, loss in ((6, 1.1), (4, 0.9), (2, 0.4), (1, 9.0))]


@pytest.fixture
def searched(monkeypatch):
    """Stand in for the search; return what it was asked for."""
    asked = []

    def find_rate(pairs, model_spec, training, classes, *, device="auto"):
        asked.append((pairs, model_spec, training, classes))
        for number, each in enumerate(TRIED):
            yield each
            yield Progress(number, len(TRIED), "Trying")
        yield Note("Learning rate 0.001 is suggested.")
        yield RateFound(1e-3)

    monkeypatch.setattr(workflow, "find_rate", find_rate)
    return asked


@pytest.fixture
def panel(opened, paint, qtbot):
    paint(0, 2, 1)
    paint(4, 6, 2)
    made = TrainPanel(opened)
    qtbot.addWidget(made)
    made.show()
    made.findChild(QAbstractButton, "rate_fold").click()
    return made


def press(panel, session, qtbot):
    with qtbot.waitSignal(session.job_changed, timeout=10000):
        qtbot.mouseClick(panel.findChild(QPushButton, "find_rate"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.job is None, timeout=10000)


def test_that_a_rate_is_found_drawn_taken_and_set_back(panel, opened, searched, qtbot):
    form = panel.findChild(type(panel._form), "training_form")
    press(panel, opened, qtbot)
    (pairs, _, training, _) = searched[0]
    assert pairs[0].labels.counts == {1: 60, 2: 60}
    assert training.learning_rate == "auto"
    assert opened.training_spec.learning_rate == 1e-3
    assert form.editor("learning_rate").value() == 1e-3
    curve = panel.findChild(RateCurve, "rate_curve")
    assert curve.isVisible()
    assert [x for x, _ in curve.curves[0][2]] == pytest.approx([-6, -4, -2, -1])
    assert max(y for _, y in curve.curves[0][2]) == pytest.approx(1.65)
    said = panel.findChild(QLabel, "rate_sentence").text()
    assert said.startswith("0.001 is taken")
    assert said.endswith("it was auto, 0.003.")
    qtbot.mouseClick(panel.findChild(QPushButton, "set_rate_back"), Qt.MouseButton.LeftButton)
    assert opened.training_spec.learning_rate == "auto"
    assert form.editor("learning_rate").value() == "auto"
    assert not panel.findChild(QPushButton, "set_rate_back").isVisible()


def test_that_the_search_says_what_it_lacks(opened, qtbot):
    made = TrainPanel(opened)
    qtbot.addWidget(made)
    found = made.findChild(QPushButton, "find_rate")
    assert not found.isEnabled()
    assert "two classes" in found.toolTip()


def test_that_a_stopped_search_changes_nothing(panel, opened, qtbot, monkeypatch):
    def endless(*_, **__):
        while True:
            time.sleep(0.02)
            yield RateTried(1e-5, 1.0)

    monkeypatch.setattr(workflow, "find_rate", endless)
    opened.start_rate_search()
    qtbot.waitUntil(lambda: bool(opened.rates), timeout=10000)
    opened.stop_job()
    qtbot.waitUntil(lambda: opened.job is None, timeout=10000)
    assert opened.training_spec.learning_rate == "auto"
    assert not panel.findChild(QPushButton, "set_rate_back").isVisible()

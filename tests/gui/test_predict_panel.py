"""The Predict panel with real predictions behind it: continuing, precision, the check of tiles."""

from __future__ import annotations

import threading

import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QToolButton

from geocnn_gui import workflow
from geocnn_gui.data.source import Window
from geocnn_gui.data.statistics import estimate_statistics
from geocnn_gui.events import TileDone
from geocnn_gui.gui.panels.predict_panel import PredictPanel
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.networks import build
from geocnn_gui.models.scaling import Scaling
from geocnn_gui.models.spec import UNetSpec
from geocnn_gui.models.weights import ModelCard, save_model


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def panel(opened, tmp_path, monkeypatch, qtbot):
    """The panel, with a model in hand that predicts section by section."""
    monkeypatch.setattr("geocnn_gui.inference.plan._BATCH_PIXELS", {"cpu": 1})
    torch.manual_seed(0)
    spec = UNetSpec(depth=2, width=8)
    card = ModelCard(
        spec=spec, bands=("amplitude",), domain=opened.source.domain,
        classes=tuple(LabelClass(id=i, name=f"c{i}", color="#112233") for i in (1, 2)),
        scaling=Scaling(mode="survey", statistics=estimate_statistics(opened.source)),
        section_axes=(0,),
    )  # fmt: skip
    save_model(tmp_path / "m.safetensors", build(spec, 1, 2).eval(), card)
    opened.open_model(tmp_path / "m.safetensors")
    panel = PredictPanel(opened)
    qtbot.addWidget(panel)
    panel.show()
    return panel


def _click(panel, name):
    panel.window().findChild(QPushButton, name).click()


def _wait(session, qtbot):
    qtbot.waitUntil(lambda: session.job is None, timeout=20000)


def _stop_after(tiles, session, monkeypatch):
    """Let predictions wait after `tiles` until they are stopped; return what tells and what lets go."""
    real, there, go = workflow.predict, threading.Event(), threading.Event()

    def predict(*args, **kwargs):
        done = 0
        for event in real(*args, **kwargs):
            yield event
            done += isinstance(event, TileDone)
            if done == tiles:
                there.set()
                go.wait(10)

    monkeypatch.setattr(workflow, "predict", predict)
    return there, go


def test_that_the_button_continues_what_was_stopped(panel, opened, monkeypatch, qtbot):
    whole = panel.findChild(QPushButton, "predict_whole")
    assert whole.text() == "Predict all of it"
    with monkeypatch.context() as patch:
        there, go = _stop_after(5, opened, patch)
        with qtbot.waitSignal(opened.tile_done, timeout=20000):
            _click(panel, "predict_whole")
        qtbot.waitUntil(there.is_set, timeout=20000)
        opened.stop_job()
        go.set()
        _wait(opened, qtbot)
    assert not PredictionStore.open(opened.prediction_folder()).complete
    assert whole.text().startswith("Continue (")
    tiles = []
    opened.tile_done.connect(tiles.append)
    _click(panel, "predict_whole")
    _wait(opened, qtbot)
    assert 10 <= len(tiles) <= 15
    assert opened.prediction.read_classes(Window.whole((20, 30, 24))).all()
    assert whole.text() == "Predict all of it"


def test_that_another_manner_is_no_continuation(panel, opened, monkeypatch, qtbot):
    test_that_a_section_is_predicted(panel, opened, qtbot)
    folder = opened.prediction_folder()
    log = folder / "tiles.log"
    log.write_text(log.read_text().replace('"total": 1', '"total": 2'))
    opened.section_changed.emit()
    section = panel.findChild(QPushButton, "predict_section")
    assert section.text().startswith("Continue (50 %) inline")
    fold = panel.findChild(QToolButton, "predict_advanced")
    qtbot.mouseClick(fold, Qt.MouseButton.LeftButton)
    panel.findChild(QComboBox, "field_precision").setCurrentIndex(1)
    assert opened.prediction_spec.precision == "float32"
    assert section.text().startswith("Predict inline")


def test_that_a_section_is_predicted(panel, opened, qtbot):
    _click(panel, "predict_section")
    _wait(opened, qtbot)
    assert PredictionStore.open(opened.prediction_folder()).complete
    assert panel.findChild(QPushButton, "predict_section").text().startswith("Predict inline")


def test_that_the_check_of_tiles_says_what_it_found(panel, opened, qtbot):
    qtbot.mouseClick(panel.findChild(QToolButton, "predict_advanced"), Qt.MouseButton.LeftButton)
    _click(panel, "check_tiling")
    _wait(opened, qtbot)
    found = panel.findChild(QLabel, "tiling_found")
    assert found.isVisible()
    assert "0.000 % of the cells get another class" in found.text()

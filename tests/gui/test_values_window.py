"""A continuous value learned, shown, scored and exported in the window."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QLabel, QLineEdit, QPushButton, QToolButton

from geocnn_gui.data.source import Window, open_source
from geocnn_gui.models.spec import UNetSpec
from geocnn_gui.models.weights import read_card
from geocnn_gui.training.spec import TrainingSpec


@pytest.fixture
def files(tmp_path):
    """An array of noise, and the values that it was made from."""
    random = np.random.default_rng(0)
    clean = np.add.outer(np.sin(np.arange(96) / 7), np.cos(np.arange(128) / 9)) * 40 + 200
    clean[:8, :8] = np.nan
    data = np.nan_to_num(clean, nan=200) + random.normal(0, 10, clean.shape)
    np.save(tmp_path / "data.npy", data.astype(np.float32))
    np.save(tmp_path / "clean.npy", clean.astype(np.float32))
    return tmp_path / "data.npy", tmp_path / "clean.npy"


def click(qtbot, window, kind, name):
    qtbot.mouseClick(window.findChild(kind, name), Qt.MouseButton.LeftButton)


def wait_for_job(qtbot, session, milliseconds=60_000):
    qtbot.waitUntil(lambda: session.job is None, timeout=milliseconds)


def choose_file(qtbot, window, path):
    dialog = window.findChild(QFileDialog, "file_dialog")
    assert dialog is not None
    dialog.fileSelected.emit(str(path))
    dialog.close()


@pytest.fixture
def opened(qtbot, window, files, open_and_wait):
    session = window.session
    open_and_wait(session, files[0], qtbot)
    return window


def learn(qtbot, window, target):
    session = window.session
    session.set_step("Train")
    click(qtbot, window, QToolButton, "learn_what_value")
    choose_file(qtbot, window, target)
    qtbot.waitUntil(lambda: session.learns_values, timeout=10_000)


@pytest.mark.slow
def test_that_a_value_is_learned_predicted_scored_and_exported(qtbot, opened, files, tmp_path):
    window, session = opened, opened.session
    assert "two classes" in session.why_no_training()
    learn(qtbot, window, files[1])
    assert session.why_no_training() == ""
    session.change_target(unit="mV")
    small = TrainingSpec(epochs=1, steps_per_epoch=2, batch=2)
    session.set_specs(UNetSpec(depth=2, width=8), small)
    click(qtbot, window, QPushButton, "train")
    wait_for_job(qtbot, session)
    qtbot.waitUntil(lambda: session.job is None and session.prediction is not None, timeout=60_000)
    assert read_card(session.model_path).target.unit == "mV"
    store = session.prediction
    values = store.read_values(Window.whole(store.shape))
    assert np.isfinite(values).all()
    assert window.findChild(type(window._canvas.legend)).ends[0] != "0"
    session.set_step("Score")
    click(qtbot, window, QPushButton, "score_target")
    wait_for_job(qtbot, session)
    qtbot.waitUntil(lambda: session.value_score is not None)
    known = np.isfinite(np.load(files[1]))
    assert session.value_score.evaluation.figures.cells == known.sum()
    assert "RMSE and MAE in mV" in window.findChild(QLabel, "value_against").text()
    session.start_export(tmp_path / "out.tif", session.main_kind("classes"))
    wait_for_job(qtbot, session)
    with open_source(tmp_path / "out.tif") as source:
        np.testing.assert_array_equal(source.read(Window.whole(source.shape))[0], values)
        assert source.bands[0].name == "clean"


def test_that_a_target_of_another_grid_is_refused_and_classes_stay(qtbot, opened, tmp_path):
    window, session = opened, opened.session
    np.save(tmp_path / "other.npy", np.ones((5, 7), np.float32))
    told = []
    session.message.connect(told.append)
    session.set_step("Train")
    click(qtbot, window, QToolButton, "learn_what_value")
    choose_file(qtbot, window, tmp_path / "other.npy")
    qtbot.waitUntil(lambda: bool(told), timeout=10_000)
    assert "a target on the grid of the data" in told[-1].text
    assert not session.learns_values
    assert window.findChild(QToolButton, "learn_what_classes").isChecked()


def test_that_the_target_comes_back_with_the_project(qtbot, opened, files, open_and_wait):
    session = opened.session
    learn(qtbot, opened, files[1])
    session.change_target(unit="m", only_labelled=True)
    kept = session.target
    session.close_source()
    assert session.target is None
    open_and_wait(session, files[0], qtbot)
    assert session.target == kept
    assert opened.findChild(QLineEdit, "target_unit").text() == "m"


def test_that_classes_can_be_learned_again(qtbot, opened, files):
    window, session = opened, opened.session
    learn(qtbot, window, files[1])
    click(qtbot, window, QToolButton, "learn_what_classes")
    assert not session.learns_values
    assert "two classes" in session.why_no_training()
    click(qtbot, window, QToolButton, "learn_what_value")
    assert session.learns_values  # the file is known: nobody is asked again


def test_that_the_noisy_example_is_ready_to_be_trained(qtbot, session, open_and_wait):
    open_and_wait(session, "example:denoise", qtbot)
    assert session.learns_values
    assert session.target.unit == "mPa"
    assert session.why_no_training() == ""

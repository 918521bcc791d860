"""A prediction belongs to its data, its model and its project, wherever they lie."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from geocnn_gui.gui.session import Session
from geocnn_gui.models.spec import CnnSpec


@pytest.fixture
def predicted(opened, paint, work, qtbot):
    """A session that has trained and predicted the section in view."""
    paint(0, 2, 1)
    paint(5, 7, 2)
    opened.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: bool(work.predicted) and opened.job is None, timeout=20000)
    assert opened.prediction is not None
    return opened


def reopen(path, qtbot, *, press=""):
    """Open a path in a new session; press a button of the question that comes, if any."""
    session = Session()
    said = []
    session.message.connect(said.append)
    session.open_path(path)
    if press:
        actions = lambda: {text: act for each in said for text, act in each.actions}  # noqa: E731
        qtbot.waitUntil(lambda: press in actions(), timeout=10000)
        actions()[press]()
    qtbot.waitUntil(lambda: session.statistics is not None, timeout=10000)
    return session


def test_that_a_prediction_of_other_data_is_not_shown(predicted, small_file, qtbot):
    predicted.shut_down()
    np.save(small_file, np.ones((20, 30, 24), np.float32))
    again = reopen(small_file, qtbot, press="Open it anyway")
    assert again.model_path is not None
    assert again.prediction is None
    again.shut_down()


def test_that_a_moved_project_still_shows_its_prediction(predicted, tmp_path, qtbot):
    folder = predicted.project.folder
    predicted.shut_down()
    shutil.move(folder, tmp_path / "elsewhere")
    again = reopen(tmp_path / "elsewhere", qtbot)
    assert again.prediction is not None
    again.shut_down()


def test_that_a_prediction_takes_the_names_that_its_classes_have_now(predicted, qtbot):
    with qtbot.waitSignal(predicted.overlay_changed):
        predicted.rename_class(1, "Salt")
    assert [c.name for c in predicted.prediction.classes] == ["Salt", "Class 2"]
    predicted.undo()
    assert [c.name for c in predicted.prediction.classes] == ["Class 1", "Class 2"]


def test_that_a_model_from_elsewhere_keeps_its_own_names(predicted, tmp_path, qtbot):
    model = tmp_path / "elsewhere.safetensors"
    shutil.copy(predicted.model_path, model)
    predicted.use_run(model)
    predicted.start_prediction()
    qtbot.waitUntil(lambda: predicted.prediction is not None and predicted.job is None)
    predicted.rename_class(1, "Salt")
    assert [c.name for c in predicted.prediction.classes] == ["Class 1", "Class 2"]

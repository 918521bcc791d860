"""A network on volumes trained and used in the window."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from geocnn_gui.data.source import Section
from geocnn_gui.models.spec import UNet3dSpec
from geocnn_gui.training.spec import TrainingSpec

TINY = UNet3dSpec(depth=2, width=8, patch=16)


def paint(session, start, stop, value):
    columns = slice(0, session.source.picture_shape(session.section)[1])
    mask = np.ones((stop - start, columns.stop), bool)
    session.paint(session.section, slice(start, stop), columns, mask, value)


def test_that_a_picture_says_that_networks_on_volumes_need_a_cube(
    session, tmp_path, qtbot, open_and_wait
):
    np.save(tmp_path / "line.npy", np.random.default_rng(0).normal(size=(40, 30)))
    open_and_wait(session, tmp_path / "line.npy", qtbot)
    paint(session, 0, 8, 1)
    paint(session, 12, 20, 2)
    assert session.why_no_training() == ""
    session.set_specs(TINY)
    assert "volumes need a cube" in session.why_no_training()


@pytest.mark.slow
def test_that_a_cube_is_trained_and_predicted_on_every_section(
    window, small_file, qtbot, open_and_wait
):
    session = window.session
    open_and_wait(session, small_file, qtbot)
    paint(session, 0, 8, 1)
    paint(session, 14, 24, 2)
    session.set_step("Train")
    session.set_specs(TINY, TrainingSpec(epochs=1, steps_per_epoch=2, batch=2, refit=False))
    told = []
    session.tile_done.connect(told.append)
    qtbot.mouseClick(window.findChild(QPushButton, "train"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.job is None and session.prediction is not None, timeout=60_000)
    store = session.prediction
    assert session.model_card.spec == TINY
    assert told
    assert told[0].size == store.shape  # the cube goes through as a whole
    for section in (Section(0, 19), Section(1, 3), Section(2, 11)):
        shape = session.source.picture_shape(section)
        part = session.source.plane(section).window(slice(0, shape[0]), slice(0, shape[1]))
        assert store.read_classes(part).all()

"""One value per sample in the window: the table chosen, a column, and the run."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QFileDialog, QPushButton, QToolButton

from geocnn_gui.gui.widgets.curve_plot import CurvePlot
from geocnn_gui.models.spec import SPECS
from geocnn_gui.models.weights import read_card
from geocnn_gui.training.spec import TrainingSpec


@pytest.fixture
def chosen(qtbot, window, tmp_path, open_and_wait):
    """A window on a set of patches with the table of their values chosen by clicks."""
    random = np.random.default_rng(0)
    values = random.random(30)
    patches = random.normal(0, 0.05, (30, 20, 20)) + values[:, None, None]
    np.savez(tmp_path / "set.npz", patches=patches.astype("f4"), labels=np.arange(30) % 2)
    rows = [f"patch {i},{100 - i},{v:.4f}" for i, v in enumerate(values)]
    rows[4] = "patch 4,,0.5"
    (tmp_path / "wells.csv").write_text("\n".join(["name,depth,porosity", *rows]))
    open_and_wait(window.session, tmp_path / "set.npz", qtbot)
    qtbot.mouseClick(window.findChild(QToolButton, "learn_what_value"), Qt.MouseButton.LeftButton)
    dialog = window.findChild(QFileDialog, "file_dialog")
    assert "*.csv" in dialog.nameFilters()[0]
    dialog.fileSelected.emit(str(tmp_path / "wells.csv"))
    dialog.close()
    qtbot.waitUntil(lambda: window.session.learns_values, timeout=10_000)
    return window


def test_that_a_column_of_a_table_is_learned_for_samples(qtbot, chosen, tmp_path):
    window, session = chosen, chosen.session
    columns = window.findChild(QComboBox, "target_band")
    assert [columns.itemText(i) for i in range(3)] == ["1  name", "2  depth", "3  porosity"]
    assert columns.currentIndex() == 1
    assert "no number for 1 of 30 samples, which are left out: patch 4" in session.said[-1].text
    assert session.target.title == "wells.csv, column 2"
    columns.activated.emit(2)
    session.set_specs(
        model=SPECS["cnn"](patch=20),
        training=TrainingSpec(epochs=1, steps_per_epoch=2, batch=4, refit=False),
    )
    assert session.why_no_training() == ""
    session.start_training()
    qtbot.waitUntil(lambda: session.job is None, timeout=60_000)
    card = read_card(session.runs[0].model)
    assert card.target.name == "porosity"
    assert card.training.labelled_cells == {1: 30}
    qtbot.waitUntil(lambda: session.job is None and session.prediction is not None, timeout=60_000)
    session.set_step("Score")
    qtbot.mouseClick(window.findChild(QPushButton, "score_target"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.value_score is not None, timeout=60_000)
    assert session.value_score.evaluation.figures.cells == 30
    session.start_export(tmp_path / "out.csv", session.main_kind("classes"))
    qtbot.waitUntil(lambda: session.job is None, timeout=60_000)
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "sample,porosity"
    titles = {plot.accessibleName() for plot in window.findChildren(CurvePlot)}
    assert "R², held out" in titles


def test_that_fields_of_classes_say_why_they_do_not_count(chosen, qtbot):
    window, session = chosen, chosen.session
    balance = window.findChild(QCheckBox, "field_balance")
    loss = window.findChild(QComboBox, "field_loss")
    assert not balance.isEnabled()
    assert not loss.isEnabled()
    assert "A value is learned" in balance.toolTip()
    session.change_target(used=False)
    assert balance.isEnabled()
    assert "A value is learned" not in balance.toolTip()

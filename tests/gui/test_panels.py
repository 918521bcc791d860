"""The panels: what they show follows the session, what is done in them reaches it."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
    QTableWidget,
    QTreeWidget,
)

from geocnn_gui.gui.panels.classes_panel import ClassesPanel
from geocnn_gui.gui.panels.label_panel import LabelPanel
from geocnn_gui.gui.panels.model_panel import ModelPanel
from geocnn_gui.gui.panels.predict_panel import PredictPanel
from geocnn_gui.gui.panels.project_panel import ProjectPanel
from geocnn_gui.gui.panels.score_panel import ScorePanel
from geocnn_gui.gui.panels.status import StatusLine
from geocnn_gui.gui.panels.train_panel import TrainPanel
from geocnn_gui.gui.session import CursorReadout
from geocnn_gui.gui.widgets.class_bars import ClassBars
from geocnn_gui.models.spec import CnnSpec, UNetSpec


@pytest.fixture
def show(qtbot):
    """Return a function that shows a panel until the end of the test."""
    shown = []

    def show(panel):
        shown.append(panel)
        panel.resize(320, 600)
        panel.show()
        qtbot.waitExposed(panel)
        return panel

    yield show
    for panel in shown:
        panel.close()
        panel.deleteLater()


@pytest.fixture
def predicted(opened, paint, work, qtbot):
    paint(0, 2, 1)
    paint(5, 9, 2)
    opened.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: bool(work.predicted) and opened.job is None, timeout=20000)
    return opened


def text(panel, name):
    return panel.findChild(QLabel, name).text()


def test_that_the_class_table_counts_painted_pixels(show, opened, paint):
    table = show(ClassesPanel(opened)).findChild(QTableWidget, "class_table")
    paint(0, 2, 2)
    assert [table.item(row, 0).text() for row in range(2)] == ["Class 1", "Class 2"]
    assert [table.item(row, 1).text() for row in range(2)] == ["0 px", "60 px"]


def test_that_editing_a_name_renames_the_class(show, opened):
    table = show(ClassesPanel(opened)).findChild(QTableWidget, "class_table")
    table.item(1, 0).setText("Salt")
    assert opened.classes[1].name == "Salt"
    table.item(1, 0).setText(" ")
    assert opened.classes[1].name == "Salt"
    assert table.item(1, 0).text() == "Salt"


def test_that_selecting_a_row_takes_the_class_in_hand(show, opened):
    table = show(ClassesPanel(opened)).findChild(QTableWidget, "class_table")
    table.selectRow(1)
    assert opened.current_class == 2
    opened.set_current_class(1)
    assert table.currentRow() == 0


def test_that_classes_are_added_and_deleted_by_buttons(show, opened, qtbot):
    panel = show(ClassesPanel(opened))
    left = Qt.MouseButton.LeftButton
    qtbot.mouseClick(panel.findChild(QPushButton, "add_class"), left)
    assert len(opened.classes) == 3
    qtbot.mouseClick(panel.findChild(QPushButton, "delete_class"), left)
    assert len(opened.classes) == 2


def test_that_the_tree_toggles_layers(show, predicted):
    tree = show(ProjectPanel(predicted)).findChild(QTreeWidget, "project_tree")
    top = tree.topLevelItem(0)
    names = [top.child(i).text(0) for i in range(top.childCount())]
    assert names == ["Prediction", "Confidence", "Labels"]
    tree.itemClicked.emit(top.child(2), 0)
    assert not predicted.view.labels_visible
    tree.itemClicked.emit(top.child(1), 0)
    assert predicted.view.overlay == "confidence"
    tree.itemClicked.emit(top.child(1), 0)
    assert not predicted.view.overlay_visible


def test_that_the_slider_fades_the_layer_last_clicked(show, predicted):
    panel = show(ProjectPanel(predicted))
    tree, slider = panel.findChild(QTreeWidget), panel.findChild(QSlider, "layer_opacity")
    slider.setValue(30)
    assert predicted.view.overlay_opacity == 0.3
    tree.itemClicked.emit(tree.topLevelItem(0).child(2), 0)
    slider.setValue(90)
    assert predicted.view.labels_opacity == 0.9
    assert predicted.view.overlay_opacity == 0.3


def test_that_time_or_depth_is_one_click_on_a_segy(show, session, real_data, qtbot):
    panel = show(ProjectPanel(session))
    link = panel.findChild(QPushButton, "switch_vertical")
    assert not link.isVisible()
    path = real_data / "segy" / "f3_inline362.sgy"
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=10000):
        session.open_path(path)
    assert link.text() == "Read as depth instead"
    with qtbot.waitSignal(session.statistics_changed, timeout=10000):
        qtbot.mouseClick(link, Qt.MouseButton.LeftButton)
    assert session.source.axes[-1].name == "depth"
    assert link.text() == "Read as time instead"


def test_that_a_section_as_an_array_is_seismic_after_one_click(show, session, tmp_path, qtbot):
    panel = show(ProjectPanel(session))
    link = panel.findChild(QPushButton, "switch_domain")
    assert not link.isVisible()
    np.save(tmp_path / "line.npy", np.zeros((20, 24), np.float32) + np.arange(24))
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=10000):
        session.open_path(tmp_path / "line.npy")
    assert link.text() == "Treat as seismic instead"
    with qtbot.waitSignal(session.statistics_changed, timeout=10000):
        qtbot.mouseClick(link, Qt.MouseButton.LeftButton)
    assert session.source.domain == "seismic"
    assert link.text() == "Treat as imagery instead"


def test_that_the_model_panel_edits_the_spec_of_the_next_training(show, session):
    panel = show(
        ModelPanel(session, open_model=lambda: None, save_model=lambda: None, choose_weights=print)
    )
    assert isinstance(session.model_spec, UNetSpec)
    panel.findChild(QSpinBox, "field_depth").setValue(3)
    assert session.model_spec == UNetSpec(depth=3)
    kind = panel.findChild(QComboBox, "model_kind")
    kind.setCurrentIndex(kind.findData("cnn"))
    assert session.model_spec == CnnSpec()
    kind.setCurrentIndex(kind.findData("unet"))
    assert session.model_spec == UNetSpec(depth=3)


def test_that_the_train_panel_says_what_there_is_to_learn_from(show, opened, paint, qtbot):
    panel = show(TrainPanel(opened))
    assert text(panel, "train_sentence") == "No labels yet."
    assert text(panel, "train_reason").startswith("Paint a few strokes")
    paint(0, 2, 1)
    paint(5, 9, 2)
    assert text(panel, "train_sentence") == "180 labelled pixels in 2 classes."
    bars = panel.findChild(ClassBars)
    qtbot.waitUntil(lambda: [n for _, _, n in bars.rows] == [60, 120])
    assert panel.findChild(QPushButton, "train").isEnabled()


def test_that_the_form_reaches_the_training(show, opened, paint, work, qtbot):
    panel = show(TrainPanel(opened))
    paint(0, 2, 1)
    paint(5, 9, 2)
    panel.findChild(QSpinBox, "field_epochs").setValue(7)
    panel.findChild(QAbstractButton, "field_augment").setChecked(False)
    qtbot.mouseClick(panel.findChild(QPushButton, "train"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(work.predicted) and opened.job is None, timeout=20000)
    spec = work.trained[0][2]
    assert (spec.epochs, spec.augment) == (7, False)
    assert text(panel, "device_line") == "Device: CPU, 1 core"


def test_that_differences_between_model_and_data_are_shown(show, predicted, tmp_path, qtbot):
    panel = show(PredictPanel(predicted))
    assert panel.findChild(QPushButton, "predict_section").isEnabled()
    model = predicted.model_path
    other = tmp_path / "three_bands.npy"
    np.save(other, np.zeros((3, 40, 50), np.float32))
    with qtbot.waitSignal(predicted.statistics_changed, timeout=10000):
        predicted.open_path(other)
    predicted.use_run(model)
    assert "1 band" in text(panel, "model_differences")
    assert not panel.findChild(QPushButton, "predict_section").isEnabled()


def test_that_the_predict_panel_names_the_section_and_chooses_the_overlay(show, predicted):
    panel = show(PredictPanel(predicted))
    assert "inline 10" in panel.findChild(QPushButton, "predict_section").text()
    panel.findChild(QAbstractButton, "overlay_confidence").click()
    assert predicted.view.overlay == "confidence"
    panel.findChild(QAbstractButton, "overlay_none").click()
    assert not predicted.view.overlay_visible
    panel.findChild(QAbstractButton, "overlay_classes").click()
    assert (predicted.view.overlay, predicted.view.overlay_visible) == ("classes", True)


def test_that_the_score_panel_shows_figures_and_forgets_them_with_the_prediction(
    show, predicted, qtbot
):
    panel = show(ScorePanel(predicted, ask_file=lambda: None))
    button = panel.findChild(QPushButton, "score_labels")
    with qtbot.waitSignal(predicted.scored, timeout=10000):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert "Mean IoU 0.17" in text(panel, "score_figures")
    assert panel.findChild(QTableWidget, "score_table").rowCount() == 2
    assert panel.findChild(QLabel, "score_caution").isVisible()
    predicted.show_prediction(None)
    assert not panel.findChild(QTableWidget, "score_table").isVisible()
    assert not button.isEnabled()


def test_that_the_status_line_reads_what_lies_under_the_cursor(show, opened):
    line = show(StatusLine(opened))
    opened.set_cursor(
        CursorReadout(("IL 10", "XL 4"), (-1234.4,), label=1, predicted=2, confidence=0.931)
    )
    assert text(line, "status_position") == "IL 10   XL 4"
    assert text(line, "status_value") == "amplitude −1\u202f234"
    assert text(line, "status_label") == "label: Class 1"
    assert text(line, "status_predicted") == "predicted: Class 2 0.93"
    opened.set_cursor(None)
    assert text(line, "status_position") == ""


def test_that_the_label_panel_offers_saving_once_there_are_labels(show, opened, paint):
    panel = show(LabelPanel(opened, load=lambda: None, save=lambda: None))
    assert not panel.findChild(QPushButton, "save_labels").isEnabled()
    paint(0, 2, 1)
    assert panel.findChild(QPushButton, "save_labels").isEnabled()
    assert text(panel, "label_sentence") == "60 labelled pixels in 1 class."

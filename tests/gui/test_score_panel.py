"""The Score panel and what it shows on the picture."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QCheckBox, QLabel, QPushButton, QSlider, QTableWidget

from geocnn_gui.data.source import Section, Window
from geocnn_gui.gui.canvas.view import CanvasView
from geocnn_gui.gui.panels.score_panel import ScorePanel
from geocnn_gui.gui.widgets.confusion_table import ConfusionTable
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.ground import HELD_OUT, TRAINED
from geocnn_gui.scoring.seen import SEEN_FILE, Seen, SeenCard

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def predicted(opened, tmp_path):
    """Inlines 5 and 12 labelled: class 1 above, 2 below; class 1 is predicted everywhere.

    Rows are samples. On inline 12 the labels are 4 rows of each class, on inline 5 two rows of
    class 2.
    """
    labels = opened.labels.store
    labels.write(Window((12, 0, 0), (1, 30, 4)), 1)
    labels.write(Window((12, 0, 10), (1, 30, 4)), 2)
    labels.write(Window((5, 0, 10), (1, 30, 2)), 2)
    store = PredictionStore.create(tmp_path / "prediction", opened.source, opened.classes)
    store.write(Window.whole((20, 30, 24)), np.ones((20, 30, 24), np.uint8), np.ones((20, 30, 24)))
    seen = np.zeros((20, 30, 24), np.uint8)
    seen[12, :20], seen[12, 20:] = TRAINED, HELD_OUT
    card = SeenCard(
        model="m", model_sha256="0", source="small", identity="0", known=True, refit=True,
        holdout_iou=0.61,
    )  # fmt: skip
    Seen(card, LabelSnapshot.from_array(seen)).save(store.folder / SEEN_FILE)
    opened.show_prediction(store)
    return opened


@pytest.fixture
def panel(predicted, qtbot):
    panel = ScorePanel(predicted, ask_file=lambda: None)
    panel.resize(330, 900)
    panel.show()
    qtbot.waitExposed(panel)
    with qtbot.waitSignal(predicted.scored, timeout=10000):
        qtbot.mouseClick(panel.findChild(QPushButton, "score_labels"), LEFT)
    qtbot.waitUntil(lambda: predicted.job is None)
    yield panel
    panel.close()
    panel.deleteLater()


@pytest.fixture
def view(predicted, qtbot):
    view = CanvasView(predicted)
    view.resize(700, 500)
    view.show()
    qtbot.waitExposed(view)
    yield view
    view.close_reading()
    view.close()
    view.deleteLater()


def text(panel, name):
    return panel.findChild(QLabel, name).text()


def click(table, row, column, qtbot):
    box = table.visualItemRect(table.item(row, column))
    qtbot.mouseClick(table.viewport(), LEFT, pos=box.center())


def shown(view, qtbot):
    """Return the levels on the canvas once they are read."""
    qtbot.waitUntil(lambda: not view.feed.busy, timeout=5000)
    part = view.canvas.prediction.part
    assert part is None or part.step == (1, 1)
    return view.canvas.prediction.levels


def test_that_a_cell_of_the_matrix_shows_its_pixels_and_goes_there(panel, view, predicted, qtbot):
    predicted.set_section(Section(0, 2))
    table = panel.findChild(ConfusionTable)
    assert [table.item(1, c).text() for c in range(2)] == ["180", "0"]
    with qtbot.waitSignal(predicted.block_wanted, timeout=5000):
        click(table, 1, 0, qtbot)
    assert predicted.section == Section(0, 5)
    levels = shown(view, qtbot)
    expected = np.zeros((24, 30), np.uint8)
    expected[10:12] = 2
    np.testing.assert_array_equal(levels, expected)
    assert table.cell == (1, 0)
    assert [name for _, name in view.legend.entries] == ["Class 2, predicted Class 1"]
    click(table, 1, 0, qtbot)
    assert table.cell is None
    assert predicted.errors is None
    assert (shown(view, qtbot) == 1).all()


def test_that_the_matrix_works_with_the_keyboard(panel, predicted, qtbot):
    table = panel.findChild(ConfusionTable)
    table.setFocus()
    table.setCurrentCell(0, 0)
    qtbot.keyClick(table, Qt.Key.Key_Down)
    qtbot.keyClick(table, Qt.Key.Key_Return)
    assert predicted.errors.pair == (2, 1)
    qtbot.keyClick(table, Qt.Key.Key_Escape)
    assert predicted.errors is None


def test_that_escape_on_the_picture_puts_the_errors_away(panel, view, predicted, qtbot):
    with qtbot.waitSignal(predicted.block_wanted, timeout=5000):
        click(panel.findChild(ConfusionTable), 1, 0, qtbot)
    qtbot.keyClick(view.canvas, Qt.Key.Key_Escape)
    assert predicted.errors is None
    assert panel.findChild(ConfusionTable).cell is None


def test_that_the_matrix_is_read_in_shares_of_rows_and_columns(panel):
    table = panel.findChild(ConfusionTable)
    panel.findChild(QAbstractButton, "confusion_mode_rows").click()
    assert [table.item(0, c).text() for c in range(2)] == ["100 %", "0 %"]
    panel.findChild(QAbstractButton, "confusion_mode_columns").click()
    assert [table.item(r, 0).text() for r in range(2)] == ["40 %", "60 %"]
    assert table.item(0, 1).text() == "–"


def test_that_the_error_map_shows_right_and_wrong_pixels(panel, view, predicted, qtbot):
    predicted.set_section(Section(0, 12))
    panel.findChild(QCheckBox, "error_map").click()
    levels = shown(view, qtbot)
    assert (levels[:4] == 1).all()
    assert (levels[10:14] == 2).all()
    assert not levels[4:10].any()
    assert [name for _, name in view.legend.entries] == ["Right", "Wrong"]
    panel.findChild(QSlider, "error_opacity").setValue(90)
    assert predicted.error_opacity == 0.9
    assert view.canvas.prediction._colours[2] >> 24 == 230
    panel.findChild(QCheckBox, "error_map").click()
    assert (shown(view, qtbot) == 1).all()


def test_that_next_goes_round_the_sections_with_errors(panel, predicted, qtbot):
    predicted.set_section(Section(0, 7))
    visited = []
    for _ in range(3):
        with qtbot.waitSignal(predicted.block_wanted, timeout=5000):
            panel.findChild(QPushButton, "next_errors").click()
        visited.append(predicted.section.index)
    assert visited == [12, 5, 12]


def test_that_parts_of_the_labels_are_scored_apart(panel, predicted, qtbot):
    assert "held-out score 0.61" in text(panel, "score_caution")
    table = panel.findChild(QTableWidget, "score_table")
    panel.findChild(QAbstractButton, "score_subset_held_out").click()
    assert [table.item(row, 6).text() for row in range(2)] == ["40", "40"]
    assert "held out only" in text(panel, "score_figures")
    panel.findChild(QAbstractButton, "score_subset_new").click()
    assert table.item(1, 6).text() == "60"
    assert table.item(0, 5).text() == "–"
    panel.findChild(QCheckBox, "error_map").click()
    assert predicted.errors.marks.count_along(0).tolist() == [60 * (i == 5) for i in range(20)]


def test_that_painting_says_that_the_score_is_out_of_date(panel, predicted, paint):
    panel.findChild(QCheckBox, "error_map").click()
    assert not panel.findChild(QLabel, "score_outdated").isVisible()
    paint(0, 2, 2)
    assert panel.findChild(QLabel, "score_outdated").isVisible()
    assert predicted.errors is None
    assert not panel.findChild(QCheckBox, "error_map").isEnabled()


def test_that_choosing_an_overlay_puts_the_errors_away(panel, predicted):
    panel.findChild(QCheckBox, "error_map").click()
    predicted.set_view(overlay="confidence")
    assert predicted.errors is None
    assert not panel.findChild(QCheckBox, "error_map").isChecked()


def test_that_the_figures_reach_a_report(panel, predicted, tmp_path):
    panel.findChild(QPushButton, "score_copy").click()
    rows = [line.split("\t") for line in QGuiApplication.clipboard().text().splitlines()]
    assert ["Mean IoU", "0.2000"] in rows
    assert ["Class 2", "180", "0", "0"] in rows
    predicted.save_report(tmp_path / "scores.csv")
    written = (tmp_path / "scores.csv").read_text("utf-8")
    assert "Held out labelled cells,80" in written
    predicted.save_report(tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_bytes())["scores"]["mean_iou"] == 0.2
    predicted.save_report(tmp_path / "scores.doc")
    assert "choose a name that ends in .json or .csv" in predicted.said[-1].text


def test_that_cells_without_prediction_have_a_column(panel, predicted, tmp_path, qtbot):
    store = PredictionStore.create(tmp_path / "none", predicted.source, predicted.classes)
    predicted.show_prediction(store)
    assert not panel.findChild(ConfusionTable).isVisible()
    with qtbot.waitSignal(predicted.scored, timeout=10000):
        panel.findChild(QPushButton, "score_labels").click()
    qtbot.waitUntil(lambda: predicted.job is None)
    table = panel.findChild(ConfusionTable)
    assert [table.item(1, c).text() for c in range(3)] == ["0", "0", "180"]
    with qtbot.waitSignal(predicted.block_wanted, timeout=5000):
        click(table, 1, 2, qtbot)
    assert predicted.errors.pair == (2, 0)


def test_that_many_classes_with_long_names_fit(qtbot):
    from geocnn_gui.gui.widgets.confusion_table import Matrix

    table = ConfusionTable()
    qtbot.addWidget(table)
    table.resize(320, 400)
    table.show()
    names = tuple((f"A formation with a long name {i}", "#0072b2") for i in range(20))
    counts = np.arange(400).reshape(20, 20) * 10000
    table.show_matrix(Matrix(names, counts.tolist(), [0] * 20), "counts")
    assert table.horizontalScrollBar().maximum() > 0
    assert table.verticalScrollBar().maximum() > 0
    assert table.verticalHeader().width() <= 90
    assert table.item(19, 19).text() == "4.0M"
    assert "long name 19" in table.verticalHeaderItem(19).toolTip()


def test_that_a_block_far_away_is_brought_into_view(session, tmp_path, qtbot):
    np.save(tmp_path / "wide.npy", np.random.default_rng(0).normal(size=(4000, 6000)))
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=20000):
        session.open_path(tmp_path / "wide.npy")
    view = CanvasView(session)
    view.resize(700, 500)
    view.show()
    qtbot.waitExposed(view)
    rows, columns = slice(3990, 3993), slice(5990, 5995)
    session.block_wanted.emit((rows, columns))
    box = view.canvas.viewport.rectangle(rows, columns)
    assert view.canvas.rect().contains(box.toRect())
    assert box.width() >= 24
    before = view.canvas.viewport
    session.block_wanted.emit((rows, columns))
    assert view.canvas.viewport == before
    view.close_reading()
    view.close()
    view.deleteLater()


def test_that_a_panel_built_after_the_score_shows_the_same(panel, predicted, qtbot):
    late = ScorePanel(predicted, ask_file=lambda: None)
    qtbot.addWidget(late)
    said = [[each.text() for each in one.findChildren(QLabel)] for one in (panel, late)]
    assert said[0] == said[1]
    assert any("Mean IoU" in text for text in said[1])

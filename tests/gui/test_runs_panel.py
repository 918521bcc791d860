"""The Runs panel: the task that runs, past runs and what can be done with them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFileDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QToolButton,
)

from geocnn_gui.events import EpochDone, Progress
from geocnn_gui.gui.panels.runs_panel import RunsPanel
from geocnn_gui.gui.widgets.compare_runs import RUN_COLOURS, ComparedRun, CompareRuns, rows_of
from geocnn_gui.gui.widgets.curve_plot import CurvePlot
from geocnn_gui.gui.widgets.run_tree import RunTree
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.spec import CnnSpec, UNetSpec
from geocnn_gui.project.runs import LOG_FILE, RunRecord, log_line, save_record
from geocnn_gui.training.spec import TrainingSpec

CLASSES = (
    LabelClass(id=1, name="Salt", color="#111111"),
    LabelClass(id=2, name="Shale", color="#222222"),
)


@pytest.fixture
def show(qtbot):
    """Return a function that shows a panel until the end of the test."""
    shown = []

    def show(panel):
        shown.append(panel)
        panel.resize(1200, 180)
        panel.show()
        qtbot.waitExposed(panel)
        return panel

    yield show
    for panel in shown:
        panel.close()
        panel.deleteLater()


def text(panel, name):
    return panel.findChild(QLabel, name).text()


def add_run(session, number, *, iou=0.5, epochs=3, state="finished", spec=None, **training):
    """Put a run into the project as a training leaves it."""
    folder = session.project.folder / "runs" / f"{number:04d}"
    folder.mkdir(parents=True)
    save_record(folder, RunRecord(
        number=number, created=datetime(2024, 5, number, tzinfo=UTC), state=state, seconds=42,
        model=spec or UNetSpec(), training=TrainingSpec(**training), classes=CLASSES,
        holdout_iou=iou, holdout_class_iou={1: iou, 2: iou / 2}, steps=336,
    ))  # fmt: skip
    (folder / "model.safetensors").write_bytes(b"weights of run %d" % number)
    told = [EpochDone("holdout", e, epochs, 1 / e, 1.2 / e, iou * e / epochs)
            for e in range(1, epochs + 1)]  # fmt: skip
    (folder / LOG_FILE).write_text("".join(map(log_line, told)))
    session.runs_changed.emit()
    return folder


@pytest.fixture
def panel(show, opened):
    """The panel with three runs: newest on top, the newest chosen."""
    add_run(opened, 1, iou=0.4)
    add_run(opened, 2, iou=0.6, epochs=5, spec=CnnSpec())
    add_run(opened, 3, iou=0.8, state="stopped", augment=False)
    return show(RunsPanel(opened))


@pytest.fixture
def tree(panel):
    return panel.findChild(RunTree, "run_list")


def click(
    tree, row, qtbot, modifier=Qt.KeyboardModifier.NoModifier, button=Qt.MouseButton.LeftButton
):
    at = tree.visualItemRect(tree.topLevelItem(row)).center()
    qtbot.mouseClick(tree.viewport(), button, modifier, at)
    return at


def menu_of(panel, tree, row, qtbot):
    """Open the context menu of a line; return its actions by name."""
    at = click(tree, row, qtbot)
    tree.customContextMenuRequested.emit(QPoint(at))
    menu = panel.findChildren(QMenu, "run_menu")[-1]
    menu.hide()
    return {a.objectName().removeprefix("run_menu_"): a for a in menu.findChildren(QAction)}


def test_that_a_running_task_shows_how_far_it_is_and_can_be_paused(
    show, opened, paint, work, qtbot
):
    work.epochs, work.pause = 1000, 0.005
    panel = show(RunsPanel(opened))
    bar, pause = panel.findChild(QProgressBar), panel.findChild(QPushButton, "pause")
    assert not bar.isVisible()
    paint(0, 2, 1)
    paint(5, 9, 2)
    opened.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: text(panel, "time_left") == "0:01 left", timeout=10000)
    assert bar.isVisible()
    qtbot.mouseClick(pause, Qt.MouseButton.LeftButton)
    assert pause.text() == "Resume"
    qtbot.waitUntil(lambda: opened.progress is not None)
    qtbot.mouseClick(pause, Qt.MouseButton.LeftButton)
    assert pause.text() == "Pause"
    qtbot.mouseClick(panel.findChild(QPushButton, "stop"), Qt.MouseButton.LeftButton)
    assert panel.findChild(QPushButton, "stop").text() == "Stopping …"
    qtbot.waitUntil(lambda: opened.job is None, timeout=10000)
    assert not bar.isVisible()


def test_that_the_curves_follow_the_epochs(show, opened):
    panel = show(RunsPanel(opened))
    for epoch in (1, 2):
        opened.epochs.append(EpochDone("holdout", epoch, 2, 1 / epoch, 2 / epoch, 0.3 * epoch))
        opened.epoch_done.emit(opened.epochs[-1])
    loss = panel.findChild(CurvePlot, "loss_plot").curves
    assert [(name, points) for name, _, points in loss] == [
        ("training", ((1, 1.0), (2, 0.5))),
        ("held out", ((1, 2.0), (2, 1.0))),
    ]
    iou = panel.findChild(CurvePlot, "iou_plot")
    assert iou.curves[0][2] == ((1, 0.3), (2, 0.6))
    assert not iou.grab().isNull()


def test_that_progress_without_a_total_is_shown_as_busy(show, opened):
    panel = show(RunsPanel(opened))
    opened.progressed.emit(Progress(3, 0, "Reading"))
    assert panel.findChild(QProgressBar).maximum() == 0
    assert text(panel, "job_title") == "Reading"


def test_that_runs_are_listed_with_score_time_and_state(panel, tree):
    lines = [[tree.topLevelItem(r).text(c) for c in range(5)] for r in range(3)]
    assert lines == [
        ["Run 3", "U-Net", "IoU 0.80", "0:42", "stopped"],
        ["Run 2", "Patch CNN", "IoU 0.60", "0:42", "finished"],
        ["Run 1", "U-Net", "IoU 0.40", "0:42", "finished"],
    ]
    assert tree.topLevelItem(0).isSelected()
    assert "Held-out mean IoU 0.80" in tree.topLevelItem(0).toolTip(0)


def test_that_runs_of_a_first_project_are_listed_by_their_model(show, predicted):
    (predicted.project.runs[0] / "run.json").unlink()
    tree = show(RunsPanel(predicted)).findChild(RunTree)
    assert [tree.topLevelItem(0).text(c) for c in (0, 1, 2, 4)] == [
        "Run 1", "Patch CNN", "IoU 0.50", "finished",
    ]  # fmt: skip
    assert "Its model is the one that predicts" in tree.topLevelItem(0).toolTip(0)


def test_that_a_damaged_run_is_listed_as_such(panel, tree, opened):
    folder = opened.project.runs[0]
    (folder / "run.json").write_text("{")
    opened.runs_changed.emit()
    assert [tree.topLevelItem(2).text(c) for c in (0, 4)] == ["Run 1", "damaged"]


def test_that_the_curves_are_those_of_the_chosen_run(panel, tree, qtbot):
    iou = panel.findChild(CurvePlot, "iou_plot")
    assert [x for x, _ in iou.curves[0][2]] == [1, 2, 3]
    click(tree, 1, qtbot)
    assert [x for x, _ in iou.curves[0][2]] == [1, 2, 3, 4, 5]
    assert iou.curves[0][2][-1] == (5, 0.6)


def test_that_each_fold_has_a_curve_of_its_own(panel, tree, opened):
    folder = opened.project.runs[-1]
    told = [EpochDone("holdout", 1, 2, 0.9, 0.9, 0.9, leaky=True)]
    told += [EpochDone("holdout", e, 2, 1 / e, 1, 0.1 * e, fold=f, folds=3)
             for f in range(3) for e in (1, 2)]  # fmt: skip
    (folder / LOG_FILE).write_text("".join(map(log_line, told)))
    opened.runs_changed.emit()
    iou = panel.findChild(CurvePlot, "iou_plot").curves
    assert [points for _, _, points in iou] == [((1, 0.1), (2, 0.2))] * 3
    names = [name for name, _, _ in panel.findChild(CurvePlot, "loss_plot").curves]
    assert [name for name in names if name] == ["training", "held out"]


def test_that_nothing_takes_little_room(show, opened):
    panel = show(RunsPanel(opened))
    assert panel.maximumHeight() < 60
    assert panel.findChild(QLabel, "no_runs").isVisible()
    assert not panel.findChild(CurvePlot, "loss_plot").isVisible()
    add_run(opened, 1)
    assert panel.minimumHeight() >= 120
    assert panel.findChild(CurvePlot, "loss_plot").isVisible()
    assert not panel.findChild(QLabel, "no_runs").isVisible()


def test_that_a_run_is_renamed_in_place(panel, tree, opened, qtbot):
    click(tree, 1, qtbot)
    qtbot.keyClick(tree, Qt.Key.Key_F2)
    editor = tree.findChild(QLineEdit, "run_name")
    editor.setText("With texture")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: opened.runs[1].title == "With texture", timeout=5000)
    assert [run.title for run in opened.runs] == ["Run 3", "With texture", "Run 1"]
    assert tree.topLevelItem(1).text(0) == "With texture"
    assert tree.topLevelItem(1).isSelected()


def test_that_notes_are_kept(panel, tree, opened, qtbot):
    menu_of(panel, tree, 0, qtbot)["notes"].trigger()
    page = panel.findChild(QPlainTextEdit, "notes_text")
    page.setPlainText("Too short.\nTry 20 epochs.")
    qtbot.mouseClick(panel.findChild(QPushButton, "notes_save"), Qt.MouseButton.LeftButton)
    assert opened.runs[0].record.notes == "Too short.\nTry 20 epochs."
    assert tree.topLevelItem(0).text(5) == "Too short."


def test_that_the_menu_says_why_not(panel, tree, qtbot):
    actions = menu_of(panel, tree, 1, qtbot)
    assert not actions["continue"].isEnabled()
    assert actions["continue"].toolTip() == "Run 2 has finished."
    assert not actions["compare"].isEnabled()
    assert actions["compare"].toolTip() == "Choose two to 6 runs (Ctrl+click)."
    assert actions["use"].isEnabled()
    actions = menu_of(panel, tree, 0, qtbot)
    assert actions["continue"].toolTip() == "Run 3 does not say what it was trained on."


def test_that_deleting_several_is_one_undo(panel, tree, opened, qtbot):
    click(tree, 0, qtbot)
    click(tree, 2, qtbot, Qt.KeyboardModifier.ControlModifier)
    qtbot.mouseClick(panel.findChild(QToolButton, "run_delete"), Qt.MouseButton.LeftButton)
    assert [run.number for run in opened.runs] == [2]
    assert opened.said[-1].text == "2 runs deleted."
    assert tree.topLevelItemCount() == 1
    opened.steps.undo()
    assert [run.number for run in opened.runs] == [3, 2, 1]


def test_that_chosen_runs_are_compared(panel, tree, qtbot):
    click(tree, 0, qtbot)
    click(tree, 1, qtbot, Qt.KeyboardModifier.ControlModifier)
    qtbot.mouseClick(panel.findChild(QToolButton, "run_compare"), Qt.MouseButton.LeftButton)
    page = panel.findChild(CompareRuns, "compare_runs")
    table = page.findChild(QTableWidget, "compare_table")
    texts = [[table.item(r, c).text() if table.item(r, c) else "" for c in range(3)]
             for r in range(table.rowCount())]  # fmt: skip
    assert ["Mean IoU, held out", "0.800", "0.600"] in texts
    assert ["Salt", "0.800", "0.600"] in texts
    assert ["Shale", "0.400", "0.300"] in texts
    assert ["Augment", "off", "on"] in texts
    assert ["Patch", "–", "32"] in texts
    assert not [row for row in texts if row[0] == "Epochs"]  # the same in both
    colours = [colour for _, colour, _ in page.iou.curves]
    assert colours == list(RUN_COLOURS[:2])
    assert [len(points) for _, _, points in page.iou.curves] == [3, 5]
    assert "Run 3" in page.findChild(QLabel, "compare_legend").text().replace("&nbsp;", " ")
    page.close()


def test_that_a_name_cannot_smuggle_markup(panel, tree, opened):
    opened.rename_run(opened.runs[0], "<img src=x>")
    assert tree.topLevelItem(0).text(0) == "<img src=x>"
    assert "<img" not in tree.topLevelItem(0).toolTip(0)
    page = CompareRuns((ComparedRun("<img src=x>"), ComparedRun("b")))
    assert "<img" not in page.findChild(QLabel, "compare_legend").text()
    page.deleteLater()


def test_that_what_is_the_same_is_left_out_of_the_comparison():
    a = ComparedRun("a", {"State": "finished"}, {"Salt": 0.5}, {"Depth": "4", "Width": "8"})
    b = ComparedRun("b", {"State": "stopped"}, {}, {"Depth": "3", "Width": "8"})
    assert rows_of((a, b)) == [
        ("", "State", ["finished", "stopped"]),
        ("IoU of each class", "Salt", ["0.500", "–"]),
        ("What differs", "Depth", ["4", "3"]),
    ]


def test_that_the_model_of_a_run_is_exported_under_a_name_asked_for(
    window, opened, tmp_path, qtbot
):
    add_run(opened, 1)
    tree = window.findChild(RunTree)
    click(tree, 0, qtbot)
    qtbot.mouseClick(window.findChild(QToolButton, "run_export"), Qt.MouseButton.LeftButton)
    dialog = window.findChild(QFileDialog, "file_dialog")
    assert dialog.acceptMode() == QFileDialog.AcceptMode.AcceptSave
    dialog.fileSelected.emit(str(tmp_path / "out.safetensors"))
    dialog.close()
    assert (tmp_path / "out.safetensors").read_bytes() == b"weights of run 1"


def test_that_a_double_click_takes_the_model_in_hand(show, predicted, qtbot):
    first = predicted.model_path
    predicted.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: predicted.job is None and predicted.model_path != first, timeout=20000)
    qtbot.waitUntil(lambda: predicted.job is None)
    tree = show(RunsPanel(predicted)).findChild(RunTree)
    click(tree, 1, qtbot)
    assert predicted.model_path != first
    at = tree.visualItemRect(tree.topLevelItem(1)).center()
    qtbot.mouseDClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert predicted.model_path == first


def test_that_the_run_that_begins_is_chosen(panel, tree, opened, paint, work, qtbot):
    work.epochs, work.pause = 1000, 0.005
    paint(0, 2, 1)
    paint(5, 9, 2)
    click(tree, 2, qtbot)
    opened.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: tree.topLevelItem(0).text(0) == "Run 4", timeout=10000)
    qtbot.waitUntil(lambda: len(opened.epochs) > 1, timeout=10000)
    assert tree.topLevelItem(0).text(4) == "running"
    assert tree.topLevelItem(0).isSelected()
    assert len(panel.findChild(CurvePlot, "loss_plot").curves[0][2]) > 1
    click(tree, 2, qtbot)  # others can be looked at meanwhile
    opened.epoch_done.emit(opened.epochs[-1])
    assert len(panel.findChild(CurvePlot, "loss_plot").curves[0][2]) == 5
    opened.stop_job()
    qtbot.waitUntil(lambda: opened.job is None, timeout=10000)


@pytest.fixture
def predicted(opened, paint, work, qtbot):
    paint(0, 2, 1)
    paint(5, 9, 2)
    opened.start_training(CnnSpec(width=4))
    qtbot.waitUntil(lambda: bool(work.predicted) and opened.job is None, timeout=20000)
    return opened

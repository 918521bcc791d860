"""The list of steps in the window: over restarts and sources, by real clicks."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QToolButton

from geocnn_gui.errors import CannotWrite
from geocnn_gui.gui.session import Session
from geocnn_gui.gui.widgets.step_table import StepTable
from geocnn_gui.labels.book import LabelBook

LEFT = Qt.MouseButton.LeftButton


def counts(session):
    return session.labels.store.counts


def texts(session):
    return [row.text for row in session.steps.rows]


@pytest.fixture
def table(window, opened, qtbot):
    """The list, unfolded from the menu while another panel is in front."""
    opened.set_step("Model")
    window._actions["history"].trigger()
    table = window.findChild(StepTable, "step_table")
    qtbot.waitUntil(table.isVisible, timeout=5000)
    return table


def click(table, line, qtbot):
    table.scrollTo(table.model().index(line, 0))
    at = table.visualRect(table.model().index(line, 0)).center()
    qtbot.mouseClick(table.viewport(), LEFT, pos=at)


def shown(table):
    model = table.model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def is_grey(table, line):
    role = Qt.ItemDataRole.ForegroundRole
    return table.model().index(line, 0).data(role) is not None


def test_that_undo_and_redo_are_there_after_a_restart(
    opened, paint, small_file, open_and_wait, qtbot
):
    paint(0, 3, 1)
    paint(3, 5, 2)
    opened.add_class("Salt")
    opened.delete_class(2)
    opened.undo()
    opened.undo()
    opened.shut_down()
    again = Session()
    open_and_wait(again, small_file, qtbot)
    assert texts(again) == ["Paint Class 1", "Paint Class 2", "Add Salt", "Delete Class 2"]
    assert (again.steps.position, counts(again)) == (2, {1: 90, 2: 60})
    again.redo()
    assert [c.name for c in again.classes] == ["Class 1", "Class 2", "Salt"]
    again.redo()
    assert counts(again) == {1: 90}
    assert [c.name for c in again.classes] == ["Class 1", "Salt"]
    again.go_to_step(0)
    assert counts(again) == {}
    assert [c.name for c in again.classes] == ["Class 1", "Class 2"]
    assert not again.steps.can_undo
    again.shut_down()


@pytest.mark.parametrize("edit", ["add", "rename", "recolour", "delete", "import"])
def test_that_class_edits_and_imports_are_one_step_each(
    opened, paint, small_file, open_and_wait, qtbot, tmp_path, edit
):
    paint(0, 3, 1)
    before = opened.classes, counts(opened)
    values = np.zeros(opened.source.shape, np.uint8)
    values[:, 4:9] = 7
    np.save(tmp_path / "labels.npy", values)
    deeds = {
        "add": lambda: opened.add_class("Salt"), "rename": lambda: opened.rename_class(1, "Salt"),
        "recolour": lambda: opened.recolour_class(1, "#123456"),
        "delete": lambda: opened.delete_class(1),
        "import": lambda: opened.import_labels(tmp_path / "labels.npy"),
    }  # fmt: skip
    deeds[edit]()
    qtbot.waitUntil(lambda: opened.steps.position == 2, timeout=5000)
    after = opened.classes, counts(opened)
    assert after != before
    opened.shut_down()
    again = Session()
    open_and_wait(again, small_file, qtbot)
    assert (again.classes, counts(again)) == after
    again.undo()
    assert (again.classes, counts(again)) == before
    again.shut_down()


def test_that_all_classes_deleted_stay_so_and_come_back(opened, small_file, open_and_wait, qtbot):
    for each in opened.classes:
        opened.delete_class(each.id)
    opened.shut_down()
    again = Session()
    open_and_wait(again, small_file, qtbot)
    assert again.classes == ()
    again.go_to_step(0)
    assert len(again.classes) == 2
    again.shut_down()


def test_that_a_click_on_a_step_goes_there(window, opened, paint, table, qtbot):
    for row in range(4):
        paint(row, row + 1, 1 + row % 2)
    assert shown(table) == ["Before these steps", *texts(opened)]
    click(table, 1, qtbot)
    assert counts(opened) == {1: 30}
    assert [is_grey(table, line) for line in range(5)] == [False, False, True, True, True]
    assert table.currentIndex().row() == 1
    click(table, 4, qtbot)
    assert counts(opened) == {1: 60, 2: 60}
    click(table, 0, qtbot)
    assert counts(opened) == {}
    assert opened.project.history.steps[-1].text == texts(opened)[-1]  # one record each, all kept


def test_that_the_list_says_what_it_takes(window, opened, paint, table):
    said = window.findChild(QLabel, "history_size")
    assert "Nothing to undo yet" in said.text()
    paint(0, 3, 1)
    assert said.text().startswith("1 step, 1 KiB of 256 MiB on disk")


def test_that_undo_and_redo_name_their_step(window, opened, paint):
    paint(0, 3, 1)
    undo, redo = (window._actions[name] for name in ("undo", "redo"))
    assert undo.toolTip() == "Undo Paint Class 1 (Ctrl+Z)"
    assert undo.text() == "&Undo Paint Class 1"
    assert "Nothing to redo" in redo.toolTip()
    opened.undo()
    assert redo.toolTip() == "Redo Paint Class 1 (Ctrl+Shift+Z)"
    assert "Nothing to undo" in undo.toolTip()


def test_that_a_step_of_another_source_is_undone_and_told(opened, paint, tmp_path, qtbot, window):
    paint(0, 3, 1)
    first = opened.entry_id
    np.save(tmp_path / "other.npy", np.random.default_rng(1).normal(size=(20, 30)))
    with qtbot.waitSignals([opened.source_changed, opened.statistics_changed], timeout=10000):
        opened.add_path(tmp_path / "other.npy")
    paint(2, 4, 2)
    opened.undo()
    assert counts(opened) == {}
    opened.undo()
    assert opened.said[-1].text == "Labels of small.npy have changed, out of view."
    assert opened.project.labels(first, (20, 30, 24)).store.counts == {}
    window.findChild(QToolButton, "history_fold").click()
    table = window.findChild(StepTable, "step_table")
    assert shown(table)[1:] == ["Paint Class 1 · small.npy", "Paint Class 2 · other.npy"]


def test_that_steps_of_this_sitting_lie_between_those_that_are_kept(opened, paint):
    from geocnn_gui.gui.steps import Step

    did = []
    paint(0, 1, 1)
    step = Step("Move", lambda: did.append("again") or True, lambda: did.append("back") or True)
    opened.steps.push(step)
    paint(1, 2, 1)
    opened.go_to_step(0)
    assert (did, counts(opened)) == (["back"], {})
    opened.go_to_step(3)
    assert (did, counts(opened)) == (["back", "again"], {1: 60})
    assert [row.kept for row in opened.steps.rows] == [True, False, True]
    opened.go_to_step(1)
    opened.steps.push(Step("Other", lambda: True, lambda: True))
    assert texts(opened) == ["Paint Class 1", "Other"]
    assert len(opened.project.history.steps) == 1


def test_that_a_step_that_is_gone_is_forgotten_and_the_others_stay(opened, paint):
    from geocnn_gui.gui.steps import Step

    paint(0, 1, 1)
    opened.steps.push(Step("Gone", lambda: False, lambda: False))
    opened.undo()
    assert texts(opened) == ["Paint Class 1"]
    opened.undo()
    assert counts(opened) == {}


def test_that_an_undo_on_a_full_disk_can_be_tried_again(opened, paint, monkeypatch):
    paint(0, 2, 1)

    def full(*_):
        raise CannotWrite("Cannot write labels: the disk is full", "free some space")

    with monkeypatch.context() as patch:
        patch.setattr(opened.labels, "change", full)
        opened.undo()
    assert (counts(opened), opened.said[-1].kind) == ({1: 60}, "error")
    assert opened.steps.undo_text == "Paint Class 1"
    opened.undo()
    assert counts(opened) == {}


def test_that_labels_painted_elsewhere_put_the_steps_aside_with_a_sentence(
    opened, paint, small_file, open_and_wait, qtbot
):
    paint(0, 2, 1)
    folder = opened.labels.folder
    opened.shut_down()
    with LabelBook(folder, (20, 30, 24)) as book:
        book.apply(*book_edit(book))
    again, said = Session(), []
    again.message.connect(said.append)
    open_and_wait(again, small_file, qtbot)
    assert counts(again) == {1: 59, 2: 1}
    assert not again.steps.can_undo
    assert "cannot be undone any more" in said[-1].text
    again.shut_down()


def book_edit(book):
    from geocnn_gui.labels.edit import LabelEdit

    window = next(iter(book.store.snapshot().labelled_windows()))
    values = book.store.read(window)
    values[tuple(np.argwhere(values)[0])] = 2
    yield LabelEdit.replace(book.store, window, values)

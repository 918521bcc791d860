"""Locked classes and only unlabelled cells, by the mouse and the keys of the window."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QPushButton, QTableWidget, QWidget

from geocnn_gui.data.source import Section, Window
from geocnn_gui.gui.session import Session
from geocnn_gui.gui.widgets.class_chips import ClassChips

LEFT, LOCK = Qt.MouseButton.LeftButton, 2
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def shown(window, opened, qtbot):
    """The window with the small cube open, the focus on the picture, the brush in hand."""
    canvas = window.findChild(QWidget, "canvas")
    canvas.setFocus()
    qtbot.waitUntil(canvas.hasFocus, timeout=5000)
    opened.set_tool("brush")
    opened.set_brush_size(1)
    return window


@pytest.fixture
def canvas(shown):
    """The picture: 24 rows, 30 columns."""
    return shown.findChild(QWidget, "canvas")


def drag(canvas, start, stop):
    """Drag from cell to cell (row, column)."""
    first, last = (canvas.viewport.pixel_of(*cell).toPoint() for cell in (start, stop))
    QTest.mousePress(canvas, LEFT, pos=first)
    QTest.mouseMove(canvas, (first + last) / 2)
    QTest.mouseMove(canvas, last)
    QTest.mouseRelease(canvas, LEFT, pos=last)


def click(canvas, row, column):
    QTest.mouseClick(canvas, LEFT, pos=canvas.viewport.pixel_of(row, column).toPoint())


def click_lock(window, row):
    table = window.findChild(QTableWidget, "class_table")
    box = table.visualItemRect(table.item(row, LOCK))
    QTest.mouseClick(table.viewport(), LEFT, pos=box.center())
    QTest.qWait(1)


def labels(session):
    plane = session.source.plane(session.section)
    return plane.picture(session.labels.store.read(plane.window(slice(0, 24), slice(0, 30))))


def test_that_a_locked_class_is_neither_painted_over_nor_erased(shown, canvas, opened):
    drag(canvas, (5, 2), (5, 10))
    before = labels(opened)
    assert (before[5, 2:11] == 1).all()
    opened.set_current_class(2)
    click_lock(shown, 0)
    assert opened.rules.locked == {1}
    assert opened.current_class == 2  # a lock takes no class in hand
    drag(canvas, (2, 6), (8, 6))
    after = labels(opened)
    assert after[5, 6] == 1
    assert (after[[2, 3, 4, 6, 7, 8], 6] == 2).all()
    opened.set_tool("eraser")
    drag(canvas, (5, 2), (5, 10))
    assert np.array_equal(labels(opened), after)
    assert "locked" in opened.said[-1].text
    opened.set_tool("polygon")
    for corner in ((3, 1), (3, 12), (7, 12), (7, 1)):
        click(canvas, *corner)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert (labels(opened)[5, 2:11] == 1).all()
    assert labels(opened)[4, 3] == 2
    QTest.keyClick(canvas, Qt.Key.Key_Z, CONTROL)
    assert np.array_equal(labels(opened), after)


def test_that_a_key_locks_the_class_in_hand(shown, canvas, opened):
    opened.set_current_class(2)
    QTest.keyClick(canvas, Qt.Key.Key_K)
    assert opened.rules.locked == {2}
    QTest.keyClick(canvas, Qt.Key.Key_K)
    assert opened.rules.locked == frozenset()


def test_that_an_opened_lock_lets_the_class_be_changed_again(shown, canvas, opened):
    drag(canvas, (5, 2), (5, 10))
    click_lock(shown, 0)
    click_lock(shown, 0)
    assert not opened.rules.locked
    opened.set_tool("eraser")
    drag(canvas, (5, 2), (5, 10))
    assert not labels(opened).any()


def test_that_a_locked_class_is_not_painted_with_and_says_so(shown, canvas, opened):
    click_lock(shown, 0)
    drag(canvas, (5, 2), (5, 10))
    assert not labels(opened).any()
    assert "is locked" in opened.said[-1].text
    assert not opened.steps.can_undo
    click_lock(shown, 0)
    drag(canvas, (5, 2), (5, 10))
    assert labels(opened)[5, 5] == 1


def test_that_a_locked_class_cannot_be_deleted(shown, canvas, opened):
    drag(canvas, (5, 2), (5, 10))
    click_lock(shown, 0)
    delete = shown.findChild(QPushButton, "delete_class")
    assert not delete.isEnabled()
    assert "is locked" in delete.toolTip()
    opened.delete_class(1)
    assert [c.id for c in opened.classes] == [1, 2]
    assert labels(opened)[5, 5] == 1


def test_that_only_unlabelled_cells_are_painted_but_any_erased(shown, canvas, opened):
    drag(canvas, (5, 2), (5, 10))
    opened.set_current_class(2)
    QTest.keyClick(canvas, Qt.Key.Key_U)
    box = shown.findChild(QCheckBox, "only_unlabelled")
    assert box.isChecked()
    drag(canvas, (2, 6), (8, 6))
    assert labels(opened)[5, 6] == 1
    assert labels(opened)[4, 6] == 2
    said = len(opened.said)
    drag(canvas, (5, 2), (5, 10))
    assert (labels(opened)[5, 2:11] == 1).all()
    assert "only unlabelled" in opened.said[said].text
    opened.set_tool("eraser")
    drag(canvas, (5, 2), (5, 10))
    assert not labels(opened)[5].any()
    box.click()
    opened.set_tool("brush")
    drag(canvas, (4, 2), (4, 10))
    drag(canvas, (4, 2), (4, 10))
    assert (labels(opened)[4, 2:11] == 2).all()


def test_that_the_stroke_in_hand_shows_only_what_will_be_written(shown, canvas, opened, qtbot):
    drag(canvas, (5, 2), (5, 10))
    opened.set_current_class(2)
    opened.set_only_unlabelled(True)
    qtbot.waitUntil(lambda: canvas.labels.level_at(5, 6) == 1, timeout=5000)
    first, last = (canvas.viewport.pixel_of(*cell).toPoint() for cell in ((2, 6), (8, 6)))
    QTest.mousePress(canvas, LEFT, pos=first)
    QTest.mouseMove(canvas, last)
    assert [canvas.labels.level_at(row, 6) for row in (4, 5, 6)] == [2, 1, 2]
    QTest.mouseRelease(canvas, LEFT, pos=last)
    assert [canvas.labels.level_at(row, 6) for row in (4, 5, 6)] == [2, 1, 2]


def test_that_labels_of_a_file_spare_a_locked_class_and_say_so(opened, paint, tmp_path, qtbot):
    paint(0, 4, 1)
    file = np.zeros(opened.source.shape, np.uint8)
    file[10, :, :6] = 2
    np.save(tmp_path / "labels.npy", file)
    opened.lock_class(1, True)
    opened.import_labels(tmp_path / "labels.npy")
    qtbot.waitUntil(lambda: not opened.busy, timeout=10000)
    assert opened.labels.store.counts == {1: 120, 2: 60}
    assert "120 of locked classes stay as they were" in opened.said[-1].text.replace("\u202f", " ")
    opened.undo()
    assert opened.labels.store.counts == {1: 120}


def test_that_rules_come_back_with_the_project(qapp, opened, paint, small_file, qtbot):
    opened.lock_class(2, True)
    opened.set_only_unlabelled(True)
    opened.set_accept_from(0.8)
    opened.set_tool("accept")
    opened.close_source()
    again = Session()
    try:
        with qtbot.waitSignal(again.statistics_changed, timeout=20000):
            again.open_path(small_file)
        assert again.rules.locked == {2}
        assert again.rules.only_unlabelled
        assert again.accept_from == 0.8
        assert again.tool == "accept"
        mask = np.ones((2, 30), bool)
        again.paint(Section(0, 10), slice(0, 2), slice(0, 30), mask, 2)
        assert again.labels.store.counts == {}
    finally:
        again.shut_down()


def test_that_undo_takes_back_what_was_painted_before_the_class_was_locked(opened, paint):
    paint(0, 4, 1)
    opened.lock_class(1, True)
    opened.undo()
    assert not opened.labels.store.read(Window.whole(opened.source.shape)).any()
    opened.redo()
    assert opened.labels.store.counts == {1: 120}


def test_that_a_stroke_obeys_a_lock_that_came_while_it_was_drawn(opened):
    columns, mask = slice(0, 30), np.ones((2, 30), bool)
    opened.paint(opened.section, slice(0, 2), columns, mask, 1)
    opened.begin_stroke()
    opened.paint(opened.section, slice(1, 3), columns, mask, 2)
    opened.lock_class(1, True)
    opened.end_stroke()
    assert opened.labels.store.counts == {1: 60, 2: 30}


def test_that_the_chip_of_a_locked_class_shows_a_lock(shown, opened):
    chips = shown.findChild(ClassChips, "class_chips")
    width = chips.chips[0].sizeHint().width()
    click_lock(shown, 0)
    chip = chips.chips[0]
    assert chip.accessibleName() == "Class 1, locked"
    assert chip.sizeHint().width() > width
    opened.rename_class(2, "Sand")
    assert [chip.locked for chip in chips.chips] == [True, False]
    click_lock(shown, 0)
    chip = chips.chips[0]
    assert (chip.accessibleName(), chip.sizeHint().width()) == ("Class 1", width)

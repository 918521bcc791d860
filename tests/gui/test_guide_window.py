"""Next place, why here and suspect labels in the window, by keys and clicks."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QListWidget, QPushButton, QWidget

from geocnn_gui.data.source import Section
from geocnn_gui.gui.canvas.view import CanvasView
from geocnn_gui.gui.session import Session
from geocnn_gui.gui.suspecting import ALL_SEEN, NONE_FOUND
from geocnn_gui.labels.rules import PaintRules

LEFT = Qt.MouseButton.LeftButton
ROWS, COLUMNS = 48, 120
PATIENCE = 30000
#: Rows and columns of strokes on the middle section; the left half is class 1, the right one 2.
STROKES = [(r, c) for r in (4, 20, 40) for c in (6, 30, 70, 100)]
HERE = Section(0, 10)


@pytest.fixture
def halves(tmp_path):
    """A cube of 20 inlines, 120 crosslines, 48 samples: the left half is low, the right one high."""
    values = np.random.default_rng(0).normal(scale=0.2, size=(20, COLUMNS, ROWS)).astype(np.float32)
    values[:, : COLUMNS // 2] -= 1
    values[:, COLUMNS // 2 :] += 1
    np.save(tmp_path / "halves.npy", values)
    return tmp_path / "halves.npy"


@pytest.fixture
def shown(window, session, halves, open_and_wait, qtbot):
    """The window with the cube open and the focus on the picture."""
    open_and_wait(session, halves, qtbot)
    canvas = window.findChild(QWidget, "canvas")
    canvas.setFocus()
    qtbot.waitUntil(canvas.hasFocus, timeout=5000)
    session.rename_class(1, "Low")
    session.rename_class(2, "High")
    return window


@pytest.fixture
def canvas(shown):
    return shown.findChild(QWidget, "canvas")


@pytest.fixture
def labelled(shown, session):
    """Twelve strokes on the section in view."""
    for row, column in STROKES:
        stroke(session, row, column, 1 if column < COLUMNS // 2 else 2)
    return session


def stroke(session, row, column, number):
    mask = np.ones((2, 8), bool)
    session.paint(HERE, slice(row, row + 2), slice(column, column + 8), mask, number)


def label_at(session, row, column):
    plane = session.source.plane(HERE)
    window = plane.window(slice(row, row + 2), slice(column, column + 8))
    return set(np.unique(session.labels.store.read(window)).tolist())


def sentence(window):
    guide = window.findChild(CanvasView, "canvasView").guide
    return guide.text() if guide.isVisible() else ""


def press(window, name):
    button = window.findChild(QPushButton, name)
    assert button.isEnabled(), button.toolTip()
    button.click()


def test_that_a_key_jumps_from_place_to_place_and_says_why(shown, canvas, labelled, qtbot):
    QTest.keyClick(canvas, Qt.Key.Key_N)
    qtbot.waitUntil(lambda: sentence(shown).startswith("1 of "), timeout=PATIENCE)
    first = labelled.next_places.places[0]
    assert sentence(shown).endswith("; ".join(first.reasons))
    assert labelled.section == first.section
    assert [(m.rows, m.columns) for m in canvas.marks.marks] == [(first.rows, first.columns)]
    assert (
        canvas.viewport.visible(canvas.size_f, canvas.picture_shape)[1].start <= first.columns.start
    )
    QTest.keyClick(canvas, Qt.Key.Key_N)
    assert sentence(shown).startswith("2 of ")
    QTest.keyClick(canvas, Qt.Key.Key_N, Qt.KeyboardModifier.ShiftModifier)
    assert sentence(shown).startswith("1 of ")
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert sentence(shown) == ""
    assert canvas.marks.marks == ()


def test_that_places_are_found_anew_after_a_stroke_in_one(shown, canvas, labelled, qtbot):
    QTest.keyClick(canvas, Qt.Key.Key_N)
    qtbot.waitUntil(lambda: bool(labelled.next_places.places), timeout=PATIENCE)
    first = labelled.next_places.places[0]
    mask = np.ones(
        (first.rows.stop - first.rows.start, first.columns.stop - first.columns.start), bool
    )
    labelled.paint(first.section, first.rows, first.columns, mask, 1)
    assert sentence(shown) == ""
    QTest.keyClick(canvas, Qt.Key.Key_N)
    qtbot.waitUntil(lambda: sentence(shown).startswith("1 of "), timeout=PATIENCE)
    places = [(p.section, p.rows, p.columns) for p in labelled.next_places.places]
    assert (first.section, first.rows, first.columns) not in places


def test_that_a_click_in_the_list_jumps_to_the_place(shown, labelled, qtbot):
    press(shown, "find_places")
    lines = shown.findChild(QListWidget, "next_places_list")
    qtbot.waitUntil(lambda: lines.count() > 2, timeout=PATIENCE)
    lines.itemClicked.emit(lines.item(2))
    assert sentence(shown).startswith("3 of ")
    assert labelled.section == labelled.next_places.places[2].section


def test_that_one_class_is_answered_with_what_is_missing(shown, canvas, session, qtbot):
    stroke(session, 4, 6, 1)
    QTest.keyClick(canvas, Qt.Key.Key_N)
    qtbot.waitUntil(lambda: "two classes" in sentence(shown), timeout=PATIENCE)


def test_that_the_strokes_like_the_cell_under_the_cursor_are_marked(shown, canvas, labelled, qtbot):
    QTest.keyClick(canvas, Qt.Key.Key_Y)
    QTest.mouseMove(canvas, canvas.viewport.pixel_of(30, 20).toPoint())
    qtbot.waitUntil(lambda: "your 3 strokes" in sentence(shown), timeout=PATIENCE)
    assert "Low" in sentence(shown)
    assert "here" in sentence(shown)
    assert {m.kind for m in canvas.marks.marks} == {"like"}
    assert len(canvas.marks.marks) == 3
    QTest.keyClick(canvas, Qt.Key.Key_Y)
    assert sentence(shown) == ""
    assert canvas.marks.marks == ()


@pytest.fixture
def suspect(shown, labelled, qtbot):
    """A stroke of the wrong class, found and shown."""
    stroke(labelled, 30, 90, 1)
    shown.findChild(QAction, "action_suspects").trigger()
    qtbot.waitUntil(lambda: not labelled.suspects.looking, timeout=PATIENCE)
    return labelled


def test_that_a_wrong_stroke_is_fixed_by_one_click_and_undone_by_one(shown, canvas, suspect):
    assert "1 of 1" in sentence(shown)
    assert [m.kind for m in canvas.marks.marks] == ["suspect"]
    press(shown, "fix_suspect")
    assert label_at(suspect, 30, 90) == {2}
    assert shown.findChild(QLabel, "suspects_sentence").text() == ALL_SEEN
    suspect.undo()
    assert label_at(suspect, 30, 90) == {1}


def test_that_kept_labels_are_not_asked_about_until_they_change(shown, suspect, qtbot, halves):
    press(shown, "keep_suspect")
    assert label_at(suspect, 30, 90) == {1}
    find(suspect, qtbot)
    assert suspect.suspects.sentence == NONE_FOUND
    stroke(suspect, 30, 90, 0)
    stroke(suspect, 32, 90, 1)
    find(suspect, qtbot)
    assert len(suspect.suspects.found) == 1


def test_that_kept_labels_stay_kept_over_a_restart(shown, suspect, qtbot, halves, open_and_wait):
    press(shown, "keep_suspect")
    suspect.shut_down()
    again = Session()
    try:
        open_and_wait(again, halves, qtbot)
        find(again, qtbot)
        assert again.suspects.sentence == NONE_FOUND
    finally:
        again.shut_down()


def test_that_a_locked_class_is_not_fixed(shown, suspect, session):
    session.rules = PaintRules(locked=frozenset({1}))
    press(shown, "fix_suspect")
    assert label_at(suspect, 30, 90) == {1}
    assert "locked" in session.said[-1].text


def test_that_a_suspect_that_is_painted_over_is_dropped(shown, canvas, suspect):
    stroke(suspect, 30, 90, 2)
    assert suspect.suspects.found == ()
    assert canvas.marks.marks == ()


def test_that_single_strokes_cannot_judge_each_other(shown, session, qtbot):
    stroke(session, 4, 6, 1)
    stroke(session, 4, 100, 2)
    find(session, qtbot)
    assert "No class has two strokes" in session.suspects.sentence


def find(session, qtbot):
    session.suspects.find()
    assert session.suspects.looking
    qtbot.waitUntil(lambda: not session.suspects.looking, timeout=PATIENCE)

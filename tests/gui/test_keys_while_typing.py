"""Keys of the canvas do nothing while something is being typed in a panel."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QTableWidget, QWidget

from geocnn_gui.gui.actions import ACTIONS

KEYS = [Qt.Key(code) for code in b"BEVLFWSTAIHUKNY0123456789"]
KEYS += [Qt.Key.Key_Tab, Qt.Key.Key_Left, Qt.Key.Key_Right]
TRIED = {each.name for each in ACTIONS.values() if each.canvas}


@pytest.fixture
def triggered(window, opened, paint):
    """The names of the canvas's actions that were triggered, all of which are enabled."""
    opened.set_section(opened.section)
    paint(3, 8, 2)
    found = []
    for name in TRIED:
        action = window.findChild(QAction, f"action_{name}")
        action.triggered.connect(lambda _=False, name=name: found.append(name))
        action.setEnabled(True)
    return found


def state(session):
    return (session.tool, session.current_class, session.section, session.rules, session.brush_size,
            session.view, session.labels.store.counts, len(session.steps.rows))  # fmt: skip


def line_edit(window, opened):
    """The name of a class, which is being changed."""
    table = window.findChild(QTableWidget, "class_table")
    if table.findChild(QLineEdit) is None:
        table.editItem(table.item(0, 0))
    return table.findChild(QLineEdit)


def spin_box(window, opened):
    opened.set_step("Train")
    boxes = window.findChild(QWidget, "side_panel").findChildren(QAbstractSpinBox)
    return next(each for each in boxes if each.isVisible() and each.isEnabled())


@pytest.mark.parametrize(
    ("make", "keys"),
    [(line_edit, [key for key in KEYS if key != Qt.Key.Key_Tab]), (spin_box, KEYS)],
    ids=["line edit", "spin box"],
)  # Tab goes on from one name to the next
def test_that_keys_typed_into_a_panel_do_nothing_on_the_canvas(
    window, opened, triggered, make, keys
):
    before = state(opened)
    for key in keys:
        field = make(window, opened)
        field.setFocus()
        QTest.keyClick(QApplication.focusWidget(), key)
    assert (triggered, state(opened)) == ([], before)
    canvas = window.findChild(QWidget, "canvas")
    canvas.setFocus()
    for key in KEYS:
        QTest.keyClick(canvas, key)
    assert len(set(triggered)) >= 20

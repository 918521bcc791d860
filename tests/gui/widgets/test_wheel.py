from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import scrolled


@pytest.fixture
def panel(qtbot):
    """A panel too tall for its room, with a choice at the top."""
    content = QWidget()
    layout = QVBoxLayout(content)
    choice = QComboBox()
    choice.addItems(["auto", "block", "pixels (leaky)"])
    tall = QLabel("below")
    tall.setMinimumHeight(600)
    layout.addWidget(choice)
    layout.addWidget(tall)
    area = scrolled(content)
    qtbot.addWidget(area)
    area.resize(200, 150)
    area.show()
    area.activateWindow()
    qtbot.waitExposed(area)
    return area, choice


def turn_wheel(widget):
    middle = QPointF(widget.rect().center())
    event = QWheelEvent(
        middle, QPointF(widget.mapToGlobal(middle.toPoint())), QPoint(0, 0), QPoint(0, -120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase,
        False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def test_that_scrolling_over_a_choice_is_left_to_the_panel_and_changes_nothing(panel, qtbot):
    area, choice = panel
    area.setFocus()
    qtbot.waitUntil(lambda: not choice.hasFocus())
    assert not turn_wheel(choice)
    assert choice.currentIndex() == 0


def test_that_a_choice_with_the_focus_takes_the_wheel(panel, qtbot):
    _, choice = panel
    choice.setFocus()
    qtbot.waitUntil(choice.hasFocus)
    assert turn_wheel(choice)
    assert choice.currentIndex() == 1

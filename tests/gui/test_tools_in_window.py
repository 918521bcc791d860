"""The drawing tools in the whole window: keys, the strip beside them, the folded button."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QSlider, QToolBar, QToolButton, QWidget

from geocnn_gui.gui.session import Session

KEYS = {"line": "L", "fill": "F", "wand": "W", "edge": "S", "between": "T"}


@pytest.fixture
def canvas(window, opened, qtbot):
    """The canvas of the window, with the small file open and the focus."""
    canvas = window.findChild(QWidget, "canvas")
    qtbot.waitUntil(lambda: canvas.isVisible() and canvas.picture_shape[0] > 0)
    canvas.setFocus()
    return canvas


@pytest.mark.parametrize(("tool", "key"), KEYS.items())
def test_that_keys_of_the_tools_act_only_while_the_canvas_has_the_focus(
    window, opened, canvas, tool, key
):
    field = QLineEdit(window)
    field.show()
    field.setFocus()
    QTest.keyClicks(field, key.lower())
    assert opened.tool == "pan"
    assert field.text() == key.lower()
    canvas.setFocus()
    QTest.keyClick(canvas, getattr(Qt.Key, f"Key_{key}"))
    assert opened.tool == tool
    field.deleteLater()


def test_that_the_strip_shows_only_what_the_tool_takes(window, opened, canvas):
    shown = {
        "pan": set(), "brush": {"brush_size", "square_brush"}, "line": {"brush_size", "square_brush"},
        "fill": {"tolerance", "stop_at_labels"},
        "wand": {"tolerance", "stop_at_labels", "wand_on_prediction"}, "between": set(),
    }  # fmt: skip
    names = set().union(*shown.values())
    for tool, expected in shown.items():
        opened.set_tool(tool)
        found = {name for name in names if window.findChild(QWidget, name).isVisible()}
        assert found == expected, tool
    opened.set_tool("wand")
    window.findChild(QToolButton, "wand_on_prediction").click()
    assert opened.tool_settings.wand_target == "prediction"
    assert not window.findChild(QSlider, "tolerance").isVisible()


def test_that_the_strip_sets_the_tools_and_follows_them(window, opened, canvas):
    opened.set_tool("fill")
    slider = window.findChild(QSlider, "tolerance")
    slider.setValue(33)
    window.findChild(QToolButton, "stop_at_labels").click()
    opened.set_tool("brush")
    window.findChild(QToolButton, "square_brush").click()
    settings = opened.tool_settings
    assert (settings.tolerance, settings.stop_at_labels) == (33, False)
    assert settings.brush_shape == "square"
    opened.set_tool("fill")
    opened.set_tool_settings(tolerance=100)
    assert slider.value() == 100
    assert window.findChild(QLabel, "tolerance_text").text() == "any"


def test_that_the_folded_button_shows_the_tool_used_last(window, opened, canvas):
    button = window.findChild(QToolButton, "fold_button")
    assert button.defaultAction().objectName() == "action_tool_wand"
    QTest.keyClick(canvas, Qt.Key.Key_S)
    assert button.defaultAction().objectName() == "action_tool_edge"
    assert button.isChecked()
    opened.set_tool("brush")
    assert button.defaultAction().objectName() == "action_tool_edge"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=button.rect().center() / 2)
    assert opened.tool == "edge"


@pytest.mark.parametrize("tool", ["pan", "line", "fill", "wand", "edge"])
def test_that_nothing_of_the_toolbar_is_folded_away_at_1280(window, opened, canvas, qtbot, tool):
    for name in ("Salt", "Shale", "Chalk", "Sand"):
        opened.add_class(name)
    opened.set_tool(tool)
    window.resize(1280, 720)
    bar = window.findChild(QToolBar, "toolbar")
    qtbot.wait(20)
    more = bar.findChild(QToolButton, "qt_toolbar_ext_button")
    assert more is None or not more.isVisible()
    strip = window.findChild(QWidget, "tool_strip")
    assert strip.width() >= strip.sizeHint().width()
    assert window.findChild(QToolButton, "toolbar_export").geometry().right() <= bar.width()


def test_that_i_picks_the_class_under_the_cursor_and_keeps_the_tool(window, opened, canvas, paint):
    opened.add_class("Salt")
    paint(3, 8, 3)
    opened.set_current_class(1)
    opened.set_tool("brush")
    QTest.mouseMove(canvas, canvas.viewport.pixel_of(5, 9).toPoint())
    QTest.keyClick(canvas, Qt.Key.Key_I)
    assert (opened.current_class, opened.tool) == (3, "brush")
    QTest.mouseMove(canvas, canvas.viewport.pixel_of(15, 9).toPoint())
    QTest.keyClick(canvas, Qt.Key.Key_I)
    assert opened.current_class == 3
    assert "no class to pick" in opened.said[-1].text


def test_that_tool_and_settings_come_back_with_the_project(
    opened, small_file, open_and_wait, qtbot
):
    opened.set_tool("wand")
    opened.set_tool_settings(brush_shape="square", tolerance=42, wand_target="prediction")
    opened.set_tool_settings(stop_at_labels=False)
    settings = opened.tool_settings
    folder = opened.project.folder
    opened.shut_down()
    again = Session()
    open_and_wait(again, small_file, qtbot)
    assert (again.tool, again.tool_settings) == ("wand", settings)
    again.shut_down()
    path = folder / "project.json"
    data = json.loads(path.read_text())
    data["work"] |= {"tolerance": 10**9, "brush_shape": "evil", "wand_target": [1]}
    path.write_text(json.dumps(data))
    last = Session()
    open_and_wait(last, small_file, qtbot)
    assert (last.tool_settings.tolerance, last.tool_settings.brush_shape) == (10, "round")
    assert last.tool_settings.stop_at_labels is False
    last.shut_down()


def test_that_a_read_only_project_leaves_no_tool_that_paints(
    window, opened, canvas, monkeypatch, paint
):
    monkeypatch.setattr(type(opened), "why_read_only", lambda _: "It is read-only here.")
    opened.tool_changed.emit()
    for tool in (*KEYS, "pick"):
        action = window.findChild(QAction, f"action_tool_{tool}")
        assert not action.isEnabled()
        assert "read-only" in action.toolTip()
        opened.set_tool(tool)
        assert opened.tool == "pan"
    before = opened.labels.store.counts
    paint(0, 3, 1)
    assert opened.labels.store.counts == before

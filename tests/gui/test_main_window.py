"""The window: keys, menus, panels and messages follow the session."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QLabel,
    QMessageBox,
    QPushButton,
    QSlider,
    QWidget,
)

from geocnn_gui.gui.actions import ACTIONS, EXPORTS, MENUS, TOOLBAR
from geocnn_gui.gui.app import make_window
from geocnn_gui.gui.dialogs.keys import KeysDialog
from geocnn_gui.gui.session import Message
from geocnn_gui.gui.settings import read_settings, write_settings
from geocnn_gui.gui.widgets.class_chips import ClassChips
from geocnn_gui.gui.widgets.message_bar import MessageBar
from geocnn_gui.project.home import data_home


@pytest.fixture
def shown(window, opened, qtbot):
    """The window with the small cube open and the focus on the picture."""
    canvas = window.findChild(QWidget, "canvas")
    canvas.setFocus()
    qtbot.waitUntil(canvas.hasFocus, timeout=5000)
    return window


@pytest.fixture
def press(shown, qtbot):
    """Return a function that presses a key on the picture."""
    canvas = shown.findChild(QWidget, "canvas")

    def press(key, modifier=Qt.KeyboardModifier.NoModifier):
        qtbot.keyClick(canvas, key, modifier)

    return press


def child(window, kind, name):
    found = window.findChild(kind, name)
    assert found is not None, name
    return found


def test_that_the_window_shows_without_torch():
    code = (
        "import sys; from PySide6.QtWidgets import QApplication;"
        "from geocnn_gui.gui.app import make_window; app = QApplication([]);"
        "window = make_window(app); window.show(); app.processEvents();"
        "heavy = {'torch', 'segyio', 'rasterio', 'scipy', 'skimage', 'pyqtgraph'};"
        "print(heavy & set(sys.modules)); window.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_that_the_welcome_page_goes_when_a_file_is_open_and_comes_back(shown, opened):
    welcome = child(shown, QWidget, "welcome")
    assert not welcome.isVisible()
    opened.close_source()
    assert welcome.isVisible()
    assert shown.windowTitle() == "GeoCNN"


def test_that_the_welcome_page_lists_what_was_open_last(shown, opened, small_file):
    opened.close_source()
    assert child(shown, QPushButton, "recent_0").text() == str(small_file)


def test_that_the_examples_have_thumbnails(window, qtbot):
    for name in ("seismic", "scene"):
        thumbnail = child(window, QLabel, f"thumbnail_{name}")
        qtbot.waitUntil(lambda t=thumbnail: not t.pixmap().isNull(), timeout=30000)


@pytest.mark.parametrize(
    ("key", "tool"),
    [(Qt.Key.Key_B, "brush"), (Qt.Key.Key_E, "eraser"), (Qt.Key.Key_P, "polygon")],
)
def test_that_a_letter_takes_a_tool_in_hand(press, opened, key, tool):
    press(key)
    assert opened.tool == tool
    press(Qt.Key.Key_V)
    assert opened.tool == "pan"


def test_that_digits_pick_classes_by_their_place(press, opened):
    opened.delete_class(1)
    opened.add_class("Salt")
    press(Qt.Key.Key_1)
    assert opened.current_class == 2
    press(Qt.Key.Key_2)
    assert opened.current_class == 3
    press(Qt.Key.Key_9)
    assert opened.current_class == 3
    press(Qt.Key.Key_0)
    assert opened.current_class == 0


def test_that_brackets_change_the_brush_and_the_slider_follows(press, opened, shown):
    before = opened.brush_size
    press(Qt.Key.Key_BracketRight)
    assert opened.brush_size > before
    press(Qt.Key.Key_BracketLeft)
    press(Qt.Key.Key_BracketLeft)
    assert opened.brush_size < before
    assert child(shown, QSlider, "brush_size").value() == opened.brush_size


def test_that_arrows_step_through_sections(press, opened):
    press(Qt.Key.Key_Right)
    assert opened.section.index == 11
    press(Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert opened.section.index == 1


def test_that_keys_without_ctrl_keep_their_meaning_in_forms(shown, opened, qtbot):
    field = shown.findChild(QWidget, "class_table")
    field.setFocus()
    qtbot.waitUntil(field.hasFocus, timeout=5000)
    qtbot.keyClick(field, Qt.Key.Key_E)
    qtbot.keyClick(field, Qt.Key.Key_Right)
    assert opened.tool == "pan"
    assert opened.section.index == 10


def test_that_undo_and_redo_have_their_keys(press, opened, paint):
    paint(0, 2, 1)
    press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert opened.labels.store.counts == {}
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    press(Qt.Key.Key_Z, both)
    assert opened.labels.store.counts == {1: 60}


def train(opened, paint, work, qtbot):
    paint(0, 2, 1)
    paint(5, 9, 2)
    opened.start_training()
    qtbot.waitUntil(lambda: bool(work.predicted) and opened.job is None, timeout=20000)


def test_that_tab_hides_and_shows_the_overlay(press, opened, paint, work, qtbot):
    train(opened, paint, work, qtbot)
    assert opened.view.overlay_visible
    press(Qt.Key.Key_Tab)
    assert not opened.view.overlay_visible
    press(Qt.Key.Key_Tab)
    assert opened.view.overlay_visible


def test_that_ctrl_t_trains_and_ctrl_r_predicts(press, opened, paint, work, qtbot):
    paint(0, 2, 1)
    paint(5, 9, 2)
    press(Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: bool(work.predicted) and opened.job is None, timeout=20000)
    press(Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: len(work.predicted) == 2 and opened.job is None, timeout=20000)


def test_that_f11_leaves_only_the_picture(press, shown):
    runs, side = child(shown, QWidget, "runs_panel"), child(shown, QWidget, "side_panel")
    press(Qt.Key.Key_F11)
    assert not runs.isVisible()
    assert not side.isVisible()
    press(Qt.Key.Key_F11)
    assert runs.isVisible()
    assert side.isVisible()


def test_that_all_keys_are_listed(press, shown, qtbot):
    press(Qt.Key.Key_Question)
    dialog = child(shown, KeysDialog, "keys_dialog")
    texts = {label.text() for label in dialog.findChildren(QLabel)}
    assert {"Ctrl+T", "Shift+Right", "B", "1 – 9, 0", "Esc"} <= texts
    dialog.close()


def test_that_dead_buttons_say_why(shown, opened, paint):
    button = child(shown, QPushButton, "train")
    assert not button.isEnabled()
    assert button.toolTip() == "Paint a few strokes of at least two classes, then train."
    assert "Predict first" in child(shown, QPushButton, "export").toolTip()
    paint(0, 2, 1)
    paint(5, 6, 2)
    assert button.isEnabled()


def test_that_the_title_says_when_it_was_saved(shown, opened, paint):
    assert "saved" not in shown.windowTitle()
    paint(0, 1, 1)
    assert f"saved {opened.saved_at:%H:%M}" in shown.windowTitle()


def test_that_a_click_on_a_chip_picks_the_class(shown, opened, qtbot):
    chips = child(shown, ClassChips, "class_chips").chips
    qtbot.mouseClick(chips[1], Qt.MouseButton.LeftButton)
    assert opened.current_class == 2
    assert chips[1].isChecked()
    assert not chips[0].isChecked()


def test_that_errors_wait_behind_each_other_and_infos_give_way(window, session):
    bar = child(window, MessageBar, "message_bar")
    session.tell("first")
    session.tell("wrong", "error")
    session.tell("worse", "error")
    assert bar.text == "wrong"
    bar.dismiss()
    assert bar.text == "worse"
    bar.dismiss()
    assert not bar.isVisible()


def test_that_a_message_offers_a_way_out_and_its_details(window, session, qtbot):
    bar = child(window, MessageBar, "message_bar")
    done = []
    actions = (("Read as IEEE", lambda: done.append(1)),)
    session.message.emit(Message("Odd file", "warning", "all of it", actions))
    details = child(bar, QWidget, "message_details_text")
    assert not details.isVisible()
    qtbot.mouseClick(child(bar, QPushButton, "message_details"), Qt.MouseButton.LeftButton)
    assert details.isVisible()
    qtbot.mouseClick(child(bar, QPushButton, "message_action_0"), Qt.MouseButton.LeftButton)
    assert done == [1]
    assert not bar.isVisible()


def test_that_a_dropped_file_is_opened(window, session, small_file, qtbot):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(small_file))])
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    none = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(5, 5), copy, mime, left, none)
    window.dragEnterEvent(enter)
    assert enter.isAccepted()
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=10000):
        window.dropEvent(QDropEvent(QPointF(5, 5), copy, mime, left, none))
    assert session.source.name == "small"


def test_that_export_asks_for_a_name_that_suits(shown, opened, paint, work, qtbot, tmp_path):
    train(opened, paint, work, qtbot)
    shown.asker.export_name("confidence")
    dialog = child(shown, QFileDialog, "file_dialog")
    assert dialog.selectedFiles()[0].endswith("small_confidence.npy")
    dialog.fileSelected.emit(str(tmp_path / "sure.npy"))
    dialog.close()
    qtbot.waitUntil(lambda: opened.job is None, timeout=10000)
    assert np.load(tmp_path / "sure.npy")[10].max() == pytest.approx(0.75, abs=0.01)


def test_that_the_theme_changes_at_once_and_is_remembered(window, qapp):
    window.set_theme("dark")
    assert qapp.palette().window().color().lightness() < 100
    window.set_theme("light")
    assert qapp.palette().window().color().lightness() > 200
    window.close()
    assert read_settings().theme == "light"


def test_that_broken_settings_do_not_stop_the_start(own_home):
    data_home().mkdir(parents=True, exist_ok=True)
    (data_home() / "settings.json").write_text("{broken")
    assert read_settings().theme == "system"
    write_settings(read_settings().model_copy(update={"theme": "dark"}))
    assert read_settings().theme == "dark"


def test_that_quitting_in_the_middle_of_a_run_asks(shown, opened, paint, work, qtbot, monkeypatch):
    work.epochs, work.pause = 1000, 0.005
    paint(0, 2, 1)
    paint(5, 9, 2)
    opened.start_training()
    asked = []
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()))
    assert not shown.close()
    assert asked
    assert opened.job is not None
    monkeypatch.setattr(QMessageBox, "clickedButton", lambda box: box.buttons()[0], raising=False)
    assert shown.close()
    assert (opened.run_folder or work.trained) is not None


def test_that_every_action_is_in_a_menu_or_has_a_key():
    in_menus = {name for names in (*MENUS.values(), EXPORTS) for name in names}
    assert in_menus - ACTIONS.keys() <= {None, "menu:recent", "menu:export"}
    assert set(TOOLBAR) - {None} <= ACTIONS.keys()
    assert all(name in in_menus or info.keys for name, info in ACTIONS.items())


def test_that_no_key_is_given_twice():
    keys = [key for info in ACTIONS.values() for key in info.keys]
    assert len(keys) == len(set(keys))


def test_that_every_button_and_field_has_a_name(shown):
    picture = child(shown, QWidget, "canvasView")
    nameless = [
        widget
        for widget in shown.findChildren(QWidget)
        if isinstance(widget, QPushButton | QSlider)
        and not (widget.objectName() or picture.isAncestorOf(widget))
    ]
    assert not [f"{type(w).__name__} in {type(w.parent()).__name__}" for w in nameless]


def test_that_opening_shows_itself_on_the_welcome_page(window, session, small_file, qtbot):
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=10000):
        session.open_path(small_file)
        assert child(window, QLabel, "welcome_busy").text() == "Opening small.npy …"
    assert child(window, QLabel, "welcome_busy").text() == ""


def test_that_a_first_start_stays_on_a_small_screen(session, qtbot):
    window = make_window(QApplication.instance(), session)
    qtbot.addWidget(window)
    room = window.screen().availableSize()
    assert room.height() < 900  # else this says nothing
    assert window.height() < room.height()

"""Predictions accepted as labels, and labels copied from section to section."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu, QSlider, QWidget

from geocnn_gui.data.source import Section, Window
from geocnn_gui.gui import accepting
from geocnn_gui.gui.canvas.tools.accept import strips
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.target import Target

LEFT = Qt.MouseButton.LeftButton
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def arrays(tmp_path):
    """A line of 40 traces and 24 samples, a cube of 20 x 30 x 24, a scene of 24 x 30 pixels."""
    random = np.random.default_rng(0)
    np.save(tmp_path / "line.npy", random.normal(size=(40, 24)).astype(np.float32))
    np.save(tmp_path / "cube.npy", random.normal(size=(20, 30, 24)).astype(np.float32))
    np.save(tmp_path / "scene.npy", random.integers(0, 9, (3, 24, 30)).astype(np.uint8))
    return tmp_path


@pytest.fixture
def show(window, session, arrays, open_and_wait, qtbot):
    """Return a function that opens one of the arrays and gives the picture the focus."""

    def show(name, **choices):
        with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=20000):
            session.open_path(arrays / f"{name}.npy", **choices)
        canvas = window.findChild(QWidget, "canvas")
        canvas.setFocus()
        qtbot.waitUntil(canvas.hasFocus, timeout=5000)
        session.set_brush_size(5)
        return canvas

    return show


@pytest.fixture
def predict(session, tmp_path):
    """Return a function that predicts class 1 left, 2 right, 0.6 sure above and 0.9 below."""

    def predict(classes=None):
        source, section = session.source, session.section
        store = PredictionStore.create(tmp_path / "run", source, classes or session.classes)
        rows, columns = source.picture_shape(section)
        ids = np.ones((rows, columns), np.uint8)
        ids[:, columns // 2 :] = 2
        ids[:2] = 0  # nothing is predicted there
        sure = np.full(ids.shape, 0.6)
        sure[rows // 2 :] = 0.9
        plane = source.plane(section)
        window = plane.window(slice(0, rows), slice(0, columns))
        store.write(window, plane.array(ids), plane.array(sure))
        session.show_prediction(store)
        return ids, sure

    return predict


def labels(session, section=None):
    section = section or session.section
    plane = session.source.plane(section)
    rows, columns = session.source.picture_shape(section)
    return plane.picture(session.labels.store.read(plane.window(slice(0, rows), slice(0, columns))))


def sweep(canvas, start, stop):
    first, last = (canvas.viewport.pixel_of(*cell).toPoint() for cell in (start, stop))
    QTest.mousePress(canvas, LEFT, pos=first)
    QTest.mouseMove(canvas, (first + last) / 2)
    QTest.mouseMove(canvas, last)
    shown = canvas.labels.levels.copy()
    QTest.mouseRelease(canvas, LEFT, pos=last)
    return shown


def undo(canvas):
    QTest.keyClick(canvas, Qt.Key.Key_Z, CONTROL)


def action(window, name):
    window.findChild(QMenu, "menu_label").aboutToShow.emit()
    return window.findChild(object, f"action_{name}")


@pytest.mark.parametrize(
    ("name", "choices"), [("line", {"domain": "seismic"}), ("cube", {}), ("scene", {})]
)
def test_that_the_brush_writes_what_is_predicted_under_it(show, predict, session, name, choices):
    canvas = show(name, **choices)
    ids, _ = predict()
    QTest.keyClick(canvas, Qt.Key.Key_A)
    assert session.tool == "accept"
    columns = ids.shape[1]
    shown = sweep(canvas, (1, columns // 2 - 4), (1, columns // 2 + 4))
    found = labels(session)
    assert np.array_equal(shown, found)  # as it was shown while the button was down
    assert {1, 2} == set(np.unique(found)) - {0}
    assert np.array_equal(found[found > 0], ids[found > 0])
    assert not found[:2].any()
    undo(canvas)
    assert not labels(session).any()
    assert not session.steps.can_undo


def test_that_a_long_thin_sweep_is_cut_into_narrow_strips():
    mask = np.eye(700, 900, dtype=bool) | np.eye(700, 900, 3, dtype=bool)
    mask[256:512] = False
    again, cells = np.zeros((800, 1000), bool), 0
    for rows, columns, part in strips((slice(20, 720), slice(30, 930), mask)):
        again[rows, columns] |= part
        cells += part.size
    assert np.array_equal(again[20:720, 30:930], mask)
    assert cells < mask.size / 5


def test_that_only_what_is_sure_enough_is_accepted(window, show, predict, session):
    canvas = show("cube")
    _, sure = predict()
    slider = window.findChild(QSlider, "accept_from")
    assert slider.isEnabled()
    slider.setValue(80)
    session.set_tool("accept")
    sweep(canvas, (10, 4), (14, 4))
    found = labels(session)
    assert found.any()
    assert (sure[found > 0] >= 0.8).all()
    assert not found[:12].any()


def test_that_all_in_view_is_accepted_in_one_step(window, show, predict, session, qtbot):
    canvas = show("cube")
    ids, sure = predict()
    session.set_accept_from(0.8)
    canvas.zoom(canvas.viewport.pixel_of(12, 15), 2, 2)
    rows, columns = window.cells_in_view()
    action(window, "accept_in_view").trigger()
    qtbot.waitUntil(lambda: session.labels.store.counts != {}, timeout=5000)
    expected = np.zeros_like(ids)
    expected[rows, columns] = np.where(sure >= 0.8, ids, 0)[rows, columns]
    assert 0 < np.count_nonzero(expected) < np.count_nonzero(sure >= 0.8)
    assert np.array_equal(labels(session), expected)
    undo(canvas)
    assert not labels(session).any()


def test_that_rules_hold_for_what_is_accepted(window, show, predict, session, qtbot):
    show("scene")
    ids, _ = predict()
    mask = np.ones((4, 30), bool)
    session.paint(session.section, slice(10, 14), slice(0, 30), mask, 2)
    session.set_only_unlabelled(True)
    session.lock_class(1, True)
    action(window, "accept_in_view").trigger()
    qtbot.waitUntil(lambda: session.labels.store.counts[2] > 120, timeout=5000)
    expected = np.where(ids == 2, ids, 0)
    expected[10:14] = 2
    assert np.array_equal(labels(session), expected)


def test_that_too_much_in_view_is_refused_with_the_way_out(
    window, show, predict, session, monkeypatch
):
    show("scene")
    predict()
    monkeypatch.setattr(accepting, "MOST_ACCEPTED", 100)
    action(window, "accept_in_view").trigger()
    assert "zoom in" in session.said[-1].text
    assert session.labels.store.counts == {}


def test_that_accepting_says_what_it_lacks(window, show, predict, session, tmp_path):
    canvas = show("scene")
    tool = action(window, "tool_accept")
    assert not tool.isEnabled()
    assert "Predict first." in tool.toolTip()
    session.set_tool("accept")
    sweep(canvas, (5, 5), (5, 9))
    assert session.said[-1].text == "Predict first."
    values = Target(name="Porosity", unit="%")
    folder = tmp_path / "values"
    classes = session.classes[:1]
    store = PredictionStore.create(folder, session.source, classes, target=values)
    session.show_prediction(store)
    assert "values, not classes" in tool.toolTip()
    predict()
    assert tool.isEnabled()


def test_that_classes_of_a_foreign_prediction_go_by_name(show, predict, session):
    canvas = show("scene")
    session.rename_class(1, "Water")
    session.rename_class(2, "Forest")
    theirs = (
        LabelClass(id=1, name="Forest", color="#00ff00"),
        LabelClass(id=2, name="Sand", color="#ffff00"),
    )
    predict(theirs)
    session.set_tool("accept")
    sweep(canvas, (8, 5), (8, 25))
    found = labels(session)
    assert set(np.unique(found)) == {0, 2}
    assert not found[:, 15:].any()
    message = session.said[-1]
    assert "no class Sand" in message.text
    message.actions[0][1]()
    sand = session.classes[-1]
    assert (sand.name, sand.id) == ("Sand", 3)
    sweep(canvas, (8, 5), (8, 25))
    assert (labels(session)[8, 15:25] == 3).all()


def test_that_a_class_deleted_while_a_prediction_is_read_is_not_accepted(
    show, predict, session, qtbot
):
    show("scene")
    predict()
    session.accept_in_view(slice(0, 10), slice(0, 20))
    with qtbot.waitSignal(session.message, timeout=5000):
        session.delete_class(2)
    assert "accept the prediction again" in session.said[-1].text
    assert not labels(session).any()


# -- to the next section -------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("key", "step"), [(Qt.Key.Key_Right, 1), (Qt.Key.Key_Left, -1)])
def test_that_labels_are_copied_along_every_axis(show, session, qtbot, axis, key, step):
    canvas = show("cube")
    session.set_section(Section(axis, 3))
    target = Section(axis, 3 + step)
    rows, columns = session.source.picture_shape(target)
    block = np.ones((3, 4), bool)
    session.paint(session.section, slice(1, 4), slice(1, 5), block, 1)
    session.paint(target, slice(2, 3), slice(2, 3), np.ones((1, 1), bool), 2)
    QTest.keyClick(canvas, key, CONTROL | SHIFT)
    qtbot.waitUntil(lambda: session.section == target, timeout=5000)
    expected = np.zeros((rows, columns), np.uint8)
    expected[1:4, 1:5] = 1
    expected[2, 2] = 2
    assert np.array_equal(labels(session), expected)
    undo(canvas)
    expected[:] = 0
    expected[2, 2] = 2
    assert np.array_equal(labels(session), expected)
    assert np.count_nonzero(labels(session, Section(axis, 3))) == 12


def test_that_neither_dead_cells_nor_locked_classes_are_copied(
    window, session, tmp_path, open_and_wait, qtbot
):
    cube = np.random.default_rng(0).normal(size=(20, 30, 24)).astype(np.float32)
    cube[2, 3] = np.nan
    np.save(tmp_path / "dead.npy", cube)
    open_and_wait(session, tmp_path / "dead.npy", qtbot)
    session.set_section(Section(0, 1))
    whole = np.ones((4, 30), bool)
    session.paint(session.section, slice(0, 4), slice(0, 30), whole, 1)
    session.paint(session.section, slice(4, 8), slice(0, 30), whole, 2)
    session.lock_class(2, True)
    session.copy_labels(1)
    qtbot.waitUntil(lambda: session.section.index == 2, timeout=5000)
    expected = np.zeros((24, 30), np.uint8)
    expected[:4] = 1
    expected[:, 3] = 0
    assert np.array_equal(labels(session), expected)
    assert "116 of 240 labelled pixels" in session.said[-1].text


def test_that_copying_says_why_it_cannot(window, show, session):
    show("cube")
    session.set_section(Section(0, 19))
    action(window, "copy_on")
    assert not action(window, "copy_on").isEnabled()
    assert "last section" in action(window, "copy_on").toolTip()
    assert action(window, "copy_back").isEnabled()
    session.copy_labels(-1)
    assert session.said[-1].text == "There are no labels on this section to copy."
    assert session.section.index == 19
    session.close_source()
    show("scene")
    assert "Only a cube" in action(window, "copy_on").toolTip()


def test_that_accepted_and_copied_labels_are_on_disk(show, predict, session, arrays, qtbot):
    canvas = show("cube")
    predict()
    session.set_tool("accept")
    sweep(canvas, (5, 4), (9, 25))
    session.copy_labels(1)
    qtbot.waitUntil(lambda: session.section.index == 11, timeout=5000)
    whole = Window.whole(session.source.shape)
    before = session.labels.store.read(whole)
    assert np.array_equal(before[10], before[11])
    session.close_source()
    show("cube")
    assert np.array_equal(session.labels.store.read(whole), before)

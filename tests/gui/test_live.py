"""Live in the window: strokes by the mouse become a map; what overtakes, fails or ends it."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QToolButton, QWidget

from geocnn_gui.data.source import Section, Window
from geocnn_gui.gui.canvas.view import CanvasView
from geocnn_gui.gui.newest import Newest
from geocnn_gui.gui.session import Session
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.live import loop
from geocnn_gui.live.features import Features

LEFT = Qt.MouseButton.LeftButton
ROWS, COLUMNS = 48, 60
PATIENCE = 20000


@pytest.fixture
def halves(tmp_path):
    """Cubes of 20 inlines, 60 crosslines, 48 samples: the left half is low, the right half high."""
    random = np.random.default_rng(0)
    values = random.normal(scale=0.2, size=(20, COLUMNS, ROWS)).astype(np.float32)
    values[:, : COLUMNS // 2] -= 1
    values[:, COLUMNS // 2 :] += 1
    for name in ("halves", "more"):
        np.save(tmp_path / f"{name}.npy", values)
    return tmp_path / "halves.npy"


@pytest.fixture
def shown(window, session, halves, open_and_wait, qtbot):
    """The window with the cube open and the brush in hand, the focus on the picture."""
    open_and_wait(session, halves, qtbot)
    canvas = window.findChild(QWidget, "canvas")
    canvas.setFocus()
    qtbot.waitUntil(canvas.hasFocus, timeout=5000)
    session.set_tool("brush")
    session.set_brush_size(1)
    return window


@pytest.fixture
def canvas(shown):
    return shown.findChild(QWidget, "canvas")


@pytest.fixture
def live(shown, session, qtbot):
    """Live, turned on by its button."""
    QTest.mouseClick(shown.findChild(QToolButton, "toolbar_live"), LEFT)
    qtbot.waitUntil(lambda: session.live.core is not None, timeout=PATIENCE)
    return session.live


@pytest.fixture
def both(live, canvas, session, settled):
    """Live with a stroke of each class."""
    stroke(session, canvas, 1, (10, 5), (10, 20))
    stroke(session, canvas, 2, (10, 40), (10, 55))
    settled()
    return live


@pytest.fixture
def settled(session, qtbot):
    """Return a function that waits until Live has drawn what was asked for."""

    def wait():
        ended = threading.Event()
        live = session.live
        qtbot.waitUntil(lambda: not live._soon.isActive(), timeout=PATIENCE)
        live._thread.ask(ended.set)
        qtbot.waitUntil(ended.is_set, timeout=PATIENCE)
        QTest.qWait(1)
        qtbot.waitUntil(lambda: not live._tiles, timeout=PATIENCE)

    return wait


@pytest.fixture
def fits(monkeypatch):
    """Count how many heads are fitted."""
    fitted, fit = [], loop.fit_head

    def counted(*args, **more):
        fitted.append(time.monotonic())
        return fit(*args, **more)

    monkeypatch.setattr(loop, "fit_head", counted)
    return fitted


def stroke(session, canvas, number, start, stop):
    session.set_current_class(number)
    first, last = (canvas.viewport.pixel_of(*cell).toPoint() for cell in (start, stop))
    QTest.mousePress(canvas, LEFT, pos=first)
    QTest.mouseMove(canvas, (first + last) / 2)
    QTest.mouseMove(canvas, last)
    QTest.mouseRelease(canvas, LEFT, pos=last)


def said(session):
    """What Live says of the section in view."""
    plane = session.source.plane(session.section)
    window = plane.window(slice(0, ROWS), slice(0, COLUMNS))
    return plane.picture(session.shown_map.read_classes(window))


def halves_found(found):
    left, right = found[:, : COLUMNS // 2], found[:, COLUMNS // 2 :]
    return (left == 1).mean() > 0.9 and (right == 2).mean() > 0.9


def legend(window):
    return window.findChild(CanvasView, "canvasView").legend


def test_that_strokes_of_two_classes_become_a_map(shown, both, canvas, session):
    assert halves_found(said(session))
    assert set(np.unique(canvas.prediction.levels)) == {1, 2}
    assert legend(shown).isVisible()
    assert legend(shown)._title == "Live"
    assert [name for _, name in legend(shown).entries] == [c.name for c in session.classes]
    assert session.shown_map.read_confidence(Window((10, 0, 0), (1, 9, 9))).min() > 0.5


def test_that_one_class_is_answered_with_what_is_missing(live, canvas, session, settled, shown):
    stroke(session, canvas, 1, (10, 5), (10, 20))
    settled()
    hint = shown.findChild(CanvasView, "canvasView").hint
    assert hint.isVisible()
    assert "two classes" in hint.text()
    assert session.shown_map is None


def test_that_another_stroke_changes_the_map_and_undo_changes_it_back(
    both, canvas, session, settled
):
    before = said(session)
    stroke(session, canvas, 2, (40, 5), (40, 20))
    settled()
    assert (said(session) != before).mean() > 0.05
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    settled()
    assert (said(session) == before).mean() > 0.97


def test_that_undoing_all_of_a_class_takes_the_map_away(both, canvas, session, settled):
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    settled()
    assert session.shown_map is None
    assert "two classes" in both.sentence


def test_that_the_next_section_comes_coloured_without_another_fit(
    both, canvas, session, settled, fits
):
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    settled()
    assert session.section == Section(0, 11)
    assert halves_found(said(session))
    assert not fits


def test_that_of_many_strokes_only_the_newest_is_fitted(
    both, canvas, session, settled, fits, monkeypatch
):
    begun, go_on, fit = threading.Event(), threading.Event(), loop.fit_head

    def slow(*args, **more):
        begun.set()
        go_on.wait(10)
        return fit(*args, **more)

    monkeypatch.setattr(loop, "fit_head", slow)
    stroke(session, canvas, 1, (20, 5), (20, 20))
    QTest.qWait(20)
    assert begun.wait(5)
    for row in range(24, 44, 4):
        stroke(session, canvas, 1, (row, 5), (row, 20))  # painting goes on
        QTest.qWait(5)
    go_on.set()
    settled()
    assert len(fits) == 2
    assert both.core.cells.ids.size == sum(session.labels.store.counts.values())


def test_that_turning_live_off_brings_the_prediction_back(both, shown, session, canvas, tmp_path):
    store = PredictionStore.create(tmp_path / "run", session.source, session.classes)
    session.show_prediction(store)
    assert session.shown_map is both.map
    QTest.keyClick(canvas, Qt.Key.Key_L, Qt.KeyboardModifier.ShiftModifier)
    assert not both.on
    assert session.shown_map is store
    assert legend(shown)._title == "Prediction"
    session.show_prediction(None)
    store.close()


def test_that_the_status_line_says_what_live_says(both, shown, canvas, session, qtbot):
    QTest.mouseMove(canvas, QPoint(5, 5))
    QTest.mouseMove(canvas, canvas.viewport.pixel_of(20, 50).toPoint())
    line = shown.findChild(QLabel, "status_predicted")
    qtbot.waitUntil(lambda: line.text().startswith("live: Class 2 "), timeout=5000)


def test_that_live_is_as_it_was_left(both, session, halves, qtbot, open_and_wait):
    session.close_source()
    assert session.shown_map is None
    assert not both.shows
    open_and_wait(session, halves, qtbot)
    assert both.on
    qtbot.waitUntil(lambda: both.shows, timeout=PATIENCE)


def test_that_the_labels_of_a_like_source_count(live, session, canvas, halves, qtbot, settled):
    stroke(session, canvas, 1, (10, 5), (10, 20))
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=PATIENCE):
        session.add_path(halves.with_name("more.npy"))
    stroke(session, canvas, 2, (10, 40), (10, 55))
    settled()
    assert halves_found(said(session))


def test_that_the_labels_of_a_removed_source_count_no_more_and_again_when_it_is_put_back(
    live, session, canvas, halves, qtbot, settled
):
    stroke(session, canvas, 1, (10, 5), (10, 20))
    first = session.entry_id
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=PATIENCE):
        session.add_path(halves.with_name("more.npy"))
    stroke(session, canvas, 2, (10, 40), (10, 55))
    settled()
    assert live.head.ids == (1, 2)
    session.remove_source(first)
    stroke(session, canvas, 2, (12, 40), (12, 55))
    settled()
    assert live.head is None
    session.put_back(first)
    settled()
    assert live.head.ids == (1, 2)


def test_that_a_question_is_answered_while_another_backbone_is_taken(both, session, qtbot):
    found, old = [], both.core
    began, go = threading.Event(), threading.Event()

    def busy():
        began.set()
        go.wait(20)

    both._thread.do(busy)
    qtbot.waitUntil(began.is_set, timeout=PATIENCE)
    both.ask(lambda core: core.head, found.append)
    both.renew()
    both._soon.stop()  # the question runs before anything is drawn anew
    go.set()
    qtbot.waitUntil(lambda: bool(found), timeout=PATIENCE)
    assert found[0] is not None
    both._learn_soon()
    qtbot.waitUntil(lambda: both.core is not old, timeout=PATIENCE)
    assert old.features.kept() == ()


def test_that_short_memory_makes_live_keep_less(live, canvas, session, settled, monkeypatch):
    compute, failed = Features._compute, []

    def first_fails(self, *place):
        if not failed:
            failed.append(place)
            raise MemoryError
        return compute(self, *place)

    monkeypatch.setattr(Features, "_compute", first_fails)
    room = live.core.features.room
    stroke(session, canvas, 1, (10, 5), (10, 20))
    stroke(session, canvas, 2, (10, 40), (10, 55))
    settled()
    assert halves_found(said(session))
    assert live.core.features.room == room // 4
    assert session.said[-1].text.startswith("Memory is short")


def test_that_a_source_that_cannot_be_read_turns_live_off(
    live, canvas, session, qtbot, monkeypatch
):
    from geocnn_gui.errors import UnreadableFile

    def fails(self, *place):
        raise UnreadableFile("halves.npy cannot be read", "look at the disk")

    monkeypatch.setattr(Features, "_compute", fails)
    stroke(session, canvas, 1, (10, 5), (10, 20))
    qtbot.waitUntil(lambda: not live.on, timeout=PATIENCE)
    assert session.said[-1].text == "Live is off. halves.npy cannot be read; look at the disk."


def test_that_a_closed_source_is_let_go_of(both, session, qtbot):
    source = session.source
    session.close_source()
    assert both.core is None
    qtbot.waitUntil(lambda: not session.in_use._readers[source], timeout=PATIENCE)


def test_that_a_question_is_answered_after_the_strokes_before_it(both, session, canvas, qtbot):
    stroke(session, canvas, 1, (30, 5), (30, 20))
    answers = []

    def count(core):
        yield
        return len(core.cells.ids)

    both.ask(count, answers.append)
    qtbot.waitUntil(lambda: bool(answers), timeout=PATIENCE)
    assert answers == [sum(session.labels.store.counts.values())]


def test_that_a_question_that_fails_is_told(both, session, qtbot, caplog):
    both.ask(lambda core: 1 / 0, lambda answer: pytest.fail("answered"))
    qtbot.waitUntil(lambda: bool(session.said), timeout=PATIENCE)
    assert "Something went wrong" in session.said[-1].text
    caplog.clear()


def test_that_only_the_middle_of_a_huge_view_is_coloured(
    both, session, canvas, settled, monkeypatch
):
    from geocnn_gui.gui import live as gui_live

    monkeypatch.setattr(loop, "MOST_TILES", 0)
    stroke(session, canvas, 1, (30, 5), (30, 20))
    settled()
    assert both.sentence == gui_live.LARGE


def test_that_a_sample_set_has_no_live(qapp, qtbot, window, session):
    with qtbot.waitSignal(session.source_changed, timeout=PATIENCE):
        session.open_path("example:traces")
    action = window.findChild(QAction, "action_live")
    assert not action.isEnabled()
    assert "sample by sample" in action.toolTip()


def test_that_a_session_ends_while_live_works(qapp, halves, qtbot, open_and_wait, monkeypatch):
    session = Session()
    open_and_wait(session, halves, qtbot)
    begun, draw = threading.Event(), Features._compute

    def slow(self, *place):
        begun.set()
        return draw(self, *place)

    monkeypatch.setattr(Features, "_compute", slow)
    session.live.set_on(True)
    mask = np.ones((3, 15), bool)
    session.paint(session.section, slice(9, 12), slice(5, 20), mask, 1)
    QTest.qWait(1)
    assert begun.wait(10)
    session.shut_down()
    assert session.live._thread is None


def test_that_what_was_told_runs_before_a_thread_ends():
    done, newest = [], Newest("test")
    gate = threading.Event()
    newest.do(lambda: gate.wait(5))
    newest.refresh(lambda: done.append("old"))
    newest.refresh(lambda: done.append("newest"))
    newest.ask(lambda: done.append("asked"))
    assert newest.overtaken
    newest.do(lambda: done.append("told"))
    threading.Timer(0.05, gate.set).start()
    newest.end()
    newest.refresh(lambda: done.append("late"))
    assert done == ["told"]

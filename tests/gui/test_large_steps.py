"""Steps of many cells: made on another thread, one at a time, wholly or not at all."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from geocnn_gui.errors import CannotWrite
from geocnn_gui.gui import step_runner, steps
from geocnn_gui.gui.session import Session
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.project import history
from geocnn_gui.project.history_log import HistoryLog

LEFT, CONTROL = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier
SECONDS = 20


@pytest.fixture
def gate(monkeypatch):
    """Every step is a large one, and after its first part it waits until the gate is opened."""
    gate, real = threading.Event(), HistoryLog.writing

    def writing(self, *arguments):
        making = real(self, *arguments)
        yield next(making)
        assert gate.wait(SECONDS)
        return (yield from making)

    monkeypatch.setattr(step_runner, "LIGHT_CELLS", -1)
    monkeypatch.setattr(step_runner, "PATIENCE", 0.0)
    monkeypatch.setattr(history, "PIECE_CELLS", 600)
    monkeypatch.setattr(HistoryLog, "writing", writing)
    yield gate
    gate.set()


@pytest.fixture
def label_file(opened, tmp_path):
    """Labels for three quarters of the cube, of classes 1 and 7."""
    values = np.zeros(opened.source.shape, np.uint8)
    values[:, :15], values[:10, 15:] = 7, 1
    path = tmp_path / "labels.npy"
    np.save(path, values)
    return path


def counts(session):
    return session.labels.store.counts


def files(session):
    folder = session.project.folder
    kept = [folder / "project.json", folder / "history.journal", *folder.glob("labels/*/*")]
    return {path: path.read_bytes() for path in kept if path.exists()}


def under_way(session, qtbot, act):
    act()
    qtbot.waitUntil(lambda: bool(session.steps.busy), timeout=5000)


def ended(session, qtbot):
    qtbot.waitUntil(lambda: not session.busy, timeout=SECONDS * 1000)


def reopened(session, small_file, open_and_wait, qtbot):
    session.shut_down()
    again = Session()
    open_and_wait(again, small_file, qtbot)
    found = counts(again), again.classes, again.steps.position
    again.shut_down()
    return found


def test_that_large_steps_come_to_what_small_ones_do(
    opened, label_file, tmp_path, qtbot, monkeypatch
):
    def deeds():
        opened.import_labels(label_file)
        ended(opened, qtbot)
        yield
        seven = opened.classes[-1].id
        opened.show_prediction(predicted)
        opened.accept_in_view(slice(2, 20), slice(3, 25))
        ended(opened, qtbot)
        yield
        shape = opened.source.picture_shape(opened.section)
        disc = np.add.outer((np.arange(24) - 12) ** 2, (np.arange(30) - 15) ** 2) < 90
        whole = slice(0, shape[0]), slice(0, shape[1])
        opened.paint_shapes(opened.section, [(*whole, disc)], 2, box=whole)
        ended(opened, qtbot)
        yield
        opened.delete_class(seven)
        ended(opened, qtbot)
        yield
        opened.save()
        ended(opened, qtbot)
        for place in (1, 4, 0, 3):
            opened.go_to_step(place)
            ended(opened, qtbot)
            yield

    def run():
        found = [(opened.labels.store.snapshot().digest, counts(opened), opened.classes)
                 for _ in deeds()]  # fmt: skip
        opened.go_to_step(0)
        ended(opened, qtbot)
        return found

    predicted = PredictionStore.create(tmp_path / "run", opened.source, opened.classes)
    window = opened.source.plane(opened.section).window(slice(0, 24), slice(0, 30))
    predicted.write(window, np.full(window.size, 2, np.uint8), np.full(window.size, 0.9))
    small = run()
    with monkeypatch.context() as patch:
        patch.setattr(step_runner, "LIGHT_CELLS", -1)
        assert run() == small
    assert len({each[0] for each in small}) > 3
    texts = [row.text for row in opened.steps.rows]
    assert texts == ["Labels from labels.npy", "Accept the prediction", "Paint Class 2",
                     "Delete Class 7"]  # fmt: skip


def test_that_it_is_said_how_far_a_large_step_is(window, opened, label_file, gate, qtbot):
    line, text = window.findChild(QWidget, "step_line"), window.findChild(QLabel, "step_text")
    assert not line.isVisible()
    under_way(opened, qtbot, lambda: opened.import_labels(label_file))
    assert line.isVisible()
    qtbot.waitUntil(lambda: text.text().startswith("Bringing labels in"), timeout=5000)
    qtbot.waitUntil(lambda: text.text().endswith("%"), timeout=5000)
    gate.set()
    ended(opened, qtbot)
    assert not line.isVisible()
    assert counts(opened) == {1: 10 * 15 * 24, 7: 20 * 15 * 24}
    assert "10\u202f800 pixels labelled" in opened.said[-1].text


def test_that_stop_leaves_everything_as_it_was(
    window, opened, paint, label_file, small_file, open_and_wait, gate, qtbot
):
    gate.set()
    paint(0, 3, 1)
    ended(opened, qtbot)
    gate.clear()
    before = files(opened), counts(opened), opened.classes
    under_way(opened, qtbot, lambda: opened.import_labels(label_file))
    qtbot.mouseClick(window.findChild(QPushButton, "step_stop"), LEFT)
    assert "Stopping" in window.findChild(QLabel, "step_text").text()
    gate.set()
    ended(opened, qtbot)
    assert (files(opened), counts(opened), opened.classes) == before
    assert "stopped, nothing has changed" in opened.said[-1].text
    assert [row.text for row in opened.steps.rows] == ["Paint Class 1"]
    assert reopened(opened, small_file, open_and_wait, qtbot) == (*before[1:], 1)


def test_that_a_disk_that_is_full_leaves_everything_as_it_was(
    opened, label_file, monkeypatch, gate, qtbot
):
    gate.set()
    before = files(opened)

    def full(*_, **__):
        raise CannotWrite("Cannot write labels: the disk is full", "free some space")

    with monkeypatch.context() as patch:
        patch.setattr("geocnn_gui.labels.journal.Journal.append", full)
        opened.import_labels(label_file)
        qtbot.waitUntil(lambda: bool(opened.said), timeout=SECONDS * 1000)
        ended(opened, qtbot)
    assert (opened.said[-1].kind, counts(opened)) == ("error", {})
    assert [len(opened.classes), opened.steps.position] == [2, 0]
    after = files(opened)
    assert {path: after[path] for path in before} == before
    opened.import_labels(label_file)
    qtbot.waitUntil(lambda: opened.steps.position == 1, timeout=SECONDS * 1000)


def test_that_undo_and_other_edits_wait_with_a_sentence(
    window, opened, paint, label_file, gate, qtbot
):
    gate.set()
    paint(0, 3, 1)
    ended(opened, qtbot)
    gate.clear()
    canvas = window.findChild(QWidget, "canvas")
    under_way(opened, qtbot, lambda: opened.import_labels(label_file))
    assert not window._actions["undo"].isEnabled()
    assert "Bringing labels in" in window._actions["undo"].toolTip()
    for key in (Qt.Key.Key_Z, Qt.Key.Key_Y, Qt.Key.Key_S, Qt.Key.Key_W, Qt.Key.Key_O):
        QTest.keyClick(canvas, key, CONTROL)
    opened.undo()
    opened.add_class("Salt")
    opened.delete_class(1)
    assert "wait for it to end" in opened.said[-1].text
    opened.import_labels(label_file)
    assert "wait for it to end" in opened.said[-1].text
    gate.set()
    ended(opened, qtbot)
    assert [row.text for row in opened.steps.rows] == ["Paint Class 1", "Labels from labels.npy"]
    assert opened.steps.position == 2
    assert [c.name for c in opened.classes] == ["Class 1", "Class 2", "Class 7"]


def test_that_a_stroke_in_hand_is_written_after_it_and_no_other_begins(
    window, opened, label_file, gate, qtbot
):
    canvas = window.findChild(QWidget, "canvas")
    opened.set_tool("brush")
    opened.set_current_class(2)
    at = canvas.viewport.pixel_of(12, 20).toPoint()
    QTest.mousePress(canvas, LEFT, pos=at)
    under_way(opened, qtbot, lambda: opened.import_labels(label_file))
    QTest.mouseMove(canvas, canvas.viewport.pixel_of(12, 25).toPoint())
    QTest.mouseRelease(canvas, LEFT, pos=at)
    shown = canvas.labels.levels.copy()
    QTest.mouseClick(canvas, LEFT, pos=canvas.viewport.pixel_of(3, 3).toPoint())
    assert "painting goes on when that has ended" in opened.said[-1].text
    assert np.array_equal(canvas.labels.levels, shown)
    assert counts(opened) == {}
    gate.set()
    ended(opened, qtbot)
    qtbot.waitUntil(lambda: opened.steps.position == 2 and not opened.busy, timeout=5000)
    assert counts(opened)[2] == np.count_nonzero(shown == 2) > 0
    assert (canvas.labels.levels[shown == 2] == 2).all()
    opened.undo()
    ended(opened, qtbot)
    assert counts(opened) == {1: 10 * 15 * 24, 7: 20 * 15 * 24}


def test_that_a_polygon_closed_meanwhile_is_painted_after_it(
    window, opened, label_file, gate, qtbot
):
    canvas = window.findChild(QWidget, "canvas")
    opened.set_tool("polygon")
    opened.set_current_class(2)
    corners = [(2, 16), (2, 28), (20, 28), (20, 16)]
    QTest.mouseClick(canvas, LEFT, pos=canvas.viewport.pixel_of(*corners[0]).toPoint())
    under_way(opened, qtbot, lambda: opened.import_labels(label_file))
    for corner in corners[1:]:
        QTest.mouseClick(canvas, LEFT, pos=canvas.viewport.pixel_of(*corner).toPoint())
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    gate.set()
    qtbot.waitUntil(lambda: opened.steps.position == 2 and not opened.busy, timeout=5000)
    assert counts(opened)[2] > 150


def test_that_closing_meanwhile_keeps_the_step_and_the_stroke(
    window, opened, paint, label_file, small_file, open_and_wait, gate, qtbot
):
    under_way(opened, qtbot, lambda: opened.import_labels(label_file))
    paint(20, 24, 2)
    threading.Timer(0.2, gate.set).start()
    window.close()
    assert opened.project is None
    again = Session()
    open_and_wait(again, small_file, qtbot)
    assert [row.text for row in again.steps.rows] == ["Labels from labels.npy", "Paint Class 2"]
    assert counts(again)[2] == 4 * 30
    again.shut_down()


def test_that_a_file_that_was_opening_is_shown_after_it(opened, paint, gate, tmp_path, qtbot):
    np.save(tmp_path / "other.npy", np.random.default_rng(1).normal(size=(20, 30)))
    opened.open_path(tmp_path / "other.npy")
    under_way(opened, qtbot, lambda: paint(0, 3, 1))
    first = opened.project
    qtbot.wait(300)
    assert opened.project is first
    gate.set()
    qtbot.waitUntil(lambda: opened.project is not first and not opened.busy, timeout=10000)
    assert opened.source.name == "other"
    qtbot.waitUntil(lambda: opened.statistics is not None, timeout=5000)


def test_that_what_waits_for_its_class_to_be_deleted_is_not_painted(opened, paint, gate, qtbot):
    gate.set()
    paint(0, 3, 2)
    ended(opened, qtbot)
    gate.clear()
    under_way(opened, qtbot, lambda: opened.delete_class(2))
    paint(5, 9, 2)
    gate.set()
    ended(opened, qtbot)
    assert counts(opened) == {}
    assert "deleted meanwhile" in opened.said[-1].text
    opened.undo()
    ended(opened, qtbot)
    assert counts(opened) == {2: 90}


def test_that_steps_of_this_sitting_wait_their_turn(opened, paint, gate, qtbot):
    under_way(opened, qtbot, lambda: paint(0, 3, 1))
    opened.steps.push(steps.Step("Move", lambda: True, lambda: True))
    assert opened.steps.rows == ()
    gate.set()
    ended(opened, qtbot)
    assert [row.text for row in opened.steps.rows] == ["Paint Class 1", "Move"]
    opened.go_to_step(0)
    ended(opened, qtbot)
    assert (counts(opened), opened.steps.position) == ({}, 0)
    opened.go_to_step(2)
    ended(opened, qtbot)
    assert (counts(opened), opened.steps.position) == ({1: 90}, 2)


def test_that_what_has_grown_long_is_tidied_in_the_background(opened, paint, monkeypatch, qtbot):
    monkeypatch.setattr("geocnn_gui.labels.book.JOURNAL_LIMIT", 100)
    opened.project.history._most = 700
    for row in range(8):
        paint(row, row + 1, 1 + row % 2)
        assert opened.steps.busy in ("", "Tidying the labels")
        ended(opened, qtbot)
    assert (opened.labels.folder / "labels.npz").exists()
    assert 0 < len(opened.steps.rows) < 8
    assert opened.steps.position == len(opened.steps.rows)
    opened.go_to_step(0)
    assert sum(counts(opened).values()) == 30 * (8 - len(opened.steps.rows))

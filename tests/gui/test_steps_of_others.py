"""Steps and labels in the window that are large, come back late, or come from strangers."""

from __future__ import annotations

import shutil
import threading

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument

from geocnn_gui.data.source import Window
from geocnn_gui.gui import step_runner
from geocnn_gui.gui.session import Session
from geocnn_gui.gui.steps import Steps
from geocnn_gui.gui.widgets.step_table import StepTable
from geocnn_gui.labels.book import LabelBook
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.project.project import Project


@pytest.fixture
def two(opened, paint, tmp_path, qtbot):
    """A session with two sources, both painted with class 2, the first in view."""
    paint(0, 3, 2)
    np.save(tmp_path / "b.npy", np.zeros((20, 30), np.float32))
    with qtbot.waitSignal(opened.source_changed, timeout=10000):
        opened.add_path(tmp_path / "b.npy")
    opened.paint(opened.section, slice(0, 2), slice(0, 30), np.ones((2, 30), bool), 2)
    with qtbot.waitSignal(opened.source_changed, timeout=10000):
        opened.show_entry("s1")
    opened.said.clear()
    return opened


def wait_for(session, qtbot, words):
    qtbot.waitUntil(lambda: any(words in m.text for m in session.said), timeout=10000)
    return next(m for m in session.said if words in m.text)


def press(message, name):
    dict(message.actions)[name]()


def test_that_labels_of_a_class_deleted_while_their_source_was_out_can_be_erased(two, qtbot):
    stored = next(e for e in two.project.sources if e.id == "s2")
    two.remove_source("s2")
    two.delete_class(2)
    two.put_back(stored.id)
    message = wait_for(two, qtbot, "no longer there")
    assert "60 cells" in message.text
    press(message, "Erase them")
    store = two.project.stored_labels("s2").store
    assert store.counts == {}
    two.undo()
    assert store.counts == {2: 60}
    two.undo()
    assert [c.id for c in two.classes] == [1, 2]
    two.said.clear()
    with qtbot.waitSignal(two.source_changed, timeout=10000):
        two.show_entry("s2")
    assert not [m.text for m in two.said if "no longer there" in m.text]


def test_that_labels_of_another_source_are_read_away_from_the_window(two, qtbot, monkeypatch):
    folder, threads, real = two.project.folder, [], LabelBook.__init__
    two.paint(two.section, slice(5, 9), slice(0, 30), np.ones((4, 30), bool), 1)
    two.close_source()

    def noting(self, *arguments, **more):
        threads.append(threading.current_thread())
        real(self, *arguments, **more)

    monkeypatch.setattr(LabelBook, "__init__", noting)
    with qtbot.waitSignal(two.source_changed, timeout=10000):
        two.open_project(folder)
    for entry in ("s2", "s1"):
        with qtbot.waitSignal(two.source_changed, timeout=10000):
            two.show_entry(entry)
    assert len(threads) == 2
    assert threading.main_thread() not in threads


def test_that_a_section_of_a_cube_is_heavier_than_a_raster_of_as_many_cells(
    two, qtbot, monkeypatch
):
    monkeypatch.setattr(step_runner, "LIGHT_CELLS", 5000)
    for entry, heavy in (("s2", False), ("s1", True)):
        if two.entry_id != entry:
            with qtbot.waitSignal(two.source_changed, timeout=10000):
                two.show_entry(entry)
        shape = two.source.picture_shape(two.section)
        mask = np.ones(shape, bool)
        two.paint(two.section, slice(0, shape[0]), slice(0, shape[1]), mask, 1)
        assert bool(two.steps.busy) == heavy
        qtbot.waitUntil(lambda: not two.steps.busy, timeout=10000)
        assert two.labels.store.counts == {1: mask.size}
    two.undo()
    assert two.steps.busy
    qtbot.waitUntil(lambda: not two.steps.busy, timeout=10000)


@pytest.mark.parametrize("error", [MemoryError("all is used"), ValueError("a bug")])
def test_that_a_step_that_fails_in_any_way_is_told_and_takes_back_what_was_shown(
    tmp_path, qapp, error
):
    np.save(tmp_path / "a.npy", np.zeros((20, 30)))
    steps, failed, heard = Steps(), [], []
    steps.failed.connect(failed.append)

    def parts():
        yield "s1", LabelEdit.paint(store, Window((0, 0), (2, 2)), np.ones((2, 2), bool), 1)
        raise error

    with Project.create(tmp_path / "work") as project:
        store = project.labels(project.add_source(tmp_path / "a.npy").id, (20, 30)).store
        steps.attach(project.history)
        assert not steps.do("Paint", parts(), then=heard.append)
        assert (failed, heard, steps.rows, store.counts) == ([error], [False], (), {})
        steps.attach(None)


def test_that_the_name_of_a_step_is_no_markup(window, opened, qtbot):
    text = '<img src="file:///etc/passwd"><b>Paint</b>'
    opened.project.history.do(text, classes=opened.classes[:1])
    opened.steps.refresh()
    window._actions["history"].trigger()
    view = window.findChild(StepTable, "step_table")
    qtbot.waitUntil(view.isVisible, timeout=5000)
    table = view.model()
    last = table.index(table.rowCount() - 1, 0)
    for tip in (window._actions["undo"].toolTip(), last.data(Qt.ItemDataRole.ToolTipRole)):
        shown = QTextDocument()
        shown.setHtml(tip)
        assert text in shown.toPlainText()


def test_that_recovered_edits_are_taken_out_away_from_the_window(two, qtbot, monkeypatch, tmp_path):
    folder, threads, real = two.project.folder, [], LabelBook.keep_copy
    wounded = tmp_path / "wounded"
    shutil.copytree(folder, wounded)
    two.close_source()

    def noting(self):
        threads.append(threading.current_thread())
        return real(self)

    monkeypatch.setattr(LabelBook, "keep_copy", noting)
    monkeypatch.setattr(step_runner, "LIGHT_CELLS", -1)
    session = Session()
    with qtbot.waitSignal(session.source_changed, timeout=10000):
        session.open_project(wounded)
    session._drop_recovered(session.project)
    qtbot.waitUntil(lambda: not session.steps.busy, timeout=10000)
    assert session.project.stored_labels("s1").store.counts == {}
    assert len(threads) == 2
    assert threading.main_thread() not in threads
    session.shut_down()

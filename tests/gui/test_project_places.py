"""Projects whose files moved or changed, that are open elsewhere, or were left in a crash."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QPushButton, QTreeWidget

from geocnn_gui.data.source import Section, Window
from geocnn_gui.gui.session import Session
from geocnn_gui.labels.book import LabelBook
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.project.home import data_home, default_folder
from geocnn_gui.project.marks import interrupted
from geocnn_gui.project.project import Project
from geocnn_gui.project.recent import recent_projects


def counts(session):
    return session.labels.store.counts


def said(session, words):
    return next((m for m in reversed(session.said) if words in m.text), None)


def wait_for(session, qtbot, words):
    qtbot.waitUntil(lambda: said(session, words) is not None, timeout=10000)
    return said(session, words)


def press(message, text):
    dict(message.actions)[text]()


def open_project(session, folder, qtbot):
    with qtbot.waitSignal(session.project_changed, timeout=20000):
        session.open_path(folder)


@pytest.fixture
def small_file(tmp_path):
    """The small cube, so deep that a search from there ends in this test's own folder."""
    path = tmp_path / "surveys" / "2024" / "small.npy"
    path.parent.mkdir(parents=True)
    np.save(path, np.random.default_rng(0).normal(size=(20, 30, 24)).astype(np.float32))
    return path


@pytest.fixture
def left(opened, paint, qtbot):
    """A closed session whose project holds a painted block; the project's folder."""
    paint(0, 3, 2)
    folder = opened.project.folder
    opened.close_source()
    return folder


def snapshot(folder):
    """Name, time and bytes of every file below a folder."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", ["", "project.json"])
def test_that_a_project_opens_by_its_folder_or_its_file(session, left, qtbot, name):
    open_project(session, left / name, qtbot)
    assert counts(session) == {2: 90}
    assert recent_projects()[0].folder == str(left)


def test_that_a_folder_without_a_project_is_told(session, tmp_path, qtbot):
    session.open_path(tmp_path)
    assert wait_for(session, qtbot, "project.json").kind == "error"
    assert session.project is None


def test_that_a_moved_file_is_found_and_used_once_said(session, left, small_file, qtbot):
    moved = small_file.parents[1] / "archive" / "renamed.npy"
    moved.parent.mkdir()
    shutil.move(small_file, moved)
    open_project(session, left, qtbot)
    message = wait_for(session, qtbot, f"found at {moved}")
    assert session.source is None
    assert session.project.sources[0].state == "missing"
    with qtbot.waitSignal(session.source_changed, timeout=10000):
        press(message, "Use it")
    assert counts(session) == {2: 90}
    assert session.project.sources[0].path == str(moved)
    assert session.project.sources[0].unchanged


@pytest.mark.parametrize("said_before", [True, False])
def test_that_a_moved_file_opened_at_its_new_place_finds_its_project(
    session, left, small_file, tmp_path, qtbot, said_before
):
    moved = tmp_path / "1" / "2" / "3" / "4" / "5" / "6" / "far.npy"
    moved.parent.mkdir(parents=True)
    shutil.move(small_file, moved)
    if said_before:
        open_project(session, left, qtbot)
        with qtbot.waitSignal(session.source_changed, timeout=10000):
            session.use_place("s1", moved)
        session.close_source()
    session.said.clear()
    open_project(session, moved, qtbot)
    assert session.project.folder == left
    assert counts(session) == {2: 90}
    assert [(e.path, e.state) for e in session.project.sources] == [(str(moved), "there")]
    told = [m.text for m in session.said]
    assert told == ([] if said_before else [f"{moved} is the file that was at {small_file}:"
                                            " its project goes on."])  # fmt: skip
    assert not default_folder(moved).exists()
    session.open_path(moved)  # it is open: nothing else is begun
    assert session.busy == ""
    assert session.project.folder == left


def test_that_a_copy_of_a_file_gets_a_project_of_its_own(session, left, small_file, qtbot):
    copy = small_file.with_name("copy.npy")
    shutil.copy2(small_file, copy)
    open_project(session, copy, qtbot)
    assert session.project.folder == default_folder(copy)
    assert counts(session) == {}


def test_that_a_file_moved_meanwhile_is_taken_when_added(session, left, small_file, qtbot):
    moved = small_file.with_name("moved.npy")
    shutil.move(small_file, moved)
    open_project(session, left, qtbot)
    with qtbot.waitSignal(session.source_changed, timeout=10000):
        session.add_path(moved)
    assert [e.id for e in session.project.sources] == ["s1"]
    assert counts(session) == {2: 90}


def test_that_a_file_not_found_can_be_pointed_at(session, left, small_file, tmp_path, qtbot):
    far = tmp_path / "1" / "2" / "3" / "4" / "5" / "6" / "far.npy"
    far.parent.mkdir(parents=True)
    shutil.move(small_file, far)
    open_project(session, left, qtbot)
    message = wait_for(session, qtbot, "nor anywhere near")
    with qtbot.waitSignal(session.request_place) as blocker:
        press(message, "Choose where it is…")
    with qtbot.waitSignal(session.source_changed, timeout=10000):
        session.use_place(blocker.args[0], far)
    assert counts(session) == {2: 90}


def test_that_another_file_in_its_place_is_asked_about(session, left, small_file, qtbot):
    other = small_file.with_name("other.npy")
    np.save(other, np.zeros((20, 30, 24), np.float32))
    small_file.unlink()
    open_project(session, left, qtbot)
    session.use_place("s1", other)
    message = wait_for(session, qtbot, "is not the file that was added")
    assert session.source is None
    with qtbot.waitSignal(session.source_changed, timeout=10000):
        press(message, "Use it anyway")
    assert session.project.sources[0].path == str(other)


@pytest.mark.parametrize("door", ["file", "project"])
def test_that_labels_are_not_put_over_a_changed_file_unasked(
    session, left, small_file, qtbot, door
):
    np.save(small_file, np.ones((20, 30, 24), np.float32))
    open_project(session, small_file if door == "file" else left, qtbot)
    message = wait_for(session, qtbot, "has changed since it was added")
    assert session.source is None
    assert session.labels is None
    with qtbot.waitSignal(session.source_changed, timeout=10000):
        press(message, "Open it anyway")
    assert counts(session) == {2: 90}
    assert session.project.sources[0].unchanged


def test_that_a_file_of_another_shape_is_explained_and_keeps_its_labels(
    session, left, small_file, qtbot
):
    np.save(small_file, np.ones((19, 30, 24), np.float32))
    open_project(session, left, qtbot)
    press(wait_for(session, qtbot, "has changed since"), "Open it anyway")
    assert "19 x 30 x 24" in wait_for(session, qtbot, "the source now has").text
    assert session.source is None
    assert session.project.sources[0].state == "changed"
    assert LabelBook(left / "labels" / "s1", (20, 30, 24)).store.counts == {2: 90}


def test_that_a_project_without_its_data_shows_its_other_sources(
    session, left, small_file, tmp_path, qtbot
):
    other = tmp_path / "b" / "b.npy"
    other.parent.mkdir()
    np.save(other, np.zeros((8, 9), np.float32))
    with Project.open(left) as project:
        project.add_source(other)
    small_file.write_bytes(b"gone bad")
    open_project(session, left, qtbot)
    assert session.source is None
    with qtbot.waitSignal(session.source_changed, timeout=10000):
        session.show_entry("s2")
    assert session.source.shape == (8, 9)


def test_that_a_project_without_its_data_can_be_copied(
    session, left, small_file, tmp_path, window, qtbot
):
    small_file.unlink()
    open_project(session, left, qtbot)
    wait_for(session, qtbot, "nor anywhere near")
    assert window._actions["copy_project"].isEnabled()
    session.save_project_copy(tmp_path / "copy")
    wait_for(session, qtbot, "was copied to")
    with LabelBook(tmp_path / "copy" / "labels" / "s1", (20, 30, 24)) as book:
        assert book.store.counts == {2: 90}


def test_that_a_file_of_several_forgets_choices_that_no_reader_knows(session, left, qtbot):
    path = left / "project.json"
    data = json.loads(path.read_text())
    data["sources"][0]["choices"] = {"__class__": "x", "key": 3}
    path.write_text(json.dumps(data))
    open_project(session, left, qtbot)
    assert session.source is not None


# ---- Open elsewhere ----------------------------------------------------------------------------


@pytest.fixture
def held(left):
    """The folder of a project that another session holds."""
    with Project.open(left):
        yield left


def test_that_a_project_open_elsewhere_is_read_only_and_names_its_holder(
    session, held, window, qtbot
):
    before = snapshot(held)
    open_project(session, held, qtbot)
    message = wait_for(session, qtbot, "read-only here")
    assert "open in this program" in message.text
    assert counts(session) == {2: 90}
    for name in ("tool_brush", "add_class", "load_labels", "train", "predict", "save", "add"):
        action = window._actions[name]
        assert not action.isEnabled(), name
        assert "read-only here" in action.toolTip(), name
    assert not window.findChild(QPushButton, "add_class").isEnabled()
    assert "read-only" in window.windowTitle()
    session.set_tool("brush")
    mask = np.ones((2, 2), bool)
    session.paint(Section(0, 1), slice(0, 2), slice(0, 2), mask, 1)
    session.add_class("x")
    session.rename_class(1, "x")
    session.delete_class(2)
    session.set_section(Section(1, 1))
    session.start_training()
    session.remove_source("s1")
    session.keep_work()
    session.save()
    assert session.tool == "pan"
    assert counts(session) == {2: 90}
    session.close_source()
    assert snapshot(held) == before
    assert [m.text for m in session.said if m.kind == "error"] == []


def test_that_try_again_makes_it_writable_once_it_is_free(session, left, qtbot):
    holder = Project.open(left)
    open_project(session, left, qtbot)
    message = wait_for(session, qtbot, "read-only here")
    holder.close()
    with qtbot.waitSignal(session.project_changed, timeout=10000):
        press(message, "Try again")
    assert session.why_read_only() == ""
    assert counts(session) == {2: 90}


def test_that_labels_of_a_read_only_project_can_be_saved_elsewhere(session, held, tmp_path, qtbot):
    open_project(session, held, qtbot)
    session.save_labels(tmp_path / "out.npy")
    qtbot.waitUntil(lambda: (tmp_path / "out.npy").exists(), timeout=10000)
    wait_for(session, qtbot, "Labels saved")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX errors")
def test_that_a_folder_that_cannot_be_written_opens_read_only(session, left, qtbot, monkeypatch):
    real = os.open

    def read_only_disk(path, flags, *rest, **more):
        if str(path).startswith(str(left)) and flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(30, "Read-only file system")
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", read_only_disk)
    before = snapshot(left)
    open_project(session, left, qtbot)
    assert "cannot be written to" in wait_for(session, qtbot, "read-only here").text
    assert counts(session) == {2: 90}
    session.close_source()
    assert snapshot(left) == before


def test_that_no_torn_end_is_cut_off_while_its_holder_writes_it(session, held, qtbot):
    book = LabelBook(held / "labels" / "s1", (20, 30, 24))
    window = Window((9, 0, 0), (1, 30, 24))
    book.apply(LabelEdit.paint(book.store, window, np.ones(window.size, bool), 1))
    journal = held / "labels" / "s1" / "labels.journal"
    with journal.open("ab") as file:
        file.write(b"\x50\0\0\0half a record")
    before = snapshot(held)
    open_project(session, held, qtbot)
    assert counts(session) == {1: 720, 2: 90}
    assert said(session, "not whole") is None
    session.close_source()
    assert snapshot(held) == before
    book.close()


# ---- After a crash -----------------------------------------------------------------------------

CRASH = """
import os, sys
import numpy as np
from pathlib import Path
from geocnn_gui.data.source import Window
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.project.project import Project

project = Project.open(Path(sys.argv[1]))
book = project.labels("s1", (20, 30, 24))
for row in range(4):
    window = Window((row, 0, 0), (1, 30, 24))
    book.apply(LabelEdit.paint(book.store, window, np.ones(window.size, bool), 1))
os._exit(9)
"""


@pytest.fixture
def crashed(left):
    """The folder of a project that was open, with four new edits, when the program died."""
    code = textwrap.dedent(CRASH)
    subprocess.run([sys.executable, "-c", code, str(left)], check=False, timeout=60)
    return left


def test_that_a_crash_is_asked_about_and_continue_brings_all_back(session, crashed, window, qtbot):
    session.offer_recovery()
    message = wait_for(session, qtbot, "did not close properly while small was open")
    assert "4 edits since" in message.text
    assert session.project is None
    with qtbot.waitSignal(session.project_changed, timeout=10000):
        press(message, "Continue")
    assert counts(session)[1] == 4 * 30 * 24
    wait_for(session, qtbot, "4 edits after the last tidy save are back")
    session.close_source()
    assert interrupted() == ()
    open_project(session, crashed, qtbot)
    assert sum("are back" in m.text for m in session.said) == 1


def test_that_the_recovered_edits_can_be_left_out_and_taken_back(session, crashed, qtbot):
    open_project(session, crashed, qtbot)
    press(wait_for(session, qtbot, "are back"), "Without them")
    assert counts(session) == {2: 90}
    (copy,) = (crashed / "labels" / "s1").glob("labels-*.npz")
    assert "0_0_0" in np.load(copy).files
    session.undo()
    assert counts(session)[1] == 4 * 30 * 24


def test_that_strokes_painted_since_stay_when_the_recovered_edits_go(session, crashed, qtbot):
    open_project(session, crashed, qtbot)
    message = wait_for(session, qtbot, "are back")
    session.paint(Section(0, 2), slice(0, 24), slice(0, 4), np.ones((24, 4), bool), 2)  # over them
    session.paint(Section(0, 9), slice(0, 2), slice(0, 5), np.ones((2, 5), bool), 1)
    press(message, "Without them")
    assert counts(session) == {2: 90 + 24 * 4, 1: 10}
    assert "painted since" in session.said[-1].text


def test_that_the_question_of_one_project_takes_nothing_from_another(
    session, crashed, tmp_path, qtbot
):
    open_project(session, crashed, qtbot)
    message = wait_for(session, qtbot, "are back")
    before = counts(session)
    session.close_source()
    open_project(session, crashed, qtbot)
    press(message, "Without them")
    assert counts(session) == before
    assert "closed since" in session.said[-1].text


def test_that_not_now_asks_no_second_time_but_the_project_still_tells(session, crashed, qtbot):
    session.offer_recovery()
    press(wait_for(session, qtbot, "did not close properly"), "Not now")
    assert interrupted() == ()
    open_project(session, crashed, qtbot)
    wait_for(session, qtbot, "are back")


def test_that_a_window_that_still_runs_is_no_crash(session, left, small_file, qtbot):
    other = Session()
    open_project(other, left, qtbot)
    assert interrupted() == ()
    session.offer_recovery()
    qtbot.wait(200)
    assert session.said == []
    other.shut_down()


def test_that_a_proper_end_asks_nothing(session, left, qtbot):
    assert interrupted() == ()
    open_project(session, left, qtbot)
    assert session.said == []


@pytest.mark.parametrize("name", ["", "project.json", "its file"])
def test_that_an_end_while_a_project_opens_is_no_crash(
    session, left, small_file, name, monkeypatch
):
    began, real = threading.Event(), Project.open
    monkeypatch.setattr(Project, "open", lambda *a, **k: (began.set(), real(*a, **k))[1])
    session.open_path(small_file if name == "its file" else left / name)
    assert began.wait(10)
    session.shut_down()
    assert session.project is None
    assert interrupted() == ()
    assert list((data_home() / "open").iterdir()) == []
    with Project.open(left) as project:
        assert project.left_at is None


@pytest.mark.parametrize("content", [b"", b"[]", b'{"folder": 7}', b"\xff", b'{"folder": "/x"}'])
def test_that_a_broken_note_of_a_crash_is_swept_away(own_home, content):
    (own_home / "open").mkdir()
    (own_home / "open" / "1-x.json").write_bytes(content)
    assert interrupted() == ()
    assert list((own_home / "open").iterdir()) == []


# ---- Sources and classes of several files ------------------------------------------------------


@pytest.fixture
def two(opened, paint, tmp_path, qtbot):
    """A session with two sources, both painted with class 2, the second in view."""
    paint(0, 3, 2)
    other = tmp_path / "b.npy"
    np.save(other, np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32))
    with qtbot.waitSignal(opened.source_changed, timeout=10000):
        opened.add_path(other)
    opened.paint(opened.section, slice(0, 2), slice(0, 30), np.ones((2, 30), bool), 2)
    return opened


def test_that_deleting_a_class_clears_it_in_every_source_and_undo_brings_it_back(two):
    first = two.project.labels("s1", (20, 30, 24)).store
    two.delete_class(2)
    assert (first.counts, counts(two)) == ({}, {})
    two.undo()
    assert (first.counts, counts(two)) == ({2: 90}, {2: 60})
    two.redo()
    assert (first.counts, counts(two)) == ({}, {})


def test_that_a_removed_source_keeps_its_labels_and_can_be_put_back(two, qtbot):
    folder = two.project.folder
    two.remove_source("s2")
    assert [entry.id for entry in two.project.sources] == ["s1"]
    assert two.source is None
    assert (folder / "removed" / "s2" / "labels" / "labels.npz").exists()
    press(wait_for(two, qtbot, "was removed"), "Put it back")
    with qtbot.waitSignal(two.source_changed, timeout=10000):
        two.show_entry("s2")
    assert counts(two) == {2: 60}


def test_that_a_removed_source_is_listed_and_a_click_brings_it_back(two, window, qtbot):
    folder = two.project.folder
    two.remove_source("s2")
    two.close_source()
    two.said.clear()
    open_project(two, folder, qtbot)
    tree = window.findChild(QTreeWidget, "project_tree")
    last = tree.topLevelItem(tree.topLevelItemCount() - 1)
    assert last.text(0) == "Removed: b.npy"
    at = tree.visualItemRect(last).center()
    qtbot.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert [entry.id for entry in two.project.sources] == ["s1", "s2"]
    assert "Removed" not in tree.topLevelItem(tree.topLevelItemCount() - 1).text(0)
    with qtbot.waitSignal(two.source_changed, timeout=10000):
        two.show_entry("s2")
    assert counts(two) == {2: 60}
    two.remove_source("s2")  # and once more
    last = tree.topLevelItem(tree.topLevelItemCount() - 1)
    at = tree.visualItemRect(last).center()
    tree.customContextMenuRequested.emit(at)
    [back] = window.findChild(QMenu, "source_menu").actions()
    assert back.text() == "Put back"
    back.trigger()
    assert [entry.id for entry in two.project.sources] == ["s1", "s2"]


@pytest.mark.parametrize("door", ["add", "open"])
def test_that_a_removed_file_opened_again_comes_back_with_its_labels(
    session, left, small_file, qtbot, door
):
    with Project.open(left) as project:
        project.remove_source("s1")
    open_project(session, small_file if door == "open" else left, qtbot)
    if door == "add":
        with qtbot.waitSignal(session.source_changed, timeout=10000):
            session.add_path(small_file)
    assert [entry.id for entry in session.project.sources] == ["s1"]
    assert counts(session) == {2: 90}
    wait_for(session, qtbot, "small.npy had been removed: it is back, with its labels.")
    assert session.removed == ()


def test_that_another_file_in_the_place_of_a_removed_one_is_a_new_source(
    session, left, small_file, qtbot
):
    with Project.open(left) as project:
        project.remove_source("s1")
    np.save(small_file, np.ones((20, 30, 24), np.float32))
    open_project(session, small_file, qtbot)
    assert [entry.id for entry in session.project.sources] == ["s2"]
    assert counts(session) == {}
    assert [stored.id for stored in session.removed] == ["s1"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"id": "../x", "name": "x", "path": "/x"}'])
def test_that_a_damaged_record_of_a_removed_source_is_passed_over(session, left, qtbot, content):
    (left / "removed" / "s7").mkdir(parents=True)
    (left / "removed" / "s7" / "source.json").write_bytes(content)
    open_project(session, left, qtbot)
    assert session.removed == ()
    assert counts(session) == {2: 90}


def test_that_the_id_of_a_removed_source_is_not_given_again(two, tmp_path):
    two.remove_source("s2")
    two.keep_work()
    new = tmp_path / "c.npy"
    np.save(new, np.zeros((4, 5)))
    assert two.project.add_source(new).id == "s3"


def test_that_a_right_click_removes_a_source(two, window, qtbot):
    tree = window.findChild(QTreeWidget, "project_tree")
    item = tree.topLevelItem(0)
    tree.customContextMenuRequested.emit(tree.visualItemRect(item).center())
    menu = window.findChild(QMenu, "source_menu")
    remove = next(a for a in menu.actions() if a.text() == "Remove from project")
    remove.trigger()
    menu.close()
    assert [entry.id for entry in two.project.sources] == ["s2"]
    assert two.source is not None


def test_that_a_copy_of_the_project_opens_by_itself(two, tmp_path, qtbot):
    copy = tmp_path / "Archiv (é)" / "copy"
    copy.parent.mkdir()
    two.save_project_copy(copy)
    wait_for(two, qtbot, f"copied to {copy}")
    qtbot.waitUntil(lambda: two.job is None, timeout=10000)
    two.close_source()
    with Project.open(copy) as project:
        assert [entry.unchanged for entry in project.sources] == [True, True]
        assert project.stored_labels("s1").store.counts == {2: 90}
        assert project.stored_labels("s2").store.counts == {2: 60}


def test_that_another_file_added_while_its_project_is_open_elsewhere_is_shown(
    session, left, small_file, qtbot
):
    with Project.open(left):
        with qtbot.waitSignal(session.source_changed, timeout=10000):
            session.open_path(small_file)
        assert session.project.folder == default_folder(small_file)
        assert "read-only" in session.why_read_only()

"""Undo and redo survive restarts, kills, torn files and full disks, in step with the labels."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import history_deeds as deeds
import numpy as np
import pytest
from history_deeds import CHALK, SALT, SAND, SHAPES, held, stroke
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from test_faults import full_after

from geocnn_gui.data.source import Window
from geocnn_gui.errors import BadRequest, CannotWrite
from geocnn_gui.labels.book import LabelBook
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.project import history_log
from geocnn_gui.project.copying import copy_project
from geocnn_gui.project.history import ASIDE_FILE, HISTORY_FILE, _pieces
from geocnn_gui.project.project import Project


@pytest.fixture
def folder(tmp_path):
    """The folder of a closed project of two sources and two steps."""
    (tmp_path / "begun").mkdir()
    deeds.begin(tmp_path / "begun")
    return tmp_path / "begun" / "work"


def same(one, other):
    return one[1] == other[1] and all((one[0][e] == other[0][e]).all() for e in SHAPES)


def states(folder):
    """Return what the project holds after 0, 1, ... of its steps; it is left as it is."""
    copy = folder.parent / "looked at"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    found = []
    with Project.open(copy) as project:
        for number in range(len(project.history.steps) + 1):
            project.history.go_to(number)
            found.append(held(project))
    return found


def crash(project):
    """Leave the files as they are, as the end of the process would."""
    for book in project._books.values():
        if book._journal is not None:
            book._journal.close()
            book._journal = None
    if project.history._log is not None:
        project.history._log.close()
        project.history._log = None
    project.close()


# ---- Any order of edits, undo and restarts -----------------------------------------------------


class HistoryMachine(RuleBasedStateMachine):
    """Random edits of two sources and the classes beside plain arrays and a list of states."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.path = self.folder / str(len(list(self.folder.iterdir()))) / "work"
        self.path.parent.mkdir()
        self.project = Project.create(self.path)
        for entry, shape in SHAPES.items():
            np.save(self.path.parent / f"{entry}.npy", np.full(shape, int(entry[1:])))
            self.project.add_source(self.path.parent / f"{entry}.npy")
        self.names = 0
        zeros = {entry: np.zeros(shape, np.uint8) for entry, shape in SHAPES.items()}
        self.past: list[tuple[dict[str, np.ndarray], tuple]] = [(zeros, ())]
        self.at = 0

    def did(self, labels, classes, text):
        now = self.past[self.at]
        if classes == now[1] and all((labels[e] == now[0][e]).all() for e in SHAPES):
            return
        self.past[self.at + 1 :] = [(labels, classes)]
        self.at += 1
        assert self.project.history.steps[-1].text == text

    def copy(self):
        return {entry: array.copy() for entry, array in self.past[self.at][0].items()}

    def draw(self, data, entry):
        shape = SHAPES[entry]
        offset = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
        size = tuple(
            data.draw(st.integers(1, min(40, n - o))) for n, o in zip(shape, offset, strict=True)
        )
        return Window(offset, size)

    @rule(data=st.data(), entries=st.lists(st.sampled_from(sorted(SHAPES)), min_size=1, max_size=4),
          value=st.integers(0, 3), seed=st.integers(0, 99))  # fmt: skip
    def paint(self, data, entries, value, seed):
        labels, parts = self.copy(), []
        for entry in entries:
            window = self.draw(data, entry)
            mask = np.random.default_rng(seed).random(window.size) < 0.5
            store = self.project.labels(entry, SHAPES[entry]).store
            parts.append((entry, LabelEdit.paint(store, window, mask, value)))
            labels[entry][window.slices][mask] = value
        self.project.history.do("Paint", parts)
        self.did(labels, self.past[self.at][1], "Paint")

    @rule(data=st.data(), seed=st.integers(0, 99))
    def bring_in(self, data, seed):
        labels, window = self.copy(), self.draw(data, "s1")
        values = np.random.default_rng(seed).integers(0, 5, window.size, np.uint8)
        store = self.project.labels("s1", SHAPES["s1"]).store
        classes = (*self.past[self.at][1], self.project.new_class())[-3:]
        part = LabelEdit.replace(store, window, values)
        self.project.history.do("Labels", [("s1", part)], classes=classes)
        block = labels["s1"][window.slices]
        block[values > 0] = values[values > 0]
        self.did(labels, classes, "Labels")

    @rule()
    def rename(self):
        self.names += 1
        classes = tuple(
            c.model_copy(update={"name": f"n{self.names}"}) for c in self.past[self.at][1]
        )
        self.project.history.do("Rename", classes=classes)
        self.did(self.copy(), classes, "Rename")

    @rule(data=st.data())
    def go(self, data):
        self.at = data.draw(st.integers(0, len(self.past) - 1))
        self.project.history.go_to(self.at)

    @rule()
    def undo(self):
        self.at = max(self.at - 1, 0)
        self.project.history.go_to(self.project.history.position - 1)

    @rule(entry=st.sampled_from(sorted(SHAPES)))
    def tidy(self, entry):
        self.project.labels(entry, SHAPES[entry]).compact()

    @rule(crashed=st.booleans())
    def restart(self, crashed):
        (crash if crashed else Project.close)(self.project)
        self.project = Project.open(self.path)

    @invariant()
    def agrees(self):
        history = self.project.history
        assert (history.position, len(history.steps)) == (self.at, len(self.past) - 1)
        assert same(held(self.project), self.past[self.at])
        assert history.take_notes() == ()

    def teardown(self):
        self.project.close()


def test_that_any_order_of_edits_undo_and_restarts_is_followed(tmp_path):
    machine = type("Machine", (HistoryMachine,), {"folder": tmp_path})
    case = machine.TestCase
    case.settings = settings(
        max_examples=15, stateful_step_count=14, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    case("runTest").debug()


# ---- Killed ------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("deed", [
    "first stroke", "close", pytest.param("both", marks=pytest.mark.slow),
    pytest.param("undo", marks=pytest.mark.slow), pytest.param("base file", marks=pytest.mark.slow),
    pytest.param("forget", marks=pytest.mark.slow),
])  # fmt: skip
def test_that_a_kill_between_any_two_writes_leaves_what_was_before_or_after(folder, deed):
    with Project.open(folder) as project:
        before = held(project)
    command = [sys.executable, deeds.__file__, str(folder), deed]
    subprocess.run(command, check=True, timeout=120)
    copies = sorted(int(p.name) for p in folder.parent.iterdir() if p.name.isdecimal())
    with Project.open(folder.parent / str(copies[-1])) as project:  # nothing killed that one
        after, steps = held(project), len(project.history.steps)
    assert len(copies) > (1 if deed == "close" else 3)
    seen = set()
    for number in copies[:-1]:
        with Project.open(folder.parent / str(number)) as project:
            now, history = held(project), project.history
            assert same(now, before) or same(now, after)
            assert not [note for note in history.take_notes() if "not whole" not in note]
            seen.add(same(now, before))
            if deed != "forget":
                assert len(history.steps) in (2, steps)
                history.go_to(0)
                assert not any(a.any() for a in held(project)[0].values())
                assert project.classes == (SALT, SAND)
    if deed not in ("base file", "forget", "close"):
        assert seen == {True, False}


# ---- Torn, damaged, replaced -------------------------------------------------------------------


def test_that_a_history_cut_anywhere_in_its_last_step_keeps_the_labels(folder):
    known, whole = states(folder), (folder / HISTORY_FILE).read_bytes()
    with Project.open(folder) as project:
        stroke(project, "s1", 40, 1)
        crash(project)
    longer, after = (folder / HISTORY_FILE).read_bytes(), folder.parent / "after"
    shutil.copytree(folder, after)
    for cut in (len(whole), *range(len(whole) + 1, len(longer), 9), len(longer) - 1):
        (folder / HISTORY_FILE).write_bytes(longer[:cut])
        with Project.open(folder) as project:
            now, notes = held(project), project.history.take_notes()
            assert (now[0]["s1"][40:43] == 1).all()  # the labels had it
            assert project.history.steps == ()
            assert "those of" in notes[-1]
            assert (cut == len(whole)) == (len(notes) == 1)
        shutil.rmtree(folder)
        shutil.copytree(after, folder)
    assert len(known) == 3


def test_that_a_step_torn_before_the_labels_had_it_was_never_made(folder):
    known, size = states(folder), (folder / HISTORY_FILE).stat().st_size
    with Project.open(folder) as project:
        labels = {p: p.read_bytes() for p in (folder / "labels").rglob("*") if p.is_file()}
        stroke(project, "s1", 40, 1)
        crash(project)
    shutil.rmtree(folder / "labels")
    for path, content in labels.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    longer = (folder / HISTORY_FILE).read_bytes()
    for cut in range(size + 1, len(longer)):
        (folder / HISTORY_FILE).write_bytes(longer[:cut])
        with Project.open(folder) as project:
            assert same(held(project), known[2])
            assert "was not whole" in project.history.take_notes()[0]
            assert project.history.position == 2
    (folder / HISTORY_FILE).write_bytes(longer)
    with Project.open(folder) as project:
        assert (held(project)[0]["s1"][40:43] == 1).all()  # finished
        assert project.history.position == 3


def test_that_labels_that_a_damaged_journal_has_lost_come_back_from_the_steps(folder):
    with Project.open(folder) as project:
        for row in range(10, 40, 3):
            stroke(project, "s1", row, 1)
        now = held(project)
        crash(project)
    journal = folder / "labels" / "s1" / "labels.journal"
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 0xFF
    journal.write_bytes(content)
    with Project.open(folder) as project:
        assert same(held(project), now)
        assert project.history.position == 12
        assert project.history.take_notes() == ()


@pytest.mark.parametrize("what", ["first", "middle", "text", "empty", "newer", "beyond"])
def test_that_a_damaged_history_is_put_aside_and_the_labels_stay(folder, what):
    path, known = folder / HISTORY_FILE, states(folder)
    content = bytearray(path.read_bytes())
    log = history_log.HistoryLog(path)
    number = {"first": 0, "middle": 1}.get(what)
    if number is not None:
        content[log.steps[number].start + 20] ^= 0xFF
    log.close()
    bad = {"text": b"hello", "empty": b"", "newer": b"GEOCNNHI\x63\x00"}.get(what, bytes(content))
    if what == "beyond":  # its sum is right, and it names a step that is not there
        log = history_log.HistoryLog(path)
        log._file.append_records([history_log._record(b"M", history_log._Move(to=99))])
        log.close()
        bad = path.read_bytes()
    path.write_bytes(bad)
    with Project.open(folder) as project:
        assert same(held(project), known[2])
        kept = HISTORY_FILE + ".damaged" if what == "first" else ASIDE_FILE
        assert any(kept in note for note in project.history.take_notes())
        assert (folder / kept).exists()
        assert project.history.steps == ()
        stroke(project, "s1", 50, 1)
        assert len(project.history.steps) == 1
    with Project.open(folder) as project:
        project.history.go_to(0)
        assert same(held(project), known[2])


def test_that_labels_that_another_program_painted_put_the_history_aside(folder):
    with LabelBook(folder / "labels" / "s2", SHAPES["s2"]) as book:
        window = Window((0, 0, 0), (2, 2, 2))
        book.apply(LabelEdit.paint(book.store, window, np.ones(window.size, bool), 1))
        counts = book.store.counts
    with Project.open(folder) as project:
        assert project.labels("s2", SHAPES["s2"]).store.counts == counts
        note = project.history.take_notes()[0]
        assert "s2" in note
        assert "cannot be undone any more" in note
        assert project.history.steps == ()


def test_that_classes_that_another_program_changed_put_the_history_aside(folder):
    path = folder / "project.json"
    path.write_text(path.read_text().replace("Chalk", "Marl"))
    with Project.open(folder) as project:
        assert "classes" in project.history.take_notes()[0]
        assert [c.name for c in project.classes] == ["Salt", "Sand", "Marl"]
        assert project.history.steps == ()


def test_that_a_project_of_an_earlier_version_opens_and_begins_a_history(tmp_path):
    shutil.copytree(Path(__file__).parents[1] / "files" / "projects" / "v2", tmp_path / "old")
    folder = tmp_path / "old" / "project"
    with Project.open(folder) as project:
        assert project.history.steps == ()
        book = project.stored_labels("s1")
        counts, window = book.store.counts, Window((0, 0), (2, 2))
        part = LabelEdit.paint(book.store, window, np.ones((2, 2), bool), 250)
        project.history.do("Paint", [("s1", part)])
    with Project.open(folder) as project:
        assert project.stored_labels("s1").store.counts[250] == 4
        project.history.go_to(0)
        assert project.stored_labels("s1").store.counts == counts
        assert project.history.take_notes() == ()


# ---- Full disks --------------------------------------------------------------------------------


@pytest.mark.parametrize("deed", ["stroke", "both", "delete class", "undo", "undo all", "forget"])
def test_that_a_disk_that_fills_up_at_any_write_keeps_steps_and_labels(folder, deed, monkeypatch):
    with Project.open(folder) as project:
        before = held(project)
        for writes in range(40):
            with full_after(monkeypatch, writes) as refused:
                try:
                    deeds.DEEDS[deed](project)
                    told = ""
                except CannotWrite as error:
                    told = str(error)
            if not told:
                break
            assert refused
            assert "disk is full" in told
            assert same(held(project), before)
            assert (project.history.position, len(project.history.steps)) == (2, 2)
            crash(project)
            project = Project.open(folder)
            assert same(held(project), before)
            assert project.history.take_notes() == ()
        assert writes > 1
        project.close()


def test_that_what_a_full_disk_kept_from_being_finished_is_finished_later(folder, monkeypatch):
    with Project.open(folder) as project:
        log = project.history._writable()
        part = [deeds.edit(project, "s1", 40, 1)]
        log.write("Paint", _pieces(part, project.history._book), None, 1.0, project.history._marks)
        crash(project)
    with full_after(monkeypatch, 0):
        project = Project.open(folder)
        assert "could not be finished" in project.history.take_notes()[0]
        with pytest.raises(CannotWrite, match="disk is full"):
            project.history.do("Paint", [deeds.edit(project, "s1", 50, 1)])
    stroke(project, "s1", 50, 1)
    now = held(project)
    assert (now[0]["s1"][[40, 42, 50, 52]] == 1).all()
    assert project.history.position == 4
    project.close()
    with Project.open(folder) as project:
        assert same(held(project), now)
        project.history.go_to(2)
        assert not held(project)[0]["s1"][40:].any()


def test_that_a_read_only_project_changes_nothing(folder, monkeypatch):
    before = sorted((p, p.read_bytes()) for p in folder.rglob("*") if p.is_file())
    with Project.open(folder), Project.open(folder, or_read=True) as project:
        assert project.history.steps == ()
        with pytest.raises(CannotWrite):
            project.history.do("Paint", [deeds.edit(project, "s1", 40, 1)])
        with pytest.raises(CannotWrite):
            project.history.go_to(0)
    after = sorted((p, p.read_bytes()) for p in folder.rglob("*") if p.is_file())
    assert [each for each in after if each[0].suffix != ".lock"] == [
        each for each in before if each[0].suffix != ".lock"
    ]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_that_a_folder_that_turns_read_only_is_told(folder):
    with Project.open(folder) as project:
        before = held(project)
        (folder / HISTORY_FILE).unlink()
        project.history._log.close()
        project.history._log = None
        folder.chmod(0o500)
        try:
            with pytest.raises(CannotWrite, match="may not be written"):
                stroke(project, "s1", 40, 1)
        finally:
            folder.chmod(0o700)
        assert same(held(project), before)


# ---- Bounds, sources, copies -------------------------------------------------------------------


def test_that_only_the_oldest_steps_are_forgotten_beyond_the_limit(folder):
    with Project.open(folder) as project:
        project.history._most = 6000
        random = np.random.default_rng(0)
        for _ in range(40):
            store = project.labels("s1", SHAPES["s1"]).store
            values = random.integers(1, 4, SHAPES["s1"], np.uint8)[:6]
            part = LabelEdit.replace(store, Window((0, 0), values.shape), values)
            project.history.do("Noise", [("s1", part)])
        assert project.history.size < 6000
        number = len(project.history.steps)
        assert 1 < number < 40
        now = held(project)
    with Project.open(folder) as project:
        assert len(project.history.steps) == project.history.position == number
        project.history.go_to(0)
        project.history.go_to(number)
        assert same(held(project), now)
        assert project.history.take_notes() == ()


def test_that_a_large_step_is_written_in_parts_and_undone(folder, monkeypatch):
    monkeypatch.setattr("geocnn_gui.project.history.PIECE_CELLS", 500)
    monkeypatch.setattr(history_log, "_BUFFER", 100)
    with Project.open(folder) as project:
        before, random = held(project), np.random.default_rng(1)
        parts = []
        for entry, shape in SHAPES.items():
            store = project.labels(entry, shape).store
            values = random.integers(0, 5, shape, np.uint8)
            parts.append((entry, LabelEdit.replace(store, Window.whole(shape), values, erase=True)))
        project.history.do("Labels", parts)
        assert len(project.history.steps[-1].parts) > 50
        after = held(project)
        project.history.go_to(2)
        assert same(held(project), before)
        project.history.go_to(3)
        assert same(held(project), after)


@pytest.mark.parametrize("deed", ["do", "go_to"])
def test_that_a_step_that_is_stopped_anywhere_was_never_begun(folder, deed, monkeypatch):
    monkeypatch.setattr("geocnn_gui.project.history.PIECE_CELLS", 500)
    random, stopped = np.random.default_rng(1), 0
    with Project.open(folder) as project:
        history = project.history

        def making():
            if deed == "go_to":
                return history.going_to(0)
            parts = []
            for entry, shape in SHAPES.items():
                store, values = project.labels(entry, shape).store, random.integers(0, 5, shape)
                edit = LabelEdit.replace(store, Window.whole(shape), values.astype(np.uint8))
                parts.append((entry, edit))
            return history.doing("Labels", parts, classes=(SALT,))

        before, disk = held(project), (folder / HISTORY_FILE).read_bytes()
        for number in (1, 2, 5, 40, 10**6):
            task = making()
            met = sum(1 for _ in itertools.islice(task, number))
            if met == number:
                assert same(held(project), before)  # nobody sees half of it
            task.close()
            if met < number:
                break
            stopped += 1
            assert same(held(project), before)
            assert (folder / HISTORY_FILE).read_bytes() == disk
            crash(project)
            project = Project.open(folder)
            history = project.history
            assert same(held(project), before)
            assert (history.position, history.take_notes()) == (2, ())
        assert stopped > 0
        assert not same(held(project), before)
        project.close()


def test_that_steps_of_a_removed_source_wait_until_it_is_back(folder):
    with Project.open(folder) as project:
        before = held(project)
        stored = project.remove_source("s2")
        with pytest.raises(BadRequest, match="put it back"):
            project.history.go_to(1)
        assert project.history.position == 2
        project.put_back(stored)
        assert same(held(project), before)
        project.history.go_to(1)
        assert not held(project)[0]["s2"].any()
        assert CHALK not in project.classes


def test_that_a_copy_of_a_project_has_its_steps(folder, tmp_path):
    known = states(folder)
    list(copy_project(folder, tmp_path / "copy"))
    with Project.open(tmp_path / "copy") as project:
        project.history.go_to(1)
        assert same(held(project), known[1])
        assert project.history.take_notes() == ()

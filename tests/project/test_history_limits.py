"""What steps on disk may ask for: of whom, in which order, and how much."""

from __future__ import annotations

import json
import shutil
import tracemalloc
import zlib
from collections import Counter

import numpy as np
import pytest
from history_deeds import SHAPES, both, edit, held, stroke
from history_deeds import begin as begin_work

from geocnn_gui.data.source import Window
from geocnn_gui.errors import BadRequest, UnreadableFile
from geocnn_gui.labels import store as label_store
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.labels.journal import Journal
from geocnn_gui.labels.records import RECORD
from geocnn_gui.project.copying import copy_project
from geocnn_gui.project.history import HISTORY_FILE
from geocnn_gui.project.project import Project


@pytest.fixture
def folder(tmp_path):
    begin_work(tmp_path)
    return tmp_path / "work"


def record(payload):
    return RECORD.pack(len(payload), zlib.crc32(payload)) + payload


def said(kind, **content):
    return record(kind + zlib.compress(json.dumps(content).encode()))


def test_that_labels_moved_away_do_not_come_back_in_their_old_shape(folder):
    shutil.rmtree(folder / "labels" / "s1")
    for _ in range(2):
        with Project.open(folder) as project:
            assert project.labels("s1", (80, 300)).store.counts == {}
            project.labels("s2", SHAPES["s2"])
            notes = project.history.take_notes()
    assert notes == ()
    assert (folder / f"{HISTORY_FILE}.aside").exists()


def test_that_a_step_is_not_made_on_labels_that_nobody_has_opened(folder):
    shutil.rmtree(folder / "labels" / "s1")
    with Project.open(folder) as project:
        with pytest.raises(BadRequest, match="show that source"):
            project.history.go_to(0)
        assert not (folder / "labels" / "s1").exists()
        project.labels("s1", SHAPES["s1"])
        project.history.go_to(0)
        assert project.labels("s1", SHAPES["s1"]).store.counts == {}


def test_that_a_history_of_labels_of_a_boundless_shape_is_put_aside(folder):
    shutil.rmtree(folder / "labels")
    path = folder / HISTORY_FILE
    part = np.array([2**62, 2**62], "<i8").tobytes()
    path.write_bytes(
        path.read_bytes()[:10]
        + record(b"P\x02s1\x02" + part + zlib.compress(b""))
        + said(b"S", text="Paint", time=1, parts=1, marks={"s1": 0})
    )
    with Project.open(folder) as project:
        assert project.labels("s1", SHAPES["s1"]).store.counts == {}
        assert len(project.history.take_notes()) == 1


def test_that_steps_of_a_removed_source_can_be_forgotten(folder):
    random, sizes = np.random.default_rng(0), []
    with Project.open(folder) as project:
        store = project.labels("s1", SHAPES["s1"]).store
        stroke(project, "s2", 3, 2)
        before = held(project)[0]["s2"]
        project.history._most = 3000
        stored = project.remove_source("s2")
        for number in range(12):
            window = Window((3, 0), (60, 300))
            noise = LabelEdit.paint(store, window, random.random(window.size) < 0.5, 1 + number % 2)
            project.history.do("Noise", [("s1", noise)])
            sizes.append(project.history.size)
        assert max(sizes) < 12_000
        project.put_back(stored)
        after = project.labels("s2", SHAPES["s2"]).store.read(Window.whole(SHAPES["s2"]))
        np.testing.assert_array_equal(after, before)
        assert project.history.take_notes() == ()


def test_that_the_first_stroke_looks_at_no_other_labels(folder, monkeypatch):
    (folder / HISTORY_FILE).unlink()
    with Project.open(folder) as project:
        project.labels("s1", SHAPES["s1"])
        project.labels("s2", SHAPES["s2"])
        part, looked, real = edit(project, "s1", 5, 2), Counter(), label_store._mark_of
        monkeypatch.setattr(
            label_store, "_mark_of", lambda key, chunk: looked.update([key]) or real(key, chunk)
        )
        project.history.do("Paint", [part])
    assert set(looked) <= {(0, 0), (0, 1)}


def test_that_a_copy_made_while_painting_can_be_undone(folder, tmp_path):
    chalk = LabelClass(id=4, name="Shale", color="#009e73")
    with Project.open(folder) as project:
        both(project, 11, project.classes)  # there are journals
        for number, _ in enumerate(copy_project(folder, tmp_path / "copy")):
            if 0 < number < 4:
                stroke(project, "s1", 30 + 4 * number, 1)
                both(project, 12 + number % 2, (*project.classes[:2], chalk))
        steps = [step.text for step in project.history.steps]
    with Project.open(tmp_path / "copy") as copy:
        labels, classes = held(copy)
        assert copy.history.take_notes() == ()
        copied = [step.text for step in copy.history.steps]
        assert copied == steps[: len(copied)]
        assert len(copied) > 2
        copy.history.go_to(0)
        assert not any(each.any() for each in held(copy)[0].values())
        copy.history.go_to(len(copied))
        assert held(copy)[1] == classes
        assert all((held(copy)[0][each] == labels[each]).all() for each in labels)


def test_that_a_copy_has_the_backbones(folder, tmp_path):
    (folder / "backbones").mkdir()
    (folder / "backbones" / "seismic-1.safetensors").write_bytes(b"weights")
    list(copy_project(folder, tmp_path / "copy"))
    assert (tmp_path / "copy" / "backbones" / "seismic-1.safetensors").read_bytes() == b"weights"


def test_that_a_history_that_goes_to_and_fro_takes_little(folder):
    path, number = folder / HISTORY_FILE, 1500
    one = said(b"S", text="x", time=1, parts=0, classes=[[], []])
    moves = (said(b"M", to=0) + said(b"M", to=number)) * number
    path.write_bytes(path.read_bytes()[:10] + one * number + moves)
    tracemalloc.start()
    with Project.open(folder) as project:
        assert len(project.history.take_notes()) == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * 2**20


def test_that_a_history_that_was_gone_through_often_is_renewed(folder, monkeypatch):
    monkeypatch.setattr("geocnn_gui.project.history.MOST_MOVES", 40)
    with Project.open(folder) as project:
        held(project)
        for _ in range(6):
            project.history.go_to(0)
            project.history.go_to(2)
        assert project.history.grown
        (before, _), steps = held(project), [step.text for step in project.history.steps]
        project.history.tidy()
        assert not project.history.grown
        assert [step.text for step in project.history.steps] == steps
        project.history.go_to(0)
        project.history.go_to(2)
        assert all((held(project)[0][each] == before[each]).all() for each in before)


@pytest.mark.parametrize("name", [HISTORY_FILE, "labels/s1/labels.journal"])
def test_that_an_empty_record_of_any_length_takes_no_memory(folder, name):
    path = folder / name
    if not path.exists():
        Journal.create(path, SHAPES["s1"], 1)
    with path.open("ab") as file:
        file.write(RECORD.pack(2**29, 0))
        file.truncate(file.tell() + 2**29)
    tracemalloc.start()
    with Project.open(folder) as project:
        labels, _ = held(project)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 * 2**20
    assert labels["s1"].any()


def test_that_a_small_journal_of_boundless_labels_is_refused(folder):
    shutil.rmtree(folder / "labels" / "s1")
    (folder / "labels" / "s1").mkdir()
    path, size = folder / "labels" / "s1" / "labels.journal", (1, 2**29)
    Journal.create(path, (2**30, 2**30), 0)
    head = np.array([0, 0, *size], "<i8").tobytes()
    bits = zlib.compress(b"\x02\x01" + head + bytes(2**26) + b"\x01")
    path.write_bytes(path.read_bytes() + record(bits))
    tracemalloc.start()
    with Project.open(folder) as project, pytest.raises(UnreadableFile):
        project.stored_labels("s1")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300 * 2**20

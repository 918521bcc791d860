"""A project from a stranger reads and writes nothing outside its folder."""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import zipfile
import zlib

import numpy as np
import pytest

from geocnn_gui.data.source import Window
from geocnn_gui.errors import UnreadableFile
from geocnn_gui.labels.archive import read_archive
from geocnn_gui.labels.book import LabelBook
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.project.file import read_project
from geocnn_gui.project.project import Project

SHAPE = (30, 40)


@pytest.fixture
def project(tmp_path):
    """The folder of a closed project with one painted source."""
    path = tmp_path / "line.npy"
    np.save(path, np.zeros(SHAPE))
    with Project.create(tmp_path / "work") as project:
        project.add_source(path)
        book = project.labels("s1", SHAPE)
        book.apply(LabelEdit.paint(book.store, Window((0, 0), (3, 3)), np.ones((3, 3), bool), 1))
        (project.folder / "runs" / "0001").mkdir(parents=True)
        (project.folder / "predictions" / "s1").mkdir(parents=True)
    (tmp_path / "work" / "project.lock").unlink()
    return tmp_path / "work"


def state(folder):
    return {p: (os.readlink(p) if p.is_symlink() else p.lstat().st_size)
            for p in sorted(folder.rglob("*"))}  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize(
    "name",
    ["project.json", "project.lock", "labels", "labels/s1", "labels/s1/labels.journal", "runs",
     "runs/0001", "runs/0001/model.safetensors", "predictions", "predictions/s1/card.json",
     "removed", "project.v1.json", "labels/s1/labels.npz", "runs/dangling"],
)  # fmt: skip
def test_that_a_link_is_refused_before_anything_is_written(project, tmp_path, name):
    outside = tmp_path / "outside"
    outside.mkdir()
    inside = project / name
    if inside.exists():
        inside.rename(outside / "kept")
    inside.symlink_to(outside / ("nowhere" if "dangling" in name else "kept"))
    before, there = state(project), state(outside)
    for or_read in (False, True):
        with pytest.raises(UnreadableFile, match="a link") as caught:
            Project.open(project, or_read=or_read)
        assert name in str(caught.value)
    assert (state(project), state(outside)) == (before, there)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_that_a_pipe_in_the_place_of_a_file_does_not_hang(project):
    (project / "project.json").unlink()
    os.mkfifo(project / "project.json")
    with pytest.raises(UnreadableFile, match="pipe or device"):
        Project.open(project)


def test_that_nothing_of_a_plain_project_is_refused(project):
    (project / "notes.txt").write_text("mine")
    Project.open(project).close()


def test_that_nesting_without_end_is_refused(tmp_path):
    path, deep = tmp_path / "project.json", 100_000
    path.write_text('{"version": 2, "name": "x", "work": ' + "[" * deep + "]" * deep + "}")
    with pytest.raises(UnreadableFile, match="damaged"):
        read_project(path)


def test_that_a_giant_project_file_is_not_read(tmp_path):
    path = tmp_path / "project.json"
    with path.open("wb") as file:
        file.truncate(2**34)
    with pytest.raises(UnreadableFile, match="too large"):
        read_project(path)


# ---- Label archives ----------------------------------------------------------------------------


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def archive(path, members, **about):
    header = {"version": 1, "shape": SHAPE, "chunk_shape": (256, 256), **about}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("labels.json", json.dumps(header))
        for name, data in members.items():
            file.writestr(name, data)
    return path


class Bomb:
    """Would make a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


CHUNK = npy(np.ones(SHAPE, np.uint8))


@pytest.mark.parametrize(
    ("members", "about"),
    [
        ({"../0_0.npy": CHUNK}, {}),
        ({"/0_0.npy": CHUNK}, {}),
        ({"0_-1.npy": CHUNK}, {}),
        ({"9_9.npy": CHUNK}, {}),
        ({"0.npy": CHUNK}, {}),
        ({"0_0.npy": npy(np.ones((300, 300), np.uint8))}, {}),
        ({"0_0.npy": npy(np.ones(SHAPE, np.float32))}, {}),
        ({"0_0.npy": npy(np.ones((1, *SHAPE), np.uint8))}, {}),
        ({"0_0.npy": b"\0" * 10}, {}),
        ({"0_0.npy": b"\0" * 2**24}, {}),
        ({"0_0.npy": b"\0" * 2**24}, {"chunk_shape": (2**20, 2**20)}),
        ({}, {"shape": (-1, 4)}),
        ({}, {"chunk_shape": ()}),
        ({}, {"axes": ["x" * 10**6]}),
    ],
)
def test_that_a_strangers_archive_is_refused_in_words(tmp_path, members, about):
    path = archive(tmp_path / "labels.npz", members, **about)
    before = sorted([*tmp_path.parent.iterdir(), *tmp_path.iterdir()])
    with pytest.raises(UnreadableFile, match=r"labels\.npz is damaged"):
        read_archive(path, SHAPE)
    assert sorted([*tmp_path.parent.iterdir(), *tmp_path.iterdir()]) == before


def test_that_a_pickle_in_an_archive_is_not_run(tmp_path):
    trap = npy(np.array([Bomb(tmp_path / "pwned")], object))
    path = archive(tmp_path / "labels.npz", {"0_0.npy": trap})
    with pytest.raises(UnreadableFile):
        read_archive(path, SHAPE)
    assert not (tmp_path / "pwned").exists()


# ---- Journals ----------------------------------------------------------------------------------


def journal(path, payload, shape=SHAPE, length=None):
    head = struct.pack("<8sHQB", b"GEOCNNLJ", 1, 0, len(shape)) + struct.pack("<2q", *shape)
    data = zlib.compress(payload, 9)
    size = len(data) if length is None else length
    path.write_bytes(head + struct.pack("<II", size, zlib.crc32(data)) + data)


def edit(offset, size, bits=b"\xff", value=b"\1"):
    return struct.pack("<BB4q", 2, 1, *offset, *size) + bits + value


@pytest.mark.parametrize(
    "payload",
    [
        b"\0" * 2**24,  # a bomb: 16 MiB from 16 KiB, where the labels have 1 200 cells
        edit((0, -1), (1, 8)),
        edit((29, 39), (1, 8)),
        edit((2**62, 0), (1, 8)),
        edit((0, 0), (2**31, 2**31)),
        edit((0, 0), (-1, -8)),
        edit((0, 0), (1, 8), value=b""),
        struct.pack("<BB", 7, 1) + b"\0" * 200,
        b"\2",
    ],
)
def test_that_a_strangers_journal_is_refused_in_words_and_left_alone(tmp_path, payload):
    path = tmp_path / "labels.journal"
    journal(path, payload)
    before = path.read_bytes()
    with pytest.raises(UnreadableFile, match=r"labels\.journal is damaged"):
        LabelBook(tmp_path, SHAPE)
    assert path.read_bytes() == before


def test_that_a_length_without_end_is_taken_for_a_torn_record(tmp_path):
    path = tmp_path / "labels.journal"
    journal(path, edit((0, 0), (1, 8)), length=2**32 - 1)
    with LabelBook(tmp_path, SHAPE) as book:
        assert book.store.counts == {}


@pytest.mark.parametrize("shape", [(0, 4), (-5, 8)])
def test_that_a_journal_of_an_impossible_shape_is_refused(tmp_path, shape):
    journal(tmp_path / "labels.journal", b"x", shape=shape)
    with pytest.raises(UnreadableFile, match="damaged"):
        LabelBook(tmp_path, SHAPE)

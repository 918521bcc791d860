"""A disk that is full at any write, and a program killed at any moment, lose nothing."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from geocnn_gui.data.source import Window
from geocnn_gui.errors import CannotWrite
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.project.copying import copy_project
from geocnn_gui.project.project import Project
from geocnn_gui.project.recent import recent_projects, remember
from geocnn_gui.project.state import WorkState

SHAPE = (30, 40)
SALT = LabelClass(id=1, name="Salt", color="#d55e00")


@pytest.fixture
def project(tmp_path):
    """An open project with one painted, journalled source."""
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", np.full(SHAPE, ord(name)))
    with Project.create(tmp_path / "work") as project:
        project.add_source(tmp_path / "a.npy")
        project.set_classes((SALT,))
        paint(project, 0)
        project.labels("s1", SHAPE).compact()
        paint(project, 1)
        yield project


def paint(project, row):
    book = project.labels("s1", SHAPE)
    window = Window((row, 0), (1, SHAPE[1]))
    book.apply(LabelEdit.paint(book.store, window, np.ones(window.size, bool), 1))


def tidy(project):
    paint(project, 2)
    project.labels("s1", SHAPE).compact()


#: What is done while the disk fills up.
DEEDS = {
    "classes": lambda p: p.set_classes(()),
    "source": lambda p: p.add_source(p.folder.parent / "b.npy"),
    "choices": lambda p: p.set_choices("s1", {"domain": "seismic"}),
    "relink": lambda p: p.relink("s1", p.folder.parent / "b.npy"),
    "view": lambda p: p.keep(WorkState(tool="brush"), {"kind": "cnn"}, {}),
    "stroke": lambda p: paint(p, 3),
    "base file": tidy,
    "kept copy": lambda p: p.labels("s1", SHAPE).keep_copy(),
    "removal": lambda p: p.remove_source("s1"),
    "copy": lambda p: list(copy_project(p.folder, p.folder.parent / "copy")),
}


@contextmanager
def full_after(monkeypatch, operations):
    """Let so many writes to disk go well, and no further one; say whether one was refused."""
    left, refused = [operations], []

    def limited(real):
        def call(*arguments, **more):
            left[0] -= 1
            if left[0] < 0:
                refused.append(real)
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments, **more)

        return call

    with monkeypatch.context() as patch:
        for name in ("fsync", "replace", "mkdir", "rename"):
            patch.setattr(os, name, limited(getattr(os, name)))
        patch.setattr(Path, "write_bytes", limited(Path.write_bytes))
        yield refused


def everything(project):
    """Return what a project holds, read anew from its disk."""
    saved = json.loads((project.folder / "project.json").read_text())
    return saved, (project.folder / "labels" / "s1").is_dir()


def attempt(deed):
    """Do it; return what was told where it could not be done."""
    try:
        deed()
    except CannotWrite as error:
        return str(error)
    return ""


@pytest.mark.parametrize("deed", DEEDS)
def test_that_a_disk_that_fills_up_at_any_write_keeps_the_old_state(deed, project, monkeypatch):
    before = everything(project)
    counts = project.labels("s1", SHAPE).store.counts
    for operations in range(40):
        with full_after(monkeypatch, operations) as refused:
            told = attempt(lambda: DEEDS[deed](project))
        if not told:
            break
        assert refused
        assert "disk is full" in told
        assert everything(project) == before
        assert not list(project.folder.rglob("*.part*"))
        assert not (project.folder.parent / "copy").exists()
        if project.sources and deed != "base file":
            assert project.stored_labels("s1").store.counts == counts
    assert operations > 0
    folder = project.folder
    project.close()
    with Project.open(folder) as again:
        book = again.stored_labels("s1") if again.sources else None
        assert book is None or book.store.counts[1] >= counts[1]


def test_that_a_failed_removal_leaves_the_source_where_it_was(project, monkeypatch):
    with full_after(monkeypatch, 2), pytest.raises(CannotWrite):
        project.remove_source("s1")
    assert [entry.id for entry in project.sources] == ["s1"]
    paint(project, 7)
    assert project.stored_labels("s1").store.counts == {1: 120}


def test_that_a_full_disk_keeps_the_old_list_of_recent_projects(tmp_path, monkeypatch):
    remember(Path("/p/1"), name="1", source="example:seismic")
    for operations in range(3):
        with full_after(monkeypatch, operations):
            remember(Path("/p/2"), name="2", source="example:seismic")
        assert recent_projects()[-1].name == "1"


def test_that_a_full_disk_keeps_no_project_closed(project, monkeypatch):
    folder = project.folder
    project.close()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with Project.open(folder) as again:
            assert again.stored_labels("s1").store.counts == {1: 80}
    Project.open(folder).close()


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of its own of 256 KiB; only root may make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        done = None
    if done is None or done.returncode:
        pytest.skip("no right to make a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_that_a_truly_full_disk_loses_nothing(tiny_disk, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2000, 300)))
    random = np.random.default_rng(0)
    with Project.create(tiny_disk / "work") as project:
        project.add_source(tmp_path / "a.npy")
        book = project.labels("s1", (2000, 300))
        kept = book.store.read(Window.whole((2000, 300)))
        told = ""
        for row in range(0, 2000, 100):
            window = Window((row, 0), (100, 300))
            values = random.integers(1, 250, window.size).astype(np.uint8)
            edit = LabelEdit.replace(book.store, window, values)
            if told := attempt(lambda edit=edit: book.apply(edit)):
                break
            kept[window.slices] = values
        assert "disk is full" in told
        (tiny_disk / "filler").write_bytes(b"x" * shutil_free(tiny_disk))
        with pytest.raises(CannotWrite, match="disk is full"):
            project.set_classes((SALT,))
        with pytest.raises(CannotWrite, match="disk is full"):
            book.compact()
    with Project.open(tiny_disk / "work") as project:
        labels = project.stored_labels("s1").store
        np.testing.assert_array_equal(labels.read(Window.whole((2000, 300))), kept)
        assert project.classes == ()


def shutil_free(disk):
    status = os.statvfs(disk)
    return status.f_bavail * status.f_frsize


# ---- Killed ------------------------------------------------------------------------------------

WORK_FOR_EVER = """
import sys
from pathlib import Path
import numpy as np
from geocnn_gui.data.source import Window
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.project.project import Project
from geocnn_gui.project.state import WorkState

folder, data = Path(sys.argv[1]), Path(sys.argv[2])
project = Project.open(folder)
number = int(sys.argv[3])


def did(what):
    sys.stdout.write(f"{number} {what}\\n")
    sys.stdout.flush()


while True:
    number += 1
    book = project.labels("s1", (60, 70))
    all_cells = Window((0, 0), (60, 70))
    value = number % 254 + 1
    book.apply(LabelEdit.paint(book.store, all_cells, np.ones((60, 70), bool), value))
    did("painted")
    if number % 3 == 0:
        book.compact()
    if number % 4 == 0:
        project.set_classes((LabelClass(id=1, name=f"n{number}", color="#000000"),))
        did("named")
    if number % 5 == 0:
        project.keep(WorkState(brush_size=number % 200 + 1), {"n": number}, {})
    if number % 6 == 0:
        new = data / f"{number}.npy"
        np.save(new, np.zeros((2, 2)))
        entry = project.add_source(new)
        did("added")
        if number % 12 == 0:
            project.remove_source(entry.id)
    if number % 9 == 0:
        project.close()
        project = Project.open(folder)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_that_a_program_killed_at_any_moment_leaves_a_whole_project(tmp_path):
    folder, data = tmp_path / "work", tmp_path / "data"
    data.mkdir()
    np.save(data / "a.npy", np.zeros((60, 70)))
    with Project.create(folder) as project:
        project.add_source(data / "a.npy")
    random, number = np.random.default_rng(7), 0
    for _ in range(20):
        said = run_and_kill(folder, data, number, random.uniform(0, 0.25))
        painted = [int(line.split()[0]) for line in said if line.endswith("painted")]
        named = [int(line.split()[0]) for line in said if line.endswith("named")]
        with Project.open(folder) as project:
            labels = project.stored_labels("s1").store.read(Window.whole((60, 70)))
            assert (labels == labels[0, 0]).all()
            assert labels[0, 0] in (painted[-1] % 254 + 1, (painted[-1] + 1) % 254 + 1)
            if named:
                assert int(project.classes[0].name[1:]) in range(named[-1], painted[-1] + 2)
            assert all(entry.unchanged for entry in project.sources)
            assert len({entry.id for entry in project.sources}) == len(project.sources)
        number = painted[-1] + 1
    assert number > 40


def run_and_kill(folder, data, number, seconds):
    """Run the worker for so long after its first stroke; return the lines it said."""
    command = [sys.executable, "-c", textwrap.dedent(WORK_FOR_EVER), str(folder), str(data)]
    process = subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    said = [process.stdout.readline()]
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    said += process.communicate()[0].splitlines(keepends=True)
    return [line.strip() for line in said if line.endswith("\n")]


def test_that_what_a_killed_copy_left_goes_with_the_next_one(project, tmp_path):
    paint(project, 3)
    to = project.folder.parent / "copy"
    script = (
        "import os, sys\nfrom pathlib import Path\n"
        "from geocnn_gui.project.copying import copy_project\n"
        "task = copy_project(Path(sys.argv[1]), Path(sys.argv[2]))\nnext(task)\nos.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", script, project.folder, to], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not to.exists()
    assert len(list(to.parent.glob(".copy*"))) == 1
    list(copy_project(project.folder, to))
    assert (to / "project.json").is_file()
    assert not list(to.parent.glob(".copy*"))

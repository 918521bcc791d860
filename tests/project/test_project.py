from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from geocnn_gui.data.source import Window
from geocnn_gui.errors import BadRequest, CannotWrite, ProjectInUse, UnreadableFile
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.project import recent as recent_module
from geocnn_gui.project.home import data_home, default_folder
from geocnn_gui.project.project import Project
from geocnn_gui.project.recent import forget, recent_projects, remember

SALT = LabelClass(id=1, name="Salt", color="#d55e00")
SHALE = LabelClass(id=2, name="Tonstein (grün) 页岩", color="#56b4e9")


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "line 1.npy"
    path.parent.mkdir()
    np.save(path, np.arange(12.0).reshape(3, 4))
    return path


def test_that_a_reopened_project_shows_the_last_state(survey):
    with Project.for_source(survey, choices={"vertical": "depth"}) as project:
        folder = project.folder
        assert folder == default_folder(survey)
        project.set_classes((SALT, SHALE))
        book = project.labels("s1", (3, 4), axes=("trace", "time"))
        edit = LabelEdit.paint(book.store, Window((0, 0), (3, 4)), np.eye(3, 4) > 0, 2)
        book.apply(edit)
        assert project.labels("s1", (3, 4)) is book
    with Project.for_source(survey) as project:
        assert project.folder == folder
        assert project.name == "line 1"
        assert project.classes == (SALT, SHALE)
        (entry,) = project.sources
        assert (entry.id, entry.path, entry.name) == ("s1", str(survey), "line 1.npy")
        assert entry.choices == {"vertical": "depth"}
        assert entry.unchanged
        assert project.labels("s1", (3, 4)).store.counts == {2: 3}


def test_that_every_change_is_on_disk_at_once(survey):
    project = Project.for_source(survey)
    project.set_classes((SALT,))
    saved = json.loads((project.folder / "project.json").read_text())
    assert saved["version"] == 2
    assert saved["classes"][0]["name"] == "Salt"
    project.close()


def test_that_two_files_of_one_name_get_two_projects(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    assert default_folder(tmp_path / "a" / "x.sgy") != default_folder(tmp_path / "b" / "x.sgy")
    assert default_folder(tmp_path / "a" / "x.sgy").parent.parent == data_home()


@pytest.mark.parametrize(
    "name", ["mit Leerzeichen (1)", "Ümläut", "地震剖面", "x" * 200, "地" * 80, "..", "a:b*c?d"]
)
def test_that_any_file_name_makes_a_project(tmp_path, name):
    path = tmp_path / f"{name}.npy"
    path.write_bytes(b"data")
    with Project.for_source(path) as project:
        assert project.folder.parent == data_home() / "projects"
        assert len(project.folder.name.encode()) < 200
        assert project.sources[0].path == str(path)
    with Project.for_source(path) as project:
        assert len(project.sources) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_that_a_home_behind_a_link_is_one_place(survey, tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv("GEOCNN_HOME", str(tmp_path / "link"))
    with Project.for_source(survey) as project:
        assert project.folder == default_folder(survey)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text there")
def test_that_a_name_that_is_no_text_is_refused_in_words(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.npy"))
    path.write_bytes(b"data")
    with pytest.raises(UnreadableFile, match="not valid Unicode") as caught:
        Project.for_source(path)
    str(caught.value).encode()


def test_that_examples_have_a_project_of_their_own():
    with Project.for_source("example:seismic") as project:
        assert project.name == "seismic"
        assert project.sources[0].path == "example:seismic"
        assert project.sources[0].unchanged
    with Project.for_source("example:seismic") as project:
        assert len(project.sources) == 1


def test_that_a_missing_file_leaves_no_project_behind(tmp_path):
    with pytest.raises(UnreadableFile, match=r"gone\.sgy"):
        Project.for_source(tmp_path / "gone.sgy")
    assert not default_folder(tmp_path / "gone.sgy").exists()


def test_that_a_source_is_added_once_and_ids_are_stable(survey, tmp_path):
    other = tmp_path / "scene.tif"
    other.write_bytes(b"tif")
    with Project.create(tmp_path / "work") as project:
        assert project.add_source(survey).id == "s1"
        assert project.add_source(other).id == "s2"
        assert project.add_source(survey).id == "s1"
        assert [entry.id for entry in project.sources] == ["s1", "s2"]
        project.set_choices("s2", {"vertical": "time"})
        assert project.source("s2").choices == {"vertical": "time"}


def test_that_a_project_moved_with_its_data_finds_them(survey, tmp_path):
    with Project.create(survey.parent / "project") as project:
        project.add_source(survey)
        project.new_run_folder()
    moved = tmp_path / "elsewhere"
    shutil.move(survey.parent, moved)
    with Project.open(moved / "project") as project:
        assert project.sources[0].path == str(moved / survey.name)
        assert project.sources[0].unchanged
        assert len(project.runs) == 1


def test_that_a_project_moved_alone_finds_its_data(survey, tmp_path):
    with Project.create(survey.parent / "project") as project:
        project.add_source(survey)
    moved = tmp_path / "very" / "far"
    shutil.move(survey.parent / "project", moved)
    with Project.open(moved / "project.json") as project:
        assert project.sources[0].path == str(survey)


def test_that_the_known_content_wins_over_the_known_place(survey, tmp_path):
    with Project.create(survey.parent / "project") as project:
        project.add_source(survey)
    copy = tmp_path / "copy"
    shutil.copytree(survey.parent, copy)
    (copy / survey.name).write_bytes(b"something else under that name")
    with Project.open(copy / "project") as project:
        assert project.sources[0].path == str(survey)


def test_that_a_changed_or_missing_file_is_told_and_can_be_relinked(survey, tmp_path):
    with Project.for_source(survey) as project:
        os.utime(survey, (1, 1))
        assert project.sources[0].unchanged
        content = bytearray(survey.read_bytes())
        content[-1] ^= 1
        survey.write_bytes(content)
        assert not project.sources[0].unchanged
        new = survey.rename(tmp_path / "renamed.npy")
        assert not project.sources[0].unchanged
        assert project.sources[0].path == str(survey)
        assert project.relink("s1", new).unchanged
        assert project.sources[0].path == str(new)


def test_that_the_id_of_a_deleted_class_is_not_given_again(survey):
    with Project.for_source(survey) as project:
        project.set_classes((SALT, SHALE))
        project.set_classes((SALT,))
        assert project.new_class().id == 3
    with Project.for_source(survey) as project:
        assert project.new_class("Coal").id == 3
        every = tuple(
            LabelClass(id=i, name=f"c{i}", color="#000000") for i in range(1, 255) if i != 77
        )
        project.set_classes(every)
        assert project.new_class().id == 77
        project.set_classes((*every, project.new_class()))
        with pytest.raises(BadRequest, match="254"):
            project.new_class()


def test_that_runs_are_numbered_on(survey):
    with Project.for_source(survey) as project:
        folders = [project.new_run_folder() for _ in range(3)]
        assert [f.name for f in folders] == ["0001", "0002", "0003"]
        shutil.rmtree(folders[0])
        assert project.new_run_folder().name == "0004"
        (project.folder / "runs" / "9999").mkdir()
        assert project.new_run_folder().name == "10000"
        assert [f.name for f in project.runs] == ["0002", "0003", "0004", "9999", "10000"]


@pytest.mark.parametrize("entry_id", ["../../evil", "s1/..", "", "S1", "s0", "s1\n", "/s1"])
def test_that_a_strangers_project_cannot_point_outside_its_folder(survey, tmp_path, entry_id):
    with Project.create(tmp_path / "work") as project:
        project.add_source(survey)
    path = tmp_path / "work" / "project.json"
    data = json.loads(path.read_text())
    data["sources"][0]["id"] = entry_id
    path.write_text(json.dumps(data))
    with pytest.raises(UnreadableFile, match="damaged"):
        Project.open(tmp_path / "work")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged"),
        (b'{"version": 1, "na', "damaged"),
        (b"\xff\xfe\x00", "damaged"),
        (b"[1, 2]", "damaged"),
        (b'{"version": 1, "name": "x", "evil": 1}', "evil"),
        (b'{"version": 1, "name": "x", "classes": [1]}', "classes"),
        (b'{"version": 3, "name": "x", "new": []}', "newer GeoCNN"),
    ],
)
def test_that_a_project_file_it_cannot_use_is_named_and_left_alone(tmp_path, content, words):
    path = tmp_path / "project.json"
    path.write_bytes(content)
    (tmp_path / "labels").mkdir()
    for _ in range(2):
        with pytest.raises(UnreadableFile, match=words) as caught:
            Project.open(tmp_path)
        assert str(path) in str(caught.value)
    with pytest.raises(BadRequest):
        Project.create(tmp_path)
    assert path.read_bytes() == content


def test_that_a_folder_without_a_project_is_not_touched(tmp_path):
    with pytest.raises(UnreadableFile, match=r"project\.json"):
        Project.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_that_a_full_disk_keeps_the_old_project_file(survey, monkeypatch):
    with Project.for_source(survey) as project:
        project.set_classes((SALT,))
        before = (project.folder / "project.json").read_bytes()

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(CannotWrite, match="disk is full"):
                project.set_classes((SHALE,))
        assert project.classes == (SALT,)
        assert (project.folder / "project.json").read_bytes() == before
        assert not list(project.folder.glob(".*"))


def test_that_a_second_opener_is_told_who_has_it(survey):
    with Project.for_source(survey), pytest.raises(ProjectInUse, match="in this program"):
        Project.for_source(survey)
    Project.for_source(survey).close()


HOLD = """
import sys, time
from pathlib import Path
from geocnn_gui.project.project import Project

project = Project.open(Path(sys.argv[1]))
sys.stdout.write("open\\n")
sys.stdout.flush()
time.sleep(60)
"""


def test_that_a_project_held_by_a_process_is_free_when_that_dies(survey):
    with Project.for_source(survey) as project:
        folder = project.folder
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        assert process.stdout.readline() == "open\n"
        with pytest.raises(ProjectInUse, match=f"process {process.pid}"):
            Project.open(folder)
    finally:
        process.kill()
        process.communicate()
    with Project.open(folder) as project:
        assert len(project.sources) == 1


def test_that_recent_projects_come_newest_first_once_each_and_twelve_at_most(survey):
    with Project.for_source(survey) as project:
        folder = project.folder
    for number in range(15):
        remember(Path(f"/p/{number}"), name=f"{number}", source="example:seismic")
    remember(folder, name="line", source=survey)
    remember(Path("/p/14"), name="14", source="example:seismic")
    items = recent_projects()
    assert [item.name for item in items[:3]] == ["14", "line", "13"]
    assert len(items) == 12
    assert items[1].exists
    assert not items[0].exists
    forget(folder)
    assert "line" not in [item.name for item in recent_projects()]


@pytest.mark.parametrize("content", [b"", b"{", b'[{"folder": 1}]', b"\xff\xff", b"null"])
def test_that_a_broken_recent_list_counts_as_empty(content):
    path = data_home() / "recent.json"
    path.write_bytes(content)
    assert recent_projects() == ()
    remember(Path("/p"), name="p", source="example:scene")
    assert [item.name for item in recent_projects()] == ["p"]


def test_that_a_recent_list_that_cannot_be_written_stops_nothing(monkeypatch):
    def refuse(path: Path, data: bytes) -> None:
        raise CannotWrite("Cannot write", "do not mind")

    monkeypatch.setattr(recent_module, "write_bytes", refuse)
    remember(Path("/p"), name="p", source="example:scene")
    assert recent_projects() == ()

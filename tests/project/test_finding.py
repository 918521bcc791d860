"""Where a source that has moved is looked for."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from geocnn_gui.project import finding
from geocnn_gui.project.finding import find_moved, search_places
from geocnn_gui.project.project import Project


@pytest.fixture
def moved(tmp_path):
    """A project whose only file has been taken away; the file's bytes."""
    path = tmp_path / "survey" / "2024" / "line.npy"
    path.parent.mkdir(parents=True)
    np.save(path, np.arange(500.0))
    with Project.create(tmp_path / "work" / "project") as project:
        project.add_source(path)
        content = path.read_bytes()
        path.unlink()
        yield project, content


def found(project):
    return find_moved(project.stored("s1"), search_places(project, "s1"))


@pytest.mark.parametrize(
    "place", ["work/line.npy", "work/project/data/x.npy", "survey/old/2023/other name.npy"]
)
def test_that_a_file_is_found_by_its_content(moved, tmp_path, place):
    project, content = moved
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    assert found(project) == path


def test_that_a_file_beside_another_source_is_found(moved, tmp_path):
    project, content = moved
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "b.npy").write_bytes(b"b")
    project.add_source(tmp_path / "disk" / "b.npy")
    (tmp_path / "disk" / "a.npy").write_bytes(content)
    assert found(project) == tmp_path / "disk" / "a.npy"


def test_that_the_same_name_and_size_are_not_enough(moved, tmp_path):
    project, content = moved
    (tmp_path / "survey" / "line.npy").write_bytes(bytes(len(content)))
    assert found(project) is None


def test_that_a_file_of_the_old_name_is_taken_first(moved, tmp_path):
    project, content = moved
    for name in ("a.npy", "line.npy", "z.npy"):
        (tmp_path / "survey" / name).write_bytes(content)
    assert found(project) == tmp_path / "survey" / "line.npy"


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_that_links_are_not_followed(moved, tmp_path):
    project, content = moved
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "line.npy").write_bytes(content)
    os.symlink(tmp_path / "far", tmp_path / "survey" / "loop")
    os.symlink(tmp_path / "survey", tmp_path / "survey" / "itself")
    assert found(project) is None


def test_that_the_search_can_be_stopped(moved, tmp_path):
    project, content = moved
    (tmp_path / "survey" / "line.npy").write_bytes(content)
    places = search_places(project, "s1")
    assert find_moved(project.stored("s1"), places, lambda: True) is None
    assert find_moved(project.stored("s1"), places, lambda: False) is not None


def test_that_the_search_ends(moved, tmp_path, monkeypatch):
    project, content = moved
    deep = tmp_path / "survey" / "1" / "2" / "3" / "4" / "5"
    deep.mkdir(parents=True)
    (deep / "line.npy").write_bytes(content)
    assert found(project) is None
    (deep.parent / "line.npy").write_bytes(content)
    monkeypatch.setattr(finding, "MOST_NAMES", 3)
    assert found(project) is None

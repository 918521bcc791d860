"""One stored project of each version opens, with everything that was in it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from geocnn_gui.errors import CannotWrite
from geocnn_gui.project.file import VERSION
from geocnn_gui.project.migrations import STEPS, migrated
from geocnn_gui.project.project import Project

STORED = Path(__file__).parents[1] / "files" / "projects"
VERSIONS = sorted(path.name for path in STORED.iterdir())


@pytest.fixture
def stored(tmp_path):
    """Return a function that copies the stored project of a version; its folder."""

    def copy(version):
        shutil.copytree(STORED / version, tmp_path / version)
        return tmp_path / version / "project"

    return copy


def test_that_every_version_is_stored_and_has_its_step():
    assert [f"v{number}" for number in range(1, VERSION + 1)] == VERSIONS
    assert sorted(STEPS) == list(range(1, VERSION))


@pytest.mark.parametrize("version", VERSIONS)
def test_that_a_stored_project_opens_with_all_that_was_in_it(stored, version):
    folder = stored(version)
    with Project.open(folder) as project:
        assert project.name == "Linie 4"
        assert [(e.id, e.unchanged) for e in project.sources] == [("s1", True), ("s2", True)]
        assert project.sources[0].path == str(folder.parent / "line.npy")
        assert project.sources[0].choices == {"domain": "seismic"}
        assert [c.name for c in project.classes] == ["Salt", "Tonstein (grün)"]
        assert project.new_class().id == 4
        book = project.labels("s1", (24, 16))
        assert book.replayed == 2
        assert book.store.counts == {1: 32, 2: 16}
        assert book.recovered is None


def test_that_a_stored_state_of_the_work_is_read(stored):
    with Project.open(stored("v2")) as project:
        assert (project.work.source, project.work.tool, project.work.brush_size) == (
            "s1", "brush", 31,
        )  # fmt: skip
        assert project.work.views["s2"].index == 7
        model, training, _ = project.specs
        assert (model["patch"], training["epochs"]) == (40, 3)


def test_that_an_old_file_is_rewritten_at_the_first_save_only_and_kept(stored):
    folder = stored("v1")
    old = (folder / "project.json").read_bytes()
    with Project.open(folder) as project:
        assert (folder / "project.json").read_bytes() == old
        project.set_classes(project.classes[:1])
    assert json.loads((folder / "project.json").read_text())["version"] == VERSION
    assert (folder / "project.v1.json").read_bytes() == old
    with Project.open(folder) as project:
        project.set_classes(())
    assert (folder / "project.v1.json").read_bytes() == old


def test_that_an_old_file_stays_where_it_cannot_be_kept(stored, monkeypatch):
    folder = stored("v1")
    old = (folder / "project.json").read_bytes()
    with Project.open(folder) as project:

        def full(*_):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(CannotWrite, match="disk is full"):
                project.set_classes(())
    assert (folder / "project.json").read_bytes() == old
    assert not list(folder.glob("project.v*"))


def test_that_a_step_changes_a_copy():
    data = {"version": 1, "name": "x", "sources": [{"id": "s12"}, {"id": "s9"}, 7, {"id": None}]}
    before = json.dumps(data)
    assert migrated(data, 2)["last_source_id"] == 12
    assert json.dumps(data) == before


@pytest.mark.parametrize("version", VERSIONS)
def test_that_the_arrays_say_what_they_are(stored, version):
    with np.load(stored(version) / "labels" / "s1" / "labels.npz") as arrays:
        about = json.loads(arrays["labels.json"])
    assert (about["axes"], about["dtype"], about["order"]) == (["row", "column"], "uint8", "C")

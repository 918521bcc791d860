"""A sample set in the window: its labels come along as one step, and stay as the user leaves them."""

from __future__ import annotations

import numpy as np
import pytest

from geocnn_gui.data.samples import holds_samples
from geocnn_gui.data.source import Window
from geocnn_gui.gui.opening import is_project


@pytest.fixture
def patches(tmp_path):
    path = tmp_path / "patches.npz"
    names = np.array(["mud", "sand"])[np.repeat([0, 1], 20)]
    values = (
        np.random.default_rng(0).normal(size=(40, 16, 16)) + np.repeat([0, 3], 20)[:, None, None]
    )
    np.savez(path, patches=values.astype(np.float32), labels=names)
    return path


def counts(session):
    return session.labels.store.counts


def test_that_a_sets_labels_arrive_as_one_step(session, patches, qtbot, open_and_wait):
    open_and_wait(session, patches, qtbot)
    assert session.source.kind == "samples"
    assert [c.name for c in session.classes] == ["mud", "sand"]
    assert counts(session) == {1: 20, 2: 20}
    assert session.undo_stack.count() == 1
    session.undo()
    assert counts(session) == {}
    session.redo()
    assert counts(session) == {1: 20, 2: 20}


def test_that_labels_taken_away_do_not_come_back(session, patches, qtbot, open_and_wait):
    open_and_wait(session, patches, qtbot)
    session.undo()
    session.close_source()
    open_and_wait(session, patches, qtbot)
    assert counts(session) == {}


def test_that_a_set_added_to_a_project_brings_its_classes(opened, patches, qtbot):
    with qtbot.waitSignals([opened.source_changed, opened.statistics_changed], timeout=20000):
        opened.add_path(patches)
    assert [c.name for c in opened.classes] == ["mud", "sand"]  # in the place of two unnamed ones
    assert sorted(counts(opened).values()) == [20, 20]
    values = opened.labels.store.read(Window.whole((1, 40)))[0]
    assert set(values[:20]) == {next(c.id for c in opened.classes if c.name == "mud")}


def test_that_a_relabelled_sample_is_undone(session, patches, qtbot, open_and_wait):
    open_and_wait(session, patches, qtbot)
    session.paint(session.section, slice(0, 1), slice(3, 4), np.ones((1, 1), bool), 2)
    assert counts(session) == {1: 19, 2: 21}
    session.undo()
    assert counts(session) == {1: 20, 2: 20}


@pytest.mark.parametrize("example", ["patches", "traces"])
def test_that_the_window_shows_a_textbook_example(window, session, example, qtbot, open_and_wait):
    open_and_wait(session, f"example:{example}", qtbot)
    assert sum(counts(session).values()) == session.source.shape[1]
    assert len(session.classes) == 3
    qtbot.waitUntil(lambda: not session.busy, timeout=10000)
    assert not [message for message in session.said if message.kind == "error"]


def test_that_a_folder_of_images_is_no_project(tmp_path):
    (tmp_path / "set" / "mud").mkdir(parents=True)
    assert is_project(str(tmp_path / "set"))
    (tmp_path / "set" / "mud" / "a.png").write_bytes(b"x")
    assert holds_samples(tmp_path / "set")
    assert not is_project(str(tmp_path / "set"))
    (tmp_path / "set" / "project.json").write_text("{}")
    assert is_project(str(tmp_path / "set"))

"""How the work was left comes back with the project."""

from __future__ import annotations

import json

import pytest

from geocnn_gui.data.source import Section
from geocnn_gui.errors import CannotWrite
from geocnn_gui.gui.session import Session
from geocnn_gui.models.spec import CnnSpec
from geocnn_gui.training.spec import TrainingSpec


def reopened(path, qtbot):
    session = Session()
    session.said = []
    session.message.connect(session.said.append)
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=20000):
        session.open_path(path)
    return session


def leave_it_so(session):
    session.set_section(Section(1, 7))
    session.set_view(colour_map="viridis", gain=2.5, low=-1.0, high=1.5, labels_visible=False)
    session.add_class("Salt")
    session.set_tool("brush")
    session.set_brush_size(31)
    session.set_step("Train")
    session.set_specs(CnnSpec(patch=40), TrainingSpec(epochs=3))


def test_that_view_tool_class_panel_and_specs_come_back(opened, small_file, qtbot):
    leave_it_so(opened)
    view = opened.view
    opened.shut_down()
    again = reopened(small_file, qtbot)
    assert again.section == Section(1, 7)
    assert again.view == view
    assert (again.tool, again.brush_size, again.current_class) == ("brush", 31, 3)
    assert again.step == "Train"
    assert again.model_spec == CnnSpec(patch=40)
    assert again.training_spec == TrainingSpec(epochs=3)
    again.shut_down()


def test_that_the_state_is_saved_by_itself_a_moment_after_a_change(opened, qtbot):
    opened.set_section(Section(2, 3))
    qtbot.waitUntil(lambda: "s1" in opened.project.work.views, timeout=5000)
    saved = json.loads((opened.project.folder / "project.json").read_text())
    assert saved["work"]["views"]["s1"]["axis"] == 2


def test_that_a_state_that_cannot_be_saved_disturbs_nobody(opened, monkeypatch):
    def full(*_):
        raise CannotWrite("Cannot write project.json: the disk is full", "free some space")

    monkeypatch.setattr("geocnn_gui.project.project.write_project", full)
    said = len(opened.said)
    opened.set_section(Section(1, 1))
    opened.keep_work()
    assert len(opened.said) == said
    monkeypatch.undo()
    opened.keep_work()
    assert opened.project.work.views["s1"].index == 1


def test_that_nothing_is_saved_while_a_stroke_is_in_hand(opened):
    opened.keep_work()
    opened.begin_stroke()
    opened.set_section(Section(1, 1))
    opened.keep_work()
    assert opened.project.work.views["s1"].axis == 0
    opened.end_stroke()
    opened.keep_work()
    assert opened.project.work.views["s1"].axis == 1


@pytest.mark.parametrize(
    ("work", "views"),
    [
        (7, None),
        ({"tool": "hammer", "brush_size": -4, "current_class": 99, "step": ["x"]}, None),
        ({"source": "../../etc", "step": "No such panel", "views": [1, 2]}, None),
        ({}, {"axis": 9, "index": -3, "bands": [700], "gain": 0, "low": "x"}),
        ({}, {"axis": 1, "index": 10**9, "bands": [0, 0], "low": 5, "high": 1, "gain": 1e300}),
        ({}, {"axis": 0, "colour_map": "nonsense", "overlay": "evil", "labels_opacity": 9}),
        ({}, "nothing"),
    ],
)
def test_that_a_strangers_nonsense_is_forgotten(opened, small_file, qtbot, work, views):
    path = opened.project.folder / "project.json"
    opened.shut_down()
    data = json.loads(path.read_text())
    data["work"] = work if views is None else {**work, "views": {"s1": views}}
    data["model_spec"] = {"kind": "__import__('os')"}
    data["training_spec"] = [1]
    path.write_text(json.dumps(data))
    again = reopened(small_file, qtbot)
    assert again.source.shape == (20, 30, 24)
    assert again.section.axis in (0, 1, 2)
    assert 0 <= again.section.index < again.source.shape[again.section.axis]
    assert again.view.bands == (0,)
    assert again.brush_size >= 1
    assert [m.kind for m in again.said if m.kind == "error"] == []
    again.shut_down()

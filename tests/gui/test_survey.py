"""Surveys learned in the background: what begins, rests, ends and fails, and what Live takes of it."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from geocnn_gui.data.source import open_source
from geocnn_gui.errors import CannotWrite
from geocnn_gui.events import Note, Progress, Saved
from geocnn_gui.gui import survey_task
from geocnn_gui.gui.session import Session
from geocnn_gui.gui.settings import read_settings
from geocnn_gui.models.survey import new_backbone, save_backbone
from geocnn_gui.models.survey_card import BackboneCard, read_backbone_card, whole_card
from geocnn_gui.project.backbones import backbone_path
from geocnn_gui.project.project import Project

LEFT = Qt.MouseButton.LeftButton
PATIENCE = 20000


class FakeLearning:
    """Quick stand-in for learning: takes a step when it is let."""

    def __init__(self):
        self.grounds, self.steps, self.closed = [], threading.Semaphore(0), 0
        self.error = None

    def __call__(self, ground):
        self.grounds.append(ground)
        yield Note("Learning")
        if self.error is not None:
            raise self.error
        try:
            for done in range(1, 5):
                self.steps.acquire()
                yield Progress(done, 4, "Learning", 60.0)
            _save(ground.out, steps=4)
            yield Saved(ground.out, "backbone")
        finally:
            self.closed += 1


def _save(path, *, steps, goal=4, sources=("small.npy",)):
    path.parent.mkdir(parents=True, exist_ok=True)
    card = BackboneCard(domain="seismic", bands=("amplitude",), steps=steps, goal=goal,
                        sources=sources)  # fmt: skip
    save_backbone(path, new_backbone(card))


@pytest.fixture
def learning(monkeypatch):
    """Put a quick stand-in in the place of learning; all that waits for a step ends with it."""
    fake = FakeLearning()
    monkeypatch.setattr(survey_task, "learn_survey", fake)
    yield fake
    fake.steps.release(100)


@pytest.fixture
def survey(window, session):
    """The survey of a window; it begins as soon as a source is open."""
    session.survey._soon.setInterval(0)
    session.survey.steps = 2
    session.survey.set_automatic(True)
    return session.survey


@pytest.fixture
def begun(learning, survey, session, small_file, open_and_wait, qtbot):
    """A learning that has begun and waits for its first step."""
    open_and_wait(session, small_file, qtbot)
    qtbot.waitUntil(lambda: bool(learning.grounds), timeout=PATIENCE)
    return learning


def file_of(session):
    return backbone_path(session.project.folder, session.source.domain, 1)


def find(window, kind, name):
    return window.findChild(kind, name)


def end(session, learning, qtbot):
    learning.steps.release(100)
    qtbot.waitUntil(lambda: session.survey.job is None, timeout=PATIENCE)


def test_that_an_opened_survey_is_learned_and_kept(
    survey, session, small_file, open_and_wait, qtbot, window
):
    open_and_wait(session, small_file, qtbot)
    qtbot.waitUntil(lambda: survey.job is not None, timeout=PATIENCE)
    assert find(window, QWidget, "survey_line").isVisible()
    qtbot.waitUntil(lambda: survey.job is None, timeout=60000)
    card = read_backbone_card(file_of(session))
    assert (card.steps, card.goal, card.domain) == (2, 2, "seismic")
    assert session.live.backbone_file == file_of(session)
    assert find(window, QLabel, "live_backbone").text() == "Backbone: this survey, 2 steps"
    assert not find(window, QWidget, "survey_line").isVisible()
    ground = survey_task.Ground(session.source, (), file_of(session), None, 2)
    assert not list(survey_task.learn_survey(ground))  # nothing is left


def test_that_learning_says_how_far_it_is(begun, window, session, qtbot):
    begun.steps.release()
    text = find(window, QLabel, "survey_text")
    qtbot.waitUntil(lambda: text.text() == "Learning this survey 1/4, 1:00 left", timeout=5000)
    QTest.mouseClick(find(window, QPushButton, "survey_pause"), LEFT)
    assert session.survey.job.paused
    assert text.text().endswith("paused")
    QTest.mouseClick(find(window, QPushButton, "survey_pause"), LEFT)
    assert not session.survey.job.paused
    end(session, begun, qtbot)


def test_that_learning_rests_while_a_task_runs(begun, window, session, qtbot):
    def slow():
        while True:
            time.sleep(0.01)
            yield Progress(1, 2, "Scoring")

    session._start(slow(), "score", "Scoring")
    assert session.survey.job.paused
    assert "waiting" in find(window, QLabel, "survey_text").text()
    session.pause_job()
    assert not session.survey.job.paused
    session.resume_job()
    assert session.survey.job.paused
    session.stop_job()
    qtbot.waitUntil(lambda: session.job is None, timeout=PATIENCE)
    assert not session.survey.job.paused
    end(session, begun, qtbot)


def test_that_stopped_learning_does_not_begin_again_by_itself(begun, window, session, qtbot):
    QTest.mouseClick(find(window, QPushButton, "survey_stop"), LEFT)
    begun.steps.release()
    qtbot.waitUntil(lambda: session.survey.job is None, timeout=PATIENCE)
    session.project_changed.emit()
    QTest.qWait(20)
    assert session.survey.job is None
    assert begun.closed == 1
    assert len(begun.grounds) == 1


def test_that_learning_can_be_switched_off_for_good(begun, window, session, qtbot):
    window._actions["learn_surveys"].trigger()
    begun.steps.release()
    qtbot.waitUntil(lambda: session.survey.job is None, timeout=PATIENCE)
    assert not session.survey.automatic
    window.close()
    assert not read_settings().learn_surveys


def test_that_another_source_is_learned_as_well(begun, session, small_file, qtbot):
    other = small_file.with_name("other.npy")
    np.save(other, np.load(small_file))
    begun.steps.release(100)
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=PATIENCE):
        session.add_path(other)
    qtbot.waitUntil(lambda: len(begun.grounds) == 2, timeout=PATIENCE)
    assert [entry.name for entry in begun.grounds[1].others] == ["small.npy"]
    end(session, begun, qtbot)


@pytest.mark.parametrize(
    ("steps", "goal", "sources", "left"),
    [
        (2, 4, ("a",), 2),
        (4, 4, ("a",), 0),
        (5, 4, ("a", "b"), 0),
        (4, 4, ("b",), 9),
    ],
)
def test_that_what_is_left_is_what_was_broken_off(steps, goal, sources, left):
    card = BackboneCard(domain="seismic", bands=("x",), steps=steps, goal=goal, identities=sources)
    assert survey_task.steps_left(card, ["a"], 9) == left
    assert survey_task.steps_left(None, ["a"], 9) == 9


def test_that_learning_longer_adds_steps(
    learning, window, session, small_file, open_and_wait, qtbot
):
    open_and_wait(session, small_file, qtbot)
    session.survey.steps = 7
    _save(file_of(session), steps=4)
    find(window, QWidget, "live_group")._refresh()
    QTest.mouseClick(find(window, QPushButton, "learn_longer"), LEFT)
    qtbot.waitUntil(lambda: bool(learning.grounds), timeout=PATIENCE)
    assert learning.grounds[0].longer == 7
    assert not find(window, QPushButton, "learn_longer").isVisibleTo(window)
    end(session, learning, qtbot)


def test_that_a_full_disk_is_told_once(learning, survey, session, small_file, open_and_wait, qtbot):
    learning.error = CannotWrite("Cannot write x (No space left)", "free some")
    open_and_wait(session, small_file, qtbot)
    qtbot.waitUntil(lambda: bool(session.said), timeout=PATIENCE)
    assert "is not learned any further. Cannot write x" in session.said[-1].text
    session.project_changed.emit()
    QTest.qWait(20)
    assert len(learning.grounds) == 1


def test_that_a_read_only_project_is_not_learned(
    learning, survey, session, small_file, open_and_wait, qtbot
):
    with Project.for_source(small_file):
        open_and_wait(session, small_file, qtbot)
        assert session.why_read_only()
        QTest.qWait(20)
        assert survey.job is None
        assert not session.live.why_not()
        assert "read-only" in survey.why_no_longer()
        session.close_source()


def test_that_a_damaged_backbone_is_said_and_replaced(
    session, small_file, open_and_wait, qtbot, window
):
    open_and_wait(session, small_file, qtbot)
    path = file_of(session)
    _save(path, steps=4)
    path.write_bytes(path.read_bytes()[:-1000])
    session.live.set_on(True)
    qtbot.waitUntil(lambda: session.live.core is not None, timeout=PATIENCE)
    assert whole_card(path) is None  # so that it is learned again
    assert session.live.backbone_file != path
    assert f"{path} is a damaged backbone" in session.said[-1].text


def test_that_live_takes_what_was_learned(session, small_file, open_and_wait, qtbot, paint, window):
    open_and_wait(session, small_file, qtbot) if session.source is None else None
    paint(0, 3, 1)
    paint(20, 23, 2)
    session.live.set_on(True)
    qtbot.waitUntil(lambda: session.live.shows, timeout=PATIENCE)
    before, gone = session.live.core, []
    session.map_changed.connect(lambda: gone.append(session.shown_map))
    _save(file_of(session), steps=4)
    session.live.renew()
    qtbot.waitUntil(lambda: session.live.core is not before, timeout=PATIENCE)
    assert session.live.backbone_file == file_of(session)
    assert session.live.card.steps == 4
    assert not gone  # what was drawn has stayed meanwhile


def test_that_a_session_ends_while_a_survey_is_learned(qapp, small_file, open_and_wait, qtbot):
    session = Session()
    session.survey._soon.setInterval(0)
    session.survey.set_automatic(True)
    open_and_wait(session, small_file, qtbot)
    progressed = []
    session.survey.progressed.connect(lambda: progressed.append(session.survey.progress))
    qtbot.waitUntil(lambda: bool(progressed), timeout=PATIENCE)
    path = file_of(session)
    session.shut_down()
    card = read_backbone_card(path)  # what it had is kept, whole
    assert 0 < card.steps < card.goal == survey_task.STEPS


def test_that_another_file_of_the_same_name_is_learned_as_well(tmp_path):
    random, out = np.random.default_rng(0), tmp_path / "backbones" / "seismic-1.safetensors"
    steps = []
    for name, size in (("a", 40), ("b", 50), ("b", 50)):
        (tmp_path / name).mkdir(exist_ok=True)
        path = tmp_path / name / "line.npy"
        if not path.exists():
            np.save(path, random.normal(size=(size, 40)).astype(np.float32))
        with open_source(path) as source:
            list(survey_task.learn_survey(survey_task.Ground(source, (), out, None, 1)))
        steps.append(read_backbone_card(out).steps)
    assert steps == [1, 2, 2]

"""Jobs: events arrive in order, none is lost, and Stop runs the task's own clean-up."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from geocnn_gui.data.source import open_source
from geocnn_gui.errors import NotEnoughLabels
from geocnn_gui.events import EpochDone, Progress, Saved, TileDone
from geocnn_gui.gui.in_use import InUse, SourceLeft
from geocnn_gui.gui.jobs import Calls, Job


def run_to_end(qtbot, job):
    with qtbot.waitSignal(job.ended, timeout=5000) as blocker:
        job.start()
    return blocker.args[0]


@pytest.fixture
def make_job():
    made = []

    def make(task):
        job = Job(task, title="Test")
        job.seen = []
        job.stepped.connect(job.seen.append)
        job.tiles_done.connect(job.seen.extend)
        made.append(job)
        return job

    yield make
    for job in made:
        job.stop()
        assert job.wait(5000)


def test_that_no_tile_is_lost_and_progress_is_thinned(qtbot, make_job):
    def task():
        for i in range(3000):
            yield TileDone((i,), (1,))
            yield Progress(i + 1, 3000, "tiles")

    job = make_job(task())
    assert run_to_end(qtbot, job) == "succeeded"
    tiles = [e.offset[0] for e in job.seen if isinstance(e, TileDone)]
    progress = [e for e in job.seen if isinstance(e, Progress)]
    assert tiles == list(range(3000))
    assert len(progress) < 300
    assert progress[-1].done == 3000


def test_that_other_events_keep_their_order(qtbot, make_job, tmp_path):
    events = [EpochDone("holdout", i, 5, 1.0 / (i + 1)) for i in range(5)]
    events.append(Saved(tmp_path, "model"))
    job = make_job(iter(events))
    run_to_end(qtbot, job)
    assert job.seen == events


def test_that_stop_closes_the_task(qtbot, make_job):
    closed = threading.Event()

    def task():
        try:
            while True:
                time.sleep(0.002)
                yield Progress(0, 0, "for ever")
        finally:
            closed.set()

    job = make_job(task())
    job.start()
    qtbot.waitUntil(lambda: bool(job.seen), timeout=5000)
    with qtbot.waitSignal(job.ended, timeout=5000) as blocker:
        job.stop()
    assert blocker.args == ["stopped"]
    assert closed.is_set()


def test_that_a_paused_task_rests_until_it_is_resumed(qtbot, make_job):
    steps = []

    def task():
        for i in range(3):
            steps.append(i)
            yield Progress(i, 3, "step")

    job = make_job(task())
    job.pause()
    job.start()
    qtbot.waitUntil(lambda: bool(steps), timeout=5000)
    qtbot.wait(50)
    assert steps == [0]
    with qtbot.waitSignal(job.ended, timeout=5000):
        job.resume()
    assert steps == [0, 1, 2]


def test_that_a_paused_task_can_be_stopped(qtbot, make_job):
    job = make_job(iter([Progress(i, 3, "step") for i in range(3)]))
    job.pause()
    job.start()
    with qtbot.waitSignal(job.ended, timeout=5000) as blocker:
        job.stop()
    assert blocker.args == ["stopped"]


def test_that_an_error_a_user_can_act_on_is_not_logged(qtbot, make_job, caplog):
    def task():
        yield Progress(0, 1, "start")
        raise NotEnoughLabels("Only one class is painted", "paint a second one")

    job = make_job(task())
    assert run_to_end(qtbot, job) == "failed"
    assert str(job.error) == "Only one class is painted; paint a second one."
    assert not caplog.records


def test_that_a_bug_is_logged_with_its_traceback(qtbot, make_job, caplog):
    def task():
        yield Progress(0, 1, "start")
        raise KeyError("bug")

    job = make_job(task())
    assert run_to_end(qtbot, job) == "failed"
    assert "Traceback" in caplog.text
    caplog.clear()


def test_that_a_call_brings_its_result_or_its_error(qtbot, caplog):
    calls = Calls()
    results, errors = [], []
    calls.start(lambda: 42, results.append, errors.append)
    calls.start(lambda: int(""), results.append, errors.append)
    qtbot.waitUntil(lambda: bool(results and errors), timeout=5000)
    assert results == [42]
    assert isinstance(errors[0], ValueError)
    calls.wait()
    assert "Traceback" in caplog.text
    caplog.clear()


def test_that_waiting_for_calls_drops_their_answers(qtbot):
    calls = Calls()
    results = []
    calls.start(lambda: time.sleep(0.05), results.append, results.append)
    calls.start(lambda: 2, results.append, results.append)
    calls.wait()
    qtbot.wait(20)
    assert results == []


def test_that_a_source_that_left_before_it_was_read_is_no_bug(qtbot, tmp_path):
    np.save(tmp_path / "line.npy", np.zeros((20, 30), np.float32))
    calls, in_use, errors = Calls(), InUse(), []
    source = open_source(tmp_path / "line.npy")
    in_use.retire(source)
    calls.start(in_use.bound(source, lambda: 1), errors.append, errors.append)
    qtbot.waitUntil(lambda: bool(errors), timeout=5000)
    assert isinstance(errors[0], SourceLeft)
    calls.wait()

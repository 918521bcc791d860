"""The session's runs, with real trainings of tiny networks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from geocnn_gui.errors import CannotWrite
from geocnn_gui.events import EpochDone
from geocnn_gui.gui.session import Session
from geocnn_gui.models.spec import CnnSpec
from geocnn_gui.models.weights import load_model, read_card, read_grounds
from geocnn_gui.project.project import Project
from geocnn_gui.project.runs import change_record
from geocnn_gui.training.spec import TrainingSpec

CNN = CnnSpec(patch=20, width=4)
QUICK = TrainingSpec(epochs=3, steps_per_epoch=1, batch=2)


@pytest.fixture
def small_file(tmp_path):
    """A cube with pictures of 120 rows and 160 columns: enough to hold some of it out."""
    path = tmp_path / "small.npy"
    np.save(path, np.random.default_rng(0).normal(size=(20, 160, 120)).astype(np.float32))
    return path


@pytest.fixture
def painted(opened, paint, monkeypatch):
    """The small file with two classes; bf16, which only some processors have, is left alone."""
    monkeypatch.setattr("geocnn_gui.training.run.training_device", lambda device: device)
    paint(0, 50, 1)
    paint(60, 120, 2)
    return opened


def open_and_wait(session, path, qtbot):
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=20000):
        session.open_path(path)


def wait(session, qtbot):
    qtbot.waitUntil(lambda: session.job is None, timeout=30000)


def train(session, qtbot, *, stop_after=None, **changes):
    """Train and predict, or stop after so many epochs; return the newest run."""
    session.start_training(CNN, QUICK.model_copy(update=changes))
    if stop_after is not None:
        stop_when(session, qtbot, stop_after)
    wait(session, qtbot)
    return session.runs[0]


def stop_when(session, qtbot, epochs):
    """Pause and stop as soon as so many epochs are done."""

    def enough(_):
        if len(session.epochs) >= epochs:
            session.stop_job()

    session.epoch_done.connect(enough)
    wait(session, qtbot)
    session.epoch_done.disconnect(enough)


def press(session, text):
    """Press a button of the message that came last with one of that name."""
    actions = [dict(m.actions) for m in session.said if text in dict(m.actions)]
    actions[-1][text]()


def test_that_a_run_tells_what_it_was(painted, qtbot):
    run = train(painted, qtbot)
    record = run.record
    assert (run.title, run.state) == ("Run 1", "finished")
    assert (record.model, record.training) == (CNN, QUICK)
    assert record.sources[0].entry == "s1"
    assert record.sources[0].mark.labels_digest == painted.labels.store.snapshot().digest
    assert record.holdout_iou == read_card(run.model).training.holdout_iou
    assert record.seconds > 0
    assert {e.stage for e in run.epochs()} == {"holdout", "refit"}
    assert run.epochs() == tuple(painted.epochs)
    assert run.checkpoint is None
    assert len(read_grounds(run.model)) == 1


def test_that_a_stopped_run_goes_on_from_its_last_epoch_with_its_own_labels(painted, paint, qtbot):
    run = train(painted, qtbot, stop_after=1, epochs=200, patience=1000)
    stopped_at = read_card(run.model).training.steps
    assert run.state == "stopped"
    assert painted.said[-1].text == "Stopped; the best weights so far are kept."
    paint(50, 60, 1)  # after the start: not its labels
    press(painted, "Continue")
    before = len(painted.epochs)
    assert before >= 1
    stop_when(painted, qtbot, before + 2)
    [again] = painted.runs
    epochs = [e.epoch for e in again.epochs()]
    assert epochs == list(range(1, len(epochs) + 1))
    assert len(epochs) >= before + 2
    assert read_card(again.model).training.labelled_cells == {1: 8000, 2: 9600}
    assert read_card(again.model).training.steps >= stopped_at
    assert again.record.seconds >= run.record.seconds


def test_that_a_run_goes_on_to_its_end_and_then_predicts(painted, qtbot):
    run = train(painted, qtbot, stop_after=1, epochs=60)
    assert run.state == "stopped"
    painted.continue_run(run)
    qtbot.waitUntil(lambda: painted.job is None and painted.prediction is not None, timeout=30000)
    assert painted.runs[0].state == "finished"
    assert painted.why_no_going_on(painted.runs[0]) == "Run 1 has finished."


def test_that_changed_data_are_refused_in_a_sentence(painted, small_file, qtbot):
    run = train(painted, qtbot, stop_after=1, epochs=200)
    values = np.load(small_file)
    values[0, 0, 0] += 1
    np.save(small_file, values)
    painted.continue_run(run)
    wait(painted, qtbot)
    errors = [m.text for m in painted.said if m.kind == "error"]
    assert errors == [
        f"{small_file} has changed since Run 1 began; put the file back as it was, or train anew."
    ]
    assert painted.runs[0].checkpoint is not None
    assert painted.runs[0].state == "stopped"


def test_that_a_source_that_has_gone_is_named(painted, small_file, tmp_path, qtbot):
    run = train(painted, qtbot, stop_after=1, epochs=200)
    other = tmp_path / "other.npy"
    np.save(other, np.zeros((20, 160, 120), np.float32))
    with qtbot.waitSignal(painted.statistics_changed, timeout=20000):
        painted.add_path(other)
    shutil.move(small_file, tmp_path / "away.npy")
    painted.continue_run(run)
    wait(painted, qtbot)
    assert f"{small_file} does not exist" in [m for m in painted.said if m.kind == "error"][-1].text


@pytest.fixture
def killed(painted, small_file, qtbot):
    """A session reopened after a program that was training had died."""
    run = train(painted, qtbot, stop_after=1, epochs=200, patience=1000)
    change_record(run, state="running")
    painted.shut_down()
    session = Session()
    session.said = []
    session.message.connect(session.said.append)
    open_and_wait(session, small_file, qtbot)
    yield session
    session.shut_down()


def test_that_an_interrupted_run_is_offered_once(killed, small_file, qtbot):
    run = killed.runs[0]
    assert run.state == "interrupted"
    offer = next(m for m in killed.said if "interrupted" in m.text)
    last = run.epochs()[-1].epoch
    assert offer.text == f"Training of run 1 was interrupted in epoch {last + 1}."
    assert [text for text, _ in offer.actions] == ["Continue", "Leave it"]
    press(killed, "Leave it")
    assert killed.runs[0].state == "stopped"
    assert killed.why_no_going_on(killed.runs[0]) == ""
    killed.close_source()
    killed.said.clear()
    open_and_wait(killed, small_file, qtbot)
    assert not [m for m in killed.said if "interrupted" in m.text]


def test_that_an_interrupted_run_goes_on(killed, qtbot):
    done = len(killed.runs[0].epochs())
    press(killed, "Continue")
    assert killed.runs[0].state == "running"
    stop_when(killed, qtbot, done + 1)
    assert len(killed.runs[0].epochs()) >= done + 1


def test_that_a_run_killed_in_its_first_epoch_begins_again(killed, qtbot):
    run = killed.runs[0]
    run.checkpoint.unlink()
    run.model.unlink()
    (run.folder / "log.jsonl").unlink()
    assert "in epoch 1" in _offer_again(killed)
    press(killed, "Continue")
    stop_when(killed, qtbot, 1)
    assert killed.runs[0].model is not None


def _offer_again(session):
    session.said.clear()
    session._asked = None
    session._offer_interrupted()
    return session.said[-1].text


def test_that_a_damaged_checkpoint_is_said(killed, qtbot):
    checkpoint = killed.runs[0].checkpoint
    checkpoint.write_bytes(checkpoint.read_bytes()[:-10])
    press(killed, "Continue")
    wait(killed, qtbot)
    errors = [m.text for m in killed.said if m.kind == "error"]
    assert errors == [f"{checkpoint} is damaged; train from the beginning."]
    assert killed.runs[0].state == "failed"


def test_that_a_crash_keeps_what_was_learned_and_offers_to_go_on(
    painted, qtbot, monkeypatch, caplog
):
    from geocnn_gui.training import loop

    steps = []

    def broken(task, fitting, step=loop.take_step):
        steps.append(1)
        if len(steps) == 3:
            raise RuntimeError("the card fell out")
        return step(task, fitting)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", broken)
        run = train(painted, qtbot, epochs=5)
    assert "the card fell out" in caplog.text
    caplog.clear()
    assert (run.state, run.record.error) == ("failed", "the card fell out")
    assert painted.said[-1].text == "Run 1 failed; what it had learned is kept."
    assert len(run.epochs()) == 2
    press(painted, "Continue")
    wait(painted, qtbot)
    wait(painted, qtbot)
    assert painted.runs[0].state == "finished"


def test_that_a_resumed_run_ends_with_the_same_weights(painted, qtbot, monkeypatch):
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    whole = train(painted, qtbot, epochs=4)
    first = train(painted, qtbot, stop_after=2, epochs=4)
    if first.state == "stopped":
        painted.continue_run(first)
        wait(painted, qtbot)
    torch.set_num_threads(before)
    ours, theirs = (
        load_model(run.folder / "model.safetensors")[0].state_dict() for run in (first, whole)
    )
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_that_a_deleted_run_comes_back_with_its_model_in_hand(painted, qtbot):
    first, second = train(painted, qtbot), train(painted, qtbot)
    assert painted.model_path == second.model
    painted.delete_runs((second,))
    assert [run.number for run in painted.runs] == [1]
    assert painted.model_path == first.model
    assert painted.project.new_run_folder().name == "0003"
    assert painted.steps.undo_text == "Delete Run 2"
    painted.steps.undo()
    assert [run.number for run in painted.runs] == [2, 1]
    assert painted.model_path == second.folder / "model.safetensors"
    painted.steps.redo()
    press(painted, "Undo")
    assert [run.number for run in painted.runs] == [2, 1]


def test_that_undo_in_the_message_works_after_other_steps(painted, paint, qtbot):
    run = train(painted, qtbot)
    painted.delete_runs((run,))
    assert painted.model_path is None
    assert painted.prediction is None
    paint(50, 52, 1)
    press(painted, "Undo")
    assert len(painted.runs) == 1
    assert painted.model_path == run.folder / "model.safetensors"
    assert painted.labels.store.counts[1] == 8320  # the stroke was not undone


def test_that_deleted_runs_are_gone_when_the_project_is_closed(painted, small_file, qtbot):
    run = train(painted, qtbot)
    painted.delete_runs((run,))
    folder = painted.project.folder
    undo = dict(painted.said[-1].actions)["Undo"]
    painted.close_source()
    assert not (folder / "runs" / ".deleted").exists()
    undo()
    assert painted.said[-1].text.startswith("Run 1 is gone")
    with Project.open(folder) as project:
        assert project.runs == ()


def test_that_a_running_run_cannot_be_deleted_or_renamed(painted, qtbot):
    painted.start_training(CNN, QUICK.model_copy(update={"epochs": 500, "patience": 1000}))
    qtbot.waitUntil(lambda: len(painted.epochs) > 0, timeout=30000)
    [run] = painted.runs
    assert run.state == "running"
    painted.delete_runs((run,))
    assert painted.said[-1].text == "Run 1 is running: wait for it, or stop it."
    assert run.folder.exists()
    painted.stop_job()
    wait(painted, qtbot)


def test_that_name_and_notes_stay(painted, small_file, qtbot):
    run = train(painted, qtbot)
    painted.rename_run(run, "  With   faults ")
    painted.note_run(run, "Second try.\nBetter at the edge.")
    painted.shut_down()
    again = Session()
    open_and_wait(again, small_file, qtbot)
    [kept] = again.runs
    assert (kept.title, kept.record.notes) == ("With faults", "Second try.\nBetter at the edge.")
    again.rename_run(kept, "")
    assert again.runs[0].title == "Run 1"
    again.shut_down()


def test_that_a_full_disk_leaves_the_old_name(painted, qtbot, monkeypatch):
    run = train(painted, qtbot)

    def full(*_):
        raise CannotWrite("Cannot write run.json: the disk is full", "free some space")

    with monkeypatch.context() as patch:
        patch.setattr("geocnn_gui.project.runs.write_bytes", full)
        painted.rename_run(run, "Other")
    assert painted.said[-1].text == "Cannot write run.json: the disk is full; free some space."
    assert painted.runs[0].title == "Run 1"


def test_that_the_model_of_any_run_is_one_file(painted, tmp_path, qtbot):
    first = train(painted, qtbot)
    train(painted, qtbot)
    painted.save_run_model(first, tmp_path / "one.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == first.model.read_bytes()
    assert painted.said[-1].text == f"Model saved to {tmp_path / 'one.safetensors'}."


KILLED = """
import sys
from PySide6.QtCore import QCoreApplication
from geocnn_gui.gui.session import Session
from geocnn_gui.models.spec import CnnSpec
from geocnn_gui.training.spec import TrainingSpec
app = QCoreApplication([])
session = Session()
begun = []
def go(*_):
    if not begun:
        begun.append(1)
        session.start_training(CnnSpec(patch=20, width=4), TrainingSpec(
            epochs=1000, steps_per_epoch=1, batch=2, patience=1000))
session.statistics_changed.connect(go)
session.epoch_done.connect(lambda e: print(e.epoch, flush=True))
session.open_path(sys.argv[1])
app.exec()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_that_a_killed_window_leaves_a_run_that_goes_on(painted, small_file, qtbot):
    painted.shut_down()
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(small_file)], stdout=subprocess.PIPE, text=True
        ) as task:
            for _, _ in zip(range(4), task.stdout, strict=False):
                pass
            task.kill()
    session = Session()
    session.said = []
    session.message.connect(session.said.append)
    open_and_wait(session, small_file, qtbot)
    assert [run.state for run in session.runs] == ["interrupted"] * 3
    for run in session.runs:
        assert json.loads((run.folder / "run.json").read_text())["state"] == "running"
        done = len(run.epochs())
        assert done >= 3
        session.continue_run(run)
        stop_when(session, qtbot, len(session.epochs) + 1)
        assert next(e.epoch for e in session.runs[-run.number].epochs()) == 1
    assert all(isinstance(e, EpochDone) for e in session.epochs)
    session.shut_down()


# ---- Leaving the project while it trains ---------------------------------------------------------


@pytest.fixture
def left_training(painted, tmp_path, qtbot):
    """A session in another project, while the first one, whose folder it returns, trains on."""
    home = painted.project.folder
    painted.start_training(CNN, QUICK.model_copy(update={"epochs": 400, "patience": 1000}))
    qtbot.waitUntil(lambda: len(painted.epochs) >= 2, timeout=30000)
    np.save(tmp_path / "other.npy", np.zeros((20, 30), np.float32) + np.arange(30))
    open_and_wait(painted, tmp_path / "other.npy", qtbot)
    return home


def test_that_a_training_left_and_come_back_to_is_taken_in_hand(painted, left_training, qtbot):
    heard = []
    painted.epoch_done.connect(heard.append)
    qtbot.wait(300)
    assert painted.job is not None
    assert (heard, painted.epochs) == ([], [])  # they are none of this project's
    with qtbot.waitSignal(painted.project_changed, timeout=20000):
        painted.open_path(left_training)
    assert [run.state for run in painted.runs] == ["running"]
    stop_when(painted, qtbot, len(painted.epochs) + 1)
    [run] = painted.runs
    assert painted.model_path == run.model
    assert painted.epochs == list(run.epochs())
    assert not [m for m in painted.said if "project you left" in m.text]


def test_that_a_training_that_ends_elsewhere_touches_nothing_here(painted, left_training, qtbot):
    painted.stop_job()
    wait(painted, qtbot)
    assert "project you left has ended" in painted.said[-1].text
    assert (painted.model_path, painted.epochs, painted.runs) == (None, [], ())
    with qtbot.waitSignal(painted.project_changed, timeout=20000):
        painted.open_path(left_training)
    assert painted.model_path == painted.runs[0].model

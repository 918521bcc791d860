"""A run on disk: its record, its log, how it ends, how it goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from geocnn_gui.errors import CannotWrite, NotEnoughLabels, ProjectInUse
from geocnn_gui.events import EpochDone, Note, Progress
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.spec import UNetSpec
from geocnn_gui.project.project import Project
from geocnn_gui.project.runs import (
    CHECKPOINT_FILE,
    LOG_FILE,
    RunSource,
    begin_run,
    change_record,
    delete_run,
    deleted_runs,
    read_log,
    read_run,
    recorded,
    restore_run,
)
from geocnn_gui.training.checkpoint import SourceMark
from geocnn_gui.training.spec import TrainingSpec

CLASSES = (
    LabelClass(id=1, name="Salt", color="#111111"),
    LabelClass(id=2, name="Shale", color="#222222"),
)
LABELS = LabelSnapshot.from_array(np.array([[1, 2, 0], [0, 0, 2]], np.uint8))


@pytest.fixture
def project(tmp_path):
    with Project.create(tmp_path / "project") as project:
        yield project


@pytest.fixture
def folder(project):
    """A run that has begun."""
    folder = project.new_run_folder()
    mark = SourceMark(name="Line", identity="abc", shape=LABELS.shape, labels_digest=LABELS.digest)
    sources = [(RunSource(entry="s1", mark=mark), LABELS)]
    begin_run(folder, (UNetSpec(), TrainingSpec()), CLASSES, sources)
    return folder


def epoch(number, *, loss=0.5):
    return EpochDone("holdout", number, 9, loss, None, 0.1)


def a_task(folder, *events, error=None):
    """Yield events and leave a checkpoint, as a training does."""
    for event in events:
        if isinstance(event, EpochDone):
            (folder / CHECKPOINT_FILE).write_bytes(b"state")
        yield event
    if error is not None:
        raise error


def test_that_a_run_keeps_what_it_began_with(folder):
    run = read_run(folder)
    assert run.record.model == UNetSpec()
    assert run.record.classes == CLASSES
    assert run.labels(0).digest == LABELS.digest
    assert run.title == "Run 1"
    assert run.record.created.utcoffset().total_seconds() == 0


def test_that_epochs_and_notes_are_on_disk_as_soon_as_they_are_told(folder):
    told = [Note("Training on CPU."), Progress(1, 9, "step"), epoch(1), epoch(2)]
    task = recorded(folder, a_task(folder, *told))
    for event in task:
        if event == epoch(1):
            break
    assert read_log(folder) == (Note("Training on CPU."), epoch(1))
    task.close()
    assert read_run(folder).state == "stopped"
    assert len((folder / LOG_FILE).read_text().splitlines()) == 2


def test_that_a_run_is_held_while_it_goes_on(folder):
    task = recorded(folder, a_task(folder, epoch(1)))
    next(task)
    assert read_run(folder).state == "running"
    with pytest.raises(ProjectInUse):
        next(recorded(folder, a_task(folder, epoch(1))))
    assert list(task) == []
    assert read_run(folder).state == "finished"


def test_that_a_run_whose_program_has_died_is_interrupted(folder):
    code = (
        "import sys, os, signal; from pathlib import Path;"
        "from geocnn_gui.project.lock import FolderLock;"
        "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True);"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout.readline() == "held\n"
        assert read_run(folder).state == "running"
        other.kill()
    assert read_run(folder).state == "interrupted"
    assert read_run(folder).why_no_going_on() == ""


def test_that_a_failure_is_kept_with_its_sentence(folder):
    error = NotEnoughLabels("Salt has no label", "paint some")
    with pytest.raises(NotEnoughLabels):
        list(recorded(folder, a_task(folder, epoch(1), error=error)))
    run = read_run(folder)
    assert (run.state, run.record.error) == ("failed", "Salt has no label; paint some.")


def test_that_a_run_that_leaves_nothing_is_none(folder, project):
    with pytest.raises(NotEnoughLabels):
        list(recorded(folder, a_task(folder, error=NotEnoughLabels("none", "paint"))))
    assert project.runs == ()


def test_that_time_adds_up_and_the_record_survives_a_full_disk(folder, monkeypatch):
    change_record(read_run(folder), seconds=100.0)
    sync = os.fsync

    def full(_):
        raise OSError(28, "No space left on device")

    task = recorded(folder, a_task(folder, epoch(1), epoch(2)))
    next(task)
    monkeypatch.setattr(os, "fsync", full)
    list(task)  # the end cannot be written down: no error
    monkeypatch.setattr(os, "fsync", sync)
    run = read_run(folder)
    assert run.state == "interrupted"
    assert run.record.seconds == 100.0
    list(recorded(folder, a_task(folder, epoch(1))))
    assert read_run(folder).record.seconds >= 100


def test_that_a_log_that_cannot_be_written_does_not_end_the_training(folder, monkeypatch):
    opened = Path.open

    def full(path, *args, **more):
        if path.name == LOG_FILE:
            raise OSError(28, "No space left on device")
        return opened(path, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        told = list(recorded(folder, a_task(folder, epoch(1), epoch(2))))
    assert told == [epoch(1), epoch(2)]
    assert read_run(folder).state == "finished"


def test_that_odd_lines_of_a_log_are_passed_over(folder):
    good = {"event": "epoch", "stage": "holdout", "epoch": 1, "epochs": 2, "loss": 0.5}
    lines = [
        json.dumps(good), "", "{", "[]", "null", '{"event": "other"}', '{"event": ["epoch"]}',
        '{"event": "epoch", "stage": "holdout"}', '{"event": "note", "text": "Hello."}',
        json.dumps({**good, "loss": "much"}), json.dumps({**good, "epoch": 2, "loss": 0.4}),
        json.dumps({**good, "more": 1}), json.dumps(good)[:20],
    ]  # fmt: skip
    (folder / LOG_FILE).write_bytes("\n".join(lines).encode() + b"\n\xff\xfe")
    run = read_run(folder)
    assert [(e.epoch, e.loss) for e in run.epochs()] == [(1, 0.5), (2, 0.4)]
    assert Note("Hello.") in read_log(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 7}', b"\xff\xfe"])
def test_that_a_damaged_record_is_a_damaged_run(content, folder):
    (folder / "run.json").write_bytes(content)
    run = read_run(folder)
    assert (run.state, run.record) == ("damaged", None)
    with pytest.raises(CannotWrite, match="cannot be read"):
        change_record(run, name="Other")
    assert (folder / "run.json").read_bytes() == content


def test_that_an_empty_folder_is_no_run(project):
    assert read_run(project.new_run_folder()) is None


def test_that_a_deleted_run_comes_back_and_its_number_is_not_given_again(folder, project):
    run = read_run(folder)
    delete_run(run)
    assert project.runs == ()
    assert [path.name for path in deleted_runs(project.folder)] == ["0001"]
    assert project.new_run_folder().name == "0002"
    restore_run(run)
    assert read_run(folder) == run


def test_that_deleted_runs_are_purged_when_the_project_is_closed(folder, project):
    delete_run(read_run(folder))
    trash = project.folder / "runs" / ".deleted"
    assert trash.is_dir()
    project.close()
    assert not trash.exists()
    trash.joinpath("0007").mkdir(parents=True)  # what a killed program has left
    Project.open(project.folder).close()
    assert not trash.exists()


def test_that_a_project_that_is_read_only_begins_no_run(project):
    held = Project.open(project.folder, or_read=True)
    with pytest.raises(CannotWrite):
        held.new_run_folder()
    held.close()


def test_that_a_read_only_project_purges_nothing(folder, project):
    delete_run(read_run(folder))
    Project.open(project.folder, or_read=True).close()
    assert len(deleted_runs(project.folder)) == 1

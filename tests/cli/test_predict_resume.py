"""`geocnn predict` that is stopped: what it keeps, says, writes, and how it goes on."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

from geocnn_gui import workflow
from geocnn_gui.data.source import open_source
from geocnn_gui.events import TileDone
from geocnn_gui.project.lock import alone
from geocnn_gui.workflow import predicting


@pytest.fixture
def small_tiles(monkeypatch):
    from geocnn_gui.models.networks import build

    real = build

    def small(*arguments):
        net = real(*arguments)
        net.core = 32
        return net

    monkeypatch.setattr("geocnn_gui.models.networks.build", small)
    monkeypatch.setattr("geocnn_gui.inference.plan._BATCH_PIXELS", {"cpu": 1})


@pytest.fixture
def stop(monkeypatch):
    """Let the next prediction be stopped as by Ctrl-C after some tiles."""
    from contextlib import nullcontext

    from geocnn_gui.cli import console

    def stop(tiles):
        seen = []

        class Asked:
            def is_set(self):
                asked = len(seen) >= tiles
                if asked:
                    seen.clear()  # one Ctrl-C
                return asked

        real = workflow.predict_to_file

        def predict(*args, **options):
            for event in real(*args, **options):
                seen.extend([event] if isinstance(event, TileDone) else [])
                yield event

        monkeypatch.setattr(workflow, "predict_to_file", predict)
        monkeypatch.setattr(console, "_interrupts", lambda: nullcontext(Asked()))
        return monkeypatch.undo

    return stop


def test_that_a_stopped_prediction_resumes_to_the_same_file(
    trained, geocnn, tmp_path, small_tiles, stop
):
    whole, out = tmp_path / "whole.npy", tmp_path / "map.npy"
    common = ("predict", trained.model, trained.data, "--device", "cpu", "--precision", "float32")
    assert geocnn(*common, "--out", whole).code == 0
    stop(2)
    result = geocnn(*common, "--out", out)
    assert result.code == 130
    kept = tmp_path / ".map.npy.prediction"
    assert "nothing is written. The same command with --resume goes on from" in result.err
    assert kept.is_dir()
    assert not out.exists()
    stop(10**6)
    result = geocnn(*common, "--out", out, "--resume", "--json")
    assert result.code == 0
    assert any(note.startswith("Going on: 2 of ") for note in result.json["notes"])
    assert not kept.exists()
    np.testing.assert_array_equal(np.load(out), np.load(whole))


def test_that_without_resume_it_begins_anew(trained, geocnn, tmp_path, small_tiles, stop):
    common = (
        "predict",
        trained.model,
        trained.data,
        "--device",
        "cpu",
        "--out",
        tmp_path / "m.npy",
    )
    stop(2)
    assert geocnn(*common).code == 130
    stop(10**6)
    result = geocnn(*common, "--json")
    assert result.code == 0
    assert not any(note.startswith("Going on") for note in result.json["notes"])
    assert not (tmp_path / ".m.npy.prediction").exists()


def test_that_partial_writes_what_is_done_and_nodata_elsewhere(
    trained, geocnn, tmp_path, small_tiles, stop
):
    out = tmp_path / "map.npy"
    stop(2)
    result = geocnn(
        "predict", trained.model, trained.data, "--device", "cpu", "--out", out, "--partial"
    )
    assert result.code == 130
    assert "holds what is predicted so far" in result.err
    with open_source(trained.data) as source:
        assert np.load(out).shape == source.shape
    assert 0 < (np.load(out) > 0).mean() < 1


def test_that_the_check_of_tiles_needs_no_output(trained, geocnn, tmp_path):
    result = geocnn("predict", trained.model, trained.data, "--check-tiling", "--device", "cpu",
                    "--precision", "float32")  # fmt: skip
    assert result.code == 0, result.err
    assert "0.000 % of the cells get another class." in result.out


def test_that_an_output_is_asked_for(trained, geocnn):
    result = geocnn("predict", trained.model, trained.data)
    assert result.code == 2
    assert "Missing option '--out'" in result.err


@pytest.mark.parametrize("options", [(), ("--resume",)])
def test_that_nothing_hidden_stays_of_a_killed_prediction(trained, geocnn, tmp_path, options):
    out = tmp_path / "m.npy"
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom geocnn_gui import workflow\n"
        "from geocnn_gui.data.source import open_source\nfrom geocnn_gui.events import TileDone\n"
        "model, data, out = map(Path, sys.argv[1:])\n"
        "for event in workflow.predict_to_file(model, open_source(data), out):\n"
        "    if isinstance(event, TileDone):\n        os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, trained.model, trained.data, out], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == [".m.npy.prediction"]
    result = geocnn("predict", trained.model, trained.data, "--out", out, *options)
    assert result.code == 0, result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.npy", "m.npy.seen.npz"]


def test_that_a_second_task_that_writes_there_is_refused(trained, geocnn, tmp_path):
    out = tmp_path / "map.npy"
    with open_source(trained.data) as source:
        first = workflow.predict_to_file(trained.model, source, out)
        next(event for event in first if isinstance(event, TileDone))
        second = geocnn("predict", trained.model, trained.data, "--out", out)
        assert second.code != 0
        assert f"{out} is being predicted in this program already" in second.err
        other = geocnn("predict", trained.model, trained.data, "--out", tmp_path / "other.npy")
        assert other.code == 0
        for _ in first:  # undisturbed
            pass
    assert np.array_equal(np.load(out), np.load(tmp_path / "other.npy"))
    assert geocnn("predict", trained.model, trained.data, "--out", out).code == 0
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_that_the_end_of_a_task_leaves_the_lock_of_the_next(tmp_path):
    lock = tmp_path / "work" / "lock"
    with alone(lock, "First"):
        lock.unlink()
        lock.write_text("the next one's")
    assert lock.read_text() == "the next one's"
    lock.unlink()
    with alone(lock, "Third"):
        pass
    assert not lock.parent.exists()


def test_that_the_lock_is_given_back_last(trained, tmp_path, monkeypatch):
    kept = []
    real = predicting.empty_folder

    def empty(folder):
        real(folder)
        kept.extend(path.name for path in folder.iterdir())

    monkeypatch.setattr(predicting, "empty_folder", empty)
    with open_source(trained.data) as source:
        for _ in workflow.predict_to_file(trained.model, source, tmp_path / "map.npy"):
            pass
    assert kept == ["lock"]
    assert not (tmp_path / ".map.npy.prediction").exists()

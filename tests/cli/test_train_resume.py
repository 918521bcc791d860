"""`geocnn train --resume`: a training that was stopped or killed goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
from cli_commands import TINY

from geocnn_gui.cli import console
from geocnn_gui.models.weights import load_model, read_card
from geocnn_gui.project.lock import training_alone
from geocnn_gui.training.checkpoint import read_card as read_begun


class StopAfter:
    """A Ctrl-C that comes after so many epochs."""

    def __init__(self, epochs):
        self.left = epochs

    def is_set(self):
        return self.left <= 0


@pytest.fixture
def train(trained, geocnn, tmp_path, monkeypatch):
    """Run the training of one model, with more options, stopped after so many epochs or not."""

    def call(*more, stop_after=None, labels=trained.labels, data=trained.data):
        asked = StopAfter(stop_after if stop_after is not None else 1000)
        said = console._Lines.say

        def say(lines, text):
            said(lines, text)
            asked.left -= "loss" in text

        with monkeypatch.context() as patch:
            patch.setattr(console, "_interrupts", lambda: nullcontext(asked))
            patch.setattr(console._Lines, "say", say)
            return geocnn(
                "train", "--data", data, labels, *TINY, "--set", "training.epochs=3",
                "--out", tmp_path / "m.safetensors", "--json", *more,
            )  # fmt: skip

    return call


def test_that_a_stopped_training_goes_on_where_it_was(train, tmp_path):
    stopped = train(stop_after=2)
    assert stopped.code == 130
    assert "the same command with --resume goes on" in stopped.err
    assert stopped.json["resumed_from_epoch"] is None
    checkpoint = tmp_path / "m.safetensors.checkpoint"
    assert read_begun(checkpoint).epoch == 2
    result = train("--resume")
    assert result.code == 0, result.err
    assert (result.json["resumed_from_epoch"], result.json["resumed_from_stage"]) == (2, "holdout")
    assert "Training goes on after epoch 2 of 3 of the held-out run." in result.err
    assert "Held-out run, epoch 3 of 3" in result.err
    assert "Held-out run, epoch 2 of 3" not in result.err
    assert result.json["refit"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.safetensors"]


def test_that_nothing_to_resume_is_said(train, tmp_path):
    result = train("--resume")
    assert result.code == 1
    assert "There is nothing to resume" in result.err
    assert "train without --resume" in result.err
    assert not list(tmp_path.iterdir())


def test_that_other_settings_or_labels_are_refused_and_all_is_kept(train, trained, tmp_path):
    train(stop_after=1)
    before = (tmp_path / "m.safetensors.checkpoint").read_bytes()
    result = train("--resume", "--set", "training.batch=4")
    assert result.code == 1
    assert "began with training.batch=2, not 4" in result.err
    labels = np.load(trained.labels)
    labels[0, 0] = 0
    np.save(tmp_path / "other.npy", labels)
    result = train("--resume", labels=tmp_path / "other.npy")
    assert result.code == 1
    assert "are not those that the training began with" in result.err
    data = tmp_path / "other.sgy"
    content = bytearray(trained.data.read_bytes())
    content[-1] ^= 1
    data.write_bytes(content)
    result = train("--resume", data=data)
    assert "geocnn: other is not the data that the training began with" in result.err
    assert "goes on" not in result.err
    assert (tmp_path / "m.safetensors.checkpoint").read_bytes() == before


def test_that_a_new_training_says_what_it_replaces(train):
    train(stop_after=1)
    result = train()
    assert "keeps a training that was broken off" in result.err
    assert result.code == 0


#: The command line with one thread and without bf16.
STEADY = """
import sys
import torch
import geocnn_gui.training.run as run
torch.set_num_threads(1)
run.training_device = lambda device: device
from geocnn_gui.cli.app import run as geocnn
sys.exit(geocnn(sys.argv[1:]))
"""


def steady(*arguments):
    return subprocess.Popen(
        [sys.executable, "-c", STEADY, *map(str, arguments)], text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def kill_after(task, epochs):
    """Kill a task right after so many epochs; say whether it was still there."""
    for line in task.stderr:
        epochs -= "loss" in line
        if epochs <= 0:
            os.kill(task.pid, signal.SIGKILL)
            break
    task.stderr.read()
    return task.wait(60) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_that_each_epoch_that_was_told_is_on_disk(trained, tmp_path):
    more = "--set", "training.epochs=40", "--out", tmp_path / "m.safetensors"
    with steady("train", "--data", trained.data, trained.labels, *TINY, *more) as task:
        assert kill_after(task, 6)
    assert read_begun(tmp_path / "m.safetensors.checkpoint").epoch >= 6


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_that_a_training_killed_again_and_again_ends_with_the_same_weights(trained, tmp_path):
    common = (
        "train", "--data", trained.data, trained.labels, *TINY, "--set", "training.epochs=2",
        "--set", "model.dropout=0.3",
    )  # fmt: skip
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    with steady(*common, "--out", whole) as task:
        assert task.wait(120) == 0, task.stderr.read()
    kills = 0
    with steady(*common, "--out", parts) as task:
        kills += kill_after(task, 1)
    while (tmp_path / "parts.safetensors.checkpoint").exists():
        with steady(*common, "--out", parts, "--resume") as task:
            kills += kill_after(task, 1)
    assert kills >= 2
    ours, theirs = (load_model(path)[0].state_dict() for path in (parts, whole))
    assert all(bool((ours[key] == theirs[key]).all()) for key in theirs)
    assert read_card(parts).training.steps == read_card(whole).training.steps
    assert not [p.name for p in tmp_path.iterdir() if ".part" in p.suffixes]


@pytest.mark.parametrize("option", [(), ("--resume",)])
def test_that_a_second_training_of_one_file_is_refused(option, train, tmp_path):
    train(stop_after=1)
    out = tmp_path / "m.safetensors"
    before = (tmp_path / "m.safetensors.checkpoint").read_bytes()
    with training_alone(out):
        second = train(*option)
    assert second.code == 1
    assert f"{out} is being trained in this program already" in second.err
    assert "takes its place" not in second.err
    assert (tmp_path / "m.safetensors.checkpoint").read_bytes() == before
    assert train(*option).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_that_a_running_training_holds_its_file(train, monkeypatch, tmp_path):
    held = []
    monkeypatch.setattr(
        "geocnn_gui.training.run.fit",
        lambda *_, **__: iter(held.extend(p.name for p in tmp_path.iterdir()) or ()),
    )
    train()
    assert ".m.safetensors.training.lock" in held

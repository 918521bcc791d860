"""A prediction of values that is killed, or meets a full disk."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from geocnn_gui import workflow
from geocnn_gui.data.source import Window, open_source
from geocnn_gui.errors import CannotWrite
from geocnn_gui.events import Note, TileDone
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.models.networks import build
from geocnn_gui.models.spec import UNetSpec
from geocnn_gui.models.target import Target
from geocnn_gui.models.weights import save_model

SPEC = UNetSpec(width=8, depth=2)
SHAPE = 150, 130
#: Tiles of 32 cells, each on disk before it is told of.
TINY_TILES = """
from geocnn_gui.inference import engine, journal
from geocnn_gui.models.networks import UNet
UNet.core = 32
engine.probe_fast_cpu = lambda *_, device, **__: device
journal._PACE = journal._SHARE = 1e-9
"""
KILLED = f"""
import sys
from pathlib import Path
import torch
torch.set_num_threads(int(sys.argv[1]))
{TINY_TILES}
from geocnn_gui import workflow
from geocnn_gui.data.source import open_source
from geocnn_gui.events import TileDone
model, data, folder = map(Path, sys.argv[2:])
with open_source(data) as source:
    for event in workflow.predict(model, source, folder=folder, device="cpu"):
        if isinstance(event, TileDone):
            print("tile", flush=True)
"""


@pytest.fixture
def files(make_card, tmp_path, monkeypatch):
    """A model of values and data, and small tiles in this process too."""
    from geocnn_gui.inference import engine, journal
    from geocnn_gui.models.networks import UNet

    monkeypatch.setattr(UNet, "core", 32)
    monkeypatch.setattr(engine, "probe_fast_cpu", lambda *_, device, **__: device)
    monkeypatch.setattr(journal, "_PACE", 1e-9)
    monkeypatch.setattr(journal, "_SHARE", 1e-9)
    values = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    np.save(tmp_path / "map.npy", values)
    torch.manual_seed(0)
    target = Target(name="porosity", unit="%", mean=20, scale=4)
    card = make_card(SPEC).model_copy(update={"classes": (), "target": target})
    save_model(tmp_path / "m.safetensors", build(SPEC, 1, 1), card)
    return tmp_path / "m.safetensors", tmp_path / "map.npy"


def predict(files, folder):
    with open_source(files[1]) as source:
        return list(workflow.predict(files[0], source, folder=folder, device="cpu"))


def tiles_of(events):
    return sum(isinstance(event, TileDone) for event in events)


def values_in(folder):
    store = PredictionStore.open(folder)
    values = store.read_values(Window.whole(SHAPE))
    store.close()
    return values


@pytest.mark.skipif(sys.platform == "win32", reason="killed by a signal")
def test_that_a_killed_prediction_of_values_goes_on_to_the_same_values(files, tmp_path):
    tiles = tiles_of(predict(files, tmp_path / "whole"))
    parts = str(torch.get_num_threads()), *files, tmp_path / "parts"
    command = [sys.executable, "-c", KILLED, *map(str, parts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(3):
            assert process.stdout.readline() == "tile\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    share = np.isfinite(values_in(tmp_path / "parts")).mean()
    assert 0.05 < share < 0.95
    events = predict(files, tmp_path / "parts")
    assert any(isinstance(e, Note) and e.text.startswith("Going on: ") for e in events)
    assert 0 < tiles_of(events) < tiles
    found = values_in(tmp_path / "parts")
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, values_in(tmp_path / "whole"))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room is asked for otherwise")
def test_that_a_full_disk_leaves_a_sentence_and_readable_values(files, tmp_path, monkeypatch):
    real, asked = os.posix_fallocate, []

    def full(*arguments):
        asked.append(1)
        if len(asked) > 30:
            raise OSError(errno.ENOSPC, "full")
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(CannotWrite, match="the disk is full"):
            predict(files, tmp_path / "run")
    values = values_in(tmp_path / "run")
    assert 0 < np.isfinite(values).mean() < 1
    assert not PredictionStore.open(tmp_path / "run").complete
    predict(files, tmp_path / "run")
    assert np.isfinite(values_in(tmp_path / "run")).all()

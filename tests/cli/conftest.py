from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from geocnn_gui.cli.app import run

# Tiny networks gain nothing from threads, and lose much where other tests run beside.
os.environ.setdefault("OMP_NUM_THREADS", "1")
FILES = Path(__file__).parents[1] / "files"
TINY = (
    "--model", "unet", "--set", "model.width=8", "--set", "model.depth=2", "--device", "cpu",
    "--set", "training.epochs=1", "--set", "training.steps_per_epoch=2",
    "--set", "training.batch=2",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What a command left: its exit code and its two outputs."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def files() -> Path:
    return FILES


@pytest.fixture
def geocnn(capsys):
    """Run a command in this process."""

    def call(*arguments) -> Result:
        capsys.readouterr()
        code = run([str(a) for a in arguments])
        return Result(code, *capsys.readouterr())

    return call


def start(*arguments, **options) -> subprocess.Popen:
    """Start a command as a process of its own."""
    command = [sys.executable, "-m", "geocnn_gui", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


@pytest.fixture
def process():
    """Run a command as a process of its own, to its end."""

    def call(*arguments, **options) -> Result:
        with start(*arguments, **options) as task:
            out, err = task.communicate(timeout=120)
        return Result(task.returncode, out, err)

    return call


@dataclass(frozen=True)
class Trained:
    """A tiny model of a section, the files it came from, and what the command said."""

    model: Path
    data: Path
    labels: Path
    result: Result


@pytest.fixture(scope="session")
def section_labels(tmp_path_factory) -> Path:
    """Three classes in layers over the cut of the F3 section (40 traces x 100 samples)."""
    labels = np.repeat(np.array([[1, 2, 4]], np.uint8), [30, 40, 30], axis=1).repeat(40, axis=0)
    path = tmp_path_factory.mktemp("labels") / "labels.npy"
    np.save(path, labels)
    return path


@pytest.fixture(scope="session")
def trained(section_labels, tmp_path_factory) -> Trained:
    """Train through the command line, as a process of its own."""
    data, model = (
        FILES / "f3_section_cut.sgy",
        tmp_path_factory.mktemp("model") / "tiny.safetensors",
    )
    with start(
        "train", "--data", data, section_labels, *TINY, "--seed", 7, "--out", model, "--json"
    ) as task:
        out, err = task.communicate(timeout=120)
    return Trained(model, data, section_labels, Result(task.returncode, out, err))

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from cli_commands import FILES, TINY, Result, Trained, start

from geocnn_gui.cli.app import run

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.fixture
def process():
    """Run a command as a process of its own, to its end."""

    def call(*arguments, **options) -> Result:
        with start(*arguments, **options) as task:
            out, err = task.communicate(timeout=120)
        return Result(task.returncode, out, err)

    return call


@pytest.fixture(scope="session")
def section_labels(tmp_path_factory) -> Path:
    """Three classes in layers, each twice, over the cut of the F3 section (40 traces x 100)."""
    layers = np.repeat(np.array([1, 2, 4, 1, 2, 4], np.uint8), [15, 20, 15, 15, 20, 15])
    labels = np.tile(layers, (40, 1))
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

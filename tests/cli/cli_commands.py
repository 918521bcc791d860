"""Commands as tests run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

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


def start(*arguments, **options) -> subprocess.Popen:
    """Start a command as a process of its own."""
    command = [sys.executable, "-m", "geocnn_gui", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


@dataclass(frozen=True)
class Trained:
    """A tiny model of a section, the files it came from, and what the command said."""

    model: Path
    data: Path
    labels: Path
    result: Result

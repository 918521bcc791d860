"""A U-Net trained with and without a survey backbone to begin with, scored on new ground.

The backbone learns the labelled file alone, without its labels, unless `--backbone` names one.
Seeds are those of the strokes and of the training; every training takes the same steps.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SEGY = Path(os.environ.get("GEOCNN_DATA", Path(__file__).parents[3] / "shared/data")) / "segy"
#: Strokes of a class, their length and width in cells.
STROKES, LONG, WIDE = 30, 40, 5


def main() -> None:
    """Print a row for each amount of labels, number of epochs and seed."""
    parser = argparse.ArgumentParser()
    for name, line in (("train", 61), ("test", 211)):
        parser.add_argument(f"--{name}", nargs=2, type=Path, metavar=("FILE", "LABELS"),
                            default=(SEGY / f"f3_crossline{line}_amplitude.sgy",
                                     SEGY / f"f3_crossline{line}_labels.png"))  # fmt: skip
    parser.add_argument("--backbone", type=Path)
    parser.add_argument("--epochs", nargs="*", default=["3", "12"])
    parser.add_argument("--set", nargs="*", default=[], dest="more", metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="geocnn-bench-") as name:
        folder = Path(name)
        backbone = wanted.backbone or _learned(wanted.train[0], folder / "backbone.safetensors")
        print(
            "| labels | epochs | seed | fresh weights | from the backbone |\n|---|---|---|---|---|"
        )
        for labels in ("strokes", "all"):
            for epochs in wanted.epochs:
                rows = [_row(folder, wanted, labels, epochs, seed, backbone)
                        for seed in range(wanted.seeds)]  # fmt: skip
                mean = " | ".join(f"{m:.3f}" for m in np.mean(rows, axis=0))
                print(f"| {labels} | {epochs} | mean | {mean} |", flush=True)


def _row(
    folder: Path, wanted: argparse.Namespace, labels: str, epochs: str, seed: int, backbone: Path
) -> list[float]:
    painted = wanted.train[1]
    if labels == "strokes":
        painted = folder / f"strokes-{seed}.npy"
        np.save(painted, strokes(_read(wanted.train[1]), seed).T)  # (trace, sample)
    found = [
        _score(
            folder, wanted, painted, f"training.epochs={epochs}", f"training.seed={seed}", *start
        )
        for start in ((), (f"training.start={backbone}",))
    ]
    print(f"| {labels} | {epochs} | {seed} | {found[0]:.3f} | {found[1]:.3f} |", flush=True)
    return found


def _score(folder: Path, wanted: argparse.Namespace, painted: Path, *settings: str) -> float:
    model, out = folder / "model.safetensors", folder / "out.npy"
    # Nothing is held out: one fit to all labels, of as many steps each time.
    fixed = ("training.split.share=0", *wanted.more)
    given = [part for each in (*fixed, *settings) for part in ("--set", each)]
    _run("train", "--data", wanted.train[0], painted, "--model", "unet", "--out", model, *given)
    _run("predict", model, wanted.test[0], "--out", out)
    return _run("evaluate", out, "--labels", wanted.test[1])["mean_iou"]


def strokes(truth: np.ndarray, seed: int) -> np.ndarray:
    """Return labels uint8 of strokes at any angle: centres uniform in each class, clipped to it."""
    random, found = np.random.default_rng(seed), np.zeros_like(truth)
    rows, columns = np.indices(truth.shape)
    for number in np.unique(truth[truth > 0]):
        places = np.argwhere(truth == number)
        for _ in range(STROKES):
            row, column = places[random.integers(len(places))]
            angle = random.uniform(0, np.pi)
            along = (rows - row) * np.sin(angle) + (columns - column) * np.cos(angle)
            across = (rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)
            stroke = (abs(along) <= LONG / 2) & (abs(across) <= WIDE / 2)
            found[stroke & (truth == number)] = number
    return found


def _read(path: Path) -> np.ndarray:
    from PIL import Image

    return np.array(Image.open(path))


def _learned(file: Path, out: Path) -> Path:
    from geocnn_gui.data.source import open_source
    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.live.learn import Wish, learn_backbone

    with open_source(str(file)) as source:
        for _ in learn_backbone(Wish([source]), out=out, device=choose_device()):
            pass
    return out


def _run(*arguments: object) -> dict:
    """Return what the command prints as JSON."""
    command = [sys.executable, "-m", "geocnn_gui", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()

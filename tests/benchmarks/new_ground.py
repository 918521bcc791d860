"""The held-out score of a training, with its interval, beside the true score on new ground.

Each seed is a training by the command line on one labelled file, with defaults, then a prediction
and a score of another file that it never saw.
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


def main() -> None:
    """Print a row for each seed."""
    parser = argparse.ArgumentParser()
    for name, line in (("train", 61), ("test", 211)):
        parser.add_argument(f"--{name}", nargs=2, type=Path, metavar=("FILE", "LABELS"),
                            default=(SEGY / f"f3_crossline{line}_amplitude.sgy",
                                     SEGY / f"f3_crossline{line}_labels.png"))  # fmt: skip
    parser.add_argument("--model", default="unet")
    parser.add_argument("--seeds", type=int, default=5)
    wanted = parser.parse_args()
    print(
        "| seed | held out | interval | new ground | within | seconds |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory(prefix="geocnn-bench-") as folder:
        rows = [_seed(Path(folder), wanted, seed) for seed in range(wanted.seeds)]
    held, true, inside = np.array(rows).T
    print(
        f"| mean | {held.mean():.3f} | | {true.mean():.3f} | {int(inside.sum())} of {len(rows)} | |"
    )


def _seed(folder: Path, wanted: argparse.Namespace, seed: int) -> tuple[float, float, bool]:
    model, out = folder / f"{seed}.safetensors", folder / f"{seed}.npy"
    trained = _run("train", "--data", *wanted.train, "--model", wanted.model, "--out", model,
                   "--seed", seed)  # fmt: skip
    _run("predict", model, wanted.test[0], "--out", out)
    true = _run("evaluate", out, "--labels", wanted.test[1])["mean_iou"]
    held, ends = trained["holdout_iou"], trained["holdout_iou_interval"]
    inside = ends is not None and ends[0] <= true <= ends[1]
    interval = "unknown" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"
    print(f"| {seed} | {held:.3f} | {interval} | {true:.3f} | {'yes' if inside else 'no'} "
          f"| {trained['seconds']:.0f} |", flush=True)  # fmt: skip
    return held, true, inside


def _run(*arguments: object) -> dict:
    """Return what the command prints as JSON."""
    command = [sys.executable, "-m", "geocnn_gui", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()

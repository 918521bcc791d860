"""Faults of the synthetic cube by a U-Net on volumes and by one on sections, from the same labels.

A few inlines are labelled whole; scored are inlines between them, which no network has learned
from: the tolerant F1 of the class fault (`scoring/thin.py`), where it is the likeliest class and
at the threshold that is best on those inlines. Each network runs in a process of its own, for its
peak memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _rows import head, peak_memory, row

#: Every so-manieth inline is labelled, from `FIRST` on; scored are those midway between.
STEP, FIRST = 12, 6


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=150, help="of each training")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument(
        "--batch", type=int, default=4, help="volumes in a step; pictures are four times as many"
    )
    parser.add_argument("--only", choices=("unet", "unet-3d"))
    wish = parser.parse_args()
    if wish.only:
        print(json.dumps(measured(wish.only, wish)))
        return
    head()
    for name in ("unet", "unet-3d"):
        command = [sys.executable, __file__, "--only", name]
        for option in ("steps", "width", "batch"):
            command += [f"--{option}", str(getattr(wish, option))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        said = json.loads(done.stdout.splitlines()[-1])
        what = f"{name}, width {wish.width}, {wish.steps} steps of {said['batch']} patches of {said['patch']}"
        row(
            f"{what}: tolerant F1 of faults",
            f"{said['f1']:.3f} ({said['best']:.3f} at {said['threshold']:.2f})",
        )
        row(
            "trained, predicted; peak memory",
            f"{said['trained']:.0f} s, {said['predicted']:.0f} s; {said['memory']:.1f} GB",
            "8 GB", within=said["memory"] < 8,
        )  # fmt: skip


def measured(name: str, wish: argparse.Namespace) -> dict[str, float]:
    """Train, predict and score one network."""
    from geocnn_gui import workflow
    from geocnn_gui.data.source import Section, open_source
    from geocnn_gui.data.synthetic_seismic import FAULT
    from geocnn_gui.inference.store import PredictionStore
    from geocnn_gui.labels.classes import LabelClass
    from geocnn_gui.models.spec import SPECS
    from geocnn_gui.training.spec import TrainingSpec

    source = open_source("example:seismic")
    inlines = range(FIRST, source.shape[0], STEP)
    between = [i + STEP // 2 for i in inlines if i + STEP < source.shape[0]]
    names = ("Layered", "Chaotic", "Fault", "Salt")
    classes = tuple(LabelClass(id=i, name=n, color="#888888") for i, n in enumerate(names, 1))
    spec = SPECS[name](width=wish.width)
    batch = wish.batch if name == "unet-3d" else 4 * wish.batch
    epochs = 3
    training = TrainingSpec(
        epochs=epochs, steps_per_epoch=wish.steps // epochs, batch=batch, patience=0, refit=False
    )
    with tempfile.TemporaryDirectory() as folder:
        model, start = Path(folder) / "model.safetensors", time.perf_counter()
        pairs = [workflow.Pair(source, labels_on(source, inlines))]
        run(workflow.train(pairs, spec, training, classes, out=model, device="cpu"))
        trained = time.perf_counter() - start
        start = time.perf_counter()
        sections = [Section(0, index) for index in between]
        run(workflow.predict(
            model, source, folder=Path(folder) / "map", sections=sections, device="cpu",
            probabilities=True,
        ))  # fmt: skip
        predicted = time.perf_counter() - start
        store = PredictionStore.open(Path(folder) / "map")
        found = scored(store, labels_on(source, between), FAULT)
        store.close()
    return {
        **found, "trained": trained, "predicted": predicted, "memory": peak_memory(),
        "batch": batch, "patch": getattr(spec, "patch", 128),
    }  # fmt: skip


def labels_on(source, inlines):
    """Return the truth of some inlines as labels."""
    from geocnn_gui.data.source import Window
    from geocnn_gui.labels.store import LabelStore

    store = LabelStore(source.shape)
    for index in inlines:
        store.write(Window((index, 0, 0), (1, *source.shape[1:])), source.truth[index : index + 1])
    return store.snapshot()


def scored(store, truth, number: int) -> dict[str, float]:
    """Return the tolerant F1 of a class where it is likeliest, and at its best threshold."""
    from geocnn_gui.scoring.thin import tolerant_curves, tolerant_scores

    plain = run(tolerant_scores(truth, store.read_classes, [number]))[number]
    place = [c.id for c in store.classes].index(number)
    best = run(tolerant_curves(truth, store.read_probabilities, {number: place}))[number].best
    assert best is not None
    return {
        "f1": float(np.nan_to_num(plain.f1 or 0)), "best": best.f1 or 0.0,
        "threshold": best.threshold,
    }  # fmt: skip


def run(task):
    """Run a task to its end; what it says goes to standard error."""
    from geocnn_gui.events import EpochDone, Note

    while True:
        try:
            event = next(task)
        except StopIteration as end:
            return end.value
        if isinstance(event, EpochDone | Note):
            print(event, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

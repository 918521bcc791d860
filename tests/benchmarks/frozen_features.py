"""Twenty epochs of a ResNet-18 with a frozen encoder: features computed once, beside each time.

Both trainings take turns, an epoch each, in the same process, so that a busy machine slows both.
Weights are random: what they are does not change how long a pass takes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from _rows import head, row

EPOCHS, SAMPLES, BATCH = 20, 160, 16


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--freeze", default="encoder")
    parser.add_argument("--patch", type=int, default=64)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        weights = a_file_of_weights(Path(folder))
        runs = {copies: training(weights, wish, copies) for copies in (0, 1)}
        taken = dict.fromkeys(runs, 0.0)
        losses: dict[int, list[float]] = {copies: [] for copies in runs}
        for run in runs.values():
            next(run)
        for _ in range(EPOCHS):
            for copies, run in runs.items():
                start = time.perf_counter()
                losses[copies].append(next(run))
                taken[copies] += time.perf_counter() - start
    head()
    net = f"resnet18, {wish.freeze} frozen, {SAMPLES} patches of {wish.patch}, {EPOCHS} epochs"
    row(f"computed in each step ({net})", f"{taken[0]:.1f} s")
    row("computed once and kept", f"{taken[1]:.1f} s; {taken[0] / taken[1]:.1f} times quicker")
    apart = max(abs(a - b) for a, b in zip(losses[0], losses[1], strict=True))
    row("largest difference of an epoch's loss", f"{apart:.1e}")


def a_file_of_weights(folder: Path) -> Path:
    """Write random weights of a ResNet-18."""
    import torch
    from safetensors.torch import save_file

    from geocnn_gui.models.networks import build
    from geocnn_gui.models.spec import ResNetSpec

    torch.manual_seed(0)
    net = build(ResNetSpec(weights="none"), 1, 2)
    path = folder / "weights.safetensors"
    save_file(
        {f"encoder.{k}": v for k, v in net.get_submodule("encoder").state_dict().items()}, path
    )
    return path


def training(weights: Path, wish: argparse.Namespace, copies: int):
    """Yield the loss of each epoch of a training."""
    from geocnn_gui.data.source import open_source
    from geocnn_gui.data.synthetic import starter_labels
    from geocnn_gui.events import EpochDone
    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.labels.classes import LabelClass
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.models.spec import ResNetSpec
    from geocnn_gui.training.loop import Fit, Leg, fit
    from geocnn_gui.training.run import Order, prepare
    from geocnn_gui.training.sections import Pair
    from geocnn_gui.training.spec import TrainingSpec

    source = open_source("example:seismic")
    truth = starter_labels(source)
    classes = tuple(
        LabelClass(id=int(i), name=f"Class {i}", color="#888888")
        for i in np.unique(truth[truth > 0])
    )
    labels = np.zeros(source.shape, np.uint8)
    places = np.argwhere(truth > 0)
    some = np.random.default_rng(0).choice(len(places), SAMPLES, replace=False)
    at = tuple(places[some].T)
    labels[at] = truth[at]
    spec = ResNetSpec(patch=wish.patch, weights=str(weights), freeze=wish.freeze, dropout=0)
    recipe = TrainingSpec(
        epochs=EPOCHS, steps_per_epoch=SAMPLES // BATCH, batch=BATCH, augment=False,
        frozen_copies=copies,
    )  # fmt: skip
    pair = Pair(source, LabelSnapshot.from_array(labels))
    opening = prepare(Order([pair], spec, recipe, classes, Path(), choose_device("cpu")))
    while True:
        try:
            next(opening)
        except StopIteration as end:
            task = end.value
            break
    yield 0.0  # data are open
    for event in fit(task, Leg("refit", EPOCHS), result=Fit()):
        if isinstance(event, EpochDone):
            yield event.loss


if __name__ == "__main__":
    main()

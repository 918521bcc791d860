"""The two textbook examples as they were published, and a training of each for a seed."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from geocnn_gui.data.source import Window, open_source
from geocnn_gui.events import EpochDone, Event, Note, Progress, Saved
from geocnn_gui.export.sample_figure import check_figure, draw_samples
from geocnn_gui.labels.samples import own_classes, own_labels
from geocnn_gui.labels.store import LabelStore
from geocnn_gui.models.sample_form import log_shares, sample_input
from geocnn_gui.models.weights import load_model
from geocnn_gui.training.run import Order, train
from geocnn_gui.training.sections import Pair
from geocnn_gui.training.textbook_recipes import RECIPES, Recipe

if TYPE_CHECKING:
    from collections.abc import Generator

    from geocnn_gui.data.source import Source
    from geocnn_gui.inference.device import Device
    from geocnn_gui.training.textbook_recipes import Example

#: Of these samples one in so many is held out, the last ones.
_HELD = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """A held-out sample: its name, its values float32 (rows, columns), its class and the answer."""

    name: str
    values: np.ndarray
    true: str
    predicted: str


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What a seed gave, `losses` after the published epochs; `shown` is one sample of each class.

    `holdout_loss` is the mean cross-entropy of the samples held out, `misses` are those named
    wrongly.
    """

    seed: int
    losses: tuple[float, ...]
    holdout_loss: float
    accuracy: float
    class_accuracy: dict[str, float]
    misses: tuple[Shown, ...]
    shown: tuple[Shown, ...]
    parameters: int
    seconds: float


def reproduce(
    name: Example, seeds: int, results: list[SeedResult], *, figure: Path | None, device: Device
) -> Generator[Event]:
    """Train an example with seeds 0 .. `seeds` - 1, adding what each gives to `results`.

    The figure shows held-out samples of the first seed, one of each class. Closing the generator
    leaves the seeds that are done.

    Raises
    ------
    BadRequest, CannotWrite
        When the figure cannot be written.
    """
    if figure is not None:
        check_figure(figure)
    for seed in range(seeds):
        results.append((yield from run_seed(name, seed, device)))
        yield Note(f"Seed {seed}: accuracy {results[-1].accuracy:.3f}.")
    if figure is not None:
        shown = results[0].shown
        titles = [f"{each.true}\n→ {each.predicted}" for each in shown]
        draw_samples([each.values for each in shown], titles, figure)
        yield Saved(figure, "figure")


def run_seed(name: Example, seed: int, device: Device) -> Generator[Event, None, SeedResult]:
    """Train the example's net on the first four fifths of its samples, and judge the last fifth.

    The network is that of the last epoch: nothing is chosen by what is held out.
    """
    recipe, start = RECIPES[name], time.monotonic()
    losses: dict[int, float] = {}
    with (
        tempfile.TemporaryDirectory(prefix="geocnn-") as folder,
        open_source(f"example:{name}", seed=seed) as source,
    ):
        samples = source.samples
        assert samples is not None
        held = np.arange(len(samples) - len(samples) // _HELD, len(samples))
        labels = LabelStore(source.shape, own_labels(samples))
        labels.write(Window((0, int(held[0])), (1, len(held))), 0)
        out = Path(folder, "model.safetensors")
        pair = Pair(source, labels.snapshot())
        order = Order(
            [pair], recipe.model, recipe.training(seed), own_classes(samples), out, device
        )
        for event in train(order):
            if isinstance(event, EpochDone):
                losses[event.epoch] = event.loss
            elif isinstance(event, Progress):
                text = event.text.removeprefix("Refit on all labels: ")
                yield replace(event, text=f"Seed {seed}: {text}")
            elif isinstance(event, Note) and "memory" in event.text and event.warning:
                yield event
        return _judged(recipe, seed, source, held, (out, losses, start))


def _judged(
    recipe: Recipe, seed: int, source: Source, held: np.ndarray,
    trained: tuple[Path, dict[int, float], float],
) -> SeedResult:  # fmt: skip
    path, losses, start = trained
    samples, (net, card) = source.samples, load_model(path)
    assert samples is not None
    plain = card.scaling.for_source(source)
    inputs = np.stack([sample_input(samples, int(i), net.form, plain) for i in held])
    with torch.inference_mode():
        logs = log_shares(net, torch.from_numpy(inputs)).numpy().astype(np.float64)
    truth, found = samples.labels[held].astype(int) - 1, logs.argmax(1)
    names = [name for _, name in samples.classes]

    def shown(at: int) -> Shown:
        values = samples.read(int(held[at]))[0]
        return Shown(samples.names[int(held[at])], values, names[truth[at]], names[found[at]])

    right = found == truth
    return SeedResult(
        seed=seed,
        losses=tuple(losses[epoch] for epoch in recipe.published.epochs),
        holdout_loss=float(-logs[np.arange(len(held)), truth].mean()),
        accuracy=float(right.mean()),
        class_accuracy={n: float(right[truth == k].mean()) for k, n in enumerate(names)},
        misses=tuple(shown(int(at)) for at in np.flatnonzero(~right)),
        shown=tuple(shown(int(np.flatnonzero(truth == k)[0])) for k in range(len(names))),
        parameters=sum(p.numel() for p in net.parameters()),
        seconds=round(time.monotonic() - start, 2),
    )

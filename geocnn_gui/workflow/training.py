"""From labels to a model: train, go on, find a rate, plan what is held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.project.lock import training_alone
from geocnn_gui.workflow.destination import check_destination

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from geocnn_gui.events import Event
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.scoring.split_plan import SplitPlan
    from geocnn_gui.scoring.split_spec import SplitSpec
    from geocnn_gui.training.sections import Pair
    from geocnn_gui.training.spec import TrainingSpec
    from geocnn_gui.workflow.destination import DeviceWish


def train(
    pairs: Sequence[Pair],
    model_spec: ModelSpec,
    training: TrainingSpec,
    classes: Classes,
    *,
    out: Path,
    device: DeviceWish = "auto",
    checkpoint: Path | None = None,
) -> Generator[Event]:
    """Train a network on `pairs` and save it to `out`; see `training.run.train`.

    `checkpoint` is the file that keeps its state until it has finished; None keeps nothing.

    Raises
    ------
    NotEnoughLabels, NoLiveData, CannotWrite, BadRequest
        Before anything is computed, when the model cannot be written or is being trained elsewhere.
    """
    check_destination(out)
    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.models.networks import prepare_weights
    from geocnn_gui.training.checkpoint import tell_replaced
    from geocnn_gui.training.run import Order
    from geocnn_gui.training.run import train as run

    chosen = choose_device(device)
    with training_alone(out):
        yield from tell_replaced(checkpoint)
        yield from prepare_weights(model_spec)
        yield from run(Order(pairs, model_spec, training, classes, out, chosen, checkpoint))


def find_rate(
    pairs: Sequence[Pair],
    model_spec: ModelSpec,
    training: TrainingSpec,
    classes: Classes,
    *,
    device: DeviceWish = "auto",
) -> Generator[Event]:
    """Try learning rates from tiny to huge and suggest one; see `training.rate_finder`."""
    from pathlib import Path

    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.models.networks import prepare_weights
    from geocnn_gui.training.rate_finder import find_rate as run
    from geocnn_gui.training.run import Order

    chosen = choose_device(device)
    yield from prepare_weights(model_spec)
    yield from run(Order(pairs, model_spec, training, classes, Path(), chosen))


def plan_split(
    pairs: Sequence[Pair], model_spec: ModelSpec, split: SplitSpec, classes: Classes
) -> SplitPlan:
    """Return what a training on `pairs` would hold out, without training.

    Raises
    ------
    NotEnoughLabels
        With fewer than two classes labelled, or where a kept split leaves a class none.
    """
    from geocnn_gui.models.networks import build
    from geocnn_gui.training.pictures import labelled_classes, open_pictures
    from geocnn_gui.training.values import open_target_pictures

    learns = any(pair.target is not None for pair in pairs)
    number = 1 if learns else len(labelled_classes(pairs, classes))
    reach = build(model_spec, len(pairs[0].source.bands), number).halo
    opening = open_target_pictures(pairs) if learns else open_pictures(pairs, classes)
    while True:
        try:
            next(opening)
        except StopIteration as end:
            return end.value.plan(split, reach)


def resume(
    checkpoint: Path, pairs: Sequence[Pair], *, out: Path, device: DeviceWish = "auto"
) -> Generator[Event]:
    """Go on with a training that was broken off, from its last epoch; see `training.run.resume`.

    The data and labels are those that it began with; specs and classes are in the checkpoint.

    Raises
    ------
    UnreadableFile
        When there is no checkpoint, or it is damaged.
    BadRequest, CannotWrite
        When data or labels are others, the model cannot be written or is being trained elsewhere.
    """
    check_destination(out)
    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.training.run import resume as run

    with training_alone(out):
        yield from run(checkpoint, pairs, out=out, device=choose_device(device))

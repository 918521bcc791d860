"""The training loop: held-out run for score and step count, then a refit on all labels."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor

from geocnn_gui.data.source import Domain
from geocnn_gui.events import EpochDone, Event, Note, Progress
from geocnn_gui.inference.memory import is_out_of_memory, let_go
from geocnn_gui.models.networks import SegmentationNet, build, build_for_training
from geocnn_gui.models.spec import ModelSpec
from geocnn_gui.models.target import Target
from geocnn_gui.models.value_scores import ValueScores
from geocnn_gui.models.warm_start import warm_start
from geocnn_gui.scoring.intervals import UnitScores, score_intervals
from geocnn_gui.scoring.thin import ThinCount
from geocnn_gui.training.averaging import Average, state_of
from geocnn_gui.training.checkpoint import FitCard, FittingCard, Stage
from geocnn_gui.training.frozen import kept_features
from geocnn_gui.training.holdout import HeldScore, score_holdout
from geocnn_gui.training.recipe import (
    after_epoch,
    make_optimizer,
    make_schedule,
    restore_schedule,
    schedule_state,
)
from geocnn_gui.training.room import Room
from geocnn_gui.training.sampling import LabelledPicture, PatchSampler
from geocnn_gui.training.spec import TrainingSpec
from geocnn_gui.training.step import take_step
from geocnn_gui.training.values import score_values, take_score

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from geocnn_gui.inference.device import Device
    from geocnn_gui.training.checkpoint import Checkpoint

S = TypeVar("S")
#: Held-out scores closer than this are called equal; of equal epochs the latest is taken.
_EQUAL_IOU = 0.02


@dataclass
class Fit:
    """What a fit has reached: the best weights so far (of the averaged network) and their score."""

    best_state: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    best_iou: float | None = None
    top_iou: float = 0.0
    best_confusion: np.ndarray | None = None
    best_units: UnitScores | None = None
    steps: int = 0
    finished: bool = False
    best_values: ValueScores | None = None
    lowest: float | None = None
    thin: tuple[ThinCount, ...] | None = None

    @property
    def card(self) -> FitCard:
        """Return all but the weights, for a checkpoint."""
        confusion = self.best_confusion
        return FitCard(
            best_epoch=self.best_epoch, best_iou=self.best_iou, top_iou=self.top_iou,
            confusion=None if confusion is None else tuple(map(tuple, confusion.tolist())),
            units=self.best_units, steps=self.steps, finished=self.finished,
            values=self.best_values, lowest=self.lowest, thin=self.thin,
        )  # fmt: skip

    @classmethod
    def of(cls, card: FitCard, best_state: dict[str, Tensor]) -> Fit:
        """Return what a checkpoint has kept of a fit."""
        confusion = None if card.confusion is None else np.array(card.confusion, np.int64)
        return cls(
            best_state, card.best_epoch, card.best_iou, card.top_iou, confusion, card.units,
            card.steps, card.finished, card.values, card.lowest, card.thin,
        )  # fmt: skip


@dataclass(frozen=True)
class Leg:
    """One fit of a training: leg `number` of `legs`, counted from 0.

    A held-out leg is fold `fold` of `folds`, and its units are of a `kind`, named `units`.
    `leaky` where single pixels are held out.
    """

    stage: Stage
    epochs: int
    number: int = 0
    legs: int = 1
    fold: int = 0
    folds: int = 1
    kind: str = ""
    units: tuple[str, ...] = ()
    leaky: bool = False

    @property
    def words(self) -> str:
        """Return what is fitted, to begin a sentence."""
        if self.stage == "refit":
            return "Refit on all labels"
        if self.leaky:
            return "Leaky run"
        return f"Fold {self.fold + 1} of {self.folds}" if self.folds > 1 else "Held-out run"


@dataclass(frozen=True)
class Task:
    """All that a fit needs and nothing it changes; `split` of the pictures says what is held.

    `keep` is called after every epoch with what a checkpoint needs; what it returns is told.
    `room` is where it runs and how much at once, which changes where memory does not suffice.
    """

    pictures: list[LabelledPicture]
    model_spec: ModelSpec
    training: TrainingSpec
    domain: Domain
    bands: int
    classes: int
    room: Room
    keep: Callable[[Fitting, EpochDone], Note | None]
    target: Target | None = None


class Fitting:
    """All that changes from step to step: a checkpoint keeps it and brings it back."""

    def __init__(self, task: Task, epochs: int, start: Checkpoint | None = None) -> None:
        """Begin with a fresh network, seeded, or where a checkpoint of this stage ends."""
        spec = task.training
        torch.manual_seed(spec.seed)
        self.epoch = 0
        self.random = torch.Generator().manual_seed(spec.seed)
        # What goes on has its weights: those it began with need not be here any more.
        make = build_for_training if start is None else build
        self.net = make(task.model_spec, task.bands, task.classes)
        if start is None and spec.start:
            warm_start(self.net, Path(spec.start).expanduser())
        self.device = task.room.device
        self.device.place(self.net)
        self.averaged = Average(self.net, smooth=spec.average)
        self.learning = [weight for weight in self.net.parameters() if weight.requires_grad]
        self.kept = kept_features(task, self.net, self.device)
        self.sampler = PatchSampler(
            task.pictures, classes=task.classes, balance=spec.balance, seed=spec.seed,
            most=None if self.kept is None else self.kept.most,
        )  # fmt: skip
        if self.kept is not None:
            self.kept.places = self.sampler.all_places
        self.optimizer = make_optimizer(spec, self.net.parameter_groups(spec.rate))
        self.schedule = make_schedule(spec, self.optimizer, epochs * spec.steps)
        self.whole: tuple[Tensor, Tensor] | None = None  # all patches, where all go at once
        self.weights: list[Tensor] = []  # of the classes, one for each step of this epoch
        if start is not None:
            self._restore(start)

    @property
    def _cuda(self) -> str | None:
        return self.device.torch_name if self.device.kind == "cuda" else None

    def move(self, device: Device) -> None:
        """Go on elsewhere, or in another precision, where `device` is not that of before."""
        if device.torch_name != self.device.torch_name:
            device.place(self.net)
            self.averaged.to(device.torch_name)
            self.averaged.moved()
            for state in self.optimizer.state.values():
                for key, value in state.items():
                    state[key] = value.to(device.torch_name)
        self.device = device

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor that changes, the states of the random numbers too."""
        parts: dict[str, dict[str, Tensor]] = {
            "net": self.net.state_dict(),
            "averaged": self.averaged.state_dict(),
            "random": {"torch": torch.get_rng_state(), "augment": self.random.get_state()},
        }
        if self._cuda is not None:
            parts["random"]["cuda"] = torch.cuda.get_rng_state(self._cuda)
        for number, state in self.optimizer.state_dict()["state"].items():
            parts[f"optimizer.{number}"] = state
        return {
            f"{part}.{key}": value for part, each in parts.items() for key, value in each.items()
        }

    @property
    def card(self) -> FittingCard:
        """Return what drives the steps beside tensors."""
        groups = self.optimizer.state_dict()["param_groups"]
        return FittingCard(
            groups=tuple(groups), sampler=self.sampler.state,
            schedule=schedule_state(self.schedule),
        )  # fmt: skip

    def _restore(self, start: Checkpoint) -> None:
        """Go back to the end of an epoch; raises `UnreadableFile` where the checkpoint is damaged."""
        card = start.card.fitting
        try:
            self.net.load_state_dict(start.part("net"))
            self.averaged.load_state_dict(start.part("averaged"))
            self.optimizer.load_state_dict(
                {"state": self._moments(start), "param_groups": list(card.groups)}
            )
            restore_schedule(self.schedule, card.schedule)
            self.sampler.state = card.sampler
            random = start.part("random")
            self.random.set_state(random["augment"])
            torch.set_rng_state(random["torch"])
            if self._cuda is not None and "cuda" in random:
                torch.cuda.set_rng_state(random["cuda"], self._cuda)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise start.damaged() from error
        self.epoch = start.card.epoch

    def _moments(self, start: Checkpoint) -> dict[int, dict[str, Tensor]]:
        """Return the optimiser's running means, laid out like the weights they belong to."""
        weights = [p for group in self.optimizer.param_groups for p in group["params"]]
        moments: dict[int, dict[str, Tensor]] = {}
        for number, weight in enumerate(weights):
            state = start.part(f"optimizer.{number}")
            if state:
                moments[number] = {
                    key: torch.empty_like(weight).copy_(value)
                    if value.shape == weight.shape else value
                    for key, value in state.items()
                }  # fmt: skip
        return moments


def fit(task: Task, leg: Leg, *, result: Fit, start: Checkpoint | None = None) -> Iterator[Event]:
    """Fit a network for the leg's epochs, writing the best weights so far into `result`.

    With stage "holdout" the best are the latest with about the highest mean IoU on what is held
    out, and it ends early after `patience` epochs without a better one. With "refit" they
    are the last. `start` is a checkpoint of this leg to go on from; `result` is what it had
    reached then. Yields `Progress` after every step, so that closing the generator stops within
    one batch.
    """
    spec, stage, epochs = task.training, leg.stage, leg.epochs
    fitting = yield from _begin(task, epochs, start)
    clock = _Clock(leg, epochs * spec.steps)
    clock.begin(fitting.epoch * spec.steps)
    if fitting.kept is not None:
        yield Note(fitting.kept.words(int(fitting.sampler.counts.sum())))
    elif spec.frozen_copies and not getattr(task.model_spec, "freezes_in_vain", False):
        yield Note(
            "No stages of a patch classifier are frozen: features are computed anew in each step.",
            warning=True,
        )
    if not spec.batch:
        yield Note(fitting.sampler.whole_in_words(fitting.net.form))
    while fitting.epoch < epochs:
        epoch = fitting.epoch + 1
        waited = fitting.epoch - result.best_epoch
        if stage == "holdout" and 0 < spec.patience <= waited:
            yield Note(
                f"Stopped after epoch {fitting.epoch}: no better since epoch {result.best_epoch}."
            )
            break
        losses = []
        fitting.weights.clear()
        fitting.net.train()
        for _ in range(spec.steps):
            losses.append((yield from take_step(task, fitting)))
            result.steps += 1
            yield clock.progress(f"{leg.words}: epoch {epoch} of {epochs}")
        yield from _close_epoch(task, fitting, leg, losses, result, clock)
    result.finished = True


def _begin(task: Task, epochs: int, start: Checkpoint | None) -> Generator[Note, None, Fitting]:
    """Return a network with its optimiser, elsewhere where the device has no room for them."""
    while True:
        try:
            return Fitting(task, epochs, start)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            note = task.room.elsewhere("The network", error)
        let_go()
        yield note


class _Clock:
    """Time left from the pace of the steps since the start, or since a training went on.

    All legs count as one task of equal parts.
    """

    def __init__(self, leg: Leg, steps: int) -> None:
        self._start = time.monotonic()
        self._before = leg.number * steps
        self._total = leg.legs * steps
        self._steps = 0

    def begin(self, steps: int) -> None:
        """Count steps that were done before."""
        self._before += steps

    def progress(self, text: str, *, steps: int = 1) -> Progress:
        self._steps += steps
        pace = (time.monotonic() - self._start) / max(1, self._steps)
        done = self._before + self._steps
        return Progress(done, self._total, text, pace * (self._total - done))


def _close_epoch(
    task: Task, fitting: Fitting, leg: Leg, losses: list[float], result: Fit, clock: _Clock
) -> Iterator[Event]:
    net, epoch = fitting.averaged.module, fitting.epoch + 1
    assert isinstance(net, SegmentationNet)
    done = EpochDone(
        leg.stage, epoch, leg.epochs, float(np.mean(losses)), fold=leg.fold, folds=leg.folds,
        leaky=leg.leaky,
    )  # fmt: skip
    if leg.stage == "holdout":
        net.eval()
        text = f"Scoring epoch {epoch}"
        if task.target is not None:
            score = yield from _told(score_values(net, task.pictures, task.room), clock, text)
            done = take_score(done, leg, score, task.target, kept=(result, net))
        else:
            scoring = score_holdout(net, task.pictures, task.room, task.classes)
            score = yield from _told(scoring, clock, text)
            done = _scored(done, leg, score, net, result)
    else:
        result.best_epoch, result.best_state = epoch, state_of(net)
    after_epoch(fitting.schedule, done.loss)
    fitting.move(task.room.device)  # scoring may have gone elsewhere
    fitting.epoch = epoch
    note = task.keep(fitting, done)
    yield done
    if note is not None:
        yield note


def _scored(
    done: EpochDone, leg: Leg, score: HeldScore, net: SegmentationNet, result: Fit
) -> EpochDone:
    """Keep the weights where they are the best; return the epoch with its score."""
    units, ends = score.units.scores(leg.kind, leg.units), None
    if not leg.leaky:
        ends = score_intervals(units).mean_iou.ends
    result.top_iou = max(result.top_iou, score.iou)
    if score.iou >= result.top_iou - _EQUAL_IOU:
        result.best_iou, result.best_epoch = score.iou, done.epoch
        result.best_confusion, result.best_units = score.confusion, units
        result.best_state = state_of(net)
    return replace(
        done, holdout_loss=score.loss, holdout_iou=score.iou, holdout_interval=ends
    )  # fmt: skip


def _told(
    scoring: Generator[Note | None, None, S], clock: _Clock, text: str
) -> Generator[Event, None, S]:
    """Yield progress after each part of a scoring; return its result."""
    while True:
        try:
            note = next(scoring)
        except StopIteration as end:
            return end.value
        yield note or clock.progress(text, steps=0)

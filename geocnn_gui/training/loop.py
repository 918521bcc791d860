"""The training loop: held-out run for score and step count, then a refit on all labels."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from geocnn_gui.data.source import Domain
from geocnn_gui.events import EpochDone, Event, Note, Progress
from geocnn_gui.inference.device import Device
from geocnn_gui.models.networks import SegmentationNet, build, build_for_training
from geocnn_gui.models.spec import ModelSpec
from geocnn_gui.training.augment import CHANGES, MARGIN, augment
from geocnn_gui.training.checkpoint import FitCard, FittingCard
from geocnn_gui.training.holdout import score_holdout
from geocnn_gui.training.sampling import LabelledPicture, PatchSampler
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from geocnn_gui.training.checkpoint import Checkpoint, Stage

#: Weights are averaged over about this many last steps: a steadier network than the last one.
_EMA_STEPS = 50
_SMOOTHING = 0.05
#: Held-out scores closer than this are called equal; of equal epochs the latest is taken.
_EQUAL_IOU = 0.02
_MOST_WEIGHT = 10.0


@dataclass
class Fit:
    """What a fit has reached: the best weights so far (of the averaged network) and their score."""

    best_state: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0
    best_iou: float | None = None
    top_iou: float = 0.0
    best_confusion: np.ndarray | None = None
    steps: int = 0
    finished: bool = False

    @property
    def card(self) -> FitCard:
        """Return all but the weights, for a checkpoint."""
        confusion = self.best_confusion
        return FitCard(
            best_epoch=self.best_epoch, best_iou=self.best_iou, top_iou=self.top_iou,
            confusion=None if confusion is None else tuple(map(tuple, confusion.tolist())),
            steps=self.steps, finished=self.finished,
        )  # fmt: skip

    @classmethod
    def of(cls, card: FitCard, best_state: dict[str, Tensor]) -> Fit:
        """Return what a checkpoint has kept of a fit."""
        confusion = None if card.confusion is None else np.array(card.confusion, np.int64)
        return cls(
            best_state, card.best_epoch, card.best_iou, card.top_iou, confusion, card.steps,
            card.finished,
        )  # fmt: skip


@dataclass(frozen=True)
class Task:
    """All that a fit needs and nothing it changes; `split` of the pictures says what is held.

    `keep` is called after every epoch with what a checkpoint needs; what it returns is told.
    """

    pictures: list[LabelledPicture]
    model_spec: ModelSpec
    training: TrainingSpec
    domain: Domain
    bands: int
    classes: int
    device: Device
    buffer: int
    keep: Callable[[Fitting, EpochDone], Note | None]


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
        task.device.place(self.net)
        self.averaged = AveragedModel(self.net, avg_fn=_average, use_buffers=True)
        self.sampler = PatchSampler(
            task.pictures, classes=task.classes, balance=spec.balance, buffer=task.buffer,
            seed=spec.seed,
        )  # fmt: skip
        groups = self.net.parameter_groups(spec.learning_rate)
        self.optimizer = torch.optim.AdamW(groups, lr=spec.learning_rate, weight_decay=1e-2)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, [group["lr"] for group in groups],
            total_steps=epochs * spec.steps_per_epoch + 1, pct_start=0.15, final_div_factor=100,
        )  # fmt: skip
        self.device = task.device
        self._cuda = task.device.torch_name if task.device.kind == "cuda" else None
        if start is not None:
            self._restore(start)

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
        schedule = self.schedule.state_dict()
        return FittingCard(
            groups=tuple(groups), sampler=self.sampler.state,
            schedule={key: schedule[key] for key in ("last_epoch", "_step_count", "_last_lr")},
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
            self.schedule.load_state_dict(card.schedule)
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


def fit(
    task: Task, *, stage: Stage, epochs: int, result: Fit,
    alone: bool = False, start: Checkpoint | None = None,
) -> Iterator[Event]:  # fmt: skip
    """Fit a network for `epochs`, writing the best weights so far into `result`.

    With stage "holdout" the best are the latest with about the highest mean IoU on the held-out
    blocks, and it ends early after `patience` epochs without a better one. With "refit" they
    are the last. `alone` says that there is no other stage. `start` is a checkpoint of this
    stage to go on from; `result` is what it had reached then. Yields `Progress` after every
    step, so that closing the generator stops within one batch.
    """
    spec = task.training
    fitting = Fitting(task, epochs, start)
    clock = _Clock(stage, epochs * spec.steps_per_epoch, alone=alone)
    clock.begin(fitting.epoch * spec.steps_per_epoch)
    while fitting.epoch < epochs:
        epoch = fitting.epoch + 1
        if stage == "holdout" and fitting.epoch - result.best_epoch >= spec.patience:
            yield Note(
                f"Stopped after epoch {fitting.epoch}: no better since epoch {result.best_epoch}."
            )
            break
        losses = []
        fitting.net.train()
        for _ in range(spec.steps_per_epoch):
            losses.append(_step(task, fitting))
            result.steps += 1
            yield clock.progress(f"{_STAGES[stage]}: epoch {epoch} of {epochs}")
        yield from _close_epoch(task, fitting, stage, epochs, losses, result, clock)
    result.finished = True


_Score = tuple[float, float, np.ndarray]  # loss, mean IoU, confusion
_STAGES = {"holdout": "Held-out run", "refit": "Refit on all labels"}


def _average(averaged: Tensor, current: Tensor, steps: Tensor | int) -> Tensor:
    """Move the average towards the current weights; early on faster, to leave the start behind."""
    share = max(1 / _EMA_STEPS, 9 / (10 + int(steps)))
    return averaged + ((current - averaged) * share).to(averaged.dtype)


class _Clock:
    """Time left from the pace of the steps since the start, or since a training went on.

    The two stages count as one task of two equal parts: a held-out run has the refit ahead of
    it, a refit after one has it behind it.
    """

    def __init__(self, stage: str, steps: int, *, alone: bool) -> None:
        self._start = time.monotonic()
        self._before = steps if stage == "refit" and not alone else 0
        self._total = steps if alone else 2 * steps
        self._steps = 0

    def begin(self, steps: int) -> None:
        """Count steps that were done before."""
        self._before += steps

    def progress(self, text: str, *, steps: int = 1) -> Progress:
        self._steps += steps
        pace = (time.monotonic() - self._start) / max(1, self._steps)
        done = self._before + self._steps
        return Progress(done, self._total, text, pace * (self._total - done))


def _batch(task: Task, fitting: Fitting) -> tuple[Tensor, Tensor]:
    spec, net = task.training, fitting.net
    side = net.patch
    cut = -(-int(side * MARGIN) // 2) * 2 if spec.augment else side
    drawn, numbers = fitting.sampler.draw(spec.batch, cut, jitter=net.jitter)
    values, labels = torch.from_numpy(drawn), torch.from_numpy(numbers)
    if spec.augment:
        changes = CHANGES[task.domain]
        values, labels = augment(values, labels, side, changes=changes, random=fitting.random)
    name = task.device.torch_name
    values = values.to(name, memory_format=task.device.memory_format)
    return values, labels.to(name, torch.long)


def _step(task: Task, fitting: Fitting) -> float:
    """Take one step and return its loss."""
    net, optimizer = fitting.net, fitting.optimizer
    values, labels = _batch(task, fitting)
    with torch.autocast(task.device.kind, torch.bfloat16, enabled=task.device.bf16):
        logits = net.training_logits(values)
    loss = _loss(logits.float(), net.training_labels(labels), balance=task.training.balance)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    fitting.schedule.step()
    fitting.averaged.update_parameters(net)
    return float(loss.detach())


def _loss(logits: Tensor, labels: Tensor, *, balance: bool) -> Tensor:
    """Return the cross-entropy over labelled cells; label 0 is unlabelled and enters nothing.

    With `balance` every class in the batch weighs the same, up to a factor of `_MOST_WEIGHT`
    against its share: thin classes (faults) would be passed over otherwise.
    """
    counts = torch.bincount(labels.flatten(), minlength=logits.shape[1] + 1)[1:].float()
    if not bool(counts.any()):
        return logits.sum() * 0
    weights = None
    if balance:
        weights = (counts.sum() / (counts + 1) / len(counts)).clamp(1 / _MOST_WEIGHT, _MOST_WEIGHT)
    return nn.functional.cross_entropy(
        logits, labels - 1, weights, ignore_index=-1, label_smoothing=_SMOOTHING
    )


def _close_epoch(
    task: Task, fitting: Fitting,
    stage: Stage, epochs: int, losses: list[float], result: Fit, clock: _Clock,
) -> Iterator[Event]:  # fmt: skip
    net, epoch = fitting.averaged.module, fitting.epoch + 1
    assert isinstance(net, SegmentationNet)
    held_loss = iou = None
    if stage == "holdout":
        net.eval()
        scoring = score_holdout(net, task.pictures, task.device, task.classes)
        held_loss, iou, confusion = yield from _told(scoring, clock, f"Scoring epoch {epoch}")
        result.top_iou = max(result.top_iou, iou)
        if iou >= result.top_iou - _EQUAL_IOU:
            result.best_iou, result.best_epoch, result.best_confusion = iou, epoch, confusion
            result.best_state = copy.deepcopy(net.state_dict())
    else:
        result.best_epoch, result.best_state = epoch, copy.deepcopy(net.state_dict())
    fitting.epoch = epoch
    done = EpochDone(stage, epoch, epochs, float(np.mean(losses)), held_loss, iou)
    note = task.keep(fitting, done)
    yield done
    if note is not None:
        yield note


def _told(
    scoring: Generator[None, None, _Score], clock: _Clock, text: str
) -> Generator[Event, None, _Score]:
    """Yield progress after each part of a scoring; return its result."""
    while True:
        try:
            next(scoring)
        except StopIteration as end:
            return end.value
        yield clock.progress(text, steps=0)

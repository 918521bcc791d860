"""The training loop: held-out run for score and step count, then a refit on all labels."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from geocnn_gui.data.source import Domain
from geocnn_gui.events import EpochDone, Event, Note, Progress
from geocnn_gui.inference.device import Device
from geocnn_gui.models.networks import SegmentationNet, build_for_training
from geocnn_gui.models.spec import ModelSpec
from geocnn_gui.training.augment import CHANGES, MARGIN, augment
from geocnn_gui.training.holdout import score_holdout
from geocnn_gui.training.sampling import LabelledPicture, PatchSampler
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


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


@dataclass(frozen=True)
class Task:
    """All that a fit needs and nothing it changes; `split` of the pictures says what is held."""

    pictures: list[LabelledPicture]
    model_spec: ModelSpec
    training: TrainingSpec
    domain: Domain
    bands: int
    classes: int
    device: Device
    buffer: int


def fit(
    task: Task, *, stage: str, epochs: int, result: Fit,
    alone: bool = False,
) -> Iterator[Event]:  # fmt: skip
    """Fit a fresh network for `epochs`, writing the best weights so far into `result`.

    With stage "holdout" the best are the latest with about the highest mean IoU on the held-out
    blocks, and it ends early after `patience` epochs without a better one. With "refit" they
    are the last; `alone` says that no held-out run went before. Yields `Progress` after every step, so that closing the generator stops within one batch.
    """
    spec = task.training
    torch.manual_seed(spec.seed)
    random = torch.Generator().manual_seed(spec.seed)
    net = build_for_training(task.model_spec, task.bands, task.classes)
    task.device.place(net)
    averaged = AveragedModel(net, avg_fn=_average, use_buffers=True)
    sampler = PatchSampler(
        task.pictures,
        classes=task.classes,
        balance=spec.balance,
        buffer=task.buffer,
        seed=spec.seed,
    )
    groups = net.parameter_groups(spec.learning_rate)
    optimizer = torch.optim.AdamW(groups, lr=spec.learning_rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in groups], total_steps=epochs * spec.steps_per_epoch + 1,
        pct_start=0.15, final_div_factor=100,
    )  # fmt: skip
    clock = _Clock(epochs * spec.steps_per_epoch, stage, alone=alone)
    for epoch in range(1, epochs + 1):
        losses = []
        net.train()
        for _ in range(spec.steps_per_epoch):
            values, labels = _batch(task, sampler, net, random)
            losses.append(_step(task, net, optimizer, values, labels))
            schedule.step()
            averaged.update_parameters(net)
            result.steps += 1
            yield clock.progress(f"{_STAGES[stage]}: epoch {epoch} of {epochs}")
        yield from _close_epoch(task, averaged, stage, (epoch, epochs), losses, result, clock)
        if stage == "holdout" and epoch - result.best_epoch >= spec.patience:
            yield Note(f"Stopped after epoch {epoch}: no better since epoch {result.best_epoch}.")
            break
    result.finished = True


_Score = tuple[float, float, np.ndarray]  # loss, mean IoU, confusion
_STAGES = {"holdout": "Held-out run", "refit": "Refit on all labels"}


def _average(averaged: Tensor, current: Tensor, steps: Tensor | int) -> Tensor:
    """Move the average towards the current weights; early on faster, to leave the start behind."""
    share = max(1 / _EMA_STEPS, 9 / (10 + int(steps)))
    return averaged + ((current - averaged) * share).to(averaged.dtype)


class _Clock:
    """Time left from the pace of the steps so far.

    The two stages count as one task of two equal parts: a held-out run has the refit ahead of
    it, a refit after one has it behind it.
    """

    def __init__(self, steps: int, stage: str, *, alone: bool) -> None:
        self._steps, self._start = 0, time.monotonic()
        self._before = steps if stage == "refit" and not alone else 0
        self._total = steps if alone else 2 * steps

    def progress(self, text: str, *, steps: int = 1) -> Progress:
        self._steps += steps
        pace = (time.monotonic() - self._start) / max(1, self._steps)
        done = self._before + self._steps
        return Progress(done, self._total, text, pace * (self._total - done))


def _batch(
    task: Task, sampler: PatchSampler, net: SegmentationNet, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    spec, side = task.training, net.patch
    cut = -(-int(side * MARGIN) // 2) * 2 if spec.augment else side
    drawn, numbers = sampler.draw(spec.batch, cut, jitter=net.jitter)
    values, labels = torch.from_numpy(drawn), torch.from_numpy(numbers)
    if spec.augment:
        values, labels = augment(values, labels, side, changes=CHANGES[task.domain], random=random)
    name = task.device.torch_name
    values = values.to(name, memory_format=task.device.memory_format)
    return values, labels.to(name, torch.long)


def _step(
    task: Task,
    net: SegmentationNet,
    optimizer: torch.optim.Optimizer,
    values: Tensor,
    labels: Tensor,
) -> float:
    with torch.autocast(task.device.kind, torch.bfloat16, enabled=task.device.bf16):
        logits = net.training_logits(values)
    loss = _loss(logits.float(), net.training_labels(labels), balance=task.training.balance)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
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
    task: Task, averaged: AveragedModel,
    stage: str, epoch: tuple[int, int], losses: list[float], result: Fit, clock: _Clock,
) -> Iterator[Event]:  # fmt: skip
    net = averaged.module
    assert isinstance(net, SegmentationNet)
    held_loss = iou = None
    if stage == "holdout":
        net.eval()
        scoring = score_holdout(net, task.pictures, task.device, task.classes)
        held_loss, iou, confusion = yield from _told(scoring, clock, f"Scoring epoch {epoch[0]}")
        result.top_iou = max(result.top_iou, iou)
        if iou >= result.top_iou - _EQUAL_IOU:
            result.best_iou, result.best_epoch, result.best_confusion = iou, epoch[0], confusion
            result.best_state = copy.deepcopy(net.state_dict())
    else:
        result.best_epoch, result.best_state = epoch[0], copy.deepcopy(net.state_dict())
    yield EpochDone(stage, *epoch, float(np.mean(losses)), held_loss, iou)


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

"""What a training makes small: losses over the labelled cells of a batch, part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_WEIGHT = 10.0
_USUAL = TrainingSpec()


@dataclass(frozen=True, slots=True)
class Share:
    """How a batch weighs its cells: `weights` float32 (classes,), and the sum of all of them.

    `patches` counts those with labels. Part by part, losses divided by the sum of the whole batch
    add up to the whole batch's mean.
    """

    weights: Tensor
    total: float
    patches: int


def share_of(
    labels: Tensor, classes: int, *, balance: bool, weights: Tensor | None = None
) -> Share:
    """Return how the cells of a batch weigh, from its class numbers (n, ...), 0: unlabelled.

    With `balance` every class in the batch weighs the same, up to a factor of `MOST_WEIGHT`
    against its share: thin classes (faults) would be passed over otherwise. `weights` of the
    classes are taken as they are instead. Values (float32) weigh alike where they are not NaN.
    """
    patches = int((labels > 0).flatten(1).any(1).sum())
    if labels.is_floating_point():
        return Share(torch.ones(1), float(labels.isfinite().sum()), patches)
    counts = torch.bincount(labels.flatten().long(), minlength=classes + 1)[1:].float()
    if weights is None:
        weights = torch.ones(classes)
        if balance:
            weights = _bounded(counts.sum() / (counts + 1) / classes)
    return Share(weights, float((weights * counts).sum()), patches)


def fixed_weights(shares: Tensor) -> Tensor:
    """Return weights (classes,) by which all classes count alike, of shares that add up to 1."""
    return _bounded(1 / shares.float().clamp(min=1e-9) / len(shares))


def _bounded(weights: Tensor) -> Tensor:
    return weights.clamp(1 / MOST_WEIGHT, MOST_WEIGHT)


def loss_of(logits: Tensor, labels: Tensor, share: Share, spec: TrainingSpec = _USUAL) -> Tensor:
    """Return the part of the batch's mean loss that these cells give.

    `logits` float (n, classes, h, w), `labels` integers (n, h, w); label 0 is unlabelled and
    enters nothing. Of values (float32, NaN: none) it is the squared error, whatever the spec says.
    """
    if not share.total:
        return logits.sum() * 0
    if labels.is_floating_point():
        return squared_error(logits, labels) / share.total
    return _LOSSES[spec.loss](logits, labels.long() - 1, share, spec)


def squared_error(outputs: Tensor, values: Tensor) -> Tensor:
    """Return the sum of squared errors of (n, 1, ...) against (n, ...), none where NaN."""
    error = torch.where(values.isfinite(), outputs[:, 0] - values, 0)
    return (error**2).sum()


def _cross_entropy(logits: Tensor, truth: Tensor, share: Share, spec: TrainingSpec) -> Tensor:
    loss = functional.cross_entropy(
        logits, truth, share.weights.to(logits.device), reduction="sum", ignore_index=-1,
        label_smoothing=spec.smoothing,
    )  # fmt: skip
    return loss / share.total


def _focal(logits: Tensor, truth: Tensor, share: Share, spec: TrainingSpec) -> Tensor:
    """Cross-entropy times (1 - p) to the power of `focus` (Lin and others 2017)."""
    plain = functional.cross_entropy(logits, truth, reduction="none", ignore_index=-1)
    hard = (1 - torch.exp(-plain)).clamp(min=0) ** spec.focus
    return (_weights(truth, share) * hard * plain).sum() / share.total


def _dice(logits: Tensor, truth: Tensor, share: Share, spec: TrainingSpec) -> Tensor:
    """Cross-entropy plus 1 - Dice (Milletari and others 2016) of each patch's own classes."""
    known = (truth >= 0)[:, None]
    shares, exact = logits.softmax(1) * known, _exact(truth, logits.shape[1])
    together = (shares * exact).flatten(2).sum(2)
    present = exact.flatten(2).sum(2)
    overlap = 2 * together / (shares.flatten(2).sum(2) + present).clamp(min=1e-9)
    there = present > 0
    lost = ((1 - overlap) * there).sum(1) / there.sum(1).clamp(min=1)
    return _cross_entropy(logits, truth, share, spec) + lost.sum() / share.patches


def _squared(logits: Tensor, truth: Tensor, share: Share, spec: TrainingSpec) -> Tensor:
    """Squared error of all classes' probabilities (Brier 1950)."""
    error = ((logits.softmax(1) - _exact(truth, logits.shape[1])) ** 2).sum(1)
    return (_weights(truth, share) * error).sum() / share.total


def _exact(truth: Tensor, classes: int) -> Tensor:
    """Return float (n, classes, ...): 1 in the channel of the class, all 0 where unlabelled."""
    numbers = torch.arange(classes, device=truth.device).view(1, -1, *[1] * (truth.ndim - 1))
    return (truth[:, None] == numbers).float()


def _weights(truth: Tensor, share: Share) -> Tensor:
    """Return the weight of each cell, 0 where it is unlabelled."""
    weights = share.weights.to(truth.device)
    return weights[truth.clamp(min=0)] * (truth >= 0)


_LOSSES: dict[str, Callable[[Tensor, Tensor, Share, TrainingSpec], Tensor]] = {
    "cross-entropy": _cross_entropy, "weighted": _cross_entropy, "focal": _focal, "dice": _dice,
    "mse": _squared,
}  # fmt: skip

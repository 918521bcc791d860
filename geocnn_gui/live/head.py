"""A linear head on features: fitted to what is painted, drawn over a tile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geocnn_gui.live.features import Tile

#: Weight of the squared weights beside the mean loss.
STRENGTH = 0.05
_ROUNDS = 25
#: No class is thought to be rarer than this.
_RAREST = 0.02
_FLAT = 1e-3


@dataclass(frozen=True, slots=True)
class Head:
    """Logits of the class `ids` from features: `weights` (classes, channels) and `bias`.

    `mean` and `scale` (channels,) bring features to one scale first; `shares` (classes,) are how
    common the classes are thought to be.
    """

    ids: tuple[int, ...]
    weights: Tensor
    bias: Tensor
    mean: Tensor
    scale: Tensor
    shares: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """Return float32 (n, classes) of features (n, channels), as if classes were equally common."""
        return (features - self.mean) / self.scale @ self.weights.T + self.bias

    def probabilities(self, features: Tensor) -> Tensor:
        """Return float32 (n, classes) of features (n, channels)."""
        return (self.logits(features) + self.shares.log()).softmax(dim=1)

    def with_shares(self, features: Tensor) -> Head:
        """Return the head with shares of its classes as they are among unlabelled features.

        One step of the estimate of Saerens, Latinne and Decaestecker (2002): the mean of what
        it says where classes are equally common. More steps fit the labels' own errors.
        """
        if not len(features):
            return self
        shares = self.logits(features).softmax(dim=1).mean(dim=0).clamp(min=_RAREST)
        return replace(self, shares=shares / shares.sum())

    @torch.inference_mode()
    def over(self, tile: Tile) -> Tensor:
        """Return the probabilities of a tile, float32 (classes, rows, columns).

        The head looks at each level by itself, and what it says is brought to whole cells:
        nothing wide is ever enlarged.
        """
        weights = self.weights / self.scale
        offset = self.bias - weights @ self.mean + self.shares.log()
        size = [part.stop - part.start for part in tile.near]
        total = offset.view(1, -1, 1, 1)
        at = 0
        for level in tile.levels:
            own = weights[:, at : at + level.shape[1]]
            at += level.shape[1]
            said = functional.conv2d(level, own[:, :, None, None].to(level.dtype)).float()
            total = total + _enlarged(said, size)
        inner = [
            slice(part.start - near.start, part.stop - near.start)
            for part, near in zip((tile.rows, tile.columns), tile.near, strict=True)
        ]
        return total[0, :, inner[0], inner[1]].softmax(dim=0)


def _enlarged(said: Tensor, size: list[int]) -> Tensor:
    if list(said.shape[2:]) == size:
        return said
    return functional.interpolate(said, size, mode="bilinear", align_corners=False)


def fit_head(
    features: Tensor,
    ids: np.ndarray,
    *,
    others: Tensor | None = None,
    start: Head | None = None,
    weights: np.ndarray | None = None,
    emphasis: Tensor | None = None,
) -> Head:
    """Fit a head to features (n, channels) float32 of cells of the class `ids` uint8 (n,).

    Multinomial logistic regression with every class counting alike, by L-BFGS; `start` is an
    earlier head of like classes to begin with. `others` are features of cells without labels,
    which say how features vary and how common the classes are. `weights` (n,) say how much each
    cell counts within its class, `emphasis` (channels,) how readily each channel is used.
    """
    known = tuple(int(i) for i in np.unique(ids))
    goal = torch.from_numpy(np.searchsorted(known, ids))
    all_of_it = features if others is None or not len(others) else torch.cat([features, others])
    mean, scale = all_of_it.mean(dim=0), all_of_it.std(dim=0, unbiased=False).clamp(min=_FLAT)
    unit = scale if emphasis is None else scale / emphasis
    scaled = (features - mean) / unit
    each = torch.ones(len(ids)) if weights is None else torch.from_numpy(weights).float()
    own = torch.zeros(len(known)).index_add_(0, goal, each)
    each = each / own[goal] / len(known)
    found, bias = _minimum(scaled, goal, each, *_begin(known, mean, unit, start))
    equal = torch.full((len(known),), 1 / len(known))
    head = Head(known, found * (scale / unit), bias, mean, scale, equal)
    return head if others is None else head.with_shares(others)


def _begin(
    known: Sequence[int], mean: Tensor, scale: Tensor, start: Head | None
) -> tuple[Tensor, Tensor]:
    """Return weights and biases to begin with, an earlier head's where it is of these channels."""
    weights, bias = torch.zeros(len(known), len(mean)), torch.zeros(len(known))
    if start is not None and len(start.mean) == len(mean):
        before = start.weights / start.scale
        for place, number in enumerate(known):
            if number in start.ids:
                row = before[start.ids.index(number)]
                weights[place] = row * scale
                bias[place] = start.bias[start.ids.index(number)] + row @ (mean - start.mean)
    return weights, bias


def _minimum(
    scaled: Tensor, goal: Tensor, each: Tensor, weights: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    weights, bias = weights.requires_grad_(), bias.requires_grad_()
    search = torch.optim.LBFGS(
        [weights, bias], max_iter=_ROUNDS, history_size=10, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        search.zero_grad()
        said = scaled @ weights.T + bias
        value = (functional.cross_entropy(said, goal, reduction="none") * each).sum()
        value = value + STRENGTH / 2 * weights.square().sum()
        value.backward()
        return value

    search.step(loss)  # pyright: ignore[reportArgumentType]  a tensor is taken as a float
    return weights.detach(), bias.detach()

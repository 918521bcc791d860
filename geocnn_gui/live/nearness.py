"""How like cells and places are in the eyes of a backbone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from geocnn_gui.live.features import Features
    from geocnn_gui.live.head import Head


@dataclass(frozen=True, slots=True)
class Eye:
    """Brings features to a scale on which distances can be told: that of a head.

    Channels are measured in the deviations that the head has seen, of labelled cells and others;
    each level of the backbone counts alike, however many channels it has.
    """

    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, features: Features, head: Head) -> Eye:
        """Return the eye of a head on features."""
        widths = [len(features.source.bands), *features.backbone.widths]
        each = torch.cat([torch.full((width,), float(width) ** 0.5) for width in widths])
        return cls(head.mean, head.scale * each * len(widths) ** 0.5)

    def scaled(self, features: Tensor) -> np.ndarray:
        """Return features float32 (n, channels) on that scale."""
        return ((features - self.mean) / self.scale).numpy()


def distances(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the Euclidean distances (n, m) of rows (n, channels) and (m, channels)."""
    squares = (ones**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * ones @ others.T
    return np.sqrt(np.maximum(squares, 0))


def means(values: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return the means (groups, channels) of values (n, channels) by owner int (n,), from 0."""
    count = int(owner.max(initial=-1)) + 1
    sums = np.zeros((count, values.shape[1]), np.float32)
    np.add.at(sums, owner, values)
    return sums / np.maximum(np.bincount(owner, minlength=count), 1)[:, None]

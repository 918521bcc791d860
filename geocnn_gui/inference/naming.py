"""From probabilities to the class of each cell: the likeliest, thin ones by their thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.events import Note
from geocnn_gui.inference.engine import likeliest

if TYPE_CHECKING:
    from torch import Tensor

    from geocnn_gui.inference.spec import PredictionSpec
    from geocnn_gui.models.weights import ModelCard


@dataclass(frozen=True, slots=True)
class Naming:
    """The ids of the classes in order, and for thin ones the probability that names them."""

    ids: np.ndarray
    thresholds: tuple[tuple[int, float], ...] = ()

    @classmethod
    def of(cls, card: ModelCard, spec: PredictionSpec) -> Naming:
        """Return how a model names cells in the manner of `spec`."""
        ids = [c.id for c in card.named]
        kept = [
            (ids.index(i), t) for i, t in sorted(card.thresholds.items()) if i in card.thin
        ] if spec.thresholds else []  # fmt: skip
        return cls(np.array(ids, np.uint8), tuple(kept))

    def name(self, shares: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Return ids uint8 and the share of that class float32 (h, w) of shares (classes, h, w).

        A thin class is named from its threshold on and nowhere else; of several the one farthest
        above its own.
        """
        if not self.thresholds or len(self.thresholds) == len(shares):
            numbers, confidence = likeliest(shares)
            return self.ids[numbers], confidence
        rest = shares.clone()
        rest[[number for number, _ in self.thresholds]] = -1
        numbers, confidence = (each.copy() for each in likeliest(rest))
        farthest = np.full(numbers.shape, -1.0, np.float32)
        for number, threshold in self.thresholds:
            share = shares[number].float().cpu().numpy()
            above = share - np.float32(threshold)
            won = (above >= 0) & (above > farthest)
            numbers[won], confidence[won] = number, share[won]
            farthest[won] = above[won]
        return self.ids[numbers], confidence


def tell_naming(card: ModelCard, spec: PredictionSpec) -> Note | None:
    """Say which classes are named from which probability on; None where it is the likeliest."""
    if not spec.thresholds:
        return None
    naming = Naming.of(card, spec)
    if not naming.thresholds:
        return Note("This model has no thresholds of thin classes: the likeliest class is taken.")
    each = ", ".join(f"{card.classes[n].name} from {t:.2g}" for n, t in naming.thresholds)
    return Note(f"Thin classes are named by their best threshold: {each}.")

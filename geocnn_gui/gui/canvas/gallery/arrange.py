"""Which samples are shown, and in which order; no Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Order = Literal["file", "class", "unsure", "wrong"]
#: Order -> how it is called.
ORDERS: dict[Order, str] = {
    "file": "As in the file", "class": "By class", "unsure": "Least sure first",
    "wrong": "Wrong first",
}  # fmt: skip
#: Those that need a prediction.
BY_PREDICTION: tuple[Order, ...] = ("unsure", "wrong")


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of n samples, each (n,).

    `labels` uint8 ids of the project, 0 for none; `predicted` uint8 ids of the model, 0 for none;
    `truth` uint8, the labels in ids of the model; `confidence` float32 0-1.
    """

    labels: np.ndarray
    predicted: np.ndarray
    truth: np.ndarray
    confidence: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """Say bool (n,) which are labelled and predicted otherwise."""
        return (self.truth > 0) & (self.predicted > 0) & (self.truth != self.predicted)


def arrange(
    facts: Facts, order: Order, label: int | None = None, marked: np.ndarray | None = None
) -> np.ndarray:
    """Return int64 indices of the samples to show, in order.

    Only those with `label` (0: without one), and of `marked` bool (n,), where these are given.
    "wrong" puts the errors first, those that the model is surest of before the others.
    """
    shown = np.ones(len(facts.labels), bool) if marked is None else marked.copy()
    if label is not None:
        shown &= facts.labels == label
    found = np.flatnonzero(shown)
    if order == "file":
        return found
    if order == "class":
        ids = facts.labels[found].astype(int)
        return found[np.argsort(np.where(ids == 0, 255, ids), kind="stable")]
    sure = np.where(facts.predicted[found] > 0, facts.confidence[found], 2)
    if order == "unsure":
        return found[np.argsort(sure, kind="stable")]
    return found[np.argsort(np.where(facts.wrong[found], -sure, sure), kind="stable")]

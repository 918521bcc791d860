"""What a training tells of its classes: how they were balanced, which were never predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from geocnn_gui.events import Event, Note, Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from geocnn_gui.labels.classes import Classes

S = TypeVar("S")
#: More classes than this are not listed one by one.
_MOST_LISTED = 12


def tell_balance(
    classes: Classes, cells: np.ndarray, drawn: np.ndarray, weights: Sequence[np.ndarray]
) -> Note:
    """Say what balancing came to: of each class its share of the labels, of the patches, its weight.

    `cells` counts labelled cells, `drawn` is the share of the patches drawn for each class,
    `weights` are those in the loss at each step so far; all (classes,).
    """
    shares, mean = cells / max(cells.sum(), 1), np.mean(weights, axis=0)
    order = np.argsort(shares, kind="stable")[:_MOST_LISTED]
    each = "; ".join(
        f"{classes[i].name} {_percent(float(shares[i]))} of the labels, {_percent(float(drawn[i]))} of the "
        f"patches, weight {mean[i]:.2g}"
        for i in order
    )
    return Note(f"Classes are balanced (mean of the first epoch): {each}.")


def tell_never_predicted(classes: Classes, confusion: np.ndarray) -> Note | None:
    """Warn of classes that lie in the held-out part and are predicted nowhere in it.

    `confusion` int64 (classes, classes), rows are truth.
    """
    lost = np.flatnonzero((confusion.sum(1) > 0) & (confusion.sum(0) == 0))
    if not len(lost):
        return None
    names = ", ".join(classes[i].name for i in lost)
    them, have = ("it", "has") if len(lost) == 1 else ("they", "have")
    return Note(
        f"{names}: never predicted on the held-out part, where {them} {have} "
        f"{confusion[lost].sum():,} labelled cells; label more of it in several places, or train "
        "longer.", warning=True,
    )  # fmt: skip


def _percent(share: float) -> str:
    return f"{share:.2%}" if share < 0.01 else f"{share:.0%}"


def drawn(scoring: Generator[Note | None, None, S], text: str) -> Generator[Event, None, S]:
    """Yield progress after each part of a scoring; return its result."""
    while True:
        try:
            note = next(scoring)
        except StopIteration as end:
            return end.value
        yield note or Progress(0, 0, text)

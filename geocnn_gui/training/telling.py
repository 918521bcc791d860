"""What a training tells of its classes: how they were balanced, which were never predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from geocnn_gui.events import Event, Note, Progress
from geocnn_gui.models.survey_card import is_backbone, read_backbone_card
from geocnn_gui.models.warm_start import warm_start
from geocnn_gui.training.beginning import backbone_words, start_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.models.scaling import Scaling
    from geocnn_gui.training.sections import Pair
    from geocnn_gui.training.spec import TrainingSpec

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


def tell_start(
    training: TrainingSpec, net: SegmentationNet, *, scaling: Scaling, pairs: Sequence[Pair]
) -> Iterator[Note]:
    """Say what a training on `pairs` takes from the file it begins with, and what makes that less.

    Raises `ModelMismatch`.
    """
    place = start_of(training)
    whole = warm_start(net, place)
    if not is_backbone(place):
        head = "its head too" if whole else "the head is fresh, for other classes"
        yield Note(f"Begins with the weights of {place.name}; {head}.")
        return
    card, domain = read_backbone_card(place), pairs[0].source.domain
    yield Note(f"Begins with the {backbone_words(place, card)}; the head is fresh.")
    if card.domain != domain:
        yield Note(f"{place.name} knows {card.domain}, and this is {domain}.", warning=True)
    if scaling.mode in ("trace", "raw") or (scaling.mode == "stored" and len(pairs) > 1):
        yield Note(
            f"{place.name} has learned data scaled by each source's own statistics, and this "
            "training scales them otherwise: scaling=survey would suit it better.",
            warning=scaling.mode != "stored",
        )


def drawn(scoring: Generator[Note | None, None, S], text: str) -> Generator[Event, None, S]:
    """Yield progress after each part of a scoring; return its result."""
    while True:
        try:
            note = next(scoring)
        except StopIteration as end:
            return end.value
        yield note or Progress(0, 0, text)

"""What a training begins with: told before the first step, and kept with the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geocnn_gui.errors import ModelMismatch
from geocnn_gui.events import Note
from geocnn_gui.models.survey_card import is_backbone, read_backbone_card
from geocnn_gui.models.warm_start import warm_start
from geocnn_gui.models.weights import read_card

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.models.scaling import Scaling
    from geocnn_gui.models.survey_card import BackboneCard
    from geocnn_gui.training.sections import Pair
    from geocnn_gui.training.spec import TrainingSpec


def tell_start(
    training: TrainingSpec, net: SegmentationNet, *, scaling: Scaling, pairs: Sequence[Pair]
) -> Iterator[Note]:
    """Say what a training on `pairs` takes from the file it begins with, and what makes that less.

    Raises `ModelMismatch`.
    """
    place = _place(training)
    whole = warm_start(net, place)
    if not is_backbone(place):
        head = "its head too" if whole else "the head is fresh, for other classes"
        yield Note(f"Begins with the weights of {place.name}; {head}.")
        return
    card = read_backbone_card(place)
    yield Note(f"Begins with the survey backbone {place.name}{_learned(card)}; the head is fresh.")
    domain = pairs[0].source.domain
    if card.domain != domain:
        yield Note(f"{place.name} knows {card.domain}, and this is {domain}.", warning=True)
    if scaling.mode in ("trace", "raw") or (scaling.mode == "stored" and len(pairs) > 1):
        yield Note(
            f"{place.name} has learned data scaled by each source's own statistics, and this "
            "training scales them otherwise: scaling=survey would suit it better.",
            warning=scaling.mode != "stored",
        )


def licensed(training: TrainingSpec) -> TrainingSpec:
    """Return the spec with the licence of what it begins with, where it names none itself."""
    return training if training.licence else training.model_copy(
        update={"licence": _licence_of(training)[:200]}
    )  # fmt: skip


def began_with(training: TrainingSpec) -> str:
    """Return what a training began with, "" for fresh weights; a name alone where it is gone."""
    if not training.start:
        return ""
    place = _place(training)
    try:
        card = read_backbone_card(place) if is_backbone(place) else None
    except ModelMismatch:
        card = None
    kind = "model" if card is None else "survey backbone"
    return f"{kind} {place.name}" + ("" if card is None else _learned(card))


def _licence_of(training: TrainingSpec) -> str:
    """Return the licence of a backbone or model, "" for fresh weights and one that says none."""
    if not training.start:
        return ""
    place = _place(training)
    if is_backbone(place):
        return read_backbone_card(place).licence
    return read_card(place).training.licence


def _place(training: TrainingSpec) -> Path:
    return Path(training.start).expanduser()


def _learned(card: BackboneCard) -> str:
    """Return " (Line 61 in 400 steps without labels)"."""
    names = ", ".join(card.sources[:3]) + (" and others" if len(card.sources) > 3 else "")
    return f" ({names or 'data'} in {card.steps:,} steps without labels)"

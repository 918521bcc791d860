"""What a training begins with, as it is kept with the model. Torch-free."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from geocnn_gui.models.spec import Spec
from geocnn_gui.models.survey_card import is_backbone, read_backbone_card
from geocnn_gui.models.weights import read_card

if TYPE_CHECKING:
    from geocnn_gui.models.survey_card import BackboneCard
    from geocnn_gui.training.spec import TrainingSpec

#: So many sources of a backbone are named.
_MOST_NAMED = 3


class Beginning(Spec):
    """What a training began with, in words ("" for fresh weights), and the licence of that."""

    words: str = ""
    licence: str = ""

    def facts(self, training: TrainingSpec) -> dict[str, Any]:
        """Return what a model's card says of it; the licence where the training names none."""
        return {"began": self.words, "licence": training.licence or self.licence}


def beginning_of(training: TrainingSpec) -> Beginning:
    """Return what a training begins with; raises `ModelMismatch` for a file that is none."""
    if not training.start:
        return Beginning()
    place = start_of(training)
    if is_backbone(place):
        card = read_backbone_card(place)
        return Beginning(words=backbone_words(place, card), licence=card.licence)
    return Beginning(words=f"model {place.name}", licence=read_card(place).training.licence)


def start_of(training: TrainingSpec) -> Path:
    """Return the file that a training begins with."""
    return Path(training.start).expanduser()


def backbone_words(path: Path, card: BackboneCard) -> str:
    """Return "survey backbone seismic.safetensors (Line 61 in 400 steps without labels)"."""
    names = ", ".join(card.sources[:_MOST_NAMED]) or "data"
    others = " and others" if len(card.sources) > _MOST_NAMED else ""
    return f"survey backbone {path.name} ({names}{others} in {card.steps:,} steps without labels)"

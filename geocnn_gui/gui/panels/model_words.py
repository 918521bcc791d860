"""What is said of a network and of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.scoring.intervals import score_words

if TYPE_CHECKING:
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.models.weights import ModelCard


def title_of(spec: ModelSpec) -> str:
    """Return a network's name for people."""
    return type(spec).model_fields["kind"].title or spec.kind


def describe_card(card: ModelCard) -> str:
    """Say in a few words what a model is and what it was trained on."""
    parts = [title_of(card.spec), ", ".join(c.name for c in card.classes)]
    if card.target is not None:
        parts[1] = f"estimates {card.target.title}"
    if card.training.data:
        parts.append(f"trained on {', '.join(card.training.data)}")
    if card.training.began:
        parts.append(f"began with {card.training.began}")
    if (rmse := card.training.holdout_values.get("rmse")) is not None and card.target is not None:
        parts.append(f"held-out RMSE {rmse:.4g} {card.target.unit}".rstrip())
    if card.training.holdout_iou is not None:
        said = card.training
        words = score_words(
            said.holdout_iou, said.holdout_interval, said.holdout_units, said.holdout_by
        )
        parts.append(f"held-out mean IoU {words}")
        if said.holdout_optimistic:
            parts.append("may be optimistic")
        if said.test_iou is not None:
            parts.append(f"test set {score_words(said.test_iou, said.test_interval)}")
    rules = {"survey": "scales by each survey's own statistics",
             "stored": "scales by its training data's statistics",
             "trace": "standardises each trace", "raw": "takes values as they are"}  # fmt: skip
    parts.append(rules[card.scaling.mode])
    if card.training.licence:
        parts.append(f"licence: {card.training.licence}")
    return " · ".join(parts)

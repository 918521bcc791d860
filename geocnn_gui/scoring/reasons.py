"""The score with its reason: on ground that a model has seen, that was held out, that is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from geocnn_gui.scoring.compare import Subset
from geocnn_gui.scoring.intervals import score_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geocnn_gui.scoring.metrics import Scores
    from geocnn_gui.scoring.seen import CardScores

    #: Of each part of the labelled cells that has any: the figures, and how far they may be off.
    Counted = tuple[Scores, "PartIntervals"]
    Parts = Mapping[Subset, Counted]

GroundName = Literal["seen", "held_out", "new"]
_UNKNOWN = "It is not known which pixels the model was trained on."
_LOST = "The model does not say what it reached on what was held out."


class PartIntervals(BaseModel):
    """95 % intervals of a part of the labelled cells, over so many `blocks` of labels.

    None where too few blocks hold labels, or the class.
    """

    model_config = ConfigDict(frozen=True)

    blocks: int
    mean_iou: tuple[float, float] | None = None
    class_iou: dict[int, tuple[float, float] | None] = {}


class GroundScore(BaseModel):
    """The mean IoU on one kind of ground, its 95 % interval (None: unknown), and why it is so.

    `units` of `kind` are what the interval comes from. `part` is the part of the labelled cells
    of the map that lies there; None where it has none to show.
    """

    model_config = ConfigDict(frozen=True)

    ground: GroundName
    title: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    units: int = 0
    kind: str = "block"
    reason: str
    part: Subset | None = None

    @property
    def words(self) -> str:
        """Return "0.61, 0.52-0.69"."""
        return score_words(self.value, self.interval)


def ground_scores(
    parts: Parts, said: CardScores | None, *, known: bool, learned: Counted | None = None
) -> tuple[GroundScore, ...]:
    """Return the scores on seen, held-out and new ground, in this order.

    Counted on the map, in its `parts`, are those where the model tells what it was trained on (`known`); what was
    reached on single pixels, held out and on the test set says its card. `learned` is what was
    counted on cells trained on and held out together, where the last fit was to both.
    """
    return (
        _seen(parts, said, known=known, learned=learned),
        _held(parts, said),
        _new(parts, said, known=known),
    )


def gap_words(grounds: tuple[GroundScore, ...]) -> str:
    """Say how much of the score on seen ground is memory; "" where that cannot be told."""
    found = {g.ground: g for g in grounds}
    seen = found.get("seen")
    honest = next((g for name in ("new", "held_out") if (g := found.get(name)) is not None
                   and g.value is not None), None)  # fmt: skip
    if seen is None or seen.value is None or honest is None or honest.value is None:
        return ""
    gap = seen.value - honest.value
    where = "new ground" if honest.ground == "new" else "ground held out"
    if gap < 0.005:
        return f"It does as well on {where} as on what it has seen."
    return f"{gap:.2f} of its score on seen ground is lost on {where}: expect {honest.words} there."


def _seen(
    parts: Parts, said: CardScores | None, *, known: bool, learned: Counted | None
) -> GroundScore:
    base = GroundScore(ground="seen", title="Seen in training", reason=_UNKNOWN)
    part: Subset = "trained" if "trained" in parts else "held_out"
    own: Parts = parts if learned is None else {part: learned}
    if (found := _counted(base, own, "trained" if learned is None else part)) is not None:
        leaky = "" if said is None or said.leaky_iou is None else (
            f" Single pixels held out: {said.leaky_iou:.2f}.")  # fmt: skip
        reason = f"Pixels it was trained on: what it remembers.{leaky}"
        return found.model_copy(update={"reason": reason})
    if said is not None and said.leaky_iou is not None:
        return base.model_copy(update={
            "value": said.leaky_iou, "title": "Leaky",
            "reason": "Single pixels held out beside pixels that it was trained on.",
        })  # fmt: skip
    if known:
        return base.model_copy(update={"reason": "None of these labels were trained on."})
    return base


def _held(parts: Parts, said: CardScores | None) -> GroundScore:
    base = GroundScore(ground="held_out", title="Held out", reason=_LOST,
                       part="held_out" if "held_out" in parts else None)  # fmt: skip
    if said is None or said.holdout_iou is None:
        return base
    kind = said.holdout_by or "block"
    many = f"{said.holdout_units} {kind}{'' if said.holdout_units == 1 else 's'}"
    units = (
        f"{many} away from what it was trained on" if said.holdout_units else "Kept from training"
    )
    narrow = "; the buffer was narrow: may be optimistic" if said.holdout_optimistic else ""
    return base.model_copy(update={
        "value": said.holdout_iou, "interval": said.holdout_interval,
        "units": said.holdout_units, "kind": kind, "reason": f"{units}{narrow}.",
    })  # fmt: skip


def _new(parts: Parts, said: CardScores | None, *, known: bool) -> GroundScore:
    base = GroundScore(ground="new", title="New ground", reason=_UNKNOWN)
    kept = said is not None and said.test_iou is not None
    its_own = any(part in parts for part in ("trained", "held_out", "near"))
    if not (kept and its_own) and (found := _counted(base, parts, "new")) is not None:
        return found.model_copy(update={"reason": "Labels that the model has never seen."})
    if said is not None and said.test_iou is not None:
        return base.model_copy(update={
            "value": said.test_iou, "interval": said.test_interval, "units": said.test_units,
            "title": "Test set", "reason": "Kept for the test, never trained on.",
            "part": "new" if "new" in parts else None,
        })  # fmt: skip
    if known:
        lack = (
            "All of these labels were trained on, held out or near those: score it where it was "
            "not trained."
            if "near" in parts
            else "The model has seen all of these labels: score it where it was not trained."
        )
        return base.model_copy(update={"reason": lack})
    return base


def _counted(base: GroundScore, parts: Parts, part: Subset) -> GroundScore | None:
    """Return the score that was counted on the map; None where it has no such cells."""
    if part not in parts:
        return None
    scores, ends = parts[part]
    return base.model_copy(update={
        "value": scores.mean_iou, "interval": ends.mean_iou, "units": ends.blocks, "part": part,
    })  # fmt: skip

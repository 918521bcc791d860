"""The held-out runs of a training: which there are, what they reached, what they say together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.scoring.intervals import UnitScores, pooled, score_intervals, score_words
from geocnn_gui.scoring.split_plan import SplitPlan
from geocnn_gui.scoring.split_spec import LEAKY
from geocnn_gui.scoring.values import pooled as pooled_values
from geocnn_gui.scoring.values import value_intervals
from geocnn_gui.training.loop import Fit, Leg
from geocnn_gui.training.values import facts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geocnn_gui.models.value_scores import ValueScores
    from geocnn_gui.scoring.intervals import ScoreIntervals
    from geocnn_gui.scoring.regions import PlaneSplit
    from geocnn_gui.scoring.split_spec import SplitSpec
    from geocnn_gui.training.pictures import Pictures

#: Of more numbers than this, the scores of single units are not kept in the model's card.
_MOST_KEPT = 200_000


@dataclass
class Fold:
    """A held-out run: fold `number` of a plan, and what its fit has reached."""

    plan: SplitPlan
    number: int
    fit: Fit = field(default_factory=Fit)

    @property
    def leaky(self) -> bool:
        """Say whether it holds out single pixels."""
        return self.plan.unit == LEAKY

    def splits(self) -> tuple[PlaneSplit, ...]:
        """Return what it holds out of each picture."""
        return self.plan.fold(self.number)


class Folds:
    """All held-out runs, in order.

    Where single pixels were asked for, a run by block follows, and it alone counts: it gives the
    score, the number of steps and what is refitted. The leaky score stands beside it.
    """

    def __init__(self, pictures: Pictures, spec: SplitSpec, reach: int) -> None:
        leaky = spec.unit == LEAKY
        honest = spec.model_copy(update={"unit": "block"}) if leaky else spec
        self.plan = pictures.plan(honest, reach)
        self.leaky_plan = None
        if leaky:
            alone = spec.model_copy(update={"folds": 1, "choice": None})
            self.leaky_plan = pictures.plan(alone, reach)
        plans = [plan for plan in (self.leaky_plan, self.plan) if plan is not None]
        self.all = [
            Fold(plan, number)
            for plan in plans
            for number in range(plan.folds)
            if plan.parts(number).held.any()  # units may have been moved out of it
        ]

    @property
    def counted(self) -> list[Fold]:
        """Return those that give the score."""
        return [fold for fold in self.all if not fold.leaky]

    @property
    def newest(self) -> Fold | None:
        """Return the last one that has weights to keep."""
        return next((fold for fold in reversed(self.all) if fold.fit.best_state), None)

    @property
    def finished(self) -> bool:
        """Say whether all have ended."""
        return all(fold.fit.finished for fold in self.all)

    @property
    def share(self) -> float:
        """Return the share of the labels that a run holds out, on average."""
        parts = [self.plan.parts(fold.number) for fold in self.counted]
        return float(np.mean([p.held.sum() / p.total.sum() for p in parts])) if parts else 0.0

    @property
    def epochs(self) -> int:
        """Return for how many epochs all labels are fitted: the median of the runs'."""
        return int(np.median([fold.fit.best_epoch for fold in self.counted]))

    def leg(self, fold: Fold, epochs: int, legs: int) -> Leg:
        """Return what one of the runs is to the loop."""
        number = self.all.index(fold)
        ids, same = tuple(unit.id for unit in fold.plan.units), self.counted
        where = (0, 1) if fold.leaky else (same.index(fold), len(same))
        return Leg("holdout", epochs, number, legs, *where, fold.plan.unit, ids, leaky=fold.leaky)

    @property
    def scores(self) -> UnitScores | None:
        """Return what was predicted unit by unit, of all folds; None before the first epoch."""
        found = [f.fit.best_units for f in self.counted if f.fit.best_units is not None]
        return pooled(found) if found else None

    @property
    def values(self) -> ValueScores | None:
        """Return the errors unit by unit, of all folds; None before the first epoch."""
        found = [f.fit.best_values for f in self.counted if f.fit.best_values is not None]
        return pooled_values(found) if found else None

    def value_facts(self, scale: float) -> dict[str, object]:
        """Return what the model's card says of the score of a continuous target."""
        leaky = [f.fit.best_values for f in self.all if f.leaky and f.fit.best_values is not None]
        said: dict[str, object] = {}
        if leaky:
            said["leaky_values"] = facts_of(value_intervals(leaky[0], scale=scale))[0]
        if (scores := self.values) is None or not scores.ids:
            return said
        figures, ends = facts_of(value_intervals(scores, scale=scale))
        few = scores.table.size <= _MOST_KEPT
        return said | {
            "holdout_values": figures, "holdout_values_interval": ends,
            "holdout_value_scores": scores if few else None,
            "holdout_share": self.share, "holdout_by": scores.kind,
            "holdout_units": len(scores.ids), "holdout_folds": len(self.counted),
            "holdout_optimistic": self.plan.capped,
        }  # fmt: skip

    @property
    def leaky_iou(self) -> float | None:
        """Return the score on single pixels, where it was asked for."""
        return next((fold.fit.best_iou for fold in self.all if fold.leaky), None)

    def facts(self, class_ids: Sequence[int]) -> dict[str, object]:
        """Return what the model's card says of the score."""
        scores = self.scores
        if scores is None or not scores.ids:
            return {"leaky_iou": self.leaky_iou}
        found = score_intervals(scores)
        return {
            "holdout_iou": found.mean_iou.value, "holdout_interval": found.mean_iou.ends,
            "holdout_class_iou": {
                i: iou.value for i, iou in zip(class_ids, found.class_iou, strict=True)
            },
            "holdout_class_interval": {
                i: iou.ends for i, iou in zip(class_ids, found.class_iou, strict=True)
            },
            "holdout_share": self.share, "holdout_by": scores.kind, "holdout_units": found.units,
            "holdout_folds": len(self.counted), "holdout_optimistic": self.plan.capped,
            "holdout_scores": kept(scores), "leaky_iou": self.leaky_iou,
        }  # fmt: skip


def kept(scores: UnitScores) -> UnitScores | None:
    """Return the scores where they are few enough for a card."""
    return scores if scores.counts.size <= _MOST_KEPT else None


def test_splits(plan: SplitPlan) -> list[PlaneSplit]:
    """Return splits that hold out the test set alone."""
    return [replace(split, held=split.test, pixels=None) for split in plan.refit()]


def in_words(found: ScoreIntervals) -> str:
    """Return "0.61, 0.52-0.69 over 14 blocks", or why there is no interval."""
    figure = score_words(found.mean_iou.value, found.mean_iou.ends, found.units, found.kind)
    return figure + (f" ({found.why_no_interval})" if found.why_no_interval else "")

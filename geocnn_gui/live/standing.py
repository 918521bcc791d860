"""Which is better on what was held out, the live head or a network. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.labels.classes import Classes
from geocnn_gui.models.spec import ModelSpec
from geocnn_gui.scoring.intervals import score_intervals
from geocnn_gui.scoring.split_spec import SplitSpec
from geocnn_gui.training.sections import Pair

if TYPE_CHECKING:
    from geocnn_gui.models.unit_scores import UnitScores
    from geocnn_gui.models.weights import TrainingSummary


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a training holds out: its sources, classes, network and split.

    The same labels and specs give the same folds, and with them the same cells, as the training.
    """

    pairs: Sequence[Pair]
    classes: Classes
    model_spec: ModelSpec
    split: SplitSpec


@dataclass(frozen=True, slots=True)
class Standing:
    """Mean IoU of the live head and of the network, on the same `units` of a `kind`.

    The network's is that of the epoch that was best there, which flatters it a little.
    """

    head: float
    network: float
    units: int
    kind: str

    @property
    def network_is_better(self) -> bool:
        """Say whether the network's figure is higher, as it is shown."""
        return round(self.network, 2) > round(self.head, 2)

    @property
    def words(self) -> str:
        """Return "0.62 against 0.55, over 5 blocks", the better one first."""
        high, low = sorted((self.head, self.network), reverse=True)
        return f"{high:.2f} against {low:.2f}, over {self.units} {self.kind}" + (
            "" if self.units == 1 else "s"
        )


def standing(head: UnitScores | None, network: TrainingSummary) -> Standing | None:
    """Compare a head with a network on what both were scored on; None where that is nothing."""
    scores = network.holdout_scores
    if head is None or scores is None or head.kind != scores.kind:
        return None
    ours, theirs = (
        score_intervals(each) for each in (_shared(head, scores), _shared(scores, head))
    )
    if ours.mean_iou.value is None or theirs.mean_iou.value is None:
        return None
    return Standing(ours.mean_iou.value, theirs.mean_iou.value, ours.units, ours.kind)


def _shared(scores: UnitScores, others: UnitScores) -> UnitScores:
    """Return the scores of the units that others hold too, of the same truth, in their order."""
    truth = {
        name: np.sum(table, axis=1) for name, table in zip(others.ids, others.tables, strict=True)
    }
    kept = [
        (name, table) for name, table in zip(scores.ids, scores.tables, strict=True)
        if name in truth and np.array_equal(np.sum(table, axis=1), truth[name])
    ]  # fmt: skip
    return scores.model_copy(
        update={"ids": tuple(n for n, _ in kept), "tables": tuple(t for _, t in kept)}
    )

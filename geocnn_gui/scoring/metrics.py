"""Compare a prediction with the truth: confusion, IoU, F1 and the other usual figures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from pydantic import BaseModel, ConfigDict


class ClassScores(BaseModel):
    """How well one class was found; None where a figure is undefined.

    `support` counts its cells in the truth.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    iou: float | None
    f1: float | None
    precision: float | None
    recall: float | None
    support: int


class Scores(BaseModel):
    """All figures of a comparison; None where one is undefined.

    `confusion[i][j]` counts cells of `classes[i]` in the truth that were predicted as
    `classes[j]`; `unpredicted[i]` those without a prediction, which count as wrong. Cells that
    are 0 in the truth enter nothing. `mean_iou` is over the classes present in truth or
    prediction, `mean_class_accuracy` over those present in the truth.
    """

    model_config = ConfigDict(frozen=True)

    pixel_accuracy: float | None
    mean_class_accuracy: float | None
    mean_iou: float | None
    frequency_weighted_iou: float | None
    kappa: float | None
    confusion: list[list[int]]
    unpredicted: list[int]
    classes: list[ClassScores]


@dataclass
class Confusion:
    """Counts of truth against prediction, gathered block by block.

    `counts` int64 (256, 256): rows are truth ids, columns predicted ids; row 0 stays empty.
    """

    counts: np.ndarray = field(default_factory=lambda: np.zeros((256, 256), np.int64))

    def add(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Count a block: two arrays of ids 0..255 of one shape."""
        known = truth > 0
        pairs = truth[known].astype(np.int64) * 256 + prediction[known]
        self.counts += np.bincount(pairs, minlength=65536).reshape(256, 256)

    @property
    def ids(self) -> list[int]:
        """Return the ids present in truth or prediction, 0 left out."""
        return [int(i) for i in np.flatnonzero(self.counts.sum(0) + self.counts.sum(1)) if i > 0]

    def scores(self, names: dict[int, str] | None = None) -> Scores:
        """Return the figures; classes without an entry in `names` are called "Class <id>"."""
        ids = self.ids
        table = self.counts[np.ix_(ids, ids)]
        unpredicted = self.counts[ids, 0]
        hits, support, found = np.diag(table), table.sum(1) + unpredicted, table.sum(0)
        total, right = int(support.sum()), int(hits.sum())
        columns = {
            "iou": _ratios(hits, support + found - hits),
            "f1": _ratios(2 * hits, support + found),
            "precision": _ratios(hits, found),
            "recall": _ratios(hits, support),
        }
        classes = [
            ClassScores(
                id=k, name=(names or {}).get(k, f"Class {k}"), support=int(support[i]),
                **{key: values[i] for key, values in columns.items()},
            )
            for i, k in enumerate(ids)
        ]  # fmt: skip
        weighted = sum(c.support * (c.iou or 0.0) for c in classes)
        chance = float(np.dot(support / max(total, 1), found / max(total, 1)))
        return Scores(
            pixel_accuracy=_ratio(right, total),
            mean_class_accuracy=_mean(columns["recall"]),
            mean_iou=_mean(columns["iou"]),
            frequency_weighted_iou=_ratio(weighted, total),
            kappa=_ratio(right / max(total, 1) - chance, 1 - chance) if total else None,
            confusion=table.tolist(),
            unpredicted=unpredicted.tolist(),
            classes=classes,
        )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _ratios(parts: np.ndarray, wholes: np.ndarray) -> list[float | None]:
    return [_ratio(int(p), int(w)) for p, w in zip(parts, wholes, strict=True)]


def _mean(values: list[float | None]) -> float | None:
    defined = [v for v in values if v is not None]
    return sum(defined) / len(defined) if defined else None

"""Compare a prediction with the truth: confusion, IoU, F1 and the other usual figures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from pydantic import BaseModel, ConfigDict


class ClassScores(BaseModel):
    """How well one class was found; None where a figure is undefined.

    `support` counts its cells in the truth, `predicted` those where the prediction says so.
    `recall` is what remote sensing calls a class's accuracy (producer's accuracy), `precision`
    its user's accuracy; `accuracy` is one class against the rest: the share of all cells where
    truth and prediction agree whether it is there. The figures with slack (`scoring.thin`) are
    those of `thin` classes only.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    iou: float | None
    f1: float | None
    precision: float | None
    recall: float | None
    accuracy: float | None
    support: int
    predicted: int
    thin: bool = False
    precision_tolerant: float | None = None
    recall_tolerant: float | None = None
    f1_tolerant: float | None = None


class Scores(BaseModel):
    """All figures of a comparison; None where one is undefined.

    `confusion[i][j]` counts cells of `classes[i]` in the truth that were predicted as
    `classes[j]`; `unpredicted[i]` those without a prediction, which count as wrong. Cells that
    are 0 in the truth enter nothing. `mean_iou` and `mean_f1` are over the classes present in
    truth or prediction, `mean_class_accuracy` over those present in the truth.
    """

    model_config = ConfigDict(frozen=True)

    pixel_accuracy: float | None
    mean_class_accuracy: float | None
    mean_iou: float | None
    mean_f1: float | None
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
            "accuracy": _ratios(total - support - found + 2 * hits, np.full(len(ids), total)),
        }
        classes = [
            ClassScores(
                id=k, name=(names or {}).get(k, f"Class {k}"), support=int(support[i]),
                predicted=int(found[i]), iou=columns["iou"][i], f1=columns["f1"][i],
                precision=columns["precision"][i], recall=columns["recall"][i],
                accuracy=columns["accuracy"][i],
            )
            for i, k in enumerate(ids)
        ]  # fmt: skip
        weighted = sum(c.support * (c.iou or 0.0) for c in classes)
        chance = float(np.dot(support / max(total, 1), found / max(total, 1)))
        return Scores(
            pixel_accuracy=_ratio(right, total),
            mean_class_accuracy=_mean(columns["recall"]),
            mean_iou=_mean(columns["iou"]),
            mean_f1=_mean(columns["f1"]),
            frequency_weighted_iou=_ratio(weighted, total),
            kappa=_ratio(right / max(total, 1) - chance, 1 - chance) if total else None,
            confusion=table.tolist(),
            unpredicted=unpredicted.tolist(),
            classes=classes,
        )


def by_row(scores: Scores) -> list[list[float | None]]:
    """Return the confusion as shares of each class in the truth; recall lies on the diagonal.

    Cells without a prediction belong to the whole, so a row may add up to less than 1.
    """
    wholes = [c.support for c in scores.classes]
    return [
        [_ratio(n, whole) for n in row] for row, whole in zip(scores.confusion, wholes, strict=True)
    ]


def by_column(scores: Scores) -> list[list[float | None]]:
    """Return the confusion as shares of each predicted class; precision lies on the diagonal."""
    wholes = [c.predicted for c in scores.classes]
    return [
        [_ratio(n, whole) for n, whole in zip(row, wholes, strict=True)] for row in scores.confusion
    ]


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _ratios(parts: np.ndarray, wholes: np.ndarray) -> list[float | None]:
    return [_ratio(int(p), int(w)) for p, w in zip(parts, wholes, strict=True)]


def _mean(values: list[float | None]) -> float | None:
    defined = [v for v in values if v is not None]
    return sum(defined) / len(defined) if defined else None

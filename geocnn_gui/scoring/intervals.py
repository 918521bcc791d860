"""How far a score may be off: a bootstrap over the units that were held out, not over pixels."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from geocnn_gui.models.unit_scores import UnitScores

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Of fewer units a bootstrap says too little, and a class has no interval of its own.
FEWEST_UNITS = 5
#: Student's quantiles of the level by degrees of freedom, where the series in `_student` is off.
_STUDENT = {1: 12.7062, 2: 4.3027, 3: 3.1824}
LEVEL = 0.95
_DRAWS = 4000
#: Counts of drawn tables in memory at once.
_AT_ONCE = 4_000_000
_NORMAL = NormalDist()


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Interval(_Frozen):
    """A figure between the ends of its interval; None where it is undefined or has none."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, float] | None:
        """Return both ends, None where there are none."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def words(self) -> str:
        """Return "0.62 (0.51 to 0.70)"."""
        if self.value is None:
            return "unknown"
        if self.low is None or self.high is None:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


class ScoreIntervals(_Frozen):
    """The figures of all units together, each with its interval.

    `class_iou` and `mean_iou` are over the classes that the truth of the units holds; a class
    that it does not is None there: unknown. `units` counts those that hold any truth.
    """

    units: int
    kind: str
    mean_iou: Interval
    accuracy: Interval
    class_iou: tuple[Interval, ...]

    @property
    def why_no_interval(self) -> str:
        """Say why the score has no interval; "" where it has one, or there is no score."""
        return "" if self.mean_iou.value is None else why_no_interval(
            self.mean_iou.ends, self.units, self.kind
        )  # fmt: skip

    @property
    def words(self) -> str:
        """Return the mean IoU with its interval, and from what it comes, as one sentence."""
        many = f"{self.units} {self.kind}" + ("s" if self.units != 1 else "")
        if self.mean_iou.value is None:
            return "No score: nothing was held out."
        if self.mean_iou.low is None:
            return f"Mean IoU {self.mean_iou.words}, from {many} only: {self.why_no_interval}."
        return f"Mean IoU {self.mean_iou.words}, {LEVEL:.0%} interval from {many}."


class Comparison(_Frozen):
    """The second run's figures less the first's, on the units that both were scored on."""

    units: int
    kind: str
    mean_iou: Interval
    accuracy: Interval
    class_iou: tuple[Interval, ...]

    @property
    def words(self) -> str:
        """Return which is better, as one sentence."""
        gain = self.mean_iou
        if gain.value is None:
            return "The runs were scored on different ground and cannot be compared."
        if gain.low is None or gain.high is None:
            return (
                f"Mean IoU differs by {gain.value:+.2f} on {self.units} common units: too few to "
                "say whether that is chance."
            )
        ends = f"{gain.value:+.2f} ({gain.low:+.2f} to {gain.high:+.2f})"
        if gain.low <= 0 <= gain.high:
            return f"No difference that {self.units} units can show: mean IoU {ends}."
        better = "second" if gain.low > 0 else "first"
        return f"The {better} run is better: mean IoU {ends} on {self.units} units."


def why_no_interval(ends: tuple[float, float] | None, units: int, kind: str) -> str:
    """Say why a score of so many units has no interval; "" where it has one."""
    if ends is not None:
        return ""
    if units < 2:
        return f"how far it may be off cannot be told from one {kind}"
    return f"each class lies in one {kind} alone, so how far it may be off cannot be told"


def score_words(
    value: float | None, ends: tuple[float, float] | None, units: int = 0, kind: str = "",
    *, digits: int = 2,
) -> str:  # fmt: skip
    """Return "0.61, 0.52-0.69 over 14 blocks": a figure, its 95 % interval and what it is from."""
    if value is None:
        return "unknown"
    many = f" over {units} {kind}{'' if units == 1 else 's'}" if units and kind else ""
    if ends is None:
        return f"{value:.{digits}f}{many}"
    return f"{value:.{digits}f}, {ends[0]:.2f}\N{EN DASH}{ends[1]:.2f}{many}"


class UnitCounter:
    """Counts truth against prediction unit by unit, window by window."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._tables: dict[int, np.ndarray] = {}

    def add(self, units: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Count cells: unit numbers from 1, class numbers from 1; 0 is none.

        Cells of no unit or without truth are left out.
        """
        known = (units > 0) & (truth > 0)
        row = truth[known].astype(np.int64) - 1
        column = (prediction[known].astype(np.int64) - 1) % (self._classes + 1)
        numbers, own = np.unique(units[known], return_inverse=True)
        shape = (len(numbers), self._classes, self._classes + 1)
        flat = (own * shape[1] + row) * shape[2] + column
        tables = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
        for number, table in zip(numbers.tolist(), tables, strict=True):
            self._tables[number] = self._tables.get(number, 0) + table

    def scores(self, kind: str, ids: Sequence[str]) -> UnitScores:
        """Return what was counted; unit number n is `ids[n - 1]`."""
        numbers = sorted(self._tables)
        return UnitScores(
            kind=kind,
            ids=tuple(ids[n - 1] for n in numbers),
            tables=tuple(_nested(self._tables[n]) for n in numbers),
        )


def pooled(folds: Sequence[UnitScores]) -> UnitScores:
    """Put the folds of a run together: every unit was held out in one of them."""
    tables: dict[str, np.ndarray] = {}
    for scores in folds:
        for name, table in zip(scores.ids, scores.tables, strict=True):
            tables[name] = tables.get(name, 0) + np.array(table)
    kind = folds[0].kind if folds else "block"
    return UnitScores(
        kind=kind, ids=tuple(tables), tables=tuple(_nested(t) for t in tables.values())
    )


def score_intervals(scores: UnitScores, *, seed: int = 0) -> ScoreIntervals:
    """Return the figures with 95 % intervals.

    Units are drawn with replacement (the cluster bootstrap: cells of a unit are not independent),
    4,000 times with `seed`. The ends are percentiles, moved outwards for few units as Hesterberg
    says (The American Statistician 69, 2015, "expanded percentile": Student's quantile times
    sqrt(n / (n - 1))). A class has an interval when `FEWEST_UNITS` units hold it. Of two to
    four units see `_of_few`.
    """
    counts = scores.counts
    if not len(counts):
        return ScoreIntervals(
            units=0, kind=scores.kind, mean_iou=Interval(value=None),
            accuracy=Interval(value=None), class_iou=(),
        )  # fmt: skip
    value = _figures(counts.sum(0)[None])
    (drawn,) = _drawn_figures(seed, counts)
    holding = _holding(counts)
    few = _of_few(counts) if 2 <= holding[0] < FEWEST_UNITS else {}
    return ScoreIntervals(
        kind=scores.kind, units=holding[0], **{**_ends(value, drawn, holding), **few}
    )


def _of_few(counts: np.ndarray) -> dict[str, Interval]:
    """Return mean IoU and accuracy of two to four units, with Student's intervals.

    The spread is that of the ratios' linear parts over the units (Cochran, Sampling Techniques,
    6.4), as for a cluster sample. Of a class that a single unit holds nothing tells how far it
    may be off: it may be anywhere from 0 to 1. Without a class in two units the mean has no ends.
    """
    counts = counts[counts.sum((1, 2)) > 0]
    classes = counts.shape[1]
    hits = np.diagonal(counts[:, :, :classes], axis1=1, axis2=2)
    truth = counts.sum(2)
    union = truth + counts[:, :, :classes].sum(1) - hits
    present, alone = truth.sum(0) > 0, (truth > 0).sum(0) == 1
    iou, parts = _ratio(hits, union)
    accuracy, by_unit = _ratio(hits.sum(1)[:, None], truth.sum(1)[:, None])
    known, number = present & ~alone, int(present.sum())
    value = float(iou[present].mean())
    mean = Interval(value=value)
    if known.any():
        open_ends = (iou[alone].sum() / number, (1 - iou[alone]).sum() / number)
        mean = _student_interval(value, parts[:, known].sum(1) / number, open_ends)
    return {"mean_iou": mean, "accuracy": _student_interval(float(accuracy[0]), by_unit[:, 0])}


def _ratio(part: np.ndarray, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ratio of sums over units (axis 0), and each unit's linear share in its error."""
    total = np.maximum(whole.sum(0), 1)
    ratio = part.sum(0) / total
    return ratio, (part - ratio * whole) / total


def _student_interval(
    value: float, parts: np.ndarray, more: tuple[float, float] = (0.0, 0.0)
) -> Interval:
    """Return the interval of a figure from its units' shares in the error, `more` at the ends."""
    units = len(parts)
    half = _student(units - 1) * float(np.sqrt(units / (units - 1) * np.sum(parts**2)))
    low, high = value - half - more[0], value + half + more[1]
    return Interval(value=value, low=max(float(low), 0.0), high=min(float(high), 1.0))


def compare(first: UnitScores, second: UnitScores, *, seed: int = 0) -> Comparison:
    """Return what the second run gains, with 95 % intervals: the same draw of units for both.

    Only units are taken that both runs were scored on, of the same truth.
    """
    a, b = _common(first, second)
    if not len(a):
        nothing = Interval(value=None)
        return Comparison(
            units=0, kind=first.kind, mean_iou=nothing, accuracy=nothing, class_iou=()
        )
    value = _figures(b.sum(0)[None]) - _figures(a.sum(0)[None])
    second_drawn, first_drawn = _drawn_figures(seed, b, a)
    drawn = second_drawn - first_drawn
    return Comparison(kind=first.kind, units=_holding(a)[0], **_ends(value, drawn, _holding(a)))


def _common(first: UnitScores, second: UnitScores) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts of the units of both, in one order, whose truth is the same."""
    others = dict(zip(second.ids, second.tables, strict=True))
    pairs = [
        (np.array(table, float), np.array(others[name], float))
        for name, table in zip(first.ids, first.tables, strict=True)
        if name in others and first.kind == second.kind
    ]
    kept = [(a, b) for a, b in pairs if a.shape == b.shape and np.array_equal(a.sum(1), b.sum(1))]
    if not kept:
        return np.zeros((0, 0, 1)), np.zeros((0, 0, 1))
    one, two = zip(*kept, strict=True)
    return np.stack(one), np.stack(two)


def _drawn_figures(seed: int, *runs: np.ndarray) -> list[np.ndarray]:
    """Return the figures of sums of units drawn with replacement; the same draw for every run.

    Worked out in pieces: the tables of all draws of very many classes would not fit in memory.
    """
    n = len(runs[0])
    times = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), _DRAWS).astype(float)
    step = max(1, _AT_ONCE // runs[0][0].size)
    pieces = [times[start : start + step] for start in range(0, _DRAWS, step)]
    return [
        np.concatenate([
            _figures((piece @ counts.reshape(n, -1)).reshape(-1, *counts.shape[1:]))
            for piece in pieces
        ])
        for counts in runs
    ]  # fmt: skip


def _figures(tables: np.ndarray) -> np.ndarray:
    """Return mean IoU, accuracy and each class's IoU per table, NaN where undefined."""
    classes = tables.shape[1]
    hits = np.diagonal(tables[:, :, :classes], axis1=1, axis2=2)
    truth, found = tables.sum(2), tables[:, :, :classes].sum(1)
    present = truth > 0
    iou = np.where(present, hits / np.maximum(truth + found - hits, 1), np.nan)
    number = present.sum(1)
    defined = number > 0
    mean = np.where(defined, np.nansum(iou, axis=1) / np.maximum(number, 1), np.nan)
    total = truth.sum(1)
    accuracy = np.where(defined, hits.sum(1) / np.maximum(total, 1), np.nan)
    return np.column_stack([mean, accuracy, iou])


def _holding(counts: np.ndarray) -> list[int]:
    """Count the units that hold any truth, again, and truth of each class."""
    truth = counts.sum(2) > 0
    some = int(truth.any(1).sum())
    return [some, some, *truth.sum(0).tolist()]


def _ends(value: np.ndarray, drawn: np.ndarray, holding: list[int]) -> dict:
    found = [
        _interval(v, column, n) for v, column, n in zip(value[0], drawn.T, holding, strict=True)
    ]
    return {"mean_iou": found[0], "accuracy": found[1], "class_iou": tuple(found[2:])}


def _interval(value: float, drawn: np.ndarray, units: int) -> Interval:
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value):
        return Interval(value=None)
    if units < FEWEST_UNITS or not len(drawn):
        return Interval(value=float(value))
    tail = expanded_tail(units)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(value=float(value), low=min(float(low), value), high=max(float(high), value))


def expanded_tail(units: int) -> float:
    """Return the share of draws beyond either end of the interval."""
    widened = _student(units - 1) * np.sqrt(units / (units - 1))
    return _NORMAL.cdf(-float(widened))


def _student(freedom: int) -> float:
    """Return Student's quantile of the level (Abramowitz and Stegun 26.7.5: within 0.3 % from 4)."""
    if freedom in _STUDENT:
        return _STUDENT[freedom]
    z, v = _NORMAL.inv_cdf(0.5 + LEVEL / 2), freedom
    first = (z**3 + z) / (4 * v)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    return z + first + second + third


def _nested(table: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in table.tolist())

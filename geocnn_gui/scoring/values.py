"""How far predicted values are from true ones: MAE, RMSE, R2, PSNR, and their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from geocnn_gui.models.value_scores import ValueScores
from geocnn_gui.scoring.intervals import FEWEST_UNITS, Interval, expanded_tail

if TYPE_CHECKING:
    from collections.abc import Sequence

_DRAWS = 4000
#: Columns of the sums of a unit, as `ValueScores` has them.
_N, _ABS, _SQUARE, _TRUTH, _TRUTH2, _LOW, _HIGH = range(7)
COLUMNS = 7


class ValueFigures(BaseModel):
    """Figures over `cells` cells, in the unit of the values; None where they are undefined.

    `bias` is the mean error, predicted less true. `r2` is 1 - (sum of squared errors) / (sum of
    squares of the truth around its mean); below 0 the mean would do better. `psnr` is
    20 log10(range of the truth / RMSE) in dB. `missing` counts true values that nothing was
    predicted for; they enter no figure.
    """

    model_config = ConfigDict(frozen=True)

    cells: int
    mae: float | None = None
    rmse: float | None = None
    r2: float | None = None
    psnr: float | None = None
    bias: float | None = None
    missing: int = 0


class ValueIntervals(BaseModel):
    """The figures of all held-out units together, each with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    units: int
    kind: str
    mae: Interval
    rmse: Interval
    r2: Interval
    psnr: Interval


def sums_of(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return the sums of two flat arrays of finite values, float64 (7,)."""
    truth, error = truth.astype(np.float64), found.astype(np.float64) - truth
    if not len(truth):
        return nothing()
    return np.array([
        len(truth), np.abs(error).sum(), (error**2).sum(), truth.sum(), (truth**2).sum(),
        truth.min(), truth.max(),
    ])  # fmt: skip


def nothing() -> np.ndarray:
    """Return the sums over no cell."""
    return np.array([0, 0, 0, 0, 0, np.inf, -np.inf])


def added(tables: np.ndarray) -> np.ndarray:
    """Return the sums over all units of (..., units, 7) as (..., 7)."""
    total = tables.sum(axis=-2)
    total[..., _LOW] = tables[..., _LOW].min(axis=-1, initial=np.inf)
    total[..., _HIGH] = tables[..., _HIGH].max(axis=-1, initial=-np.inf)
    return total


class UnitSums:
    """Sums of true and predicted values unit by unit, window by window."""

    def __init__(self) -> None:
        self._sums: dict[int, np.ndarray] = {}

    def add(self, units: np.ndarray, truth: np.ndarray, found: np.ndarray) -> None:
        """Take cells: unit numbers from 1 (0: none), true and predicted values; NaN is none."""
        known = (units > 0) & np.isfinite(truth) & np.isfinite(found)
        units, truth, found = units[known], truth[known], found[known]
        for number in np.unique(units).tolist():
            own = units == number
            both = np.stack([self._sums.get(number, nothing()), sums_of(truth[own], found[own])])
            self._sums[number] = added(both)

    @property
    def total(self) -> np.ndarray:
        """Return the sums of all units, float64 (7,)."""
        return added(np.array([nothing(), *self._sums.values()]))

    def scores(self, kind: str, ids: Sequence[str]) -> ValueScores:
        """Return what was summed; unit number n is `ids[n - 1]`."""
        numbers = sorted(self._sums)
        sums = tuple(tuple(self._sums[n].tolist()) for n in numbers)
        return ValueScores(kind=kind, ids=tuple(ids[n - 1] for n in numbers), sums=sums)


def pooled(folds: Sequence[ValueScores]) -> ValueScores:
    """Put the folds of a run together: every unit was held out in one of them."""
    sums: dict[str, np.ndarray] = {}
    for scores in folds:
        for name, own in zip(scores.ids, scores.table, strict=True):
            sums[name] = added(np.stack([sums.get(name, nothing()), own]))
    kind = folds[0].kind if folds else "block"
    return ValueScores(
        kind=kind, ids=tuple(sums), sums=tuple(tuple(each.tolist()) for each in sums.values())
    )


def figures(sums: np.ndarray, *, scale: float = 1.0) -> np.ndarray:
    """Return MAE, RMSE, R2 and PSNR, (..., 4), of sums (..., 7); NaN where undefined.

    Sums in standard deviations become physical by `scale`.
    """
    sums = np.asarray(sums, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = sums[..., _N]
        mae, rmse = sums[..., _ABS] / n, np.sqrt(sums[..., _SQUARE] / n)
        around = sums[..., _TRUTH2] - sums[..., _TRUTH] ** 2 / n
        r2 = np.where(around > 1e-12 * n, 1 - sums[..., _SQUARE] / around, np.nan)
        psnr = 20 * np.log10((sums[..., _HIGH] - sums[..., _LOW]) / rmse)
    return np.stack([mae * scale, rmse * scale, r2, psnr], axis=-1)


def value_intervals(
    scores: ValueScores, *, scale: float = 1.0, seed: int = 0
) -> ValueIntervals:  # fmt: skip
    """Return the figures with 95 % intervals: units drawn as `score_intervals` draws them.

    The range that PSNR is counted from is that of all units in every draw. From fewer than
    `FEWEST_UNITS` units there are no intervals.
    """
    table = scores.table
    held = table[table[:, _N] > 0]
    total = added(np.concatenate([nothing()[None], held]))
    drawn = np.zeros((0, 4))
    if len(held) >= FEWEST_UNITS:
        chances = np.full(len(held), 1 / len(held))
        times = np.random.default_rng(seed).multinomial(len(held), chances, _DRAWS)
        sums = times.astype(float) @ np.where(np.isfinite(held), held, 0)
        sums[:, _LOW:] = total[_LOW:]
        drawn = figures(sums, scale=scale)
    names = ("mae", "rmse", "r2", "psnr")
    found = {
        name: _interval(float(value), column, len(held))
        for name, value, column in zip(names, figures(total, scale=scale), drawn.T, strict=True)
    }
    return ValueIntervals(units=len(held), kind=scores.kind, **found)


def _interval(value: float, drawn: np.ndarray, units: int) -> Interval:
    if not np.isfinite(value):
        return Interval(value=None)
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Interval(value=value)
    tail = expanded_tail(units)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(value=value, low=min(float(low), value), high=max(float(high), value))


def number_words(value: float | None) -> str:
    """Return a figure in three significant digits, "-" where it is undefined."""
    return "-" if value is None else f"{value:,.4g}"

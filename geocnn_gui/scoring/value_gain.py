"""What a second run for continuous values gains over a first, on the units held out from both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geocnn_gui.models.target import Target
from geocnn_gui.models.value_scores import ValueScores
from geocnn_gui.scoring.intervals import FEWEST_UNITS, Interval, expanded_tail
from geocnn_gui.scoring.values import figures

_DRAWS = 4000
_N, _TRUTH = 0, 3
_RMSE = 1
_NUMBER = "+.4g"


@dataclass(frozen=True, slots=True)
class ValueRun:
    """What a run predicts and what it came to unit by unit; None where that was not kept."""

    target: Target
    scores: ValueScores | None


def rmse_gain(first: ValueRun, second: ValueRun, *, seed: int = 0) -> tuple[int, Interval]:
    """Return the common units and the second run's RMSE less the first's, below 0 where better.

    In the target's unit, with the 95 % interval of the same draw of units for both (the cluster
    bootstrap, as `score_intervals`); none from fewer than `FEWEST_UNITS` units. Only units count
    that both were scored on, of the same truth.
    """
    one, two = _common(first, second)
    if not len(one):
        return 0, Interval(value=None)
    value = _rmse(two.sum(0), second.target) - _rmse(one.sum(0), first.target)
    units = len(one)
    if units < FEWEST_UNITS:
        return units, Interval(value=float(value))
    times = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), _DRAWS)
    drawn = _rmse(times @ two, second.target) - _rmse(times @ one, first.target)
    tail = expanded_tail(units)
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return units, Interval(
        value=float(value), low=min(float(low), float(value)), high=max(float(high), float(value))
    )


def gain_words(first: ValueRun | None, second: ValueRun | None) -> str:
    """Say what the second run gains, or why that cannot be told; "" where neither has values."""
    if first is None or second is None:
        return "" if first is second else "one estimates values and the other names classes"
    if (first.target.name, first.target.unit) != (second.target.name, second.target.unit):
        return f"they estimate {first.target.title} and {second.target.title}"
    if first.scores is None or second.scores is None:
        return "errors were not kept unit by unit, so that chance cannot be told from a gain"
    units, gain = rmse_gain(first, second)
    if gain.value is None:
        return "scored on other ground, cannot be compared"
    unit = f" {second.target.unit}" if second.target.unit else ""
    text = f"RMSE {gain.value:{_NUMBER}}{unit}"
    if gain.low is None or gain.high is None:
        return f"{text} on {units} common unit{'' if units == 1 else 's'}, too few to tell"
    chance = ": may be chance" if gain.low <= 0 <= gain.high else ""
    return f"{text} ({gain.low:{_NUMBER}} to {gain.high:{_NUMBER}}){chance}"


def _rmse(sums: np.ndarray, target: Target) -> np.ndarray:
    return figures(sums, scale=target.scale)[..., _RMSE]


def _common(first: ValueRun, second: ValueRun) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of the units of both with the same truth; ranges of truth are set to 0.

    Each run has its own standardisation, so that truth is compared in the target's unit.
    """
    a, b = first.scores, second.scores
    if a is None or b is None or a.kind != b.kind:
        return np.zeros((0, 7)), np.zeros((0, 7))
    rows = dict(zip(b.ids, b.table, strict=True))
    pairs = [
        (own, rows[name])
        for name, own in zip(a.ids, a.table, strict=True)
        if name in rows and own[_N] and _same_truth(own, rows[name], first.target, second.target)
    ]
    both = np.array(pairs, float).reshape(-1, 2, 7)
    both[..., 5:] = 0
    return both[:, 0], both[:, 1]


def _same_truth(one: np.ndarray, two: np.ndarray, first: Target, second: Target) -> bool:
    means = [
        sums[_TRUTH] / sums[_N] * t.scale + t.mean for sums, t in ((one, first), (two, second))
    ]
    return one[_N] == two[_N] and abs(means[0] - means[1]) <= 1e-3 * max(first.scale, second.scale)

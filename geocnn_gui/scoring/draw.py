"""Choose which units are held out, about as large a share of every class as asked for."""

from __future__ import annotations

import numpy as np

from geocnn_gui.scoring.split_spec import TRAINED

#: Random starts; fewer where units are very many.
_STARTS, _UNITS_IN_ALL = 24, 20_000
_MOST_CHANGES = 300
#: As many units should be held out, that their scores may tell how much the score wavers.
_UNITS_FOR_INTERVAL = 5


def draw_roles(
    counts: np.ndarray, movable: np.ndarray, *, share: float, folds: int, seed: int
) -> np.ndarray:
    """Return each unit's role int64 (units,): a fold from 0, or `TRAINED`.

    `counts` (units, classes) are labelled cells; units that are not `movable` bool (units,) are
    trained on. With one fold about `share` of every class is held out; with more every movable
    unit is, once. Each class that movable units hold keeps some of them to train on in every
    fold; where that cannot be, nothing is held out.
    """
    roles = np.full(len(counts), TRAINED)
    free = np.flatnonzero(movable)
    folds = min(folds, len(free))
    total = counts.sum(0)
    scored = counts[free].sum(0) > 0
    if share <= 0 or not scored.any():
        return roles
    random = np.random.default_rng(seed)
    own, whole = counts[free][:, scored], total[scored]
    drawn = _deal(own, whole, folds, random) if folds > 1 else _pick(own, whole, share, random)
    if drawn is not None:
        roles[free] = drawn
    return roles


def _starts(units: int) -> int:
    return int(np.clip(_UNITS_IN_ALL // units, 2, _STARTS))


def _pick(
    counts: np.ndarray, total: np.ndarray, share: float, random: np.random.Generator
) -> np.ndarray | None:
    """Return 0 for the units to hold out: of many random starts, each improved, the most even."""
    number = len(counts)
    target = max(1, round(share * number))
    best, best_cost = None, np.inf
    for _ in range(_starts(number)):
        held = np.zeros(number, bool)
        held[random.choice(number, min(target, number), replace=False)] = True
        cost = _improve(held, counts, total, share)
        if cost < best_cost:
            best, best_cost = held, cost
    return None if best is None else np.where(best, 0, TRAINED)


def _improve(held: np.ndarray, counts: np.ndarray, total: np.ndarray, share: float) -> float:
    """Move one unit at a time, in place, while that lowers the cost; return it."""
    sums = counts[held].sum(0)
    cost = float(_cost(sums[None], total, share, np.array([held.sum()]), len(held))[0])
    for _ in range(_MOST_CHANGES):
        sign = np.where(held, -1, 1)
        costs = _cost(sums + sign[:, None] * counts, total, share, held.sum() + sign, len(held))
        unit = int(costs.argmin())
        if not costs[unit] < cost - 1e-12:
            break
        sums = sums + sign[unit] * counts[unit]
        held[unit] = ~held[unit]
        cost = float(costs[unit])
    return cost


def _cost(
    sums: np.ndarray, total: np.ndarray, share: float, units: np.ndarray, number: int
) -> np.ndarray:
    """Return what each choice costs: shares off, classes unscored, few units, classes lost."""
    shares = sums / total
    cost = np.abs(shares - share).mean(1) + 0.5 * (shares == 0).mean(1)
    cost += 0.02 * np.maximum(min(_UNITS_FOR_INTERVAL, number // 2) - units, 0)
    return np.where(np.any(sums == total, axis=1) | (units < 1), np.inf, cost)


def _deal(
    counts: np.ndarray, total: np.ndarray, folds: int, random: np.random.Generator
) -> np.ndarray | None:
    """Return each unit's fold: large units first, each to the fold that needs it most."""
    best, best_cost = None, np.inf
    size = (counts / total).sum(1)
    for _ in range(_starts(len(counts))):
        fold = np.zeros(len(counts), np.int64)
        sums, members = np.zeros((folds, len(total))), np.zeros(folds)
        for unit in np.argsort(-size * random.uniform(0.7, 1.3, len(size)), kind="stable"):
            after = ((sums + counts[unit]) / total) ** 2 - (sums / total) ** 2
            at = int((after.sum(1) + 1e-6 * members).argmin())
            fold[unit], sums[at], members[at] = at, sums[at] + counts[unit], members[at] + 1
        cost = float(np.abs(sums / total - 1 / folds).mean())
        lost = np.any(sums == total) or not members.all()
        if not lost and cost < best_cost:
            best, best_cost = fold, cost
    return best

"""Find a learning rate: a short training at rates from tiny to huge (Smith 2015)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from geocnn_gui.events import Event, Note, Progress, RateFound, RateTried
from geocnn_gui.training.loop import Fitting
from geocnn_gui.training.run import prepare
from geocnn_gui.training.step import take_step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geocnn_gui.training.run import Order

_LOWEST, _HIGHEST, _STEPS = 1e-6, 10.0, 100
#: Share of the last losses in the smoothed one.
_SMOOTH = 0.9
#: A loss so many times the lowest has run away: higher rates need not be tried.
_AWAY = 4.0
#: The loss has to fall at least so far, as a share of the first, for a rate to be suggested.
_FALL = 0.02
#: At the lowest loss the rate is at its limit; so many times below it learning is safe.
_BELOW = 10.0


def find_rate(order: Order) -> Iterator[Event]:
    """Train a fresh network for up to 100 steps, each at a higher rate, and suggest one.

    Everything but the schedule is as `train` would do it; the test set stays unseen and nothing
    is kept. Yields `RateTried` for each step, at last `RateFound`, or a warning where the loss
    falls at no rate. Raises as `train`.
    """
    plain = order.training.model_copy(update={"schedule": "constant"})
    task = yield from prepare(replace(order, training=plain))
    fitting = Fitting(task, _STEPS)
    groups = fitting.optimizer.param_groups
    shares = [group["lr"] / plain.rate for group in groups]
    fitting.net.train()
    tried: list[tuple[float, float]] = []
    mean = 0.0
    for step in range(_STEPS):
        rate = _LOWEST * (_HIGHEST / _LOWEST) ** (step / (_STEPS - 1))
        for group, share in zip(groups, shares, strict=True):
            group["lr"] = rate * share
        loss = yield from take_step(task, fitting)
        mean = _SMOOTH * mean + (1 - _SMOOTH) * loss
        smooth = mean / (1 - _SMOOTH ** (step + 1))
        if not smooth <= _AWAY * min((each for _, each in tried), default=math.inf):
            break  # it has run away, or is no number any more
        tried.append((rate, smooth))
        yield RateTried(rate, smooth)
        yield Progress(step + 1, _STEPS, f"Trying learning rate {rate:.1g}")
    best = suggest(tried)
    if best is None:
        yield Note(
            "The loss fell at no learning rate: look at labels and data, or try another loss.",
            warning=True,
        )
        return
    yield Note(f"Learning rate {best:.2g} is suggested: a tenth of where the loss was lowest.")
    yield RateFound(best)


def suggest(tried: Sequence[tuple[float, float]]) -> float | None:
    """Return a tenth of the rate with the lowest loss, in two digits; None where none fell."""
    if not tried:
        return None
    rate, lowest = min(tried, key=lambda each: each[1])
    if lowest > tried[0][1] * (1 - _FALL):
        return None
    return float(f"{rate / _BELOW:.2g}")

"""Frozen events that a long task yields and both shells draw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is: `done` of `total` steps, in words, with seconds left where known."""

    done: int
    total: int
    text: str
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class EpochDone:
    """One epoch of a training has ended.

    `stage` is "holdout" (the run that gives the score and the step count) or "refit" (the run
    on all labels). `loss` is the mean training loss of the epoch; `holdout_loss` and
    `holdout_iou` (mean IoU, 0-1) are None while nothing is held out; `holdout_interval` are the
    ends of its 95 % interval, None where there is none. `fold` counts from 0; `leaky` says that
    single pixels were held out. Of a continuous target there are `holdout_rmse`, in its unit,
    and `holdout_r2` instead of the IoU.
    """

    stage: str
    epoch: int
    epochs: int
    loss: float
    holdout_loss: float | None = None
    holdout_iou: float | None = None
    holdout_interval: tuple[float, float] | None = None
    fold: int = 0
    folds: int = 1
    leaky: bool = False
    holdout_rmse: float | None = None
    holdout_r2: float | None = None


def score_of(epoch: EpochDone) -> float | None:
    """Return what a curve of scores shows of an epoch: mean IoU, or R2 where it is not below 0."""
    if epoch.holdout_iou is not None or epoch.holdout_r2 is None:
        return epoch.holdout_iou
    return max(epoch.holdout_r2, 0.0)


@dataclass(frozen=True, slots=True)
class TileDone:
    """The cells `offset` .. `offset + size` (array order of the source) are predicted and on disk."""

    offset: tuple[int, ...]
    size: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """A result stands under its final name; `what` is "model", "prediction", "confidence" ..."""

    path: Path
    what: str


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence the user should read; `warning` when it may change what they do."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class RateTried:
    """A step of the search for a learning rate was taken at `rate`; `loss` is the smoothed loss."""

    rate: float
    loss: float


@dataclass(frozen=True, slots=True)
class RateFound:
    """The learning rate that the search suggests."""

    rate: float


Event = Progress | EpochDone | TileDone | Saved | Note | RateTried | RateFound


def telling(event: Event, task: Iterator[None]) -> Generator[Event, None, Any]:
    """Yield an event after each step of a task, and return what that returns."""
    while True:
        try:
            next(task)
        except StopIteration as end:
            return end.value
        yield event

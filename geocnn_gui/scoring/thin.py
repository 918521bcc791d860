"""Scores of thin classes (faults, paths): a line drawn two cells aside is not wrong.

A predicted cell is right where the truth has its class within `TOLERANCE` cells along either
axis of a section (Chebyshev distance: "within two samples or traces"), and a labelled cell is
found where the prediction has its class as near. Such slack is what boundaries are commonly
scored with (Martin, Fowlkes and Malik, IEEE TPAMI 26, 2004), here without matching one to one:
a line predicted too wide by the tolerance loses nothing. Only labelled cells are judged; those
without a label may still make a labelled neighbour found.

All is counted block by block, each seen with a margin, so the figures do not depend on how the
ground is cut; memory is bounded by a block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from geocnn_gui.data.source import Window
from geocnn_gui.events import Event, Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from geocnn_gui.labels.store import LabelSnapshot

#: Samples or traces that a line may lie aside.
TOLERANCE = 2
#: A class is thin where the median width of its labels is below this, in cells.
THIN_BELOW = 5
#: Thresholds of a precision-recall curve: probabilities from 0 to 1.
THRESHOLDS = np.linspace(0, 1, 201)
#: Cells of a section read at once.
_BLOCK = 512

Axes = tuple[int, ...]
#: Reads ids, masks or probabilities of a window.
Read = Callable[[Window], np.ndarray]


@dataclass(frozen=True, slots=True)
class TolerantScore:
    """Precision, recall and F1 with slack; None where there is nothing to judge."""

    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What comes of naming a class wherever its probability is `threshold` or more."""

    threshold: float
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass
class TolerantTally:
    """Counts of one class, block by block: predicted and right, labelled and found."""

    predicted: int = 0
    right: int = 0
    labelled: int = 0
    found: int = 0

    def add(
        self, truth: np.ndarray, named: np.ndarray, known: np.ndarray, core: tuple[slice, ...],
        *, axes: Axes, tolerance: int,
    ) -> None:  # fmt: skip
        """Count the `core` of a block seen with a margin of `tolerance` along `axes`.

        `truth`, `named` and `known` are bool of the whole block: labelled as the class,
        predicted as it, labelled at all and to be judged.
        """
        near_truth = _spread(truth, axes, tolerance)[core]
        near_named = _spread(named, axes, tolerance)[core]
        judged, wanted = (named & known)[core], (truth & known)[core]
        self.predicted += int(judged.sum())
        self.right += int((judged & near_truth).sum())
        self.labelled += int(wanted.sum())
        self.found += int((wanted & near_named).sum())

    @property
    def score(self) -> TolerantScore:
        """Return the figures of what was counted."""
        return _score(self.right, self.predicted, self.found, self.labelled)


@dataclass
class CurveTally:
    """Counts of one class at every threshold of `THRESHOLDS`, gathered block by block."""

    judged: np.ndarray = field(default_factory=lambda: np.zeros(len(THRESHOLDS), np.int64))
    right: np.ndarray = field(default_factory=lambda: np.zeros(len(THRESHOLDS), np.int64))
    found: np.ndarray = field(default_factory=lambda: np.zeros(len(THRESHOLDS), np.int64))
    labelled: int = 0

    def add(
        self, truth: np.ndarray, share: np.ndarray, known: np.ndarray, core: tuple[slice, ...],
        *, axes: Axes, tolerance: int,
    ) -> None:  # fmt: skip
        """Count as `TolerantTally.add`; `share` is the class's probability, NaN for none."""
        share = np.where(np.isnan(share), -1.0, share)
        # A labelled cell is found at every threshold up to the highest probability near it.
        highest, share = _spread(share, axes, tolerance)[core], share[core]
        near_truth, known = _spread(truth, axes, tolerance)[core], known[core]
        self.judged += _levels(share[known])
        self.right += _levels(share[known & near_truth])
        wanted = truth[core] & known
        self.found += _levels(highest[wanted])
        self.labelled += int(wanted.sum())

    @property
    def points(self) -> list[CurvePoint]:
        """Return the curve, from the lowest threshold above 0 up to the last that names a cell."""
        judged, right, found = (
            np.cumsum(each[::-1])[::-1] for each in (self.judged, self.right, self.found)
        )
        points = []
        for i in range(1, len(THRESHOLDS)):
            if judged[i] or found[i]:
                score = _score(int(right[i]), int(judged[i]), int(found[i]), self.labelled)
                points.append(
                    CurvePoint(float(THRESHOLDS[i]), score.precision, score.recall, score.f1)
                )
        return points

    @property
    def best(self) -> CurvePoint | None:
        """Return the point of the highest F1: the middle of its run where several are as high."""
        points = [p for p in self.points if p.f1 is not None]
        if not points or not any(p.f1 for p in points):
            return None
        top = max(p.f1 or 0 for p in points)
        first = next(i for i, p in enumerate(points) if p.f1 == top)
        last = first
        while last + 1 < len(points) and points[last + 1].f1 == top:
            last += 1
        return points[(first + last) // 2]


class ThinCount(BaseModel):
    """What was counted of a thin class (its number from 0), to be kept and put together.

    `named` are the counts of a `TolerantTally`, `levels` (judged, right, found) those of a
    `CurveTally`.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    named: tuple[int, int, int, int]
    levels: tuple[tuple[int, ...], ...]
    labelled: int

    @classmethod
    def of(cls, number: int, named: TolerantTally, curve: CurveTally) -> ThinCount:
        """Take what two tallies have counted."""
        levels = (curve.judged, curve.right, curve.found)
        return cls(
            number=number, named=(named.predicted, named.right, named.labelled, named.found),
            levels=tuple(tuple(each.tolist()) for each in levels), labelled=curve.labelled,
        )  # fmt: skip

    @staticmethod
    def pooled(counts: Sequence[ThinCount]) -> tuple[TolerantTally, CurveTally]:
        """Return the tallies of all of them together."""
        predicted, right, labelled, found = np.sum([c.named for c in counts], axis=0).tolist()
        levels = np.sum([c.levels for c in counts], axis=0)
        curve = CurveTally(levels[0], levels[1], levels[2], sum(c.labelled for c in counts))
        return TolerantTally(predicted, right, labelled, found), curve


def _score(right: int, predicted: int, found: int, labelled: int) -> TolerantScore:
    precision = right / predicted if predicted else None
    recall = found / labelled if labelled else None
    if precision is None and recall is None:
        return TolerantScore(None, None, None)
    one, two = precision or 0.0, recall or 0.0
    return TolerantScore(precision, recall, 2 * one * two / (one + two) if one + two else 0.0)


def _levels(shares: np.ndarray) -> np.ndarray:
    """Count by the highest threshold that each probability reaches; below all of them nowhere."""
    at = np.searchsorted(THRESHOLDS, shares.astype(np.float64), side="right") - 1
    return np.bincount(at[at >= 0], minlength=len(THRESHOLDS))


def _spread(values: np.ndarray, axes: Axes, reach: int) -> np.ndarray:
    """Return at each cell the highest value within `reach` along every axis of `axes`."""
    for axis in axes:
        moved = np.moveaxis(values, axis, 0)
        out = moved.copy()
        for step in range(1, min(reach, len(moved) - 1) + 1):
            np.maximum(out[step:], moved[:-step], out=out[step:])
            np.maximum(out[:-step], moved[step:], out=out[:-step])
        values = np.moveaxis(out, 0, axis)
    return values


# ---- Over a whole source -----------------------------------------------------------------------


def plane_axes(truth: LabelSnapshot) -> Axes:
    """Return the two axes of the sections on which a source is labelled.

    Those across the axis of which the smallest share of indices is labelled: labels painted on
    a few inlines lie one cell thick in the cube, but are not thin.
    """
    if len(truth.shape) < 3:
        return (0, 1)
    labelled = [np.zeros(size, bool) for size in truth.shape]
    for window in truth.labelled_windows():
        cells = truth.read(window) > 0
        for axis, found in enumerate(labelled):
            others = tuple(a for a in range(3) if a != axis)
            found[window.slices[axis]] |= cells.any(axis=others)
    across = int(np.argmin([found.mean() for found in labelled]))
    axes = [axis for axis in range(3) if axis != across]
    return axes[0], axes[1]


def with_margin(
    window: Window, shape: Sequence[int], *, axes: Axes, margin: int
) -> tuple[Window, tuple[slice, ...]]:
    """Return a window grown by `margin` along `axes`, as far as there are cells, and its core."""
    offset, size, core = [], [], []
    spans = zip(window.offset, window.size, shape, strict=True)
    for axis, (start, length, whole) in enumerate(spans):
        grow = margin if axis in axes else 0
        low, high = max(0, start - grow), min(whole, start + length + grow)
        offset.append(low)
        size.append(high - low)
        core.append(slice(start - low, start - low + length))
    return Window(tuple(offset), tuple(size)), tuple(core)


def blocks(truth: LabelSnapshot, side: int = _BLOCK) -> list[Window]:
    """Return the windows to count: the labelled ones, cut where they are wider than `side`."""
    return [part for window in truth.labelled_windows() for part in _cut(window, side)]


def _cut(window: Window, side: int) -> Iterable[Window]:
    spans = [
        list(pairwise([*range(start, start + length, side), start + length]))
        for start, length in zip(window.offset, window.size, strict=True)
    ]
    for index in np.ndindex(*(len(each) for each in spans)):
        chosen = [each[i] for each, i in zip(spans, index, strict=True)]
        yield Window(tuple(a for a, _ in chosen), tuple(b - a for a, b in chosen))


def tolerant_scores(
    truth: LabelSnapshot, read: Read, ids: Iterable[int], *, tolerance: int = TOLERANCE,
    judged: Read | None = None, windows: Sequence[Window] | None = None,
) -> Generator[Event, None, dict[int, TolerantScore]]:  # fmt: skip
    """Return the score with slack of each class of `ids`; `read` returns predicted class ids.

    `judged` says (bool) which labelled cells count, default: all. `windows` cover every labelled
    cell once; default: `blocks`. Yields `Progress` after every window.
    """
    tallies = {number: TolerantTally() for number in ids}
    axes, windows = plane_axes(truth), blocks(truth) if windows is None else windows
    for done, window in enumerate(windows if tallies else (), 1):
        wide, core = with_margin(window, truth.shape, axes=axes, margin=tolerance)
        labels, named = truth.read(wide), read(wide)
        known = labels > 0 if judged is None else (labels > 0) & judged(wide)
        for number, tally in tallies.items():
            tally.add(
                labels == number, named == number, known, core, axes=axes, tolerance=tolerance
            )
        yield Progress(done, len(windows), "Scoring thin classes")
    return {number: tally.score for number, tally in tallies.items()}


def tolerant_curves(
    truth: LabelSnapshot, read: Read, places: dict[int, int], *, tolerance: int = TOLERANCE,
    windows: Sequence[Window] | None = None,
) -> Generator[Event, None, dict[int, CurveTally]]:  # fmt: skip
    """Return the curve of each class; `read` returns probabilities (classes, *window.size).

    `places` are class id -> its place along the first axis of what `read` returns. Yields as
    `tolerant_scores`.
    """
    tallies = {number: CurveTally() for number in places}
    axes, windows = plane_axes(truth), blocks(truth) if windows is None else windows
    for done, window in enumerate(windows if tallies else (), 1):
        wide, core = with_margin(window, truth.shape, axes=axes, margin=tolerance)
        labels, shares = truth.read(wide), read(wide)
        for number, tally in tallies.items():
            tally.add(
                labels == number, shares[places[number]], labels > 0, core,
                axes=axes, tolerance=tolerance,
            )  # fmt: skip
        yield Progress(done, len(windows), "Scoring at every threshold")
    return tallies


# ---- Which classes are thin --------------------------------------------------------------------


@dataclass
class WidthTally:
    """How wide the labels of each class are: cells by width, the last entry for all wider ones."""

    counts: np.ndarray = field(default_factory=lambda: np.zeros((256, THIN_BELOW + 1), np.int64))

    def add(self, labels: np.ndarray, core: tuple[slice, ...], *, axes: Axes) -> None:
        """Count the `core` of ids uint8, seen with a margin of `THIN_BELOW` along `axes`."""
        for number in np.unique(labels[core]):
            if number:
                own = labels == number
                widths = _widths(own, axes)[core][own[core]]
                self.counts[number] += np.bincount(widths, minlength=THIN_BELOW + 1)

    @property
    def thin(self) -> frozenset[int]:
        """Return the ids of the classes of which half the cells or more are narrow."""
        total = self.counts.sum(1)
        narrow = self.counts[:, :THIN_BELOW].sum(1)
        return frozenset(int(i) for i in np.flatnonzero((total > 0) & (2 * narrow >= total)))


def _widths(own: np.ndarray, axes: Axes) -> np.ndarray:
    """Return how many cells of the class lie in a row, the shortest way, at most `THIN_BELOW`.

    Along both axes and both diagonals: of a slanted line at most 8 % too wide.
    """
    picture = np.moveaxis(own, axes, (-2, -1))
    found = np.full(picture.shape, THIN_BELOW, np.int64)
    for down, right in ((1, 0), (0, 1), (1, 1), (1, -1)):
        run = picture.astype(np.int64)
        for sign in (1, -1):
            still = picture
            for step in range(1, THIN_BELOW):
                still = still & _moved(picture, sign * step * down, sign * step * right)
                run += still
        length = np.minimum(run, THIN_BELOW)
        if down and right:  # cells of a diagonal lie 1.41 apart
            length = np.minimum(np.rint(run * 1.414).astype(np.int64), THIN_BELOW)
        found = np.minimum(found, length)
    return np.moveaxis(found, (-2, -1), axes)


def _moved(picture: np.ndarray, down: int, right: int) -> np.ndarray:
    """Return at each cell the value `down` and `right` of it; False beyond the border."""
    out = np.zeros_like(picture)
    height, width = picture.shape[-2:]
    to = [slice(max(0, -s), max(0, n - max(0, s))) for s, n in ((down, height), (right, width))]
    at = [slice(max(0, s), max(0, n - max(0, -s))) for s, n in ((down, height), (right, width))]
    out[..., to[0], to[1]] = picture[..., at[0], at[1]]
    return out


def thin_classes(truth: LabelSnapshot) -> Generator[Event, None, frozenset[int]]:
    """Return the ids of the classes whose labels are narrow on the sections they were drawn on."""
    tally, axes, windows = WidthTally(), plane_axes(truth), blocks(truth)
    for done, window in enumerate(windows, 1):
        wide, core = with_margin(window, truth.shape, axes=axes, margin=THIN_BELOW)
        tally.add(truth.read(wide), core, axes=axes)
        yield Progress(done, len(windows), "Measuring how wide the labels are")
    return tally.thin

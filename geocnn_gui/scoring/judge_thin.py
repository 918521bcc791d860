"""Add to an evaluation what is told of thin classes only: figures with slack, curves, thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geocnn_gui.data.array import Stack
from geocnn_gui.data.source import open_source
from geocnn_gui.errors import BadRequest, LabelsMismatch
from geocnn_gui.scoring.compare import VALUES, Subset
from geocnn_gui.scoring.thin import (
    TOLERANCE,
    Read,
    TolerantScore,
    thin_classes,
    tolerant_curves,
    tolerant_scores,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from typing import Any

    from geocnn_gui.data.source import Source
    from geocnn_gui.events import Event
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.scoring.metrics import Scores


@dataclass(frozen=True, slots=True)
class ThinWish:
    """How thin classes are judged: with which slack, and which classes count as thin.

    By default those whose labels are narrow; `always` and `never` are ids that the user knows.
    """

    tolerance: int = TOLERANCE
    always: frozenset[int] = frozenset()
    never: frozenset[int] = frozenset()

    def switched(self, number: int, *, thin: bool) -> ThinWish:
        """Return the wish with one class counted as thin, or not."""
        one = frozenset({number})
        always, never = self.always - one, self.never - one
        return ThinWish(self.tolerance, always | one, never) if thin else (
            ThinWish(self.tolerance, always, never | one))  # fmt: skip


@dataclass(frozen=True)
class Shares:
    """Probabilities of classes: `read` returns (n, *window.size), `places` say which is where."""

    read: Read
    places: dict[int, int]


def judge_thin(
    whole: Scores, subsets: dict[Subset, Scores], truth: LabelSnapshot, read: Read,
    *, wish: ThinWish, seen: LabelSnapshot | None = None, shares: Shares | None = None,
) -> Generator[Event, None, dict[str, Any]]:  # fmt: skip
    """Return the fields of an `Evaluation` that change: scores, subsets, curves, thresholds."""
    row = len(truth.shape) == 2 and truth.shape[0] == 1  # of samples, which have no width
    measured = frozenset() if row else (yield from thin_classes(truth))
    present = {c.id for c in whole.classes if c.support}
    thin = ((measured | wish.always) - wish.never) & present
    if not thin:
        return {"tolerance": wish.tolerance}

    def judged(part: Subset) -> Read | None:
        if seen is None:
            return None
        known = seen
        return lambda window: known.read(window) == VALUES[part]

    found = yield from tolerant_scores(truth, read, thin, tolerance=wish.tolerance)
    apart: dict[Subset, Scores] = {}
    for part, scores in subsets.items():
        figures = yield from tolerant_scores(
            truth, read, thin, tolerance=wish.tolerance, judged=judged(part)
        )
        apart[part] = _with(scores, figures)
    changes: dict[str, Any] = {
        "scores": _with(whole, found), "subsets": apart, "tolerance": wish.tolerance,
    }  # fmt: skip
    if shares is not None:
        places = {number: at for number, at in shares.places.items() if number in thin}
        tallies = yield from tolerant_curves(truth, shares.read, places, tolerance=wish.tolerance)
        changes["curves"] = {number: tally.points for number, tally in tallies.items()}
        best = {number: tally.best for number, tally in tallies.items()}
        changes["thresholds"] = {n: point for n, point in best.items() if point is not None}
    return changes


def _with(scores: Scores, figures: dict[int, TolerantScore]) -> Scores:
    classes = []
    for each in scores.classes:
        if (slack := figures.get(each.id)) is not None:
            each = each.model_copy(update={
                "thin": True, "f1_tolerant": slack.f1, "precision_tolerant": slack.precision,
                "recall_tolerant": slack.recall,
            })  # fmt: skip
        classes.append(each)
    return scores.model_copy(update={"classes": classes})


def open_shares(path: Path, shape: tuple[int, ...]) -> Source | Stack:
    """Open probabilities that a prediction of `shape` wrote beside its map; raises `UnreadableFile`."""
    return Stack.open(path) if len(shape) == 3 and path.suffix == ".npy" else open_source(path)


def shares_in(source: Source | Stack, shape: tuple[int, ...], classes: Classes) -> Shares:
    """Return the probabilities of `classes` in a file that a prediction wrote beside its map.

    Bands of a GeoTIFF are known by the names of their classes; those of an array follow the
    order of `classes`.

    Raises
    ------
    LabelsMismatch, BadRequest
        When it lies on another grid, or its bands are not those classes.
    """
    if source.shape != shape or not (isinstance(source, Stack) or source.banded):
        raise LabelsMismatch(
            f"{source.path} has the shape {source.shape}, the map {shape}",
            "give the probabilities that were written beside the map",
        )
    stacked = isinstance(source, Stack)
    names = [""] * len(source.array) if stacked else [band.name for band in source.bands]
    places = {c.id: names.index(c.name) for c in classes if c.name in names}
    if not places:
        if len(names) != len(classes):
            raise BadRequest(
                f"{source.path} has {len(names)} bands without names of classes, not one for each "
                f"of {len(classes)}", "give probabilities as a .tif, which names its bands",
            )  # fmt: skip
        places = {c.id: at for at, c in enumerate(classes)}
    return Shares(source.read, places)

"""Thin classes on the held-out part: which there are, and their best thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geocnn_gui.events import Event, Note, Progress
from geocnn_gui.scoring.thin import (
    THIN_BELOW,
    TOLERANCE,
    CurvePoint,
    CurveTally,
    ThinCount,
    TolerantScore,
    TolerantTally,
    WidthTally,
)
from geocnn_gui.training.holdout import grown, held_shares

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.models.networks import SegmentationNet
    from geocnn_gui.training.room import Room
    from geocnn_gui.training.sampling import LabelledPicture

_AXES = (0, 1)


@dataclass(frozen=True, slots=True)
class ThinClass:
    """A thin class (its number from 0) on the held-out part; None where it has no cell there.

    `likeliest` is its score where it is named as the likeliest class, `best` that at the best
    threshold of its probability.
    """

    number: int
    likeliest: TolerantScore
    best: CurvePoint | None


def find_thin(pictures: Sequence[LabelledPicture]) -> Generator[Event, None, list[int]]:
    """Return the numbers (from 0) of the classes whose labels are narrow; values are not read."""
    tally = WidthTally()
    for picture in pictures:
        for window in () if picture.samples else picture.labels.labelled_windows():
            if (part := picture.plane.cells(window)) is None:
                continue
            wide, core = grown(part, picture.shape, THIN_BELOW)
            ids = picture.labels.read(picture.plane.window(*wide))
            tally.add(picture.lookup[picture.plane.picture(ids)], core, axes=_AXES)
            yield Progress(0, 0, "Measuring how wide the labels are")
    return sorted(number - 1 for number in tally.thin)


def score_thin(
    net: SegmentationNet, pictures: list[LabelledPicture], room: Room, thin: Sequence[int]
) -> Generator[Event, None, tuple[ThinCount, ...]]:
    """Count how thin classes come off on what the pictures' splits hold out, at every threshold.

    Labels beside held-out ground may make a held-out cell right, but are not judged themselves.
    """
    named = {number: TolerantTally() for number in thin}
    curves = {number: CurveTally() for number in thin}
    for item in held_shares(net, pictures, room, margin=TOLERANCE):
        if isinstance(item, Note):
            yield item
            continue
        numbers, known, shares, core = item
        likeliest = shares.argmax(0)
        for number in thin:
            truth = numbers == number + 1
            options = {"axes": _AXES, "tolerance": TOLERANCE}
            named[number].add(truth, likeliest == number, known, core, **options)
            curves[number].add(truth, shares[number], known, core, **options)
        yield Progress(0, 0, "Scoring thin classes")
    return tuple(ThinCount.of(n, named[n], curves[n]) for n in thin)


def pool_thin(folds: Sequence[Sequence[ThinCount]]) -> list[ThinClass]:
    """Return the scores of all folds together: each class has one threshold for all."""
    found = []
    for number in sorted({each.number for fold in folds for each in fold}):
        named, curve = ThinCount.pooled([c for fold in folds for c in fold if c.number == number])
        found.append(ThinClass(number, named.score, curve.best))
    return found


def tell_thin(classes: Classes, found: Sequence[ThinClass]) -> list[Note]:
    """Say of each thin class how well its lines were found, and with which threshold."""
    notes = []
    for each in found:
        name, f1, best = classes[each.number].name, each.likeliest.f1, each.best
        if best is None or best.f1 is None:
            text = f"{name} is thin; none of it was found on the held-out part."
        else:
            text = (
                f"{name} is thin: held-out F1 within {TOLERANCE} cells {f1 or 0:.2f}; "
                f"{best.f1:.2f} where its probability is {best.threshold:.2g} or more."
            )
        notes.append(Note(text))
    return notes

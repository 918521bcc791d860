"""Score a network on the ground that was held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from geocnn_gui.inference.memory import is_out_of_memory, let_go
from geocnn_gui.scoring.intervals import UnitCounter
from geocnn_gui.training.held import CORE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from geocnn_gui.events import Note
    from geocnn_gui.inference.device import Device
    from geocnn_gui.models.networks import SegmentationNet
    from geocnn_gui.training.room import Room
    from geocnn_gui.training.sampling import LabelledPicture

#: At most about this many cells are predicted for one score, so that an epoch's end stays short.
_CELLS = 3_000_000


_Part = tuple["LabelledPicture", slice, slice]
_Spans = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class HeldScore:
    """Mean loss, mean IoU over the classes in the truth, and what they were counted from.

    `confusion` is int64 (classes, classes), rows are truth; `units` counts unit by unit.
    """

    loss: float
    iou: float
    confusion: np.ndarray
    units: UnitCounter


class HeldPart(NamedTuple):
    """A part with held-out ground, seen with a margin; `core` is the part itself.

    `numbers` are class numbers from 1 of all labels, `known` says which are held out, `shares`
    are probabilities (classes, rows, columns).
    """

    numbers: np.ndarray
    known: np.ndarray
    shares: np.ndarray
    core: tuple[slice, slice]


def grown(
    part: tuple[slice, slice], shape: tuple[int, int], margin: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return a part grown by `margin` within a picture, and the part counted from there."""
    wide, core = [], []
    for span, size in zip(part, shape, strict=True):
        start = max(0, span.start - margin)
        wide.append(slice(start, min(size, span.stop + margin)))
        core.append(slice(span.start - start, span.stop - start))
    return (wide[0], wide[1]), (core[0], core[1])


def score_holdout(
    net: SegmentationNet, pictures: list[LabelledPicture], room: Room, classes: int
) -> Generator[Note | None, None, HeldScore]:
    """Return the score on what the pictures' splits hold out.

    Yields after every part, so that a task that is stopped need not wait for the whole, and a
    note where memory did not suffice; raises `NotEnoughMemory` as `Room` does.
    """
    confusion, counter = np.zeros((classes, classes), np.int64), UnitCounter(classes)
    loss, cells = 0.0, 0
    for picture, rows, columns in held_parts(net, pictures):
        assert picture.split is not None
        units = picture.split.unit_mask(rows, columns)
        numbers = np.where(units > 0, picture.class_numbers(rows, columns), 0)
        truth = torch.from_numpy(numbers).long() - 1
        logits = yield from _logits(net, picture, (rows, columns), room)
        loss += float(functional.cross_entropy(
            logits[None], truth[None], ignore_index=-1, reduction="sum"
        ))  # fmt: skip
        known = truth >= 0
        cells += int(known.sum())
        found = logits.argmax(0)
        flat = (truth * classes + found)[known]
        confusion += np.bincount(flat.numpy(), minlength=classes**2).reshape(classes, classes)
        counter.add(units, numbers, found.numpy() + 1)
        yield
    return HeldScore(loss / max(cells, 1), mean_iou(confusion), confusion, counter)


def held_shares(
    net: SegmentationNet, pictures: list[LabelledPicture], room: Room, *, margin: int
) -> Iterator[Note | HeldPart]:
    """Yield the parts that `score_holdout` scores, each seen with a `margin`; notes as it does."""
    for picture, rows, columns in held_parts(net, pictures):
        assert picture.split is not None
        wide, core = grown((rows, columns), picture.shape, margin)
        numbers = picture.class_numbers(*wide)
        known = (picture.split.unit_mask(*wide) > 0) & (numbers > 0)
        logits = yield from _logits(net, picture, wide, room)
        yield HeldPart(numbers, known, logits.softmax(0).numpy(), core)


def held_logits(
    net: SegmentationNet, pictures: list[LabelledPicture], room: Room
) -> Iterator[Note | tuple[LabelledPicture, _Spans, torch.Tensor]]:
    """Yield the pictures and parts that `score_holdout` scores with their logits, and its notes."""
    for picture, rows, columns in held_parts(net, pictures):
        logits = yield from _logits(net, picture, (rows, columns), room)
        yield picture, (rows, columns), logits


def mean_iou(confusion: np.ndarray) -> float:
    """Return the mean IoU over the classes in the truth."""
    union = confusion.sum(0) + confusion.sum(1) - np.diag(confusion)
    present = confusion.sum(1) > 0
    return float(np.mean(np.diag(confusion)[present] / union[present])) if present.any() else 0.0


def held_parts(net: SegmentationNet, pictures: list[LabelledPicture]) -> list[_Part]:
    """Return the windows to predict: whole small pictures, else those around held-out labels.

    Where that is more than `_CELLS`, an even random part of them, the same at each call.
    """
    parts, costs = [], []
    for picture in pictures:
        for rows, columns, cost in picture.held_windows(net):
            parts.append((picture, rows, columns))
            costs.append(cost)
    order = np.random.default_rng(0).permutation(len(parts))
    most = _CELLS * min(1, net.core / CORE)
    room = np.cumsum(np.array(costs)[order]) <= most if parts else np.zeros(0, bool)
    room[:1] = True
    return [parts[i] for i in sorted(order[room])]


def _logits(
    net: SegmentationNet, picture: LabelledPicture, part: tuple[slice, slice], room: Room
) -> Generator[Note, None, torch.Tensor]:
    """Return logits float32 (classes, rows, columns) of a part, in pieces where it is too large."""
    rows, columns = (span.stop - span.start for span in part)
    side = net.stride
    while room.cells is None or rows * columns <= max(room.cells, side**2):
        before = room.device
        try:
            return _pass(net, picture, part, before)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            note = room.less_for_scores(rows * columns, side, error)
        let_go()
        if room.device.torch_name != before.torch_name:
            room.device.place(net)
        yield note
    one, two = _halves(part, side)
    across = 2 if rows < columns else 1
    first = yield from _logits(net, picture, one, room)
    return torch.cat([first, (yield from _logits(net, picture, two, room))], across)


def _halves(part: tuple[slice, slice], side: int) -> tuple[_Spans, _Spans]:
    """Cut a part across its longer axis, at a multiple of `side` from its start."""
    rows, columns = part
    long = columns if rows.stop - rows.start < columns.stop - columns.start else rows
    middle = long.start + max(side, (long.stop - long.start) // 2 // side * side)
    one, two = slice(long.start, middle), slice(middle, long.stop)
    return ((rows, one), (rows, two)) if long is columns else ((one, columns), (two, columns))


def _pass(
    net: SegmentationNet, picture: LabelledPicture, part: _Spans, device: Device
) -> torch.Tensor:
    return picture.logits(net, part, device)

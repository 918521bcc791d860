"""Sample sets as pictures of a training: each labelled cell is a whole sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from geocnn_gui.errors import BadRequest
from geocnn_gui.models.sample_form import form_note, log_shares, sample_input
from geocnn_gui.models.scaling import LIMIT
from geocnn_gui.training.sampling import LabelledPicture
from geocnn_gui.training.volumes import VolumePicture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from geocnn_gui.data.samples import Samples
    from geocnn_gui.data.source import Section, Source
    from geocnn_gui.data.statistics import BandStatistics
    from geocnn_gui.inference.device import Device
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.training.held import HeldWindow

#: Values of samples kept in memory as the network reads them; further ones are read each time.
_KEPT_VALUES = 64_000_000
#: At most so many cells of samples go through a network at once when they are scored.
_ONE_PASS = 500_000
#: Every so-manieth cell of a sample counts as work: fewer than where each gives an answer.
_WORK = 8


class SamplePicture(LabelledPicture):
    """A sample set as one row of cells; a patch of it is a sample, labelled in all its cells."""

    def __post_init__(self) -> None:
        super().__post_init__()
        assert self.source.samples is not None
        self._set: Samples = self.source.samples
        self.samples, self.records = True, self._set.groups
        self._inputs: dict[tuple[int, tuple[int, ...]], np.ndarray] = {}
        self._room = _KEPT_VALUES

    def moved(self, row: int, column: int, move: tuple[int, int]) -> tuple[int, int]:
        """Return the cell itself: its neighbours are other samples."""
        return row, column

    def patch(self, row: int, column: int, form: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return a sample float32 (bands, *form) and its class number in every cell of (*form)."""
        number = self.training_labels(slice(row, row + 1), slice(column, column + 1))
        return self._input(column, form), np.broadcast_to(number, form).copy()

    def held_windows(self, net: SegmentationNet) -> Iterator[HeldWindow]:
        """Yield runs of samples, of a size for one pass, that hold what is held out."""
        if self.split is None or not len(self.split.held.spans):
            return
        cells = net.form[0] * net.form[1]
        step = max(1, _ONE_PASS // cells)
        held = self.split.is_held(self.cells.rows, self.cells.columns)
        columns = self.cells.columns[held]
        for start in range(0, self.shape[1], step):
            inside = columns[(columns >= start) & (columns < start + step)]
            if len(inside):
                part = slice(int(inside.min()), int(inside.max()) + 1)
                yield slice(0, 1), part, max(1, len(inside) * cells // _WORK)

    def logits(self, net: SegmentationNet, part: tuple[slice, slice], device: Device) -> Tensor:
        """Return log-probabilities float32 (classes, 1, columns) of the held-out samples, else 0."""
        assert self.split is not None
        columns = part[1]
        held = self.split.held_mask(*part)[0] & (self.class_numbers(*part)[0] > 0)
        at = np.flatnonzero(held)
        inputs = np.stack([self._input(columns.start + int(i), net.form) for i in at])
        values = torch.from_numpy(inputs).to(device.torch_name, memory_format=device.memory_format)
        with (
            torch.inference_mode(),
            torch.autocast(device.kind, torch.bfloat16, enabled=device.bf16),
        ):
            logs = self.answers(net, values).cpu()
        found = torch.zeros(logs.shape[1], 1, len(held))
        found[:, 0, torch.from_numpy(at)] = logs.T
        return found

    def answers(self, net: SegmentationNet, values: Tensor) -> Tensor:
        """Return log-probabilities (n, classes) of samples as the network reads them."""
        return log_shares(net, values)

    def _input(self, index: int, form: tuple[int, ...]) -> np.ndarray:
        """Return a sample as the network reads it, kept where there is room."""
        key = (index, form)
        if key not in self._inputs:
            values = sample_input(self._set, index, form, self.statistics)
            if values.size > self._room:
                return values
            self._room -= values.size
            self._inputs[key] = values
        return self._inputs[key]


def picture_of(
    source: Source, section: Section, labels: LabelSnapshot,
    statistics: tuple[BandStatistics, ...], lookup: np.ndarray, *, volumes: bool = False,
) -> LabelledPicture:  # fmt: skip
    """Return a section of a source as a network learns from it, on `volumes` if that sees them."""
    kind = LabelledPicture if source.samples is None else SamplePicture
    kind = VolumePicture if volumes else kind
    return kind(source, section, labels, statistics, lookup)


def sample_notes(pictures: Sequence[LabelledPicture], form: tuple[int, ...]) -> list[str]:
    """Say how the samples among the pictures come to a network's form, each way once."""
    sets = [p.source.samples for p in pictures]
    notes = [form_note(each, form) for each in sets if each is not None]
    return [text for text in dict.fromkeys(notes) if text]


def trace_lengths(sources: Sequence[Source]) -> int:
    """Return the length of the traces where all sources are sets of traces, else 0."""
    sets = [source.samples for source in sources]
    if not all(each is not None and each.dims == 1 for each in sets):
        return 0
    return max(each.size[0] for each in sets if each is not None)


def require_small(sources: Sequence[Source], statistics: tuple[BandStatistics, ...]) -> None:
    """Raise `BadRequest` where values are too large to be learned from as they are."""
    low, high = min(s.minimum for s in statistics), max(s.maximum for s in statistics)
    if max(-low, high) > LIMIT:
        names = ", ".join(source.name for source in sources)
        raise BadRequest(
            f"{names} holds values from {low:g} to {high:g}, too large to be learned from as they are",
            "choose another scaling than raw",
        )

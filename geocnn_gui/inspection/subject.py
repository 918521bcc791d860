"""A trained network and the data it is looked at with: a place, the window around it, its answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from geocnn_gui.data.statistics import require_live
from geocnn_gui.errors import BadRequest
from geocnn_gui.inference.tiles import pad_to_stride
from geocnn_gui.inspection.spec import Place
from geocnn_gui.models.compatibility import differences
from geocnn_gui.models.sample_form import log_shares, sample_input
from geocnn_gui.models.scaling import scale_picture
from geocnn_gui.models.weights import load_model

if TYPE_CHECKING:
    from pathlib import Path

    from geocnn_gui.data.samples import Samples
    from geocnn_gui.data.source import Section, Source
    from geocnn_gui.data.statistics import BandStatistics
    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.models.weights import ModelCard

#: A window is never wider than this, however far a network looks.
LARGEST = 512
#: Traces beside the one in the middle that a network of traces is shown with.
_NEIGHBOURS = 16


@dataclass(frozen=True, slots=True)
class Look:
    """The window that a network sees around a place.

    `values` float32 (bands, h, w), or (bands, depth, h, w) for a network of volumes, scaled as
    the network reads them. `rows`, `columns`: the cells of the section that it covers; they
    reach beyond it where data are reflected at its edges. `at`: the place (row, column) in the
    window; `depth`: its section in a volume.
    """

    place: Place
    values: np.ndarray
    rows: slice
    columns: slice
    at: tuple[int, int]
    depth: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Return rows and columns of the window."""
        return self.values.shape[-2], self.values.shape[-1]

    @property
    def picture(self) -> np.ndarray:
        """Return what is seen of the section itself, float32 (bands, h, w)."""
        return self.values if self.values.ndim == 3 else self.values[:, self.depth]


@dataclass(frozen=True, slots=True)
class Output:
    """One thing that a network says of a place: `logit` as it leaves it, and what that means.

    `value` is a probability 0-1, or of a continuous target the value in its `unit`.
    """

    name: str
    color: str
    logit: float
    value: float
    unit: str = ""


class Subject:
    """A network in eval mode on the CPU with its card, ready to look at one source.

    A network that names the middle of a patch is given exactly its patch; one that names every
    pixel a window that holds all that can change its answer at the place, so that both say what
    a prediction of the whole section says there.
    """

    def __init__(self, net: SegmentationNet, card: ModelCard, source: Source) -> None:
        for module in net.modules():
            if hasattr(module, "inplace"):
                module.__dict__["inplace"] = False  # what went in is looked at, too
        self.net, self.card, self.source = net.eval().requires_grad_(False), card, source
        self._statistics: tuple[BandStatistics, ...] | None = None
        #: Where a layer's maps lie in a window, see `fields.span_of`.
        self.spans: dict[str, tuple[tuple[float, float], ...]] = {}
        self.patches = _names_middles(net, len(card.bands))

    @classmethod
    def open(cls, model: Path, source: Source) -> Subject:
        """Load a model to look at `source` with.

        Raises
        ------
        ModelMismatch, NoLiveData
            When the file is no model, its bands are others, or nothing is live.
        """
        net, card = load_model(model)
        differences(card, source)
        require_live(source)
        return cls(net, card, source)

    def look(self, place: Place, *, size: int | None = None) -> Look:
        """Read the window around a place; `size` asks for another side, where the network allows it.

        Raises
        ------
        BadRequest
            When the place lies outside the section.
        """
        shape = self.source.picture_shape(place.section)
        if not (0 <= place.row < shape[0] and 0 <= place.column < shape[1]):
            raise BadRequest(
                f"{self.source.name} has no cell {place.row}, {place.column}: the section has"
                f" {shape[0]} rows and {shape[1]} columns, counted from 0",
                "choose a place within it",
            )
        if self.source.samples is not None:
            return self._sample(place, self.source.samples)
        if self.patches:
            rows, columns = self._patch(place)
        else:
            rows, columns = (
                self._window(at, length, size, across)
                for at, length, across in zip(
                    (place.row, place.column), shape, (False, True), strict=True
                )
            )
        values = self._read(place, rows, columns, shape)
        at = (place.row - rows.start, place.column - columns.start)
        rows, columns = (
            slice(part.start, part.start + n)
            for part, n in zip((rows, columns), values.shape[-2:], strict=True)
        )
        return Look(place, values, rows, columns, at, values.shape[1] // 2)

    def batch(self, look: Look) -> Tensor:
        """Return the window as the network takes it, (1, bands, ...).

        Traces that a network names one by one are a batch: (traces, bands, patch, 1).
        """
        values = torch.from_numpy(np.ascontiguousarray(look.values))
        if self.in_traces:
            return values.permute(2, 0, 1)[..., None]
        return values[None]

    @property
    def in_traces(self) -> bool:
        """Say whether every column of a window is a sample of its own."""
        return self.patches and self.net.dims == 1

    def logits(self, batch: Tensor, look: Look) -> Tensor:
        """Return the logits (n, outputs) at the place, for what `batch` returned or its likes."""
        if self.source.samples is not None and not self.patches:
            return log_shares(self.net, batch)
        answer = self.net.training_logits(batch)
        if self.patches:
            flat = answer.flatten(2)[..., 0]
            return flat[look.at[1] :: look.size[1]] if self.in_traces else flat
        answer = answer[:, :, look.depth] if self.net.dims == 3 else answer
        return answer[:, :, look.at[0], look.at[1]]

    def answers(self, batch: Tensor, look: Look) -> Tensor:
        """Return what `logits` does; nothing is computed for other places where that can be spared."""
        if self.patches or self.net.dims == 3 or self.source.samples is not None:
            return self.logits(batch, look)
        row, column = look.at
        there = self.net.logits_in(batch, slice(row, row + 1), slice(column, column + 1))
        return there[:, :, 0, 0]

    def outputs(self, look: Look) -> tuple[Output, ...]:
        """Return what the network says of the place, in the order of the card's classes."""
        with torch.inference_mode():
            logits = self.answers(self.batch(look), look)[0].double()
        shares = logits.softmax(0)
        target = self.card.target
        if target is not None:
            value = float(target.mean + target.scale * logits[0])
            return (Output(target.name, "", float(logits[0]), value, target.unit),)
        return tuple(
            Output(c.name, c.color, float(logit), float(share))
            for c, logit, share in zip(self.card.classes, logits, shares, strict=True)
        )

    def output_number(self, wish: str | int | None, look: Look) -> int:
        """Return the number of an output by its class's name or id; by default the likeliest.

        Raises
        ------
        BadRequest
            When the model has no such class.
        """
        if wish is None or not self.card.classes:
            return int(np.argmax([each.logit for each in self.outputs(look)]))
        for number, each in enumerate(self.card.classes):
            if wish in (each.id, each.name, str(each.id)):
                return number
        known = ", ".join(f"{c.name} ({c.id})" for c in self.card.classes)
        raise BadRequest(f"The model has no class {wish}", f"choose one of {known}")

    @property
    def statistics(self) -> tuple[BandStatistics, ...]:
        """Return the statistics by which the source is scaled, one per band."""
        if self._statistics is None:
            self._statistics = self.card.scaling.for_source(self.source)
        return self._statistics

    # -- the window ----------------------------------------------------------------------------

    def _sample(self, place: Place, samples: Samples) -> Look:
        """Read a whole sample of a set, in the form that the network takes."""
        if self.net.dims == 3:
            raise BadRequest(
                f"The model reads volumes but {self.source.name} is a sample set", "choose a cube"
            )
        rows, columns = self.net.form
        values = sample_input(samples, place.column, (rows, columns), self.statistics)
        return Look(place, values, slice(0, rows), slice(0, columns), (rows // 2, columns // 2))

    def _patch(self, place: Place) -> tuple[slice, slice]:
        rows, columns = self.net.form
        top, left = place.row - rows // 2, place.column - columns // 2
        if self.net.dims == 1:
            left, columns = place.column - _NEIGHBOURS, 2 * _NEIGHBOURS + 1
        return slice(top, top + rows), slice(left, left + columns)

    def _window(self, at: int, length: int, size: int | None, across: bool) -> slice:
        """Return the cells along one side that an answer at `at` needs, or as many as asked for.

        They begin on the grid of the network's stride and end at the section's edges.
        """
        net, stride = self.net, self.net.stride
        halo = -(-net.halo // stride) * stride
        block = at // stride * stride
        if across and net.dims == 1:
            halo = -(-_NEIGHBOURS // stride) * stride
        if net.dims == 3:
            halo = min(halo, -(-net.patch // 2 // stride) * stride)
        if size is not None:
            halo = -(-max(0, size - stride) // 2 // stride) * stride
        halo = min(halo, LARGEST // 2 // stride * stride)
        width = 2 * halo + stride
        last = max(0, -(-(length - width) // stride) * stride)
        start = min(max(0, block - halo), last)
        return slice(start, min(length, start + width))

    def _read(
        self, place: Place, rows: slice, columns: slice, shape: tuple[int, int]
    ) -> np.ndarray:
        if self.net.dims != 3:
            values = self._read_section(place.section, rows, columns, shape)
            return values if self.patches else pad_to_stride(values, self.net.stride)
        return self._read_volume(place, rows, columns, shape)

    def _read_section(
        self, section: Section, rows: slice, columns: slice, shape: tuple[int, int]
    ) -> np.ndarray:
        """Read a window of one section, reflected where it reaches beyond the edges."""
        parts = [
            slice(max(0, part.start), min(length, part.stop))
            for part, length in zip((rows, columns), shape, strict=True)
        ]
        picture = self.source.read_picture(section, *parts)
        values = scale_picture(picture, self.statistics)
        places = [
            _reflected(part, length) - held.start
            for part, length, held in zip((rows, columns), shape, parts, strict=True)
        ]
        inside = [
            ((at >= 0) & (at < size)).all()
            for at, size in zip(places, values.shape[1:], strict=True)
        ]
        if not all(inside):  # more is reflected than the window holds
            return self._read_all(section, rows, columns, shape)
        return np.ascontiguousarray(values[:, places[0]][:, :, places[1]])

    def _read_all(
        self, section: Section, rows: slice, columns: slice, shape: tuple[int, int]
    ) -> np.ndarray:
        wide = [
            slice(int(at.min()), int(at.max()) + 1)
            for at in (_reflected(rows, shape[0]), _reflected(columns, shape[1]))
        ]
        values = scale_picture(self.source.read_picture(section, *wide), self.statistics)
        down, across = _reflected(rows, shape[0]), _reflected(columns, shape[1])
        return np.ascontiguousarray(values[:, down - wide[0].start][:, :, across - wide[1].start])

    def _read_volume(
        self, place: Place, rows: slice, columns: slice, shape: tuple[int, int]
    ) -> np.ndarray:
        """Read sections on both sides of the place, (bands, depth, h, w)."""
        axis, stride = place.section.axis, self.net.stride
        if axis is None:
            raise BadRequest(
                f"The model reads volumes but {self.source.name} is a single section",
                "choose a cube",
            )
        depth = max(stride, self.net.patch // stride * stride)
        span = slice(place.section.index - depth // 2, place.section.index - depth // 2 + depth)
        sections = [
            pad_to_stride(
                self._read_section(replace(place.section, index=int(at)), rows, columns, shape),
                stride,
            )
            for at in _reflected(span, self.source.shape[axis])
        ]
        return np.stack(sections, axis=1)


def _names_middles(net: SegmentationNet, bands: int) -> bool:
    """Say whether a network names the middle of its patch only."""
    if net.dims == 3:
        return False
    with torch.inference_mode():
        answer = net.training_logits(torch.zeros(1, bands, *net.form))
    return tuple(answer.shape[-2:]) == (1, 1)


def _reflected(part: slice, size: int) -> np.ndarray:
    """Return the cells 0 .. size - 1 that stand for those of `part`, reflected at both edges."""
    places = np.arange(part.start, part.stop)
    if size == 1:
        return np.zeros_like(places)
    places %= 2 * (size - 1)
    return np.minimum(places, 2 * (size - 1) - places)

"""The network of a list of layers: it names middles of patches, or every place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from geocnn_gui.errors import BadRequest
from geocnn_gui.models.base import SegmentationNet, Stage
from geocnn_gui.models.layers.parts import activation_of, can_slide, chain, module_of, slide
from geocnn_gui.models.layers.shapes import begin, outline
from geocnn_gui.models.layers.spec import (
    Activation,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    LayersSpec,
    Normalisation,
    Pool,
    walk,
)
from geocnn_gui.models.layers.words import title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Values of one band that go through the network together where it is asked patch by patch.
_CHUNK_VALUES = 2**18
_SMOOTH = ("linear", "bilinear", "trilinear")
#: Layers that belong to the stage of the one before them.
_FOLLOWERS = (Activation, Normalisation, Dropout, Pool, Flatten)


class LayersNet(SegmentationNet):
    """A network of a user's own layers, in 1, 2 or 3 dimensions.

    What leaves one place of a patch names its middle. Over a picture it then slides, where no
    layer pads or takes statistics of its own: at every pixel that gives what cropping the patch
    around it gives. Padding inside a patch makes the two differ; such a network is asked patch by
    patch, every `step` pixels, and the logits between are linear. What keeps the size names every
    place at once. Beyond the edges of a picture patches see it reflected.

    Group and instance normalisation in a network that names every place take the statistics of
    the whole picture that it is given; such a network has no finite reach.
    """

    def __init__(self, spec: LayersSpec, bands: int, classes: int) -> None:
        """Build it with fresh weights; raises `BadRequest` where a layer is impossible."""
        super().__init__()
        found = outline(spec, bands, classes)
        if found.problem:
            raise BadRequest(
                f"This list of layers cannot be built: {found.problem}", "change the list"
            )
        self.dims, self.patch = spec.dims, spec.patch
        self._layers = spec.layers
        self._names_middle = found.task == "patches"
        self._slides = self._names_middle and can_slide(spec.layers, spec.dims)
        self._set_reach(spec, found.stride, found.halo)
        self.layers, last = chain(spec.layers, begin(spec, bands))
        if self._names_middle:
            self.head = module_of(Dense(units=classes), last)
        else:
            self.head = module_of(Convolution(channels=classes, kernel=1), last)
            self._least = found.least
        plain = spec.head in ("softmax", "linear")
        self.bend = nn.Identity() if plain else activation_of(spec.head)
        _initialise(self, spec.initial)

    def _set_reach(self, spec: LayersSpec, stride: int, halo: int) -> None:
        half = self.patch // 2
        self.stride, self.halo = stride, halo
        if self._slides:
            self.stride, self.halo = 1, half
        elif self._names_middle:
            self.stride = spec.step
            self.halo = -(-(half + spec.step) // spec.step) * spec.step
            self.core = 16 * spec.step
        else:
            self.jitter = self.patch // 3
            self.finite = not any(
                isinstance(layer, Normalisation) and layer.over != "batch"
                for layer, _ in walk(spec.layers)
            )

    def stages(self) -> tuple[Stage, ...]:
        """Return its parts from the data upwards: each layer that learns with what follows it."""
        groups: list[list[int]] = []
        for number, layer in enumerate(self._layers):
            if groups and isinstance(layer, _FOLLOWERS):
                groups[-1].append(number)
            else:
                groups.append([number])
        found = [
            Stage(
                f"layers.{group[0]}", title_of(self._layers[group[0]], self.dims),
                tuple(self.layers[number] for number in group),
            )
            for group in groups
        ]  # fmt: skip
        return (*found, Stage("head", "Head", (self.head,)))

    def training_logits(self, patches: Tensor) -> Tensor:
        """Return the logits that enter the loss.

        (n, outputs, 1, 1) of the middles where it names middles, else (n, outputs, h, w). In one
        dimension middles are those of the column in the middle.
        """
        self._check(patches)
        if self.dims > 1:
            return self._run(patches)
        if self._names_middle:
            middle = patches.shape[-1] // 2
            patches = patches[..., middle : middle + 1]
        return _unfold(self._run(_fold(patches)), len(patches))

    def training_labels(self, labels: Tensor) -> Tensor:
        """Return the labels of the middles, one place along each axis, or all of them."""
        if not self._names_middle:
            return labels
        for axis in range(1, labels.ndim):
            labels = labels.narrow(axis, labels.shape[axis] // 2, 1)
        return labels

    def forward(self, pictures: Tensor) -> Tensor:
        """Map float (n, bands, h, w), in three dimensions (n, bands, d, h, w), to logits."""
        return self._within(pictures, [slice(0, size) for size in pictures.shape[2:]])

    def logits_in(self, pictures: Tensor, rows: slice, columns: slice) -> Tensor:
        """Return the logits of a part of pictures."""
        return self._within(pictures, [rows, columns])

    def _check(self, pictures: Tensor) -> None:
        if pictures.ndim != max(self.dims, 2) + 2:
            raise BadRequest(
                f"This network sees {'volumes' if self.dims > 2 else 'pictures'}, which these data "
                "are not",
                f"choose layers in {pictures.ndim - 2} dimensions",
            )

    def _within(self, pictures: Tensor, spans: list[slice]) -> Tensor:
        self._check(pictures)
        if self.dims > 1:
            return self._part(pictures, spans)
        columns = pictures[..., spans[1]]
        return _unfold(self._part(_fold(columns), spans[:1]), len(pictures))

    def _part(self, x: Tensor, spans: list[slice]) -> Tensor:
        """Map (n, bands, *size) to the logits in `spans`, (n, outputs, *lengths)."""
        if self._slides:
            return self._slid(x, spans)
        if self._names_middle:
            return self._asked(x, spans)
        size = x.shape[2:]
        wide = [slice(0, max(n, least)) for n, least in zip(size, self._least, strict=True)]
        return self._run(_seen(x, wide))[(..., *spans)]

    def _run(self, x: Tensor) -> Tensor:
        return self.bend(self.head(self.layers(x)))

    def _slid(self, x: Tensor, spans: list[slice]) -> Tensor:
        half = self.patch // 2
        wide = [slice(s.start - half, s.stop - half + self.patch - 1) for s in spans]
        made, jump = slide(self.layers, _seen(x, wide), (1,) * self.dims)
        logits = self.bend(slide(self.head, made, jump)[0])
        return logits[(..., *(slice(0, s.stop - s.start) for s in spans))]

    def _asked(self, x: Tensor, spans: list[slice]) -> Tensor:
        half, step = self.patch // 2, self.stride
        first = [span.start // step for span in spans]
        last = [-(-span.stop // step) for span in spans]
        wide = [
            slice(a * step - half, b * step - half + self.patch)
            for a, b in zip(first, last, strict=True)
        ]
        logits = self._ask(_seen(x, wide))
        if step > 1:
            size = [(n - 1) * step + 1 for n in logits.shape[2:]]
            logits = functional.interpolate(
                logits.float(), size=size, mode=_SMOOTH[self.dims - 1], align_corners=True
            )
        cut = [
            slice(span.start - a * step, span.stop - a * step)
            for span, a in zip(spans, first, strict=True)
        ]
        return logits[(..., *cut)]

    def _ask(self, x: Tensor) -> Tensor:
        """Map (n, bands, *size) to logits (n, outputs, *places) of the patches a step apart."""
        patches = x
        for axis in range(2, 2 + self.dims):
            patches = patches.unfold(axis, self.patch, self.stride)
        grid = (len(x), *patches.shape[2 : 2 + self.dims])
        chunk = max(1, _CHUNK_VALUES // self.patch**self.dims)
        answers = []
        for some in torch.arange(math.prod(grid), device=x.device).split(chunk):
            number, *places = _unravel(some, grid)
            seen = patches.movedim(1, 1 + self.dims)[(number, *places)]
            answers.append(self._run(seen).flatten(1))
        return torch.cat(answers).reshape(*grid, -1).movedim(-1, 1)


def _unravel(places: Tensor, grid: Sequence[int]) -> list[Tensor]:
    """Return the index along each axis of places counted through a grid."""
    found = []
    for size in reversed(grid):
        found.append(places % size)
        places = places // size
    return found[::-1]


def _seen(x: Tensor, spans: Sequence[slice]) -> Tensor:
    """Return x (n, bands, *size) in `spans`, reflected at its edges where they reach beyond."""
    for axis, span in enumerate(spans, start=2):
        size = x.shape[axis]
        if (span.start, span.stop) == (0, size):
            continue
        places = torch.arange(span.start, span.stop, device=x.device)
        around = max(1, 2 * (size - 1))
        places = places.remainder(around)
        x = x.index_select(axis, torch.minimum(places, around - places) if size > 1 else places)
    return x


def _fold(pictures: Tensor) -> Tensor:
    """Return the columns of pictures (n, bands, h, w) as traces (n w, bands, h)."""
    return pictures.permute(0, 3, 1, 2).flatten(0, 1)


def _unfold(traces: Tensor, count: int) -> Tensor:
    """Return traces (n w, outputs, h) as columns of `count` pictures (n, outputs, h, w)."""
    return traces.unflatten(0, (count, -1)).permute(0, 2, 3, 1)


def _initialise(net: nn.Module, how: str) -> None:
    """Draw the weights of convolutions and dense layers anew.

    "normal": N(0, 0.1) cut at two sigma, biases one. "kaiming": He and others (2015), by the
    inputs. "xavier": Glorot and Bengio (2010), uniform. Biases of these two are zero.
    """
    if how == "torch":
        return
    for part in net.modules():
        if not isinstance(part, nn.modules.conv._ConvNd | nn.Linear):
            continue
        match how:
            case "normal":
                nn.init.trunc_normal_(part.weight, std=0.1, a=-0.2, b=0.2)
            case "kaiming":
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            case _:
                nn.init.xavier_uniform_(part.weight)
        if part.bias is not None:
            nn.init.constant_(part.bias, 1.0 if how == "normal" else 0.0)

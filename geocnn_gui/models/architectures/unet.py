"""The U-Net of this program in one, two and three dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from geocnn_gui.models.architectures.unet_spec import UNet3dSpec
from geocnn_gui.models.base import SegmentationNet, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geocnn_gui.models.architectures.unet_spec import UNetShape

_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_BATCH = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_INSTANCE = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
_DROPOUT = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_POOL = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
#: Channels are normalised in at most so many groups.
_GROUPS = 8
#: Side of the smallest training picture.
_LEAST_PATCH = 128


class UNet(SegmentationNet):
    """U-Net (Ronneberger, Fischer and Brox 2015) with normalisation and 'same' padding.

    In one dimension each column of a picture is a trace of its own. In three dimensions (Çiçek
    and others 2016) `forward` takes volumes, and `logits_in` is not for it.
    """

    core = 1024  # its halo is wide

    def __init__(self, spec: UNetShape, bands: int, classes: int) -> None:
        super().__init__()
        self.dims, at = spec.dims, spec.dims - 1
        widths = [spec.width * 2**level for level in range(spec.depth + 1)]
        self.stride = 2**spec.depth
        self.patch = _patch_of(spec, self.stride)
        self.jitter = self.patch // 3
        self.halo = _unet_halo(spec.depth)
        self.finite = spec.norm in ("batch", "none")
        self.down = nn.ModuleList(
            _block(spec, a, b) for a, b in zip([bands, *widths[:-1]], widths, strict=True)
        )
        self.dropout = _DROPOUT[at](spec.dropout)
        self.up = nn.ModuleList(
            _TRANSPOSED[at](b, a, 2, stride=2)
            for a, b in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.merge = nn.ModuleList(_block(spec, 2 * a, a) for a in widths[-2::-1])
        self.head = _CONVS[at](widths[0], classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map float (n, bands, h, w) to logits (n, classes, h, w); volumes likewise."""
        if self.dims == 1:
            return self.logits_in(pictures, *(slice(0, size) for size in pictures.shape[2:]))
        return self._run(pictures, None)

    def logits_in(self, pictures: Tensor, rows: slice, columns: slice) -> Tensor:
        """Return the logits of a part of pictures; the way up is computed only around it.

        Columns that are traces of their own are looked at only where they are asked for.
        """
        if self.dims == 2:
            return self._run(pictures, _Spans((rows, columns)))
        traces = pictures[..., columns].permute(0, 3, 1, 2)
        logits = self._run(traces.flatten(0, 1), _Spans((rows,)))
        return logits.unflatten(0, traces.shape[:2]).permute(0, 2, 3, 1)

    def stages(self) -> tuple[Stage, ...]:
        """Return the levels of the way down and of the way up, and the head."""
        deepest = len(self.down) - 1
        down = [Stage(f"down{n}", f"Level {n + 1}, down", (part,))
                for n, part in enumerate(self.down)]  # fmt: skip
        up = [
            Stage(f"up{level}", f"Level {level + 1}, up", pair)
            for level, pair in zip(
                range(deepest - 1, -1, -1), zip(self.up, self.merge, strict=True), strict=True
            )
        ]
        return (*down, *up, Stage("head", "Head", (self.head,)))

    def levels(self, pictures: Tensor) -> list[Tensor]:
        """Return the features of the way down, the level of whole pixels first."""
        features, found = pictures, []
        for level, block in enumerate(self.down):
            features = block(_POOL[self.dims - 1](features, 2) if level else features)
            found.append(features)
        return found

    def _run(self, features: Tensor, asked: _Spans | None) -> Tensor:
        """Return the logits of what is asked for; of all of it whatever its size."""
        skips = self.levels(features)
        if asked is None:
            features = self.dropout(skips.pop())
            for up, merge in zip(self.up, self.merge, strict=True):
                features = merge(torch.cat([skips.pop(), up(features)], dim=1))
            return self.head(features)
        spans = [asked]
        for features in skips[:-1]:
            spans.append(spans[-1].below(features.shape[2:]))
        features = self.dropout(spans[-1].cut(skips.pop()))
        for up, merge in zip(self.up, self.merge, strict=True):
            wide, near = spans.pop().doubled(), spans[-1]
            features = merge(torch.cat([wide.cut(skips.pop()), up(features)], dim=1))
            features = near.within(wide).cut(features)
        return self.head(features)


class Residual(nn.Module):
    """Adds what its body makes to what it was given, by a 1x1 convolution where widths differ."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, features: Tensor) -> Tensor:
        """Map (n, inputs, ...) to (n, outputs, ...) of the same size."""
        return functional.relu(self.body(features) + self.shortcut(features))


def _block(spec: UNetShape, inputs: int, outputs: int) -> nn.Module:
    """Return two 3-wide convolutions, each normalised before its ReLU."""
    conv = _CONVS[spec.dims - 1]
    layers: list[nn.Module] = []
    for width in (inputs, outputs):
        layers += [
            conv(width, outputs, 3, padding=1, bias=spec.norm == "none"),
            _norm(spec, outputs),
            nn.ReLU(inplace=True),
        ]
    if not spec.residual:
        return nn.Sequential(*layers)
    shortcut = nn.Identity() if inputs == outputs else conv(inputs, outputs, 1)
    return Residual(nn.Sequential(*layers[:-1]), shortcut)


def _norm(spec: UNetShape, width: int) -> nn.Module:
    if spec.norm == "none":
        return nn.Identity()
    if spec.norm == "group":
        return nn.GroupNorm(math.gcd(_GROUPS, width), width)
    if spec.norm == "instance":
        return _INSTANCE[spec.dims - 1](width, affine=True)
    return _BATCH[spec.dims - 1](width)


@dataclass(frozen=True, slots=True)
class _Spans:
    """A part of the features at one level of a U-Net, axis by axis."""

    axes: tuple[slice, ...]

    def below(self, shape: Sequence[int]) -> _Spans:
        """Return what one level deeper this part depends on, through two 3-wide convolutions."""
        return _Spans(tuple(
            slice(max(0, span.start - 2) // 2, min(size // 2, -(-(span.stop + 2) // 2)))
            for span, size in zip(self.axes, shape, strict=True)
        ))  # fmt: skip

    def doubled(self) -> _Spans:
        """Return the same part one level up."""
        return _Spans(tuple(slice(2 * span.start, 2 * span.stop) for span in self.axes))

    def within(self, other: _Spans) -> _Spans:
        """Return this part counted from where `other` begins."""
        pairs = zip(self.axes, other.axes, strict=True)
        return _Spans(tuple(slice(a.start - b.start, a.stop - b.start) for a, b in pairs))

    def cut(self, features: Tensor) -> Tensor:
        """Return this part of features (n, channels, ...)."""
        return features[(..., *self.axes)]


def _patch_of(spec: UNetShape, stride: int) -> int:
    """Return the side of what it is trained on: of cubes, whose cells are many, what is asked."""
    if isinstance(spec, UNet3dSpec):
        return max(2 * stride, -(-spec.patch // stride) * stride)
    return max(_LEAST_PATCH, 4 * stride)


def _unet_halo(depth: int) -> int:
    """Follow the pixels 0 .. stride - 1 back through the network to all that they depend on."""
    stride = 2**depth
    low, high = 0, stride - 1
    for _ in range(depth):  # decoder: two 3-wide convolutions, then the coarser level
        low, high = (low - 2) // 2, (high + 2) // 2
    low, high = low - 2, high + 2  # the deepest level
    for _ in range(depth):  # encoder: what was pooled, two 3-wide convolutions
        low, high = 2 * low - 2, 2 * high + 1 + 2
    reach = max(-low, high - stride + 1)
    return -(-reach // stride) * stride

"""The networks behind the specs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from geocnn_gui.models.backbones import PretrainedNet, ResNet, ResUNet, load_pretrained
from geocnn_gui.models.base import SegmentationNet
from geocnn_gui.models.pretrained import fetch_weights
from geocnn_gui.models.spec import (
    CnnSpec,
    ModelSpec,
    PretrainedSpec,
    ResNetSpec,
    ResUNetSpec,
    UNetSpec,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from geocnn_gui.events import Event


def _double_conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class UNet(SegmentationNet):
    """U-Net (Ronneberger, Fischer and Brox 2015) with batch norm and 'same' padding."""

    def __init__(self, spec: UNetSpec, bands: int, classes: int) -> None:
        super().__init__()
        widths = [spec.width * 2**level for level in range(spec.depth + 1)]
        self.stride = 2**spec.depth
        self.patch = max(128, 4 * self.stride)
        self.jitter = self.patch // 3
        self.halo = _unet_halo(spec.depth)
        self.down = nn.ModuleList(
            _double_conv(a, b) for a, b in zip([bands, *widths[:-1]], widths, strict=True)
        )
        self.dropout = nn.Dropout2d(spec.dropout)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(b, a, 2, stride=2)
            for a, b in zip(widths[-2::-1], widths[:0:-1], strict=True)
        )
        self.merge = nn.ModuleList(_double_conv(2 * a, a) for a in widths[-2::-1])
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map float (n, bands, h, w) to logits (n, classes, h, w)."""
        height, width = pictures.shape[-2:]
        return self.logits_in(pictures, slice(0, height), slice(0, width))

    def logits_in(self, pictures: Tensor, rows: slice, columns: slice) -> Tensor:
        """Return the logits of a part of pictures; the way up is computed only around it."""
        skips = []
        features = pictures
        for level, block in enumerate(self.down):
            features = block(functional.max_pool2d(features, 2) if level else features)
            skips.append(features)
        spans = [_Spans(rows, columns)]
        for features in skips[:-1]:
            spans.append(spans[-1].below(features.shape))
        features = self.dropout(spans[-1].cut(skips.pop()))
        for up, merge in zip(self.up, self.merge, strict=True):
            wide, near = spans.pop().doubled(), spans[-1]
            features = merge(torch.cat([wide.cut(skips.pop()), up(features)], dim=1))
            features = near.within(wide).cut(features)
        return self.head(features)


@dataclass(frozen=True, slots=True)
class _Spans:
    """A part of the features at one level of a U-Net."""

    rows: slice
    columns: slice

    def below(self, shape: torch.Size) -> _Spans:
        """Return what one level deeper this part depends on, through two 3x3 convolutions."""
        rows, columns = (
            slice(max(0, span.start - 2) // 2, min(size // 2, -(-(span.stop + 2) // 2)))
            for span, size in zip((self.rows, self.columns), shape[-2:], strict=True)
        )
        return _Spans(rows, columns)

    def doubled(self) -> _Spans:
        """Return the same part one level up."""
        rows, columns = (slice(2 * s.start, 2 * s.stop) for s in (self.rows, self.columns))
        return _Spans(rows, columns)

    def within(self, other: _Spans) -> _Spans:
        """Return this part counted from where `other` begins."""
        pairs = ((self.rows, other.rows), (self.columns, other.columns))
        rows, columns = (slice(a.start - b.start, a.stop - b.start) for a, b in pairs)
        return _Spans(rows, columns)

    def cut(self, features: Tensor) -> Tensor:
        """Return this part of features (n, channels, h, w)."""
        return features[..., self.rows, self.columns]


def _unet_halo(depth: int) -> int:
    """Follow the pixels 0 .. stride - 1 back through the network to all that they depend on."""
    stride = 2**depth
    low, high = 0, stride - 1
    for _ in range(depth):  # decoder: two 3x3 convolutions, then the coarser level
        low, high = (low - 2) // 2, (high + 2) // 2
    low, high = low - 2, high + 2  # the deepest level
    for _ in range(depth):  # encoder: what was pooled, two 3x3 convolutions
        low, high = 2 * low - 2, 2 * high + 1 + 2
    reach = max(-low, high - stride + 1)
    return -(-reach // stride) * stride


class PatchCnn(SegmentationNet):
    """Names the class of the middle pixel of a patch; over a picture it runs fully convolutional.

    Convolutions are unpadded, so sliding the whole network over a picture with dilated kernels
    and dense pooling gives at every pixel exactly what cropping its patch would give.
    """

    def __init__(self, spec: CnnSpec, bands: int, classes: int) -> None:
        super().__init__()
        self.stride = 1
        self.patch = spec.patch
        self.halo = self.patch // 2
        w = spec.width
        self.convs = nn.ModuleList(
            [nn.Conv2d(bands, w, 5), nn.Conv2d(w, 2 * w, 3), nn.Conv2d(2 * w, 4 * w, 3)]
        )
        # What 5x5, /2, 3x3, /2, 3x3 leave of a patch; its side is a multiple of 4, so that
        # pooling drops nothing.
        left = ((self.patch - 4) // 2 - 2) // 2 - 2
        self.dense = nn.Conv2d(4 * w, 8 * w, left)
        self.dropout = nn.Dropout(spec.dropout)
        self.head = nn.Conv2d(8 * w, classes, 1)

    def training_logits(self, patches: Tensor) -> Tensor:
        """Map patches (n, bands, patch, patch) to logits of their middles (n, classes, 1, 1)."""
        return self._run(patches, dense=False)

    def training_labels(self, labels: Tensor) -> Tensor:
        """Return the labels of the middles, (n, 1, 1)."""
        middle = self.patch // 2
        return labels[:, middle : middle + 1, middle : middle + 1]

    def forward(self, pictures: Tensor) -> Tensor:
        """Map float (n, bands, h, w) to logits (n, classes, h, w); edges see reflected data."""
        mode = "reflect" if min(pictures.shape[-2:]) > self.halo else "replicate"
        before, after = self.halo, self.halo - 1  # the middle of an even patch
        pads = (before, after, before, after)
        return self._run(functional.pad(pictures, pads, mode=mode), dense=True)

    def _run(self, x: Tensor, *, dense: bool) -> Tensor:
        dilation = 1
        for index, conv in enumerate(self.convs):
            x = functional.relu(_conv(x, conv, dilation))
            if index < len(self.convs) - 1:
                if dense:
                    x = functional.max_pool2d(x, 2, stride=1, dilation=dilation)
                    dilation *= 2
                else:
                    x = functional.max_pool2d(x, 2)
        x = functional.relu(_conv(x, self.dense, dilation))
        return self.head(self.dropout(x))


def _conv(x: Tensor, conv: nn.Module, dilation: int) -> Tensor:
    assert isinstance(conv, nn.Conv2d)
    return functional.conv2d(x, conv.weight, conv.bias, dilation=dilation)


#: Spec class -> network class; the one place where a network is added.
BUILDERS: dict[type, Callable[..., SegmentationNet]] = {
    UNetSpec: UNet,
    CnnSpec: PatchCnn,
    ResUNetSpec: ResUNet,
    ResNetSpec: ResNet,
}


def build(spec: ModelSpec, bands: int, classes: int) -> SegmentationNet:
    """Build the network of `spec` for `bands` inputs and `classes` outputs, randomly initialised."""
    return BUILDERS[type(spec)](spec, bands, classes)


def build_for_training(spec: ModelSpec, bands: int, classes: int) -> SegmentationNet:
    """Build the network of `spec` as a training begins with it: with pretrained weights if asked.

    Raises
    ------
    ModelMismatch
        When the weights cannot be had or do not fit.
    """
    net = build(spec, bands, classes)
    if isinstance(net, PretrainedNet) and isinstance(spec, PretrainedSpec):
        load_pretrained(net, spec)
    return net


def prepare_weights(spec: ModelSpec) -> Iterator[Event]:
    """Bring the pretrained weights of `spec` here and see that they fit, before anything is done.

    Raises
    ------
    ModelMismatch, CannotWrite
        As `pretrained.fetch_weights` and `build_for_training`.
    """
    yield from fetch_weights(spec)
    if isinstance(spec, PretrainedSpec) and spec.pretrained:
        build_for_training(spec, 3, 2)

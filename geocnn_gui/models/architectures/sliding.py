"""Patch networks that slide over a picture exactly: without padding, dense where they pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from geocnn_gui.models.base import PatchNet

if TYPE_CHECKING:
    from geocnn_gui.models.architectures.spec import LeNetSpec
    from geocnn_gui.models.spec import CnnSpec


class SlidingNet(PatchNet):
    """Names the class of the middle pixel of a patch; over a picture it runs fully convolutional.

    Convolutions are unpadded, so sliding the whole network over a picture with dilated kernels
    and dense pooling gives at every pixel exactly what cropping its patch would give.
    """

    def __init__(self, patch: int) -> None:
        super().__init__()
        self.stride = 1
        self.patch = patch
        self.halo = patch // 2

    def training_logits(self, patches: Tensor) -> Tensor:
        """Map patches (n, bands, patch, patch) to logits of their middles (n, classes, 1, 1)."""
        return self._run(patches, dense=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map float (n, bands, h, w) to logits (n, classes, h, w); edges see reflected data."""
        mode = "reflect" if min(pictures.shape[-2:]) > self.halo else "replicate"
        before, after = self.halo, self.halo - 1  # the middle of an even patch
        pads = (before, after, before, after)
        return self._run(functional.pad(pictures, pads, mode=mode), dense=True)

    def _run(self, x: Tensor, *, dense: bool) -> Tensor:
        raise NotImplementedError


class PatchCnn(SlidingNet):
    """Three convolutions, two poolings, a dense layer and a head."""

    def __init__(self, spec: CnnSpec, bands: int, classes: int) -> None:
        super().__init__(spec.patch)
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


class LeNet(SlidingNet):
    """LeNet-5 (LeCun and others 1998): tanh and mean pooling; a plain head of one row per class."""

    def __init__(self, spec: LeNetSpec, bands: int, classes: int) -> None:
        super().__init__(spec.patch)
        left = ((spec.patch - 4) // 2 - 4) // 2  # what 5x5, /2, 5x5, /2 leave of a patch
        self.convs = nn.ModuleList([nn.Conv2d(bands, 6, 5), nn.Conv2d(6, 16, 5)])
        self.dense = nn.ModuleList([nn.Conv2d(16, 120, left), nn.Conv2d(120, 84, 1)])
        self.head = nn.Conv2d(84, classes, 1)

    def _run(self, x: Tensor, *, dense: bool) -> Tensor:
        dilation = 1
        for conv in self.convs:
            x = functional.tanh(_conv(x, conv, dilation))
            if dense:
                x = _mean_of_four(x, dilation)
                dilation *= 2
            else:
                x = functional.avg_pool2d(x, 2)
        for layer in self.dense:
            x = functional.tanh(_conv(x, layer, dilation))
        return self.head(x)


def _mean_of_four(x: Tensor, apart: int) -> Tensor:
    """Return means of pixels `apart` in rows and columns: mean pooling at every pixel."""
    x = x[..., :-apart, :] + x[..., apart:, :]
    return (x[..., :-apart] + x[..., apart:]) / 4


def _conv(x: Tensor, conv: nn.Module, dilation: int) -> Tensor:
    assert isinstance(conv, nn.Conv2d)
    return functional.conv2d(x, conv.weight, conv.bias, dilation=dilation)

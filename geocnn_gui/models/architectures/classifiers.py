"""Networks of torchvision that name the middle of a patch; a picture is asked in steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from geocnn_gui.models.backbones import PretrainedNet, first_layer
from geocnn_gui.models.base import PatchNet
from geocnn_gui.models.vision import torchvision

if TYPE_CHECKING:
    from geocnn_gui.models.architectures.spec import ClassifierSpec
    from geocnn_gui.models.architectures.table import Backbone

#: Patches that go through the network together, in pixels.
_CHUNK_PIXELS = 2**18
#: What torchvision has to be told; heads that help only a training of the whole stay off.
_OPTIONS: dict[str, dict[str, bool]] = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception-v3": {"aux_logits": False, "init_weights": False},
}


class Classifier(PatchNet, PretrainedNet):
    """A network of torchvision whose head names the class of a patch's middle.

    The picture is seen at every `step`-th pixel of its rows and columns, each with the patch
    around it (reflected beyond the edges); the logits between are bilinear.
    """

    def __init__(self, spec: ClassifierSpec, bands: int, classes: int) -> None:
        super().__init__(spec)
        self.patch = spec.patch
        self.stride = self._step = spec.step
        half = spec.patch // 2
        self.halo = -(-(half + spec.step) // spec.step) * spec.step
        self.core = 16 * spec.step
        self.encoder = _trunk(spec.backbone, bands)
        # Some have their own dropout, right before the head or deeper.
        inside = [part for part in self.encoder.modules() if isinstance(part, nn.Dropout)]
        for part in inside:
            part.p = spec.dropout
        self.dropout = nn.Dropout(0.0 if inside else spec.dropout)
        self.head = nn.Conv2d(spec.backbone.features, classes, 1)
        self._freeze()

    def features(self, patches: Tensor) -> Tensor:
        """Map patches (n, bands, patch, patch) to what the head sees, (n, features, 1, 1)."""
        if self.training and len(patches) == 1:  # batch norm of a single value has no meaning
            return self.encoder(patches.expand(2, -1, -1, -1))[:1, :, None, None]
        return self.encoder(patches)[:, :, None, None]

    def training_logits(self, patches: Tensor) -> Tensor:
        """Map patches (n, bands, patch, patch) to logits of their middles (n, classes, 1, 1)."""
        return self.head(self.dropout(self.features(patches)))

    def forward(self, pictures: Tensor) -> Tensor:
        """Map float (n, bands, h, w) to logits (n, classes, h, w); edges see reflected data."""
        height, width = pictures.shape[-2:]
        return self.logits_in(pictures, slice(0, height), slice(0, width))

    def logits_in(self, pictures: Tensor, rows: slice, columns: slice) -> Tensor:
        """Return the logits of a part of pictures; nothing is computed for the rest."""
        half, step = self.patch // 2, self._step
        grid, spans = [], []
        for span in (rows, columns):
            first, last = span.start // step, -(-span.stop // step)
            grid.append(last - first + 1)
            spans.append((first * step - half, last * step + half))
        seen = pictures
        for axis, (start, stop) in zip((2, 3), spans, strict=True):
            places = _reflected(start, stop, pictures.shape[axis]).to(pictures.device)
            seen = seen.index_select(axis, places)
        logits = torch.stack([self._ask(picture, step) for picture in seen])
        size = [(n - 1) * step + 1 for n in grid]
        dense = functional.interpolate(
            logits.float(), size=size, mode="bilinear", align_corners=True
        )
        top, left = rows.start % step, columns.start % step
        return dense[:, :, top : top + rows.stop - rows.start,
                     left : left + columns.stop - columns.start]  # fmt: skip

    def _ask(self, picture: Tensor, step: int) -> Tensor:
        """Map (bands, h, w) to logits (classes, rows, columns) of the patches `step` apart."""
        patches = picture.unfold(1, self.patch, step).unfold(2, self.patch, step)
        rows, columns = patches.shape[1:3]
        places = torch.arange(rows * columns, device=picture.device)
        chunk = max(1, _CHUNK_PIXELS // self.patch**2)
        answers = [
            self.training_logits(patches[:, some // columns, some % columns].transpose(0, 1))
            for some in places.split(chunk)
        ]
        return torch.cat(answers)[:, :, 0, 0].T.reshape(-1, rows, columns)


def _trunk(known: Backbone, bands: int) -> nn.Module:
    """Return a fresh network of torchvision for `bands`, without its last layer."""
    net = getattr(torchvision().models, known.maker)(weights=None, **_OPTIONS.get(known.name, {}))
    _replace(net, known.first, first_layer(net.get_submodule(known.first), bands))
    _replace(net, known.head, nn.Identity())
    return net


def _replace(net: nn.Module, name: str, part: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(net.get_submodule(parent), leaf, part)


def _reflected(start: int, stop: int, size: int) -> Tensor:
    """Return indices 0 .. size - 1 of the places start .. stop - 1, reflected at both edges."""
    places = torch.arange(start, stop)
    if size == 1:
        return torch.zeros_like(places)
    places = places.remainder(2 * (size - 1))
    return torch.minimum(places, 2 * (size - 1) - places)

"""Networks on encoders that others have trained: ResNet-18 for patches, and in a U-Net."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from geocnn_gui.errors import ModelMismatch
from geocnn_gui.models.base import SegmentationNet
from geocnn_gui.models.pretrained import read_weights, weights_path
from geocnn_gui.models.vision import segmentation_models, torchvision

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from geocnn_gui.models.spec import PretrainedSpec, ResNetSpec, ResUNetSpec

#: The encoder's modules from the data upwards; the first `_EARLY` are its early half.
_STAGES = ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")
_EARLY = 4
_FIRST, _COUNTER = "conv1.weight", "num_batches_tracked"
#: What others put before the names of an encoder, and how they call what comes after it.
_WRAPPED = re.compile(r"^(module\.|model\.|backbone\.)+")
_HEADS = ("fc.", "head.", "classifier.", "segmentation_head.", "ground.")
#: Patches that go through the network together, in pixels.
_CHUNK_PIXELS = 2**18


class PretrainedNet(SegmentationNet):
    """A network with an `encoder` that may have been trained elsewhere.

    What the spec freezes gets no gradient and stays in eval mode, the statistics of its batch
    norms too. What is learned further has a lower rate than what is fresh.
    """

    encoder: nn.Module

    def __init__(self, spec: PretrainedSpec) -> None:
        super().__init__()
        self._spec = spec

    def parameter_groups(self, rate: float) -> list[dict[str, Any]]:
        """Return the pretrained parameters that learn, at the lower rate, and the fresh ones."""
        factor = self._spec.encoder_rate if self._spec.pretrained else 1.0
        known = [p for p in self.encoder.parameters() if p.requires_grad]
        inside = {id(p) for p in self.encoder.parameters()}
        fresh = [p for p in self.parameters() if id(p) not in inside]
        groups = [{"params": known, "lr": rate * factor}, {"params": fresh, "lr": rate}]
        return [group for group in groups if group["params"]]

    def train(self, mode: bool = True) -> PretrainedNet:
        """Set the mode of all that is not frozen; frozen parts stay in eval mode."""
        super().train(mode)
        for part in self._frozen():
            part.eval()
        return self

    def _freeze(self) -> None:
        for part in self._frozen():
            part.requires_grad_(False)

    def _frozen(self) -> Iterator[nn.Module]:
        if not self._spec.pretrained:
            return
        stages = {"nothing": 0, "early": _EARLY, "encoder": len(_STAGES)}[self._spec.freeze]
        for name in _STAGES[:stages]:
            yield getattr(self.encoder, name)


class ResNet(PretrainedNet):
    """ResNet-18 (He and others 2016) names the middle of a patch; a picture is asked in steps.

    The picture is seen at every `step`-th pixel of its rows and columns, each with the patch
    around it (reflected beyond the edges); the logits between are bilinear.
    """

    def __init__(self, spec: ResNetSpec, bands: int, classes: int) -> None:
        super().__init__(spec)
        self.patch = spec.patch
        self.stride = self._step = spec.step
        half = spec.patch // 2
        self.halo = -(-(half + spec.step) // spec.step) * spec.step
        self.core = 16 * spec.step
        net = torchvision().models.resnet18(weights=None)
        net.conv1 = _first_layer(net.conv1, bands)
        net.fc = nn.Identity()
        self.encoder = net
        self.dropout = nn.Dropout(spec.dropout)
        self.head = nn.Conv2d(512, classes, 1)
        self._freeze()

    def training_logits(self, patches: Tensor) -> Tensor:
        """Map patches (n, bands, patch, patch) to logits of their middles (n, classes, 1, 1)."""
        return self.head(self.dropout(self.encoder(patches))[:, :, None, None])

    def training_labels(self, labels: Tensor) -> Tensor:
        """Return the labels of the middles, (n, 1, 1)."""
        middle = self.patch // 2
        return labels[:, middle : middle + 1, middle : middle + 1]

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


class ResUNet(PretrainedNet):
    """U-Net of segmentation-models-pytorch with a ResNet-18 as encoder."""

    def __init__(self, spec: ResUNetSpec, bands: int, classes: int) -> None:
        super().__init__(spec)
        self.stride, self.patch = 32, 128
        self.jitter = self.patch // 3
        self.halo = _halo()
        self.core = 1024
        net = segmentation_models().Unet(
            "resnet18", encoder_weights=None, in_channels=bands, classes=classes
        )
        self.encoder, self.decoder = net.encoder, net.decoder
        self.head = net.segmentation_head[0]
        self._freeze()

    def forward(self, pictures: Tensor) -> Tensor:
        """Map float (n, bands, h, w) to logits (n, classes, h, w)."""
        return self.head(self.decoder(self.encoder(pictures)))


def _first_layer(layer: nn.Conv2d, bands: int) -> nn.Conv2d:
    """Return a fresh first layer like `layer` for `bands`."""
    if bands == layer.in_channels:
        return layer
    made = nn.Conv2d(bands, layer.out_channels, 7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    return made


def _reflected(start: int, stop: int, size: int) -> Tensor:
    """Return indices 0 .. size - 1 of the places start .. stop - 1, reflected at both edges."""
    places = torch.arange(start, stop)
    if size == 1:
        return torch.zeros_like(places)
    places = places.remainder(2 * (size - 1))
    return torch.minimum(places, 2 * (size - 1) - places)


def _halo() -> int:
    """Follow the pixels 0 .. 31 back through the network to all that they depend on.

    Decoder: the head's 3x3 convolution, then five levels of two 3x3 convolutions after a doubling.
    Encoder: four stages of four 3x3 convolutions, of which the first of three halves the
    picture; before them a pooling by 3x3 and a convolution by 7x7, each of which halves it.
    """
    low, high = -1, 32
    for _ in range(5):
        low, high = (low - 2) // 2, (high + 2) // 2
    for stage in range(4):
        low, high = low - 3, high + 3
        low, high = (low - 1, high + 1) if stage == 3 else (2 * low - 1, 2 * high + 1)
    low, high = 2 * low - 1, 2 * high + 1
    low, high = 2 * low - 3, 2 * high + 3
    return -(-max(-low, high - 31) // 32) * 32


def load_pretrained(net: PretrainedNet, spec: PretrainedSpec) -> None:
    """Put the weights that `spec` names into `net`, all of the encoder or nothing.

    The file may hold a ResNet-18 as torchvision names its parts, with or without "module." or
    "encoder." before them, or a model of this program. A decoder and a head are taken where all
    of it fits, and stay fresh otherwise. Published weights expect bands of mean 0 and deviation
    1; robust deviations from the median (`models.scaling`) are close to that.

    Raises
    ------
    ModelMismatch
        When the weights are missing, damaged, or of another network.
    """
    if not spec.pretrained:
        return
    path, title = weights_path(spec), type(spec).model_fields["kind"].title or spec.weights
    parts = _sort(read_weights(spec))
    wanted = net.encoder.state_dict()
    first = parts["encoder"].get(_FIRST)
    if first is not None and first.ndim == 4:
        parts["encoder"][_FIRST] = adapt_bands(first, wanted[_FIRST].shape[1])
    if misfits := _misfits(parts["encoder"], wanted):
        more = f", and {len(misfits) - 1} more" if len(misfits) > 1 else ""
        raise ModelMismatch(
            f"{path} does not fit {title}: {misfits[0]}{more}",
            "choose weights of a ResNet-18, or none",
        )
    for name in ("encoder", "decoder", "head"):
        module = getattr(net, name, None)
        if module is not None and not _misfits(parts[name], module.state_dict()):
            module.load_state_dict({**module.state_dict(), **parts[name]})


def adapt_bands(kernels: Tensor, bands: int) -> Tensor:
    """Return first-layer kernels (n, bands, ...) made from kernels (n, k, ...).

    With fewer bands than k, kernels of bands that are missing are added to those that are there,
    in turn; with more, kernels are repeated in turn, each copy with its share. So the sum over
    the bands stays, and a picture that is the same in all bands (grey) gives exactly the response
    that it gives in k bands. One band takes the sum, k times the mean; with k bands nothing
    changes. Bands keep the order of the data.
    """
    kernels = kernels.float()  # so that shares of half-precision files stay exact
    known = kernels.shape[1]
    made = kernels.new_zeros(kernels.shape[0], bands, *kernels.shape[2:])
    for place in range(max(known, bands)):
        copies = -(-(bands - place % known) // known) if bands > known else 1
        made[:, place % bands] += kernels[:, place % known] / copies
    return made


def _sort(found: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of a file by the part of a network that they belong to."""
    plain = {_WRAPPED.sub("", name): value for name, value in found.items()}
    parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "decoder": {}, "head": {}}
    for name, value in plain.items():
        part, _, rest = name.partition(".")
        if part in parts:
            parts[part][rest] = value
    if not parts["encoder"]:
        parts["encoder"] = {k: v for k, v in plain.items() if not k.startswith(_HEADS)}
    return parts


def _misfits(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> list[str]:
    """Say what keeps `found` from being loaded; counters of batch norms may be missing."""
    texts = [f"{k} is missing" for k in wanted if k not in found and not k.endswith(_COUNTER)]
    texts += [f"it has no {k}" for k in found if k not in wanted]
    for name, value in found.items():
        sizes = [" x ".join(map(str, v.shape)) for v in (value, wanted.get(name, value))]
        if sizes[0] != sizes[1]:
            texts.append(f"{name} is {sizes[0]}, not {sizes[1]}")
        elif not name.endswith(_COUNTER) and not _is_plain(value):
            texts.append(f"{name} does not hold plain numbers")
    return texts


def _is_plain(value: Tensor) -> bool:
    dense = value.layout == torch.strided and value.is_floating_point()
    return dense and bool(value.isfinite().all())

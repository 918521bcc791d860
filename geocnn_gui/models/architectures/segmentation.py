"""Decoders of segmentation-models-pytorch on encoders that may begin pretrained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from geocnn_gui.models.backbones import PretrainedNet, first_layer
from geocnn_gui.models.vision import segmentation_models, torchvision

if TYPE_CHECKING:
    from geocnn_gui.models.architectures.spec import EncoderSpec, ResUNetSpec
    from geocnn_gui.models.architectures.table import Backbone

#: Kind of network -> class of segmentation-models-pytorch.
_MAKERS = {
    "unet-resnet18": "Unet",
    "unet-encoder": "Unet",
    "unet++": "UnetPlusPlus",
    "fpn": "FPN",
    "deeplabv3+": "DeepLabV3Plus",
}
#: Decoders of which each block sees a limited part of the picture.
_FINITE = ("Unet", "UnetPlusPlus")
#: How far a network looks that sees the whole picture, for the buffer around held-out ground.
_HALO = 256


class EncoderNet(PretrainedNet):
    """A segmentation network whose encoder halves the picture five times.

    Where means over the whole picture enter (squeeze and excitation, group norm, the pooled
    branch of DeepLabV3+), it is not `finite`, and `halo` is how far it mostly looks.
    """

    def __init__(self, spec: EncoderSpec | ResUNetSpec, bands: int, classes: int) -> None:
        super().__init__(spec)
        known, maker = spec.backbone, _MAKERS[type(spec).model_fields["kind"].default]
        self.stride, self.patch = 32, 128
        self.jitter = self.patch // 3
        self.core = 1024
        self.finite = maker in _FINITE and bool(known.convolutions)
        self.halo = _halo(known.convolutions) if self.finite else _HALO
        net = _made(maker, known, bands, classes)
        self.encoder, self.decoder = net.encoder, net.decoder
        self.head = net.segmentation_head[0]
        self.enlarge = net.segmentation_head[1]
        for part in self.modules():
            if isinstance(part, nn.Upsample):
                part.align_corners = False  # or tiles of other sizes would be stretched otherwise
        there = {name for name, _ in self.encoder.named_modules()}
        self.unused = tuple(f"{p}." for part in known.parts for p in part.paths if p not in there)
        self._freeze()

    def training_logits(self, patches: Tensor) -> Tensor:
        """Return the logits that enter the loss, (n, classes, h, w)."""
        if self.training and len(patches) == 1:  # batch norm of a single value has no meaning
            return self(patches.expand(2, -1, -1, -1))[:1]
        return self(patches)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map float (n, bands, h, w) to logits (n, classes, h, w)."""
        return self.enlarge(self.head(self.decoder(self.encoder(pictures))))


class Pyramid(nn.Module):
    """The layers of a classifier of torchvision, and what they are after each halving.

    It has the members by which segmentation-models-pytorch asks its encoders.
    """

    def __init__(self, known: Backbone) -> None:
        super().__init__()
        net = getattr(torchvision().models, known.maker)(weights=None)
        self.features = net.features[: known.taps[-1] + 1]
        self.output_stride = 32
        self._known = known
        self.out_channels = [3, *known.channels]

    def set_in_channels(self, bands: int, pretrained: bool = True) -> None:
        """Take pictures of so many bands."""
        self.out_channels[0] = bands
        parent, _, leaf = self._known.first.rpartition(".")
        first = self.get_submodule(self._known.first)
        assert isinstance(first, nn.Conv2d)
        setattr(self.get_submodule(parent), leaf, first_layer(first, bands))

    def make_dilated(self, output_stride: int) -> None:
        """Keep the size of features from the last halving on, by kernels with gaps."""
        self.output_stride = output_stride
        for layer in list(self.features)[self._known.taps[-2] + 1 :]:
            for part in layer.modules():
                if isinstance(part, nn.Conv2d) and part.kernel_size[0] > 1:
                    part.stride, part.dilation = (1, 1), (2, 2)
                    part.padding = (part.kernel_size[0] - 1, part.kernel_size[1] - 1)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Map (n, bands, h, w) to the pictures and five features, each of half the size."""
        found, x = [pictures], pictures
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self._known.taps:
                found.append(x)
        return found


def _made(maker: str, known: Backbone, bands: int, classes: int) -> Any:
    smp = segmentation_models()
    name = known.name
    if known.taps:
        name = f"geocnn-{known.name}"
        smp.encoders.encoders.setdefault(
            name, {"encoder": _Maker(known), "params": {}, "pretrained_settings": {}}
        )
    return getattr(smp, maker)(name, encoder_weights=None, in_channels=bands, classes=classes)


class _Maker:
    """Makes a pyramid where segmentation-models-pytorch asks for a class."""

    def __init__(self, known: Backbone) -> None:
        self._known = known

    def __call__(self, **_: object) -> Pyramid:
        return Pyramid(self._known)


def _halo(convolutions: tuple[int, ...]) -> int:
    """Follow the pixels 0 .. 31 back through a U-Net on a ResNet to all that they depend on.

    Decoder: the head's 3x3 convolution, then five levels of two 3x3 convolutions after a doubling
    (the nested ones of U-Net++ look no further). Encoder: four stages of so many 3x3
    `convolutions`, of which the first of three stages halves the picture; before them a pooling
    by 3x3 and a convolution by 7x7, each of which halves it.
    """
    low, high = -1, 32
    for _ in range(5):
        low, high = (low - 2) // 2, (high + 2) // 2
    for stage, count in zip((3, 2, 1, 0), convolutions[::-1], strict=True):
        low, high = low - (count - 1), high + (count - 1)
        low, high = (low - 1, high + 1) if stage == 0 else (2 * low - 1, 2 * high + 1)
    low, high = 2 * low - 1, 2 * high + 1
    low, high = 2 * low - 3, 2 * high + 3
    return -(-max(-low, high - 31) // 32) * 32

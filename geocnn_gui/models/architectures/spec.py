"""Specs of networks whose encoder may begin with weights that were learned elsewhere."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from geocnn_gui.models.architectures.table import BACKBONES, Backbone
from geocnn_gui.models.spec_base import ADVANCED, Spec

_FREEZES = ("nothing", "early", "encoder")
#: Encoders that a segmentation network may stand on.
Encoder = Literal["resnet18", "resnet34", "resnet50", "efficientnet-b0", "mobilenet-v3"]


def kind_field(name: str, title: str) -> Any:
    """Return the field that names a network in files; forms do not show it."""
    return Field(default=name, title=title, json_schema_extra={"hidden": True})


def patch_field(default: int) -> Any:
    """Return the field of the side of a patch."""
    return Field(
        default=default, title="Patch", description="Pixels across the square it looks at; even."
    )


def _dropout_field(default: float) -> Any:
    return Field(
        default=default, title="Dropout", description="Share of features hidden while training.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip


class PretrainedSpec(Spec):
    """A network whose encoder may begin with weights that were learned elsewhere."""

    weights: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")] = Field(
        default="imagenet",
        title="Weights",
        description="What it knows to begin with. A model file of GeoCNN will do too.",
        json_schema_extra={
            "choices": {"imagenet": "ImageNet", "none": "None, from scratch"},
            "accepts": "imagenet, none or the name of a weights file",
        },
    )
    freeze: str = Field(
        default="nothing",
        title="Freeze",
        description="What keeps its weights: nothing, the early half of the encoder, all of it, "
        "or all up to a stage.",
        json_schema_extra={
            "choices": {"nothing": "nothing", "early": "early", "encoder": "encoder"},
            "accepts": "nothing, early, encoder or the name of the last stage that keeps its "
            "weights",
            "words_only": True,
        },
    )
    encoder_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.1, title="Encoder rate",
        description="Learning rate of pretrained weights, as a share of that of fresh ones.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip

    @field_validator("freeze")
    @classmethod
    def _known_stage(cls, value: str) -> str:
        stages = cls.stage_names()
        if value not in (*_FREEZES, *stages):
            raise ValueError(f"must be one of {', '.join((*_FREEZES, *stages))}")
        return value

    @classmethod
    def stage_names(cls) -> tuple[str, ...]:
        """Return the names of the encoder's stages, from the data upwards."""
        name = cls.model_fields.get("encoder", cls.model_fields.get("kind"))
        found = BACKBONES.get(name.default) if name is not None else None
        return tuple(part.name for part in found.parts) if found is not None else ()

    @property
    def backbone(self) -> Backbone:
        """Return the facts of the network that its encoder is."""
        raise NotImplementedError

    @property
    def pretrained(self) -> bool:
        """Say whether it begins with learned weights; else nothing is frozen or held back."""
        return self.weights != "none"

    @property
    def freezes_in_vain(self) -> bool:
        """Say whether stages were to keep weights that it does not begin with."""
        return self.freeze != "nothing" and not self.pretrained

    @property
    def frozen_stages(self) -> int:
        """Count the stages of the encoder that keep their weights."""
        names = self.stage_names()
        if not self.pretrained or self.freeze == "nothing":
            return 0
        if self.freeze in names:
            return names.index(self.freeze) + 1
        return len(names) if self.freeze == "encoder" else self.backbone.early


class ClassifierSpec(PretrainedSpec):
    """A network of torchvision that names the class of the pixel in the middle of a patch."""

    patch: Annotated[int, Field(ge=32, le=256, multiple_of=2)] = patch_field(64)
    step: Annotated[int, Field(ge=1, le=32)] = Field(
        default=8, title="Step",
        description="Pixels between the places it is asked about when predicting; smooth between.",
    )  # fmt: skip
    dropout: Annotated[float, Field(ge=0, le=0.9)] = _dropout_field(0.2)

    @property
    def backbone(self) -> Backbone:
        """Return the facts of the network that its encoder is."""
        return BACKBONES[type(self).model_fields["kind"].default]

    def parameters(self, bands: int, classes: int) -> int:
        """Return how many numbers the network learns when nothing is frozen."""
        known = self.backbone
        return known.trunk(bands) + (known.features + 1) * classes


class ResNetSpec(ClassifierSpec):
    """ResNet-18: names the class of the pixel in the middle of a patch; may begin pretrained."""

    kind: Literal["resnet18"] = kind_field("resnet18", "ResNet-18")
    patch: Annotated[int, Field(ge=32, le=128, multiple_of=2)] = patch_field(64)


class ResNet34Spec(ClassifierSpec):
    """ResNet-34: names the middle of a patch; twice as deep as ResNet-18."""

    kind: Literal["resnet34"] = kind_field("resnet34", "ResNet-34")


class ResNet50Spec(ClassifierSpec):
    """ResNet-50: names the middle of a patch; for many labels and much variety."""

    kind: Literal["resnet50"] = kind_field("resnet50", "ResNet-50")


class AlexNetSpec(ClassifierSpec):
    """AlexNet: names the middle of a patch of 64 pixels or more, by large dense layers."""

    kind: Literal["alexnet"] = kind_field("alexnet", "AlexNet")
    patch: Annotated[int, Field(ge=64, le=256, multiple_of=2)] = patch_field(64)
    dropout: Annotated[float, Field(ge=0, le=0.9)] = _dropout_field(0.5)


class Vgg16Spec(ClassifierSpec):
    """VGG-16: names the middle of a patch by 3x3 convolutions alone; large and slow."""

    kind: Literal["vgg16"] = kind_field("vgg16", "VGG-16")
    dropout: Annotated[float, Field(ge=0, le=0.9)] = _dropout_field(0.5)


class GoogLeNetSpec(ClassifierSpec):
    """GoogLeNet: names the middle of a patch by inception blocks; few parameters."""

    kind: Literal["googlenet"] = kind_field("googlenet", "GoogLeNet")


class InceptionSpec(ClassifierSpec):
    """Inception v3: names the middle of a patch of 76 pixels or more."""

    kind: Literal["inception-v3"] = kind_field("inception-v3", "Inception v3")
    patch: Annotated[int, Field(ge=76, le=256, multiple_of=2)] = patch_field(96)


class EfficientNetSpec(ClassifierSpec):
    """EfficientNet-B0: names the middle of a patch; accurate for its few parameters."""

    kind: Literal["efficientnet-b0"] = kind_field("efficientnet-b0", "EfficientNet-B0")


class MobileNetSpec(ClassifierSpec):
    """MobileNet v3, the large one: names the middle of a patch; quick without a graphics card."""

    kind: Literal["mobilenet-v3"] = kind_field("mobilenet-v3", "MobileNet v3")


class ConvNeXtSpec(ClassifierSpec):
    """ConvNeXt-tiny: names the middle of a patch; the most accurate here, and slow."""

    kind: Literal["convnext-tiny"] = kind_field("convnext-tiny", "ConvNeXt-tiny")


class LeNetSpec(Spec):
    """LeNet-5: the first of its kind; names the class of the pixel in the middle of a patch."""

    kind: Literal["lenet5"] = kind_field("lenet5", "LeNet-5")
    patch: Annotated[int, Field(ge=20, le=128, multiple_of=4)] = Field(
        default=32,
        title="Patch",
        description="Pixels across the square it looks at; a multiple of 4.",
    )

    def parameters(self, bands: int, classes: int) -> int:
        """Return how many numbers the network learns."""
        left = ((self.patch - 4) // 2 - 4) // 2
        sizes = [(bands, 6, 5), (6, 16, 5), (16, 120, left), (120, 84, 1), (84, classes, 1)]
        return sum(a * b * side**2 + b for a, b, side in sizes)


class EncoderSpec(PretrainedSpec):
    """A network that names every pixel at once, with an encoder that may begin pretrained."""

    encoder: Encoder = Field(
        default="resnet34", title="Encoder", description="The network that reads the picture."
    )

    @property
    def backbone(self) -> Backbone:
        """Return the facts of the network that its encoder is."""
        return BACKBONES[self.encoder]

    def parameters(self, bands: int, classes: int) -> int:
        """Return how many numbers the network learns when nothing is frozen."""
        channels = self.backbone.channels
        return self.backbone.pyramid_size(bands) + self._decoder(channels) + self._head(classes)

    def _head(self, classes: int) -> int:
        return (16 * 9 + 1) * classes

    def _decoder(self, channels: tuple[int, ...]) -> int:
        """Count what the decoder learns; `channels` come from the encoder, finest first."""
        raise NotImplementedError


class UNetEncoderSpec(EncoderSpec):
    """A U-Net on an encoder of your choice: names every pixel; may begin pretrained."""

    kind: Literal["unet-encoder"] = kind_field("unet-encoder", "U-Net on an encoder")

    def _decoder(self, channels: tuple[int, ...]) -> int:
        joined = zip((channels[4], 256, 128, 64, 32), (*channels[3::-1], 0), strict=True)
        pairs = zip(joined, (256, 128, 64, 32, 16), strict=True)
        return sum(double(below + skip, made) for (below, skip), made in pairs)


class UNetPlusPlusSpec(EncoderSpec):
    """U-Net++: a U-Net with nested skips; sharper borders, slower."""

    kind: Literal["unet++"] = kind_field("unet++", "U-Net++")

    def _decoder(self, channels: tuple[int, ...]) -> int:
        below, skips = (channels[4], 256, 128, 64), channels[3::-1]
        total = double(32, 16)
        for layer, made in enumerate((256, 128, 64, 32)):
            skip = skips[layer]
            total += double(below[layer] + skip * (layer + 1), made)
            for depth in range(1, layer + 1):
                total += double(skips[layer - 1] + skip * (layer + 1 - depth), skip)
        return total


class FpnSpec(EncoderSpec):
    """FPN, a feature pyramid: names every pixel from features of all sizes added up; quick."""

    kind: Literal["fpn"] = kind_field("fpn", "FPN")

    def _head(self, classes: int) -> int:
        return 129 * classes

    def _decoder(self, channels: tuple[int, ...]) -> int:
        lateral = sum((width + 1) * 256 for width in channels[1:])
        wide, narrow = 9 * 256 * 128 + 256, 9 * 128 * 128 + 256
        return lateral + 4 * wide + 3 * narrow


class DeepLabSpec(EncoderSpec):
    """DeepLabV3+: names every pixel by kernels with gaps, which see far; for large bodies."""

    kind: Literal["deeplabv3+"] = kind_field("deeplabv3+", "DeepLabV3+")

    def _head(self, classes: int) -> int:
        return 257 * classes

    def _decoder(self, channels: tuple[int, ...]) -> int:
        top, fine = channels[4], channels[1]
        pyramid = 2 * (256 * top + 512) + 3 * (9 * top + 256 * top + 512) + 5 * 256 * 256 + 512
        after = 9 * 256 + 256 * 256 + 512
        return pyramid + after + 48 * fine + 96 + 9 * 304 + 304 * 256 + 512


class ResUNetSpec(PretrainedSpec):
    """A U-Net with a ResNet-18 as encoder: names the class of every pixel; may begin pretrained."""

    kind: Literal["unet-resnet18"] = kind_field("unet-resnet18", "U-Net on ResNet-18")

    @classmethod
    def stage_names(cls) -> tuple[str, ...]:
        """Return the names of the encoder's stages, from the data upwards."""
        return tuple(part.name for part in BACKBONES["resnet18"].parts)

    @property
    def backbone(self) -> Backbone:
        """Return the facts of the network that its encoder is."""
        return BACKBONES["resnet18"]

    def parameters(self, bands: int, classes: int) -> int:
        """Return how many numbers the network learns when nothing is frozen."""
        return UNetEncoderSpec(encoder="resnet18").parameters(bands, classes)


def double(inputs: int, outputs: int) -> int:
    """Count two 3x3 convolutions with their batch norms."""
    return 9 * outputs * (inputs + outputs) + 4 * outputs

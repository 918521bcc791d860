"""Torch-free, frozen specs of networks; forms, command-line options and files are made from them.

A field may carry `json_schema_extra={"advanced": True}`: forms fold it away. A text that may be
one of a few words or the name of a file carries "choices" (value -> words), which forms offer, and
"accepts", by which the command line says what it takes.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import PurePath, PureWindowsPath
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from geocnn_gui.models.spec_base import ADVANCED, Spec


class CnnSpec(Spec):
    """A small network that names the class of the pixel in the middle of a patch."""

    kind: Literal["cnn"] = Field(
        default="cnn", title="Patch CNN", json_schema_extra={"hidden": True}
    )
    patch: Annotated[int, Field(ge=20, le=128, multiple_of=4)] = Field(
        default=32,
        title="Patch",
        description="Pixels across the square it looks at; a multiple of 4.",
    )
    width: Annotated[int, Field(ge=4, le=128)] = Field(
        default=16,
        title="Width",
        description="Kernels in the first layer; doubled after each pooling.",
    )
    dropout: Annotated[float, Field(ge=0, le=0.9)] = Field(
        default=0.2, title="Dropout", description="Share of features hidden while training.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip

    def parameters(self, bands: int, classes: int) -> int:
        """Return how many numbers the network learns."""
        w, left = self.width, ((self.patch - 4) // 2 - 2) // 2 - 2
        sizes = [(bands, w, 5), (w, 2 * w, 3), (2 * w, 4 * w, 3), (4 * w, 8 * w, left)]
        return sum(a * b * side**2 + b for a, b, side in [*sizes, (8 * w, classes, 1)])


class UNetSpec(Spec):
    """An encoder-decoder with skips that names the class of every pixel of a tile at once."""

    kind: Literal["unet"] = Field(default="unet", title="U-Net", json_schema_extra={"hidden": True})
    depth: Annotated[int, Field(ge=2, le=6)] = Field(
        default=4, title="Depth", description="Times the picture is halved; deeper sees wider."
    )
    width: Annotated[int, Field(ge=8, le=128)] = Field(
        default=16, title="Width", description="Kernels in the first layer; doubled at each depth."
    )
    dropout: Annotated[float, Field(ge=0, le=0.9)] = Field(
        default=0.1, title="Dropout", description="Share of deep features hidden while training.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip

    def parameters(self, bands: int, classes: int) -> int:
        """Return how many numbers the network learns."""
        widths = [self.width * 2**level for level in range(self.depth + 1)]
        down = [_double(a, b) for a, b in zip([bands, *widths[:-1]], widths, strict=True)]
        up = [4 * a * b + a + _double(2 * a, a) for a, b in pairwise(widths)]
        return sum(down) + sum(up) + (widths[0] + 1) * classes


def _double(inputs: int, outputs: int) -> int:
    """Count two 3x3 convolutions with their batch norms."""
    return 9 * outputs * (inputs + outputs) + 4 * outputs


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
    freeze: Literal["nothing", "early", "encoder"] = Field(
        default="nothing",
        title="Freeze",
        description="What keeps its weights: nothing, the early half of the encoder, or all of it.",
    )
    encoder_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.1, title="Encoder rate",
        description="Learning rate of pretrained weights, as a share of that of fresh ones.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip

    @property
    def pretrained(self) -> bool:
        """Say whether it begins with learned weights; else nothing is frozen or held back."""
        return self.weights != "none"


#: What an encoder of ResNet-18 learns, less its first layer.
_RESNET18 = 11_176_512 - 3 * 64 * 49


class ResNetSpec(PretrainedSpec):
    """ResNet-18: names the class of the pixel in the middle of a patch; may begin pretrained."""

    kind: Literal["resnet18"] = Field(
        default="resnet18", title="ResNet-18", json_schema_extra={"hidden": True}
    )
    patch: Annotated[int, Field(ge=32, le=128, multiple_of=2)] = Field(
        default=64, title="Patch", description="Pixels across the square it looks at; even."
    )
    step: Annotated[int, Field(ge=1, le=32)] = Field(
        default=8, title="Step",
        description="Pixels between the places it is asked about when predicting; smooth between.",
    )  # fmt: skip
    dropout: Annotated[float, Field(ge=0, le=0.9)] = Field(
        default=0.2, title="Dropout", description="Share of features hidden while training.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip

    def parameters(self, bands: int, classes: int) -> int:
        """Return how many numbers the network learns when nothing is frozen."""
        return _RESNET18 + bands * 64 * 49 + 513 * classes


class ResUNetSpec(PretrainedSpec):
    """A U-Net with a ResNet-18 as encoder: names the class of every pixel; may begin pretrained."""

    kind: Literal["unet-resnet18"] = Field(
        default="unet-resnet18", title="U-Net on ResNet-18", json_schema_extra={"hidden": True}
    )

    def parameters(self, bands: int, classes: int) -> int:
        """Return how many numbers the network learns when nothing is frozen."""
        joined = ((768, 256), (384, 128), (192, 64), (128, 32), (32, 16))
        decoder = sum(_double(a, b) for a, b in joined)
        return _RESNET18 + bands * 64 * 49 + decoder + (16 * 9 + 1) * classes


ModelSpec = CnnSpec | UNetSpec | ResNetSpec | ResUNetSpec
#: Name on the command line and in the Model panel -> spec class.
SPECS: dict[str, type[ModelSpec]] = {
    "unet": UNetSpec,
    "cnn": CnnSpec,
    "unet-resnet18": ResUNetSpec,
    "resnet18": ResNetSpec,
}
_ADAPTER: TypeAdapter[ModelSpec] = TypeAdapter(Annotated[ModelSpec, Field(discriminator="kind")])


def spec_from_json(data: dict[str, Any]) -> ModelSpec:
    """Return the spec stored as `data`; raises `pydantic.ValidationError`."""
    return _ADAPTER.validate_python(data)


def shareable(spec: ModelSpec) -> ModelSpec:
    """Return `spec` as it travels: a weights file by its name, not by where it lay."""
    if not isinstance(spec, PretrainedSpec):
        return spec
    kind = PureWindowsPath if "\\" in spec.weights else PurePath
    return spec.model_copy(update={"weights": kind(spec.weights).name or spec.weights})

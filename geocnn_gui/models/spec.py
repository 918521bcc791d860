"""Torch-free, frozen specs of networks; forms, command-line options and files are made from them.

A field may carry `json_schema_extra={"advanced": True}`: forms fold it away. A text that may be
one of a few words or the name of a file carries "choices" (value -> words), which forms offer, and
"accepts", by which the command line says what it takes.
"""

from __future__ import annotations

from pathlib import PurePath, PureWindowsPath
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from geocnn_gui.models.architectures.spec import (
    AlexNetSpec,
    ConvNeXtSpec,
    DeepLabSpec,
    EfficientNetSpec,
    FpnSpec,
    GoogLeNetSpec,
    InceptionSpec,
    LeNetSpec,
    MobileNetSpec,
    PretrainedSpec,
    ResNet34Spec,
    ResNet50Spec,
    ResNetSpec,
    ResUNetSpec,
    UNetEncoderSpec,
    UNetPlusPlusSpec,
    Vgg16Spec,
)
from geocnn_gui.models.architectures.unet_spec import UNet1dSpec, UNet3dSpec, UNetSpec
from geocnn_gui.models.layers.spec import LayersSpec
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


PatchSpec = (
    CnnSpec
    | LeNetSpec
    | AlexNetSpec
    | Vgg16Spec
    | GoogLeNetSpec
    | InceptionSpec
    | ResNetSpec
    | ResNet34Spec
    | ResNet50Spec
    | EfficientNetSpec
    | MobileNetSpec
    | ConvNeXtSpec
)
PixelSpec = (
    UNetSpec
    | UNet1dSpec
    | UNet3dSpec
    | ResUNetSpec
    | UNetEncoderSpec
    | UNetPlusPlusSpec
    | FpnSpec
    | DeepLabSpec
)
ModelSpec = PatchSpec | PixelSpec | LayersSpec
#: Name on the command line and in the Model panel -> spec class.
SPECS: dict[str, type[ModelSpec]] = {
    "unet": UNetSpec,
    "cnn": CnnSpec,
    "unet-resnet18": ResUNetSpec,
    "resnet18": ResNetSpec,
    "unet-1d": UNet1dSpec,
    "unet-3d": UNet3dSpec,
    "unet-encoder": UNetEncoderSpec,
    "unet++": UNetPlusPlusSpec,
    "fpn": FpnSpec,
    "deeplabv3+": DeepLabSpec,
    "lenet5": LeNetSpec,
    "alexnet": AlexNetSpec,
    "vgg16": Vgg16Spec,
    "googlenet": GoogLeNetSpec,
    "inception-v3": InceptionSpec,
    "resnet34": ResNet34Spec,
    "resnet50": ResNet50Spec,
    "efficientnet-b0": EfficientNetSpec,
    "mobilenet-v3": MobileNetSpec,
    "convnext-tiny": ConvNeXtSpec,
    "layers": LayersSpec,
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

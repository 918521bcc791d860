"""Specs of the U-Net of this program, in one, two and three dimensions."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from geocnn_gui.models.architectures.spec import kind_field
from geocnn_gui.models.spec_base import ADVANCED, Spec


class UNetShape(Spec):
    """What U-Nets have in common: an encoder-decoder with skips, `dims` axes wide."""

    dims: ClassVar[int] = 2

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
    norm: Literal["batch", "group", "instance", "none"] = Field(
        default="batch", title="Normalisation",
        description="How features are brought to one scale; group suits small batches. With "
        "group or instance, tiles of a prediction are blended.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    residual: bool = Field(
        default=False, title="Residual",
        description="Whether each pair of convolutions adds to what it was given.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip

    def parameters(self, bands: int, classes: int) -> int:
        """Return how many numbers the network learns."""
        widths = [self.width * 2**level for level in range(self.depth + 1)]
        down = [self._block(a, b) for a, b in zip([bands, *widths[:-1]], widths, strict=True)]
        up = [2**self.dims * a * b + a + self._block(2 * a, a) for a, b in pairwise(widths)]
        return sum(down) + sum(up) + (widths[0] + 1) * classes

    def _block(self, inputs: int, outputs: int) -> int:
        """Count two convolutions with what normalises them, or their biases, and a shortcut."""
        kernels = 3**self.dims * outputs * (inputs + outputs)
        beside = 2 * outputs * (1 if self.norm == "none" else 2)
        shortcut = outputs * inputs + outputs if self.residual and inputs != outputs else 0
        return kernels + beside + shortcut


class UNetSpec(UNetShape):
    """An encoder-decoder with skips that names the class of every pixel of a tile at once."""

    kind: Literal["unet"] = kind_field("unet", "U-Net")


class UNet1dSpec(UNetShape):
    """A U-Net for traces: names every sample from its own trace alone."""

    dims: ClassVar[int] = 1

    kind: Literal["unet-1d"] = kind_field("unet-1d", "U-Net on traces")


class UNet3dSpec(UNetShape):
    """A U-Net for volumes: names every cell of a cube from all that surrounds it."""

    dims: ClassVar[int] = 3

    kind: Literal["unet-3d"] = kind_field("unet-3d", "U-Net on volumes")
    depth: Annotated[int, Field(ge=2, le=4)] = Field(
        default=3, title="Depth", description="Times the cube is halved; deeper sees wider."
    )
    patch: Annotated[int, Field(ge=16, le=256)] = Field(
        default=48, title="Patch",
        description="Cells across the cubes it is trained on; twice as many take eight times the "
        "memory and time.",
    )  # fmt: skip

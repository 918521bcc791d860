"""Torch-free, frozen specs of networks; forms, command-line options and files are made from them.

A number field may carry `json_schema_extra={"advanced": True}`: forms fold it away.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

ADVANCED: dict[str, Any] = {"advanced": True}


class Spec(BaseModel):
    """Something a user configures: frozen, saved as JSON, unknown keys refused.

    Every field has a `title` (the form's label) and a `description` (one line: what it does).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


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


ModelSpec = CnnSpec | UNetSpec
#: Name on the command line and in the Model panel -> spec class.
SPECS: dict[str, type[CnnSpec] | type[UNetSpec]] = {"unet": UNetSpec, "cnn": CnnSpec}
_ADAPTER: TypeAdapter[ModelSpec] = TypeAdapter(Annotated[ModelSpec, Field(discriminator="kind")])


def spec_from_json(data: dict[str, Any]) -> ModelSpec:
    """Return the spec stored as `data`; raises `pydantic.ValidationError`."""
    return _ADAPTER.validate_python(data)

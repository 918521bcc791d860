"""Torch-free specs of a split: what the user asks for, and the units chosen for it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from geocnn_gui.models.spec import ADVANCED, Spec

#: What is held out as a whole; the last draws single pixels, whose neighbours it then trains on.
UnitKind = Literal["block", "section", "polygon", "record", "file", "pixels (leaky)"]
LEAKY: UnitKind = "pixels (leaky)"
#: Roles of a unit that is in no fold.
TRAINED, TEST = -1, -2


class SplitChoice(Spec):
    """The units of a split as a project keeps them: how they were cut, and who holds which role.

    `side` is the blocks' side or the polygons' grain in cells, `cuts` the first index of each
    group of sections, per source. `roles` maps unit ids to a fold (0, 1, ...) or `TEST`; units
    that it does not name are trained on.
    """

    unit: UnitKind = Field(title="Unit")
    side: Annotated[int, Field(ge=1)] = Field(default=1, title="Side")
    axis: Annotated[int, Field(ge=0, le=2)] | None = Field(default=None, title="Axis")
    cuts: dict[int, tuple[int, ...]] = Field(default_factory=dict, title="Cuts")
    roles: dict[str, Annotated[int, Field(ge=TEST, le=9)]] = Field(
        default_factory=dict, title="Roles"
    )


class SplitSpec(Spec):
    """Which labels are kept aside for the score."""

    unit: Literal["auto", "block", "section", "polygon", "record", "file", "pixels (leaky)"] = (
        Field(
            default="auto",
            title="Hold out by",
            description="What is kept aside as a whole; auto chooses from the labels.",
        )
    )
    share: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.2,
        title="Held out",
        description="Share of every class's labels kept aside for the score; 0 for no score.",
    )
    test: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.0,
        title="Test set",
        description="Share of the labels that training never sees, scored once at the end.",
        json_schema_extra=ADVANCED,
    )
    folds: Annotated[int, Field(ge=1, le=10)] = Field(
        default=1,
        title="Folds",
        description="1: one part is held out; more: each part in turn, a training for each.",
        json_schema_extra=ADVANCED,
    )
    buffer: Literal["auto"] | Annotated[int, Field(ge=0, le=4096)] = Field(
        default="auto",
        title="Buffer",
        description="Cells around what is held out that nobody trains on; auto measures them.",
        json_schema_extra=ADVANCED,
    )
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        default=0, title="Seed", description="Same seed, same labels: same split.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    choice: SplitChoice | None = Field(
        default=None, title="Made by hand", description="The units themselves, where they were chosen.",
        json_schema_extra={"hidden": True},
    )  # fmt: skip

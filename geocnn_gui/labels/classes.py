"""Label classes: stable ids, names, colours; id 0 is unlabelled."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from geocnn_gui.errors import BadRequest

UNLABELLED = 0
#: Okabe and Ito's colour-blind-safe set without its grey, which cannot be seen on grey seismic
#: data, then more colours for those who need many classes.
PALETTE = (
    "#0072b2", "#e69f00", "#d55e00", "#56b4e9", "#009e73", "#f0e442", "#cc79a7", "#7f3c8d",
    "#11a579", "#a5aa99", "#80ba5a", "#999999",
)  # fmt: skip


class LabelClass(BaseModel):
    """A class a cell can carry; the id never changes, and 0 means unlabelled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[int, Field(ge=1, le=254)]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    color: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]


Classes = tuple[LabelClass, ...]


def new_class(classes: Classes, name: str | None = None, *, above: int = 0) -> LabelClass:
    """Return a class with the next free id and colour; ids of deleted classes come back last.

    `above` is the highest id that was ever given, where the caller remembers it. Raises
    `BadRequest` when all 254 are in use.
    """
    used = {c.id for c in classes}
    number = max(used | {above}) + 1
    if number > 254:
        number = next((i for i in range(1, 255) if i not in used), 0)
    if not number:
        raise BadRequest("There are 254 classes already", "delete one that is not needed")
    colors = [c for c in PALETTE if c not in {k.color for k in classes}]
    return LabelClass(
        id=number, name=name or f"Class {number}",
        color=colors[0] if colors else PALETTE[number % len(PALETTE)],
    )  # fmt: skip


def classes_for(ids: list[int], names: dict[int, str] | None = None) -> Classes:
    """Return classes for the ids found in a label file, with names where it gives them."""
    names = names or {}
    return tuple(
        LabelClass(id=i, name=names.get(i, f"Class {i}"), color=PALETTE[(i - 1) % len(PALETTE)])
        for i in sorted(set(ids) - {UNLABELLED})
    )


def by_id(classes: Classes, number: int) -> LabelClass | None:
    """Return the class with that id, or None."""
    return next((c for c in classes if c.id == number), None)

"""How the work was left: what was in view and in hand; what does not fit is forgotten."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

T = TypeVar("T", bound=BaseModel)
_Share = Annotated[float, Field(ge=0, le=1)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Name = Annotated[str, Field(max_length=40)]
_Index = Annotated[int, Field(ge=0, le=2**40)]
#: More sources than anyone keeps in one project.
_MOST = 1000


def tolerant(kind: type[T], data: object) -> T:
    """Return `data` as `kind`; fields that do not fit take their defaults."""
    if isinstance(data, kind):
        return data
    if not isinstance(data, dict):
        return kind()
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        bad = {first["loc"][0] for first in error.errors() if first["loc"]}
        try:
            return kind.model_validate({k: v for k, v in data.items() if k not in bad})
        except ValidationError:
            return kind()


class SourceView(BaseModel):
    """How one source was drawn; the session's `ViewState` and the section in view.

    `axis` None is all of a 2-D source, or none kept.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    axis: Annotated[int, Field(ge=0, le=2)] | None = None
    index: _Index = 0
    colour_map: _Name = "grey"
    bands: Annotated[tuple[Annotated[int, Field(ge=0, le=9999)], ...], Field(max_length=3)] = ()
    low: _Number | None = None
    high: _Number | None = None
    gain: Annotated[float, Field(gt=0, le=1000)] = 1.0
    overlay: Literal["none", "classes", "confidence"] = "classes"
    overlay_visible: bool = True
    overlay_opacity: _Share = 0.5
    labels_visible: bool = True
    labels_opacity: _Share = 0.8
    lock_aspect: bool = False


def _views(data: object) -> dict[str, SourceView]:
    items = list(data.items())[:_MOST] if isinstance(data, dict) else []
    return {key: tolerant(SourceView, value) for key, value in items if isinstance(key, str)}


class WorkState(BaseModel):
    """What was in hand when the project was left; `source` is an entry's id, `step` a panel."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: _Name = ""
    tool: Literal["pan", "brush", "eraser", "polygon", "line", "fill", "wand", "edge", "between",
                  "accept"] = "pan"  # fmt: skip
    brush_size: Annotated[int, Field(ge=1, le=200)] = 12
    brush_shape: Literal["round", "square"] = "round"
    tolerance: Annotated[int, Field(ge=0, le=100)] = 10
    wand_target: Literal["data", "prediction"] = "data"
    stop_at_labels: bool = True
    current_class: Annotated[int, Field(ge=0, le=254)] = 1
    step: _Name = ""
    only_unlabelled: bool = False
    locked: Annotated[tuple[Annotated[int, Field(ge=1, le=254)], ...], Field(max_length=254)] = ()
    accept_from: _Share = 0.0
    live: bool = False
    views: Annotated[dict[str, SourceView], BeforeValidator(_views)] = {}


def tolerant_work(data: object) -> WorkState:
    """Return `data` as a `WorkState`, whatever it is."""
    return tolerant(WorkState, data)


def plain_object(data: object) -> dict[str, Any] | None:
    """Return `data` where it is a JSON object, else None."""
    return data if isinstance(data, dict) else None

"""Which heads of a network go with classes, and which with continuous values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.models.layers.spec import LayersSpec

if TYPE_CHECKING:
    from geocnn_gui.models.spec import ModelSpec


def head_of(spec: ModelSpec) -> str:
    """Return the head that a network of values has: of all but layers it is linear."""
    head = spec.head if isinstance(spec, LayersSpec) else "linear"
    return "linear" if head == "softmax" else head


def why_no_classes(spec: ModelSpec) -> str:
    """Say why a network cannot learn classes, "" where it can; a linear head gives softmax's logits."""
    head = head_of(spec)
    return "" if head == "linear" else f"The head {head} gives a value"


def with_value_head(spec: ModelSpec) -> ModelSpec:
    """Return the spec of a network of values: softmax of a single output would say nothing."""
    if isinstance(spec, LayersSpec) and spec.head == "softmax":
        return spec.model_copy(update={"head": "linear"})
    return spec

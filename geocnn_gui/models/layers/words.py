"""Layers in words: "Convolution 5x5, 8 kernels, same"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.models.layers.spec import (
    Activation,
    Convolution,
    Dense,
    Dropout,
    GlobalPool,
    Inception,
    Layer,
    Normalisation,
    Pool,
    Residual,
    TransposedConvolution,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_FUNCTIONS = {
    "relu": "ReLU", "leaky-relu": "Leaky ReLU", "sigmoid": "Sigmoid", "tanh": "Tanh",
    "gelu": "GELU",
}  # fmt: skip
_POOLING = {"max": "Max", "average": "Average", "minimum": "Minimum", "l2": "L2-norm"}
_NORMS = {"batch": "Batch", "group": "Group", "instance": "Instance"}


def sizes_in_words(sizes: Sequence[int]) -> str:
    """Return "16 x 8 x 8"."""
    return " x ".join(map(str, sizes))


def title_of(layer: Layer, dims: int = 2) -> str:
    """Say in a few words what a layer is, on data with `dims` axes."""
    match layer:
        case Convolution() | TransposedConvolution():
            return _convolution(layer, dims)
        case Pool():
            stride = (
                "" if layer.stride in (None, layer.window) else f", stride {_sizes(layer.stride)}"
            )
            padding = "" if layer.padding == "valid" else f", padding {_sizes(layer.padding)}"
            return f"{_POOLING[layer.take]} pooling {_sizes(layer.window, dims)}{stride}{padding}"
        case GlobalPool():
            return f"Global {_POOLING[layer.take].lower()} pooling"
        case Activation():
            return _FUNCTIONS[layer.function]
        case Normalisation():
            groups = f", {layer.groups} groups" if layer.over == "group" else ""
            return f"{_NORMS[layer.over]} normalisation{groups}"
        case Dropout():
            return f"Dropout {layer.rate:g}"
        case Dense():
            return f"Dense {layer.units:,}"
        case Residual():
            return "Residual block"
        case Inception():
            count = len(layer.branches)
            return f"Inception block, {count} branch{'es' if count > 1 else ''}"
        case _:
            return "Flatten"


def _convolution(layer: Convolution | TransposedConvolution, dims: int) -> str:
    parts = [f"{layer.channels} kernels"]
    for name, value in (("stride", layer.stride), ("dilation", layer.dilation)):
        if value != 1:
            parts.append(f"{name} {_sizes(value)}")
    if layer.groups > 1:
        parts.append(f"{layer.groups} groups")
    parts.append(
        layer.padding if isinstance(layer.padding, str) else f"padding {_sizes(layer.padding)}"
    )
    name = "Convolution" if isinstance(layer, Convolution) else "Transposed convolution"
    return f"{name} {_sizes(layer.kernel, dims)}, {', '.join(parts)}"


def _sizes(value: int | str | tuple[int, ...] | None, dims: int = 1) -> str:
    value = (value,) * dims if isinstance(value, int) else value
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)

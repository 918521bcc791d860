"""The sums behind a layer's figures, written out with its own numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from geocnn_gui.models.layers.geometry import Impossible, Spread, Step, Window, steps_of
from geocnn_gui.models.layers.spec import (
    Convolution,
    Dense,
    Layer,
    Normalisation,
    Pool,
    TransposedConvolution,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMES, _MINUS = " × ", "\N{MINUS SIGN}"


def reckoning(layer: Layer, before: Sequence[int], after: Sequence[int]) -> tuple[str, ...]:
    """Return a line for each figure: size, parameters, and a dense layer in its place.

    `before` and `after` are channels and sizes of what the layer takes and gives, (n,) once
    flattened. Nothing is said of a layer that cannot stand there.
    """
    lines: list[str] = []
    if isinstance(layer, Convolution | TransposedConvolution | Pool) and len(before) > 1:
        try:
            steps = steps_of(layer, len(before) - 1)
        except Impossible:
            return ()
        lines += _sizes(steps, before[1:])
    if isinstance(layer, Convolution | TransposedConvolution) and len(before) > 1:
        lines.append(_weights(layer, before))
        lines.append(_dense("A dense layer in its place", math.prod(before), math.prod(after)))
    if isinstance(layer, Dense):
        lines.append(_dense("Parameters", math.prod(before), layer.units))
    if isinstance(layer, Normalisation):
        lines.append(f"Parameters: 2 × {before[0]} = {2 * before[0]:,}, scale and shift")
    return tuple(lines)


def _sizes(steps: Sequence[Step], before: Sequence[int]) -> list[str]:
    told = [_size(step, size) for step, size in zip(steps, before, strict=True)]
    return [f"Size: {line}" for line in dict.fromkeys(told)]


def _size(step: Step, size: int) -> str:
    if isinstance(step, Spread):
        cut = step.before + step.after
        return (
            f"({size} {_MINUS} 1){_TIMES}{step.stride} + {step.reach + 1}{_signed(-cut)}"
            f" = {step.size(size)}"
        )
    if isinstance(step, Window):
        inside = f"{size}{_signed(step.before + step.after)} {_MINUS} {step.reach + 1}"
        return f"floor(({inside}) / {step.stride}) + 1 = {step.size(size)}"
    return ""


def _signed(number: int) -> str:
    if not number:
        return ""
    return f" + {number}" if number > 0 else f" {_MINUS} {-number}"


def _weights(layer: Convolution | TransposedConvolution, before: Sequence[int]) -> str:
    axes = layer.kernel if isinstance(layer.kernel, tuple) else (layer.kernel,) * (len(before) - 1)
    each = (*axes, before[0] // layer.groups)
    count = (math.prod(each) + layer.bias) * layer.channels
    if layer.bias:
        return (
            f"Parameters: ({_TIMES.join(map(str, each))} + 1){_TIMES}{layer.channels} = {count:,}"
        )
    return f"Parameters: {_TIMES.join(map(str, (*each, layer.channels)))} = {count:,}"


def _dense(title: str, inputs: int, outputs: int) -> str:
    return f"{title}: {inputs:,}{_TIMES}{outputs:,} + {outputs:,} = {(inputs + 1) * outputs:,}"

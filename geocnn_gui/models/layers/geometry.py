"""How layers act along one axis: sizes forwards, and which inputs an output depends on.

Sizes follow Dumoulin and Visin (2016), "A guide to convolution arithmetic for deep learning".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from geocnn_gui.models.layers.spec import Convolution, Pool, TransposedConvolution

if TYPE_CHECKING:
    from collections.abc import Sequence

#: More phases of an output than this are not looked at one by one.
_PHASES = 64


class Impossible(Exception):
    """A layer cannot stand where it does; says why in words."""


@dataclass(frozen=True, slots=True)
class Window:
    """A kernel that slides: from its first weight to its last `reach` values, with zeros around."""

    reach: int
    stride: int
    before: int
    after: int

    def size(self, size: int) -> int:
        """Return floor((size + padding - reach - 1) / stride) + 1."""
        return (size + self.before + self.after - self.reach - 1) // self.stride + 1

    def back(self, low: int, high: int) -> tuple[int, int]:
        """Return the first and last input that the outputs `low` to `high` depend on."""
        return low * self.stride - self.before, high * self.stride - self.before + self.reach


@dataclass(frozen=True, slots=True)
class Spread:
    """A transposed kernel, of whose outputs `before` and `after` are cut off (below 0: added)."""

    reach: int
    stride: int
    before: int
    after: int

    def size(self, size: int) -> int:
        """Return (size - 1) stride + reach + 1, less what is cut off."""
        return (size - 1) * self.stride + self.reach + 1 - self.before - self.after

    def back(self, low: int, high: int) -> tuple[int, int]:
        """Return the first and last input that the outputs `low` to `high` depend on."""
        first, last = low + self.before - self.reach, high + self.before
        return -(-first // self.stride), last // self.stride


@dataclass(frozen=True, slots=True)
class Whole:
    """Something that looks at all `count` values."""

    count: int

    def size(self, size: int) -> int:
        """Return 1."""
        return 1

    def back(self, low: int, high: int) -> tuple[int, int]:
        """Return all inputs."""
        return 0, self.count - 1


@dataclass(frozen=True, slots=True)
class Beside:
    """Branches that see the same values."""

    branches: tuple[tuple[Step, ...], ...]

    def size(self, size: int) -> int:
        """Return what the first branch gives; all give the same."""
        for step in self.branches[0]:
            size = step.size(size)
        return size

    def back(self, low: int, high: int) -> tuple[int, int]:
        """Return the first and last input that any branch depends on."""
        spans = [follow_back(steps, low, high) for steps in self.branches]
        return min(first for first, _ in spans), max(last for _, last in spans)


Step = Window | Spread | Whole | Beside


def follow_back(steps: Sequence[Step], low: int, high: int) -> tuple[int, int]:
    """Return the first and last value of the data that outputs `low` to `high` depend on."""
    for step in reversed(steps):
        low, high = step.back(low, high)
    return low, high


def all_fit(steps: Sequence[Step], size: int) -> bool:
    """Say whether data of `size` leave something at every step."""
    for step in steps:
        if isinstance(step, Beside) and not all(all_fit(part, size) for part in step.branches):
            return False
        size = step.size(size)
        if size < 1:
            return False
    return True


def receptive_field(steps: Sequence[Step]) -> int:
    """Return how many values of the data, from first to last, one output depends on at most."""
    spans = (follow_back(steps, place, place) for place in range(_phases(steps)))
    return max(last - first + 1 for first, last in spans)


def _phases(steps: Sequence[Step]) -> int:
    """Return after how many outputs what they depend on repeats itself."""
    return min(_period(steps, Fraction(1))[0], _PHASES)


def _period(steps: Sequence[Step], move: Fraction) -> tuple[int, Fraction]:
    """Follow a move of the output back; return by how much it falls short of whole places."""
    found = 1
    for step in reversed(steps):
        if isinstance(step, Window):
            move *= step.stride
        elif isinstance(step, Spread):
            move /= step.stride
        elif isinstance(step, Beside):
            parts = [_period(branch, move) for branch in step.branches]
            found = math.lcm(found, *(period for period, _ in parts))
            move = parts[0][1]
        found = math.lcm(found, move.denominator)
    return found, move


def per_axis(value: int | tuple[int, ...], dims: int, name: str) -> tuple[int, ...]:
    """Return a number for each axis; raises `Impossible`."""
    if isinstance(value, int):
        return (value,) * dims
    if len(value) != dims:
        raise Impossible(f"its {name} is given for {len(value)} axes, where the data has {dims}")
    return value


def steps_of(layer: Convolution | TransposedConvolution | Pool, dims: int) -> tuple[Step, ...]:
    """Return how a layer acts along each of the axes; raises `Impossible`."""
    match layer:
        case Pool():
            across = per_axis(layer.window, dims, "window")
            stride = across if layer.stride is None else per_axis(layer.stride, dims, "stride")
            reach = tuple(size - 1 for size in across)
        case _:
            stride = per_axis(layer.stride, dims, "stride")
            dilation = per_axis(layer.dilation, dims, "dilation")
            across = per_axis(layer.kernel, dims, "kernel")
            reach = tuple(d * (k - 1) for d, k in zip(dilation, across, strict=True))
    if isinstance(layer.padding, str):
        margins = tuple(_margin(layer, *each) for each in zip(reach, stride, strict=True))
    else:
        margins = tuple((n, n) for n in per_axis(layer.padding, dims, "padding"))
    if isinstance(layer, Pool):
        _check_margins(margins, across)
    kind = Spread if isinstance(layer, TransposedConvolution) else Window
    return tuple(
        kind(far, step, *margin) for far, step, margin in zip(reach, stride, margins, strict=True)
    )


def _margin(
    layer: Convolution | TransposedConvolution | Pool, reach: int, stride: int
) -> tuple[int, int]:
    """Return what is put before and after the data, or cut off for a transposed convolution."""
    if layer.padding == "valid":
        return 0, 0
    if layer.padding == "full":
        return reach, reach
    total = reach
    if isinstance(layer, TransposedConvolution):
        total = reach + 1 - stride
    before = max(total, 0) // 2
    return before, total - before


def _check_margins(margins: Sequence[tuple[int, int]], across: Sequence[int]) -> None:
    """See that every window holds data."""
    for (before, after), size in zip(margins, across, strict=True):
        if max(before, after) >= size:
            raise Impossible(f"its padding of {before} is not smaller than its window of {size}")

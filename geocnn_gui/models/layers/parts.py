"""The modules that layers become; each can also slide over a picture.

A network on unpadded data slides when strides become dilations: `slide` then gives, at every
place of a picture, what the network gives for the patch that begins there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from geocnn_gui.models.layers.geometry import Spread, Window, per_axis, steps_of
from geocnn_gui.models.layers.shapes import Data, follow, shortcut_of
from geocnn_gui.models.layers.spec import (
    Activation,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Inception,
    Layer,
    Normalisation,
    Pool,
    Residual,
    TransposedConvolution,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CONVOLUTIONS: tuple[Any, ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED: tuple[Any, ...] = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_CONVOLVE: tuple[Any, ...] = (functional.conv1d, functional.conv2d, functional.conv3d)
_LARGEST: tuple[Any, ...] = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
_MEAN: tuple[Any, ...] = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)
_BATCH = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_INSTANCE = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
#: Below this squares are no more told from zero, where a root has no slope.
_TINY = 1e-12

Jump = tuple[int, ...]


def chain(layers: Sequence[Layer], data: Data) -> tuple[nn.Sequential, Data]:
    """Return the modules of `layers`, numbered as they are, and what runs out of them.

    Raises
    ------
    Impossible
        When one cannot stand where it does.
    """
    made: list[nn.Module] = []
    for layer in layers:
        made.append(module_of(layer, data))
        data = follow(layer, data)
    return nn.Sequential(*made), data


def module_of(layer: Layer, data: Data) -> nn.Module:
    """Return the module of a layer that `data` runs into."""
    match layer:
        case Convolution() | TransposedConvolution():
            return _convolution(layer, data)
        case Pool():
            steps = steps_of(layer, len(data.size))
            return Pooling(layer.take, [step for step in steps if isinstance(step, Window)])
        case GlobalPool():
            return Pooling(layer.take, [Window(n - 1, n, 0, 0) for n in data.size])
        case Normalisation():
            return _normalisation(layer, data)
        case Residual():
            return ResidualBlock(layer, data)
        case Inception():
            return InceptionBlock(layer, data)
        case Dense():
            return DenseLayer(data.values, layer.units, data.left or (1,) * len(data.steps))
        case Activation():
            return activation_of(layer.function, layer.slope)
        case Dropout():
            return nn.Dropout(layer.rate)
        case _:
            return FlattenLayer()


def activation_of(name: str, slope: float = 0.01) -> nn.Module:
    """Return the module of an activation."""
    kinds: dict[str, Callable[[], nn.Module]] = {
        "relu": nn.ReLU, "leaky-relu": lambda: nn.LeakyReLU(slope), "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh, "gelu": nn.GELU,
    }  # fmt: skip
    return kinds[name]()


def _convolution(layer: Convolution | TransposedConvolution, data: Data) -> nn.Module:
    dims = len(data.size)
    steps = [step for step in steps_of(layer, dims) if isinstance(step, Window | Spread)]
    margins = [(step.before, step.after) for step in steps]
    even = all(before == after >= 0 for before, after in margins)
    options: dict[str, Any] = {
        "stride": tuple(step.stride for step in steps),
        "padding": tuple(before for before, _ in margins) if even else 0,
        "dilation": per_axis(layer.dilation, dims, "dilation"),
        "groups": layer.groups, "bias": layer.bias,
    }  # fmt: skip
    sizes = (data.channels, layer.channels, per_axis(layer.kernel, dims, "kernel"))
    if isinstance(layer, Convolution):
        conv = _CONVOLUTIONS[dims - 1](*sizes, **options)
        return conv if even else nn.Sequential(Margin(margins), conv)
    added = tuple(max(0, -after) for _, after in margins)
    conv = _TRANSPOSED[dims - 1](*sizes, output_padding=added, **options)
    cuts = [(-before, min(0, -after)) for before, after in margins]
    return conv if even or not any(map(any, cuts)) else nn.Sequential(conv, Margin(cuts))


def _normalisation(layer: Normalisation, data: Data) -> nn.Module:
    dims = len(data.steps)
    if layer.over == "group":
        return nn.GroupNorm(layer.groups, data.channels)
    if layer.over == "instance":
        return _INSTANCE[dims - 1](data.channels, affine=True)
    return _BATCH[dims - 1](data.channels)


class Margin(nn.Module):
    """Puts zeros before and after the data along each axis, or cuts off where below 0."""

    def __init__(self, margins: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self._pads = [n for pair in reversed(margins) for n in pair]

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, *size) to wider or narrower ones."""
        return functional.pad(x, self._pads)


class Pooling(nn.Module):
    """Takes one value of each window; what lies beyond the data counts for nothing."""

    def __init__(self, take: str, steps: Sequence[Window]) -> None:
        super().__init__()
        self._take, self._dims = take, len(steps)
        self._window = tuple(step.reach + 1 for step in steps)
        self._stride = tuple(step.stride for step in steps)
        self._pads = [n for step in reversed(steps) for n in (step.before, step.after)]

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, *size) to fewer values."""
        return self._pool(x, self._stride, (1,) * self._dims)

    def slide(self, x: Tensor, jump: Jump) -> tuple[Tensor, Jump]:
        """Take a window at every place, its values `jump` apart."""
        far = tuple(a * b for a, b in zip(jump, self._stride, strict=True))
        return self._pool(x, (1,) * self._dims, jump), far

    def _pool(self, x: Tensor, stride: Jump, dilation: Jump) -> Tensor:
        if self._take in ("max", "minimum"):
            return self._extreme(x, stride, dilation)
        values = x if self._take == "average" else x.square()
        if any(self._pads):
            values = functional.pad(values, self._pads)
        found = self._mean(values, stride, dilation)
        if self._take == "l2":
            return (found * math.prod(self._window)).clamp_min(_TINY).sqrt()
        if any(self._pads):
            there = functional.pad(torch.ones_like(x[:1, :1]), self._pads)
            found = found / self._mean(there, stride, dilation)
        return found

    def _extreme(self, x: Tensor, stride: Jump, dilation: Jump) -> Tensor:
        sign = 1 if self._take == "max" else -1
        values = x if sign > 0 else -x
        if any(self._pads):
            values = functional.pad(values, self._pads, value=-math.inf)
        pool = _LARGEST[self._dims - 1]
        found = pool(values, self._window, stride, 0, dilation)
        return found if sign > 0 else -found

    def _mean(self, x: Tensor, stride: Jump, dilation: Jump) -> Tensor:
        if all(step == 1 for step in dilation):
            return _MEAN[self._dims - 1](x, self._window, stride)
        for axis, (size, step) in enumerate(zip(self._window, dilation, strict=True), start=2):
            long = x.shape[axis] - step * (size - 1)
            x = sum(
                (x.narrow(axis, step * n, long) for n in range(1, size)), x.narrow(axis, 0, long)
            )
        return x / math.prod(self._window)


class FlattenLayer(nn.Module):
    """Puts all values into channels; the axes stay, one place long."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, *size) to (n, values, 1, ...)."""
        return x.reshape(len(x), -1, *(1,) * (x.ndim - 2))


class DenseLayer(nn.Linear):
    """A dense layer; `left` is the size along each axis of what was flattened before it."""

    def __init__(self, inputs: int, outputs: int, left: tuple[int, ...]) -> None:
        super().__init__(inputs, outputs)
        self._left = left

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  as nn.Linear calls it
        """Map (n, inputs, 1, ...) to (n, outputs, 1, ...)."""
        return super().forward(input.flatten(1))[(..., *(None,) * (input.ndim - 2))]

    def slide(self, x: Tensor, jump: Jump) -> Tensor:
        """Map (n, channels, *size) to (n, outputs, *size) less what the last places lack."""
        kernels = self.weight.reshape(len(self.weight), -1, *self._left)
        return _CONVOLVE[x.ndim - 3](x, kernels, self.bias, dilation=jump)


class ResidualBlock(nn.Module):
    """Adds what comes in, through a 1x1 convolution where sizes differ, to what is made of it."""

    def __init__(self, layer: Residual, data: Data) -> None:
        super().__init__()
        self.layers, last = chain(layer.layers, data)
        shortcut = shortcut_of(data, last)
        self.shortcut = nn.Identity() if shortcut is None else _convolution(shortcut, data)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, *size) to what its layers and the shortcut give together."""
        return self.layers(x) + self.shortcut(x)

    def slide(self, x: Tensor, jump: Jump) -> tuple[Tensor, Jump]:
        """Run at every place, values `jump` apart."""
        made, far = slide(self.layers, x, jump)
        beside, _ = slide(self.shortcut, x, jump)
        one, other = _common([made, beside])
        return one + other, far


class InceptionBlock(nn.Module):
    """Runs its branches on the same data and puts their channels one after the other."""

    def __init__(self, layer: Inception, data: Data) -> None:
        super().__init__()
        self.branches = nn.ModuleList(chain(branch, data)[0] for branch in layer.branches)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, *size) to the channels of all branches."""
        return torch.cat([branch(x) for branch in self.branches], 1)

    def slide(self, x: Tensor, jump: Jump) -> tuple[Tensor, Jump]:
        """Run at every place, values `jump` apart."""
        made = [slide(branch, x, jump) for branch in self.branches]
        return torch.cat(_common([values for values, _ in made]), 1), made[0][1]


def _common(parts: Sequence[Tensor]) -> list[Tensor]:
    """Cut all to the smallest size; all begin at the same place."""
    size = [min(part.shape[axis] for part in parts) for axis in range(2, parts[0].ndim)]
    places = (..., *(slice(0, n) for n in size))
    return [part[places] for part in parts]


def slide(module: nn.Module, x: Tensor, jump: Jump) -> tuple[Tensor, Jump]:
    """Return what `module` gives at every place of x (n, channels, *size), and the next jump.

    `jump`: places along each axis from one value to the next of the same patch. Modules must
    come from layers without padding (`can_slide`).
    """
    match module:
        case nn.Sequential():
            for part in module:
                x, jump = slide(part, x, jump)
            return x, jump
        case nn.Conv1d() | nn.Conv2d() | nn.Conv3d():
            dilation = tuple(a * b for a, b in zip(jump, module.dilation, strict=True))
            convolve = _CONVOLVE[x.ndim - 3]
            made = convolve(x, module.weight, module.bias, dilation=dilation, groups=module.groups)
            return made, tuple(a * b for a, b in zip(jump, module.stride, strict=True))
        case Pooling() | ResidualBlock() | InceptionBlock():
            return module.slide(x, jump)
        case DenseLayer():
            return module.slide(x, jump), jump
        case FlattenLayer():
            return x, jump
        case _:
            return module(x), jump


def can_slide(layers: Sequence[Layer], dims: int) -> bool:
    """Say whether running dense gives what cropping patches gives: no padding, no own statistics.

    A normalisation of single values between a flatten and its dense layer has one weight for
    each of them, which no sliding kernel has.
    """
    flat = False
    for layer in layers:
        if isinstance(layer, Flatten | Dense):
            flat = isinstance(layer, Flatten)
        elif isinstance(layer, Normalisation):
            if flat or layer.over != "batch":
                return False
        elif not _slides_alone(layer, dims):
            return False
    return True


def _slides_alone(layer: Layer, dims: int) -> bool:
    match layer:
        case Convolution() | Pool():
            steps = [step for step in steps_of(layer, dims) if isinstance(step, Window)]
            return not any(step.before or step.after for step in steps)
        case Residual():
            return can_slide(layer.layers, dims)
        case Inception():
            return all(can_slide(branch, dims) for branch in layer.branches)
        case _:
            return not isinstance(layer, TransposedConvolution)

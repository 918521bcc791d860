"""What a network is made of and what it costs, found out before it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from geocnn_gui.models.networks import build

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.models.spec import ModelSpec

_CONVS = (functional.conv1d, functional.conv2d, functional.conv3d)
_TRANSPOSED = (
    functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d,
)  # fmt: skip
#: Side of the picture and of the cube that costs are counted on, where a network takes any.
_PICTURE, _CUBE = 256, 64


@dataclass(frozen=True, slots=True)
class StageSize:
    """A stage of a network: its name, its title, and how many numbers it learns."""

    name: str
    title: str
    parameters: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """The stages from the data upwards; multiply-adds for each cell of a map that is predicted."""

    stages: tuple[StageSize, ...]
    per_cell: float


def outlook(spec: ModelSpec, bands: int, classes: int) -> Outlook:
    """Look at the network of `spec` without its weights: neither room nor files are needed.

    Multiply-adds are those of convolutions and dense layers, without what tiles share.
    """
    with torch.device("meta"):
        net = build(spec, bands, classes).eval()
    stages = tuple(
        StageSize(part.name, part.title, sum(_size(each) for each in part.modules))
        for part in net.stages()
    )
    return Outlook(stages, _per_cell(net, bands, getattr(spec, "step", 1)))


def _size(module: nn.Module) -> int:
    return sum(weights.numel() for weights in module.parameters())


def _per_cell(net: SegmentationNet, bands: int, step: int) -> float:
    """Count for one cell: a patch that is asked about in steps answers for `step` cells a side."""
    if step > 1 and net.stride == step:
        return _count(net.training_logits, bands, net.form) / step**net.dims
    side = -(-(_CUBE if net.dims > 2 else _PICTURE) // net.stride) * net.stride
    sides = (side,) * max(net.dims, 2)
    return _count(net, bands, sides) / side ** len(sides)


def _count(look: Callable[[torch.Tensor], object], bands: int, sides: tuple[int, ...]) -> int:
    count = _Count()
    with torch.inference_mode(), count:
        look(torch.empty(1, bands, *sides, device="meta"))
    return count.total


class _Count(TorchFunctionMode):
    """Adds up the multiply-adds of convolutions and dense layers."""

    total = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func in _CONVS or func is functional.linear:
            self.total += made.numel() * args[1][0].numel()
        elif func in _TRANSPOSED:
            self.total += args[0].numel() * args[1][0].numel()
        return made

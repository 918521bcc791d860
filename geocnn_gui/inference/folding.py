"""Fold batch norms into the convolutions before them: the same answers, fewer passes."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TYPE_CHECKING

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.models.networks import SegmentationNet

_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def folded(net: SegmentationNet) -> SegmentationNet:
    """Return a copy of `net` in eval mode without the batch norms that follow a convolution.

    Pairs are found where they stand next to each other in a sequence, and where a module calls
    them `conv1` and `bn1` as ResNets do. A convolution may be the last of a sequence.
    """
    made = copy.deepcopy(net).eval()
    for parent in list(made.modules()):
        for conv, norm in list(_pairs(parent)):
            holder, last = parent, conv
            while isinstance(inner := getattr(holder, last), nn.Sequential) and len(inner):
                holder, last = inner, str(len(inner) - 1)
            one, other = getattr(holder, last), getattr(parent, norm)
            if isinstance(one, _CONVS) and isinstance(other, _NORMS):
                setattr(holder, last, fuse_conv_bn_eval(one, other))
                setattr(parent, norm, nn.Identity())
    return made


def _pairs(parent: nn.Module) -> Iterator[tuple[str, str]]:
    names = [name for name, _ in parent.named_children()]
    if isinstance(parent, nn.Sequential):
        yield from pairwise(names)
    for name in names:
        norm = name.replace("conv", "bn")
        if name.startswith("conv") and norm in names:
            yield name, norm

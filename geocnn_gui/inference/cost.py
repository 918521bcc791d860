"""What a pass of a network costs, found out without computing anything."""

from __future__ import annotations

import copy
import math
import weakref
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from geocnn_gui.inference.tiles import Tile
    from geocnn_gui.models.base import SegmentationNet

#: Libraries take room beside the features: copies in their own layout, buffers, holes between
#: what was freed. Seen: 1.1 to 3.4 times that of the features.
_SPARE = 3.5
_CONVS = (functional.conv1d, functional.conv2d, functional.conv3d)
_TRANSPOSED = (
    functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """What one pass over `pixels` takes: operations, and bytes at its fullest moment."""

    operations: float
    room: float
    pixels: int


class Costs:
    """What passes of one network cost; `bands` of float32 go in."""

    def __init__(self, net: SegmentationNet, bands: int) -> None:
        self.net = copy.deepcopy(net).to("meta")  # shapes without contents
        self._bands = bands
        self._of: Callable[..., Cost] = cache(self._ask)

    def of_tile(self, tile: Tile) -> Cost:
        """Return the cost of the pass that predicts `tile`."""
        stride = self.net.stride
        size = [
            -(-(s.stop - s.start) // stride) * stride for s in (tile.wide_rows, tile.wide_columns)
        ]
        rows, columns = tile.core
        return self._of(*size, rows.start, rows.stop, columns.start, columns.stop)

    def of_whole(self, side: int) -> Cost:
        """Return the cost of a pass over a picture of `side` x `side`."""
        side = -(-side // self.net.stride) * self.net.stride
        return self._of(side, side, 0, side, 0, side)

    def of_volume(self, sides: Sequence[int]) -> Cost:
        """Return the cost of a pass over a volume of `sides`, by a network on volumes."""
        stride = self.net.stride
        volume = [-(-side // stride) * stride for side in sides]
        return self._watched(volume, self.net)

    def _ask(self, height: int, width: int, *spans: int) -> Cost:
        rows, columns = slice(*spans[:2]), slice(*spans[2:])
        return self._watched([height, width], lambda data: self.net.logits_in(data, rows, columns))

    def _watched(self, sides: Sequence[int], look: Callable[[Tensor], Tensor]) -> Cost:
        data = torch.empty(1, self._bands, *sides, device="meta")
        watch = _Watch()
        with torch.inference_mode(), watch:
            look(data).float().contiguous().softmax(1)
        total = data.nbytes * 2 + watch.most * _SPARE  # the next one is read meanwhile
        return Cost(float(watch.operations), total, math.prod(sides))


class _Watch(TorchFunctionMode):
    """Counts the operations of convolutions, and the bytes of all tensors that are alive.

    `most` is the largest sum of bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.now = self.most = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = _shape_only(func, args, kwargs or {})
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._follow(leaf.untyped_storage())
        if func in _CONVS or func in _TRANSPOSED:
            places = result if func in _CONVS else args[0]
            self.operations += 2 * (places.numel() // places.shape[1]) * args[1].numel()
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return

        def gone(_: object) -> None:
            self.now -= size
            self._known.pop(key, None)

        self._known[key] = weakref.ref(storage, gone)
        self.now += size
        self.most = max(self.most, self.now)


def _shape_only(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Call `func`, but for two that would first load a compiler, which takes a second."""
    if func is functional.relu:
        inplace = kwargs.get("inplace", len(args) > 1 and args[1])
        return args[0] if inplace else torch.empty_like(args[0])
    if func is torch.cat and (kwargs.get("dim") == 1 or args[1:] == (1,)):
        parts = args[0]
        channels = sum(part.shape[1] for part in parts)
        return parts[0].new_empty(parts[0].shape[0], channels, *parts[0].shape[2:])
    return func(*args, **kwargs)

"""What each layer of any network gives and costs, found by sending shapes through it."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from geocnn_gui.models.layers.shapes import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from geocnn_gui.models.base import SegmentationNet

#: Function -> where its kernel, stride and dilation stand among its arguments (None: it has none).
_POOLS: dict[Any, tuple[str, int, int, int | None]] = {
    functional.max_pool1d: ("Max pooling", 1, 2, 4),
    functional.max_pool2d: ("Max pooling", 1, 2, 4),
    functional.max_pool3d: ("Max pooling", 1, 2, 4),
    functional.avg_pool1d: ("Average pooling", 1, 2, None),
    functional.avg_pool2d: ("Average pooling", 1, 2, None),
    functional.avg_pool3d: ("Average pooling", 1, 2, None),
}
#: Calls that change the order of the axes.
_MOVES = ("permute", "transpose", "movedim", "swapaxes")
_ADAPTIVE = {
    functional.adaptive_avg_pool1d, functional.adaptive_avg_pool2d,
    functional.adaptive_avg_pool3d, functional.adaptive_max_pool2d,
}  # fmt: skip
_CONVS = (functional.conv1d, functional.conv2d, functional.conv3d)
_TRANSPOSED = (
    functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Reach:
    """How a tensor came from the data: what a value depends on, and how far values lie apart."""

    field: tuple[float, ...]
    jump: tuple[float, ...]

    def through(self, kernel: tuple[int, ...], stride: tuple[int, ...]) -> _Reach:
        """Return this after a window of `kernel` values."""
        wide = tuple(f + (k - 1) * j for f, k, j in zip(self.field, kernel, self.jump, strict=True))
        return _Reach(wide, tuple(j * s for j, s in zip(self.jump, stride, strict=True)))

    def spread(self, kernel: tuple[int, ...], stride: tuple[int, ...]) -> _Reach:
        """Return this after a transposed window."""
        wide = tuple(
            f + (-(-k // s) - 1) * j
            for f, k, s, j in zip(self.field, kernel, stride, self.jump, strict=True)
        )
        return _Reach(wide, tuple(j / s for j, s in zip(self.jump, stride, strict=True)))

    def resized(self, before: tuple[int, ...], after: tuple[int, ...]) -> _Reach:
        """Return this after the size has changed by means or by values between."""
        kernel = tuple(-(-b // a) if b > a else 1 for b, a in zip(before, after, strict=True))
        jump = tuple(j * b / a for j, b, a in zip(self.jump, before, after, strict=True))
        return _Reach(self.through(kernel, kernel).field, jump)


def measure(net: SegmentationNet, bands: int, size: int) -> tuple[Row, ...]:
    """Return a row for each layer of any network, in the order in which they run on one patch.

    `size`: side of the patch, which a network that names middles wants to be its own. Layers are
    what learns, pools or changes sizes. Receptive fields follow from windows; gates that see
    everything (squeeze and excitation) are left aside, and behind a transposed convolution some
    values may lack. Nothing is computed: shapes only.

    Raises
    ------
    ValueError
        When the network cannot take patches of this size.
    """
    made = copy.deepcopy(net).to("meta").eval()
    shape = (size, size if net.dims > 1 else 1, size)[: max(2, net.dims)]
    picture = torch.empty(1, bands, *shape, device="meta")
    watch = _Watch(made, net.dims)
    watch.begin(picture)
    try:
        with torch.inference_mode(), watch.following(), watch:
            made.training_logits(picture)
    except RuntimeError as error:
        raise ValueError(f"patches of {size} are not what this network takes") from error
    return tuple(watch.rows)


@dataclass
class _Watch(TorchFunctionMode):
    """Writes a row for each call that learns, pools or changes sizes."""

    net: nn.Module
    dims: int
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._stack: list[str] = [""]
        self._owner: dict[int, str] = {
            id(p): name.rpartition(".")[0] for name, p in self.net.named_parameters()
        }
        self._counts: dict[str, int] = {}
        for name, parameter in self.net.named_parameters():
            owner = name.rpartition(".")[0]
            self._counts[owner] = self._counts.get(owner, 0) + parameter.numel()

    def begin(self, picture: Tensor) -> None:
        """Take `picture` as the data."""
        picture._reach = _Reach((1.0,) * self.dims, (1.0,) * self.dims)  # type: ignore[attr-defined]

    def following(self) -> _Following:
        """Return a context in which it is known which module runs."""
        return _Following(self.net, self._stack)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not isinstance(result, Tensor):
            self._pass_on(args, kwargs, result)
            return result
        inputs = [t for t in _tensors((args, kwargs)) if hasattr(t, "_reach")]
        if not inputs:
            return result
        source = max(inputs, key=_weight)
        reach, title, operations = self._look(func, args, kwargs, source, result)
        result._reach = reach  # type: ignore[attr-defined]
        self._write(args, kwargs, source, result, title, operations)
        return result

    def _pass_on(self, args: Any, kwargs: Any, result: Any) -> None:
        """Give parts (of a split, an unbind) what the whole has."""
        inputs = [t for t in _tensors((args, kwargs)) if hasattr(t, "_reach")]
        for part in _tensors(result) if inputs else ():
            part._reach = inputs[0]._reach  # type: ignore[attr-defined]

    def _look(
        self, func: Any, args: Any, kwargs: Any, source: Tensor, result: Tensor
    ) -> tuple[_Reach, str, int]:
        """Return the reach of what a call gives, what it is called (""), and multiply-adds."""
        reach: _Reach = source._reach  # type: ignore[attr-defined]
        if func in _CONVS or func in _TRANSPOSED:
            return _convolved(func, args, kwargs, reach, result)
        if func is functional.linear:
            weight = args[1]
            places = result.numel() // result.shape[-1]
            return (
                self._all(func, reach, source, result),
                f"Dense {len(weight):,}",
                places * weight.numel(),
            )
        if func in _POOLS and len(reach.field) == source.ndim - 2:
            return _pooled(func, args, kwargs, reach)
        sized = source.ndim == result.ndim == self.dims + 2
        if sized and (func in _ADAPTIVE or func is functional.interpolate):
            title = "Global pooling" if func in _ADAPTIVE else "Resizing"
            return reach.resized(tuple(source.shape[2:]), tuple(result.shape[2:])), title, 0
        return self._all(func, reach, source, result), "", 0

    def _all(self, func: Any, reach: _Reach, source: Tensor, result: Tensor) -> _Reach:
        """Return the reach after what may have put the values of all places together."""
        moved = getattr(func, "__name__", "") in _MOVES
        flat = (
            not moved
            and source.ndim == self.dims + 2
            and (result.ndim == 2 or (result.ndim == source.ndim and _is_point(source, result)))
        )
        if not flat:
            return reach
        return reach.through(tuple(source.shape[2:]), (1,) * self.dims)

    def _write(
        self, args: Any, kwargs: Any, source: Tensor, result: Tensor, title: str, operations: int
    ) -> None:
        owner = next(
            (self._owner[id(t)] for t in _tensors((args, kwargs)) if id(t) in self._owner), None
        )
        if owner is None and not title:
            return
        path = self._stack[-1] if owner is None else owner
        if not title:
            kind = type(self.net.get_submodule(path)).__name__
            title = "Normalisation" if "Norm" in kind else kind
        output = tuple(result.shape[1:]) if result.ndim > 1 else tuple(result.shape)
        values = math.prod(source.shape[1:])
        compared = operations or "pooling" in title
        reach: _Reach = result._reach  # type: ignore[attr-defined]
        self.rows.append(
            Row(
                path, title, output, self._counts.pop(path, 0) if owner is not None else 0,
                tuple(math.ceil(f) for f in reach.field), reach.jump, operations,
                (values + 1) * math.prod(output) if compared else 0,
            )
        )  # fmt: skip


class _Following:
    """Keeps the name of the module that runs on top of a stack."""

    def __init__(self, net: nn.Module, stack: list[str]) -> None:
        self._net, self._stack = net, stack
        self._handles: list[Any] = []

    def __enter__(self) -> None:
        for name, part in self._net.named_modules():
            self._handles += [
                part.register_forward_pre_hook(self._entering(name)),
                part.register_forward_hook(self._leaving, always_call=True),
            ]

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _entering(self, name: str) -> Callable[..., None]:
        return lambda *_: self._stack.append(name)

    def _leaving(self, *_: object) -> None:
        self._stack.pop()


def _convolved(
    func: Any, args: Any, kwargs: Any, reach: _Reach, result: Tensor
) -> tuple[_Reach, str, int]:
    weight: Tensor = args[1]
    dims = weight.ndim - 2
    stride = _argument(args, kwargs, 3, "stride", 1, dims)
    dilation = _argument(args, kwargs, 5 if func in _CONVS else 7, "dilation", 1, dims)
    across = tuple(d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True))
    sides = "x".join(map(str, weight.shape[2:]))
    if func in _CONVS:
        places = result.numel() // result.shape[1]
        name, moved = "Convolution", reach.through(across, stride)
    else:
        places = args[0].numel() // args[0].shape[1]
        name, moved = "Transposed convolution", reach.spread(across, stride)
    return moved, f"{name} {sides}, {result.shape[1]} kernels", places * weight.numel()


def _pooled(func: Any, args: Any, kwargs: Any, reach: _Reach) -> tuple[_Reach, str, int]:
    name, window, step, gaps = _POOLS[func]
    dims = len(reach.field)
    kernel = _argument(args, kwargs, window, "kernel_size", 1, dims)
    stride = _argument(args, kwargs, step, "stride", None, dims) or kernel
    dilation = (1,) * dims
    if gaps is not None:
        dilation = _argument(args, kwargs, gaps, "dilation", 1, dims)
    across = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    return reach.through(across, stride), f"{name} {'x'.join(map(str, kernel))}", 0


def _argument(
    args: Any, kwargs: Any, place: int, name: str, default: int | None, dims: int
) -> tuple[int, ...]:
    """Return a number for each axis; () where it is None."""
    value = args[place] if len(args) > place else kwargs.get(name, default)
    if value is None or value == ():
        return ()
    values = (value,) * dims if isinstance(value, int) else tuple(value)
    return values * dims if len(values) == 1 else values


def _weight(part: Tensor) -> tuple[int, tuple[float, ...]]:
    """Order what a call takes: the wider stands for all, then what has seen more."""
    return math.prod(part.shape[2:]), part._reach.field  # type: ignore[attr-defined]


def _is_point(source: Tensor, result: Tensor) -> bool:
    """Say whether the values of each channel, or of all of them, were put into one place."""
    return math.prod(result.shape[2:]) == 1 and math.prod(source.shape[2:]) > 1


def _tensors(found: Any) -> Iterator[Tensor]:
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, tuple | list):
        for each in found:
            yield from _tensors(each)
    elif isinstance(found, dict):
        yield from _tensors(tuple(found.values()))

"""The layers of any network by name: what goes into each and what comes out, and its kernels."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from geocnn_gui.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from geocnn_gui.inspection.subject import Look, Subject

#: Modules that leave what they are given as it is, or only turn its axes.
_SILENT = ("Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "Permute",
           "StochasticDepth", "Flatten")  # fmt: skip
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
#: What networks call without a module, by the name that it is shown with.
_BARE = {
    functional.relu: "relu", torch.relu: "relu", Tensor.relu: "relu",
    functional.leaky_relu: "leaky_relu", functional.gelu: "gelu", functional.silu: "silu",
    torch.sigmoid: "sigmoid", torch.tanh: "tanh", Tensor.sigmoid: "sigmoid", Tensor.tanh: "tanh",
    functional.max_pool1d: "max_pool", functional.max_pool2d: "max_pool",
    functional.max_pool3d: "max_pool", functional.avg_pool1d: "avg_pool",
    functional.avg_pool2d: "avg_pool", functional.avg_pool3d: "avg_pool",
    functional.adaptive_avg_pool1d: "avg_pool", functional.adaptive_avg_pool2d: "avg_pool",
    functional.adaptive_avg_pool3d: "avg_pool", functional.interpolate: "interpolate",
}  # fmt: skip
_KINDS = {"relu": "ReLU", "leaky_relu": "Leaky ReLU", "gelu": "GELU", "silu": "SiLU",
          "sigmoid": "Sigmoid", "tanh": "Tanh", "max_pool": "Max pooling",
          "avg_pool": "Average pooling", "interpolate": "Enlarging"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that can be looked at.

    `name` is unique: that of its module, with " (2)" where it runs a second time; what a
    network calls without a module is named after the layer before, "convs.0.relu". `size` are
    rows and columns of its maps in the window, `kernel` the form of its kernels or ().
    """

    name: str
    kind: str
    channels: int
    size: tuple[int, int]
    kernel: tuple[int, ...] = ()


@dataclass(slots=True)
class Tap:
    """What a layer was given and what it made of it, as the network has them."""

    name: str
    kind: str
    module: nn.Module | None
    given: Tensor
    made: Tensor


@dataclass(slots=True)
class Taps:
    """What the layers of one run did, in the order in which they ran."""

    found: dict[str, Tap] = field(default_factory=dict)
    _runs: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, kind: str, module: nn.Module | None, given: Any, made: Any) -> None:
        """Note a layer down, unless it made anything but a tensor of feature maps."""
        if not isinstance(made, Tensor) or not isinstance(given, Tensor) or made.ndim < 2:
            return
        run = self._runs[name] = self._runs.get(name, 0) + 1
        name = name if run == 1 else f"{name} ({run})"
        self.found[name] = Tap(name, kind, module, given, made)

    def get(self, name: str) -> Tap:
        """Return a layer; raises `BadRequest` with the nearest names for one that is not there."""
        if name not in self.found:
            raise _no_such_layer(name, list(self.found))
        return self.found[name]


class _Calls(TorchFunctionMode):
    """Sees what a network computes outside of its leaf modules."""

    def __init__(self, net: nn.Module, taps: Taps) -> None:
        super().__init__()
        self.inside, self._taps, self._last = 0, taps, "input"
        self._owners = {
            id(module.weight): (name, module)
            for name, module in net.named_modules()
            if isinstance(module, (*_CONVOLUTIONS, *_TRANSPOSED, nn.Linear))
        }

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Any = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.get("inplace"):
            kwargs["inplace"] = False  # what went in is looked at, too
        made = func(*args, **kwargs)
        if self.inside or not args:
            return made
        owner = self._owners.get(id(args[1])) if len(args) > 1 else None
        if owner is not None:
            self.note(owner[0], owner[1], args[0], made)
        elif (bare := _bare_name(func)) is not None:
            self._taps.add(f"{self._last}.{bare}", _KINDS[bare], None, args[0], made)
        return made

    def note(self, name: str, module: nn.Module, given: Any, made: Any) -> None:
        """Note down what a module made."""
        self._last = name
        if type(module).__name__ not in _SILENT:
            self._taps.add(name, type(module).__name__, module, given, made)


def _bare_name(func: Any) -> str | None:
    try:
        return _BARE.get(func)
    except TypeError:  # not every callable can be looked up
        return None


@contextmanager
def tapping(net: nn.Module) -> Iterator[Taps]:
    """Collect what every layer makes while the block runs the network.

    Leaf modules tell by hooks; where a network uses a module's weights by itself, or calls an
    activation or pooling without a module, the call is seen.
    """
    taps = Taps()
    calls = _Calls(net, taps)

    def enter(*_: Any) -> None:
        calls.inside += 1

    def leave(name: str, module: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        calls.inside -= 1
        calls.note(name, module, given[0] if given else None, made)

    with ExitStack() as hooks:
        for name, module in net.named_modules():
            if name and not any(True for _ in module.children()):
                hooks.callback(module.register_forward_pre_hook(enter).remove)
                hook = module.register_forward_hook(
                    lambda module, given, made, name=name: leave(name, module, given, made)
                )
                hooks.callback(hook.remove)
        with calls:
            yield taps


def run(subject: Subject, look: Look, batch: Tensor | None = None) -> tuple[Tensor, Taps]:
    """Run the network on a window; return the logits (n, outputs) at the place, and all layers."""
    with tapping(subject.net) as taps:
        logits = subject.logits(subject.batch(look) if batch is None else batch, look)
    return logits, taps


def layers_of(subject: Subject, look: Look) -> tuple[Layer, ...]:
    """Return the layers that can be looked at, in the order in which they run."""
    with torch.inference_mode():
        _, taps = run(subject, look)
    found = []
    for tap in taps.found.values():
        maps = as_maps(tap, tap.made, subject, look)
        channels, *size = maps.shape
        kernel = tuple(kernels_of(tap.module).shape) if has_kernels(tap.module) else ()
        found.append(Layer(tap.name, tap.kind, channels, (size[-2], size[-1]), kernel))
    return tuple(found)


def feature_maps(subject: Subject, look: Look, layer: str) -> np.ndarray:
    """Return what a layer makes of a window, float32 (channels, rows, columns).

    Of a volume its middle; of traces their maps side by side. A dense layer has maps of 1 x 1.
    """
    with torch.inference_mode():
        _, taps = run(subject, look)
        tap = taps.get(layer)
        return as_maps(tap, tap.made, subject, look).float().numpy()


def as_maps(tap: Tap, tensor: Tensor, subject: Subject, look: Look) -> Tensor:
    """Return a tensor of a layer as (channels, rows, columns), however the network arranges it."""
    dims = subject.net.dims
    if tensor.ndim >= 4 and (type(tap.module) in (nn.Linear, nn.LayerNorm)):
        tensor = tensor.movedim(-1, 1)  # channels last within
    if dims == 3 and tensor.ndim == 5:
        at = min(tensor.shape[2] - 1, look.depth * tensor.shape[2] // look.values.shape[1])
        return tensor[0, :, at]
    if dims == 1 and tensor.shape[0] > 1:  # traces as a batch
        return tensor.flatten(2).permute(1, 2, 0) if tensor.ndim > 2 else tensor.T[:, None]
    maps = tensor[0]
    return maps.reshape(*maps.shape, *[1] * (3 - maps.ndim)) if maps.ndim < 3 else maps


def has_kernels(module: nn.Module | None) -> bool:
    """Say whether a layer slides kernels."""
    return isinstance(module, (*_CONVOLUTIONS, *_TRANSPOSED))


def kernels_of(module: nn.Module | None) -> np.ndarray:
    """Return the kernels of a convolution, float32 (outputs, inputs, rows, columns).

    1-D kernels have one column; of 3-D ones the depth comes first, (outputs, inputs, depth, rows,
    columns). A transposed convolution has its outputs first, too.
    """
    assert isinstance(module, (*_CONVOLUTIONS, *_TRANSPOSED))
    weight = module.weight.detach().float()
    if isinstance(module, _TRANSPOSED):
        weight = weight.transpose(0, 1)
    weight = weight[..., None] if weight.ndim == 3 else weight
    return weight.contiguous().numpy()


def kernels(subject: Subject, look: Look, layer: str) -> np.ndarray:
    """Return the kernels of a layer; raises `BadRequest` for one that has none."""
    with torch.inference_mode():
        _, taps = run(subject, look)
    tap = taps.get(layer)
    if not has_kernels(tap.module):
        raise BadRequest(f"{layer} has no kernels", "choose a convolution")
    return kernels_of(tap.module)


def has_layer(layers: tuple[Layer, ...], name: str) -> None:
    """Make sure that a layer is among those that can be looked at; raises `BadRequest`."""
    if name not in (known := [layer.name for layer in layers]):
        raise _no_such_layer(name, known)


def _no_such_layer(name: str, known: list[str]) -> BadRequest:
    near = [each for each in known if name.casefold() in each.casefold()]
    return BadRequest(
        f"The network has no layer {name}", f"choose one such as {', '.join((near or known)[:8])}"
    )

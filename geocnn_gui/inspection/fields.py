"""What a layer can see of the data at all, and what it looks at: receptive fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from geocnn_gui.errors import NoLiveData
from geocnn_gui.inspection.layers import Tap, run
from geocnn_gui.inspection.spec import WINDOWS, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.data.source import Section
    from geocnn_gui.inspection.subject import Look, Subject

#: The share of the largest gradient from which a cell counts (Luo and others 2016: two sigma).
SEEN = 1 - 0.9545
#: The share of all gradient that lies in the box of an effective field, along each side.
_MASS = 0.9545


@dataclass(frozen=True, slots=True)
class Field:
    """A receptive field around a place, in cells.

    `rows`, `columns`: its box, counted from the place (0, 0). `weights` float32 (rows, columns):
    of an effective field the mean absolute gradient, the largest 1, over the cells `map_rows` x
    `map_columns` counted likewise. `cells`: how many of them count. `cut`: the box ends where
    the window does, so that it may be larger.
    """

    rows: slice
    columns: slice
    weights: np.ndarray
    map_rows: slice
    map_columns: slice
    cells: int
    cut: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Return the rows and columns of the box."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


def theoretical_field(subject: Subject, look: Look, layer: str = "") -> Field:
    """Return the cells that can change a layer's maps (or the answer) at the place.

    The cells with a gradient, when each kernel takes a mean, each pooling averages, and
    activations and normalisations pass on what they are given: then nothing cancels out and
    nothing is switched off. What normalisations take from a whole map is left out.
    """
    with torch.enable_grad(), _Transparent():
        batch = torch.ones_like(subject.batch(look), dtype=torch.float64).requires_grad_(True)
        logits, taps = run(subject, look, batch)
        answer = _at_place(taps.get(layer), subject, look) if layer else logits.sum()
        (slopes,) = torch.autograd.grad(answer, batch)
    seen = _flat(slopes, subject, look) > 0
    field = _field(seen.astype(np.float32), seen, look)
    return replace(field, cut=field.cut and not subject.patches)


def effective_field(
    subject: Subject, looks: list[Look], layer: str = "", *, output: int | None = None
) -> Field:
    """Return where a layer's maps (or the answer) at the middle really look, over some windows.

    The mean over the windows of the absolute gradient of what the network has at the place by
    each cell of the data (Luo, Li, Urtasun and Zemel 2016). All outputs are added up, or only
    `output` counts. The windows are of one size with the place at one spot: see `windows`.
    """
    total = np.zeros(looks[0].size, np.float64)
    for look in looks:
        with torch.enable_grad():
            batch = subject.batch(look).requires_grad_(True)
            answer = _answer(subject, look, batch, layer, output)
            (slopes,) = torch.autograd.grad(answer, batch)
        total += _flat(slopes, subject, look)
    weights = total / max(total.max(), 1e-30)
    seen = int((weights >= SEEN).sum())
    return replace(
        _field(weights.astype(np.float32), _box_of_mass(weights), looks[0]), cells=seen, cut=False
    )


def _answer(subject: Subject, look: Look, batch: Tensor, layer: str, output: int | None) -> Tensor:
    if layer:
        return _at_place(run(subject, look, batch)[1].get(layer), subject, look)
    logits = subject.answers(batch, look)
    return logits.sum() if output is None else logits[:, output].sum()


def windows(
    subject: Subject, section: Section, number: int = WINDOWS, seed: int = 0
) -> Iterator[Look]:
    """Yield windows around live places at random, alike in size, with the place at one spot.

    Those of a cube are taken from all sections along the same axis.

    Raises
    ------
    NoLiveData
        When none was found.
    """
    shape = subject.source.picture_shape(section)
    step = 1 if subject.patches else subject.net.stride
    middle = Place(section, *(n // 2 // step * step + step // 2 for n in shape))
    middle = replace(
        middle, row=min(middle.row, shape[0] - 1), column=min(middle.column, shape[1] - 1)
    )
    like, random, found = subject.look(middle), np.random.default_rng(seed), 0
    for _ in range(8 * number):
        other = subject.look(_random_place(subject, like, step, random))
        if other.at == like.at and other.size == like.size and other.values.any():
            found += 1
            yield other
        if found == number:
            break
    if not found:
        raise NoLiveData(
            f"{subject.source.name} has no window of {like.size[0]} x {like.size[1]} live cells here",
            "choose another section",
        )


def _random_place(subject: Subject, like: Look, step: int, random: np.random.Generator) -> Place:
    """Return a place whose window lies around it as in `like`, wherever there is room for it."""
    section, source = like.place.section, subject.source
    if source.samples is not None:
        return replace(like.place, column=int(random.integers(len(source.samples))))
    if section.axis is not None:
        section = replace(section, index=int(random.integers(source.shape[section.axis])))
    cells = []
    for at, size, length, now in zip(
        like.at, like.size, source.picture_shape(section), (like.place.row, like.place.column),
        strict=True,
    ):  # fmt: skip
        room = max(0, length - size) // step
        cells.append(int(random.integers(room + 1)) * step + at if room else now)
    return Place(section, cells[0], cells[1])


def span_of(subject: Subject, look: Look, layer: str) -> tuple[tuple[float, float], ...]:
    """Return where a layer's maps lie in the window: first and last row, columns, in its cells.

    Those of a network that names every pixel cover the window. Without padding maps are
    smaller than what they were made of: their cells are put where the mean of what each sees is.
    Where each sees as far as the window's edge they are stretched over it.
    """
    if layer not in subject.spans:
        subject.spans[layer] = _find_span(subject, look, layer)
    return subject.spans[layer]


def _find_span(subject: Subject, look: Look, layer: str) -> tuple[tuple[float, float], ...]:
    rows, columns = look.size
    if not subject.patches or subject.in_traces:
        return (0.0, float(rows)), (0.0, float(columns))
    with torch.enable_grad(), _Transparent():
        batch = torch.ones_like(subject.batch(look), dtype=torch.float64).requires_grad_(True)
        maps = run(subject, look, batch)[1].get(layer).made
        if maps.ndim != 4 or min(maps.shape[2:]) < 3:
            return (0.0, float(rows)), (0.0, float(columns))
        first = [n // 2 - 1 for n in maps.shape[2:]]
        centres = []
        for shift in (0, 1):
            unit = maps[0, :, first[0] + shift, first[1] + shift].sum()
            (slopes,) = torch.autograd.grad(unit, batch, retain_graph=True)
            weights = slopes[0].sum(0).numpy()
            if weights[[0, -1]].any() or weights[:, [0, -1]].any():  # cut off: no true middle
                return (0.0, float(rows)), (0.0, float(columns))
            centres.append(_centre(weights))
    spans = []
    for axis in (0, 1):
        jump = centres[1][axis] - centres[0][axis]
        start = centres[0][axis] + 0.5 - (first[axis] + 0.5) * jump
        spans.append((start, start + jump * maps.shape[2 + axis]))
    return tuple(spans)


def _centre(weights: np.ndarray) -> tuple[float, float]:
    total = weights.sum() or 1.0
    down, across = (np.arange(n) for n in weights.shape)
    return float(weights.sum(1) @ down / total), float(weights.sum(0) @ across / total)


def _at_place(tap: Tap, subject: Subject, look: Look) -> Tensor:
    """Return the sum over channels of what a layer has at the place, as a scalar."""
    made = tap.made
    if made.ndim >= 4 and type(tap.module).__name__ in ("Linear", "LayerNorm"):
        made = made.movedim(-1, 1)
    if subject.net.dims == 1 and made.shape[0] > 1:
        made = made[look.at[1] : look.at[1] + 1]
    given = (look.depth, *look.at) if subject.net.dims == 3 else look.at
    sizes = look.values.shape[1:]
    for at, size in zip(given, sizes, strict=True):
        if made.ndim > 2:  # the axes of one place after another
            made = made.select(2, min(made.shape[2] - 1, at * made.shape[2] // size))
    return made[0].sum()


def _flat(slopes: Tensor, subject: Subject, look: Look) -> np.ndarray:
    """Add up the absolute gradients of all bands, float64 (rows, columns) of the window."""
    sums = slopes.detach().abs().sum(1).double()
    if subject.in_traces:
        return sums[..., 0].T.numpy()
    return (sums[0, look.depth] if subject.net.dims == 3 else sums[0]).numpy()


def _field(weights: np.ndarray, seen: np.ndarray, look: Look) -> Field:
    spans, cut = [], False
    for axis, at in zip((1, 0), look.at, strict=True):
        found = np.flatnonzero(seen.any(axis=axis))
        low, high = (found[0], found[-1] + 1) if len(found) else (at, at + 1)
        cut = cut or low == 0 or high == seen.shape[1 - axis]
        spans.append(slice(int(low) - at, int(high) - at))
    whole = [slice(-at, n - at) for at, n in zip(look.at, weights.shape, strict=True)]
    return Field(spans[0], spans[1], weights, whole[0], whole[1], int(seen.sum()), cut)


def _box_of_mass(weights: np.ndarray) -> np.ndarray:
    """Return bool (rows, columns): the box with the middle share of all weight along each side."""
    inside = []
    for axis in (1, 0):
        share = weights.sum(axis=axis)
        mass = np.cumsum(share) / max(share.sum(), 1e-30)
        edge = (1 - _MASS) / 2
        low, high = np.searchsorted(mass, edge), np.searchsorted(mass, 1 - edge)
        at = np.arange(len(share))
        inside.append((at >= low) & (at <= high))
    return inside[0][:, None] & inside[1][None]


class _Transparent(TorchFunctionMode):
    """Lets a network average wherever it weighs, chooses or bends: all that it sees shows."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Any = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if func in _MAX_POOLS:
            return _average(func, *args, **kwargs)
        if name in _WEIGHING:
            return _weigh(func, name, *args, **kwargs)
        if name in _PASSING:
            return args[0]
        return func(*args, **kwargs)


_MAX_POOLS = {functional.max_pool1d: 1, functional.max_pool2d: 2, functional.max_pool3d: 3}
_WEIGHING = ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
             "conv_transpose3d", "linear")  # fmt: skip
#: Activations, normalisations and what is off when a network answers.
_PASSING = (
    "relu", "relu_", "leaky_relu", "gelu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid",
    "hardtanh", "relu6", "elu", "softmax", "batch_norm", "group_norm", "instance_norm",
    "layer_norm", "local_response_norm", "dropout", "dropout1d", "dropout2d", "dropout3d",
)  # fmt: skip


def _weigh(func: Any, name: str, x: Tensor, weight: Tensor, bias: Any = None, *rest: Any,
           **more: Any) -> Tensor:  # fmt: skip
    """Call a layer with kernels that take a mean."""
    transposed = "transpose" in name
    fan = weight.shape[0] if transposed else weight[0].numel()
    return func(x, torch.full_like(weight, 1 / max(1, fan), dtype=x.dtype), None, *rest, **more)


def _average(
    func: Any, x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    dilation: Any = 1, **more: Any,
) -> Tensor:  # fmt: skip
    """Average where a pooling would take the largest; (n, c, ...) -> (n, c, ...)."""
    dims = _MAX_POOLS[func]
    size, step, pad, apart = (
        _each(v, dims) for v in (kernel_size, stride or kernel_size, padding, dilation)
    )
    pools = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)
    if set(apart) == {1}:
        return pools[dims - 1](x, size, step, pad, ceil_mode=more.get("ceil_mode", False))
    convs = (functional.conv1d, functional.conv2d, functional.conv3d)
    weight = x.new_full((x.shape[1], 1, *size), 1 / float(np.prod(size)))
    return convs[dims - 1](x, weight, None, step, pad, apart, groups=x.shape[1])


def _each(value: Any, dims: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (int(value),) * dims

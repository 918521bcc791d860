"""What each layer of a list gives and costs, found out without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from geocnn_gui.models.layers.geometry import (
    Beside,
    Impossible,
    Spread,
    Step,
    Whole,
    Window,
    all_fit,
    follow_back,
    per_axis,
    receptive_field,
    steps_of,
)
from geocnn_gui.models.layers.spec import (
    MOST_PARAMETERS,
    MOST_VALUES,
    Activation,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Inception,
    Layer,
    LayersSpec,
    Normalisation,
    Pool,
    Residual,
    TransposedConvolution,
)
from geocnn_gui.models.layers.words import sizes_in_words, title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Values that a layer may give for one patch.
_MOST_OUTPUT = 2**28
#: Layers looked at for the least patch.
_PATIENCE = 40_000


@dataclass(frozen=True, slots=True)
class Row:
    """A layer in numbers.

    `path` names it: "3" is the fourth layer, "3.1" the second within it (a residual block),
    "3.0.1" the second of its first branch (an inception block), "head" what follows the list.
    `output`: channels and the size along each axis; (n,) once flattened. `receptive_field`:
    values of the data along each axis that one output depends on; `jump`: how far outputs lie
    apart in the data. `operations`: multiply-adds of convolutions and dense layers for one patch.
    `dense_parameters`: what a dense layer in its place would learn (0: nothing to compare).
    `problem`: why it cannot stand there, in words; it is then passed over. A `block` sums up the
    rows within it.
    """

    path: str
    title: str
    output: tuple[int, ...]
    parameters: int
    receptive_field: tuple[int, ...]
    jump: tuple[float, ...]
    operations: int
    dense_parameters: int
    problem: str = ""
    block: bool = False

    @property
    def is_leaf(self) -> bool:
        """Say whether it counts in a sum over the rows."""
        return not self.block


@dataclass(frozen=True, slots=True)
class Data:
    """What runs between two layers: `size` along each axis, () once flattened.

    `left`: the size that was flattened. `brief`: receptive fields are not wanted. `steps`: for each axis, how it came from the data. `jump`: as in `Row`, exactly; `grid`: all
    jumps on the way.
    """

    channels: int
    size: tuple[int, ...]
    steps: tuple[tuple[Step, ...], ...]
    jump: tuple[Fraction, ...]
    grid: frozenset[Fraction] = frozenset()
    left: tuple[int, ...] = ()
    brief: bool = False

    @property
    def values(self) -> int:
        """Count the values of all channels."""
        return self.channels * math.prod(self.size)

    @property
    def output(self) -> tuple[int, ...]:
        """Return channels and size."""
        return self.channels, *self.size


@dataclass
class _Found:
    """What a layer makes of its data, with its costs."""

    data: Data
    parameters: int = 0
    operations: int = 0
    dense: int = 0
    rows: list[Row] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """A list of layers as a network: its rows, the last of which is the head, and its task.

    `task` is None where it is neither: the head's problem says why. `stride`: sizes of pictures
    are multiples of it; `halo`: how far around a block on that grid its logits reach; `least`:
    the smallest size along each axis. `last` is what runs into the head.
    """

    rows: tuple[Row, ...]
    task: Literal["patches", "pixels"] | None
    last: Data
    stride: int = 1
    halo: int = 0
    least: tuple[int, ...] = ()

    @property
    def problem(self) -> str:
        """Return what is wrong first, with its place and layer, or ""."""
        for row in self.rows:
            if row.problem:
                place = "the head" if row.path == "head" else f"layer {number_of(row.path)}"
                return f"{place} ({row.title}): {row.problem}"
        return ""


def number_of(path: str) -> str:
    """Return a path as people count: "3.1" is layer 4.2."""
    return ".".join(str(int(part) + 1) if part.isdigit() else part for part in path.split("."))


def table(
    spec: LayersSpec, bands: int, classes: int, size: int | tuple[int, ...]
) -> tuple[Row, ...]:
    """Return a row for each layer and the head, for data of `size` (one number for all axes).

    A layer that cannot stand where it does says why in its `problem`, and the rows after it go
    on as if it were not there.
    """
    return outline(spec, bands, classes, size).rows


def outline(
    spec: LayersSpec, bands: int, classes: int, size: int | tuple[int, ...] | None = None
) -> Outline:
    """Return the whole network, seen on `size` (default: the patch of the spec)."""
    return _outline(spec, begin(spec, bands, size), classes)


def _outline(spec: LayersSpec, data: Data, classes: int) -> Outline:
    sizes = data.size
    rows, last = _run(spec.layers, data, "")
    task, problem = _task(spec, sizes, last)
    head = Dense(units=classes) if task != "pixels" else Convolution(channels=classes, kernel=1)
    found = _found_of(head, replace(last, size=()) if task != "pixels" else last)
    dense = found.dense if task != "pixels" else last.values * found.data.values + classes
    row = _row("head", f"Head, {spec.head}", replace(found, dense=dense), problem)
    total = sum(each.parameters for each in (*rows, row) if each.is_leaf)
    if total > MOST_PARAMETERS and not problem:
        row = replace(row, problem=f"all layers together learn {total:,} numbers, too many")
    found_rows = (*rows, row)
    if task != "pixels":
        return Outline(found_rows, task, last)
    return Outline(found_rows, task, last, *_reach(last), _least(last))


def begin(spec: LayersSpec, bands: int, size: int | tuple[int, ...] | None = None) -> Data:
    """Return the data before the first layer (default: a patch of the spec)."""
    sizes = per_axis(spec.patch if size is None else size, spec.dims, "size")
    return Data(bands, sizes, ((),) * spec.dims, (Fraction(1),) * spec.dims)


def follow(layer: Layer, data: Data) -> Data:
    """Return what `layer` makes of `data`; raises `Impossible`."""
    found = _found_of(layer, data)
    if found.problem:
        raise Impossible(found.problem)
    return found.data


def least_patch(spec: LayersSpec, bands: int = 1, classes: int = 2) -> int | None:
    """Return the smallest patch that the list can be built for; None where there is none."""
    most = min(max(spec.patch, 512), _PATIENCE // max(1, len(spec.layers)))
    for patch in range(4, most + 1):
        if patch**spec.dims > MOST_VALUES:
            break
        data = replace(begin(spec, bands, patch), brief=True)
        if not _outline(spec, data, classes).problem:
            return patch
    return None


def _task(
    spec: LayersSpec, sizes: tuple[int, ...], last: Data
) -> tuple[Literal["patches", "pixels"] | None, str]:
    if math.prod(last.size) == 1:  # flattened too
        return "patches", ""
    if last.size != sizes:
        left = sizes_in_words(last.size)
        stride = _stride(last)
        odd = next((n for n in sizes if n % stride), None)
        if last.jump == (Fraction(1),) * spec.dims and odd is not None:
            return None, f"a patch of {odd} is not a multiple of {stride}; choose one that is"
        return None, (
            f"the layers leave {left} of {sizes_in_words(sizes)}: flatten them or pool them "
            "globally to name the middle, or keep the size to name every pixel"
        )
    if any(jump != 1 for jump in last.jump) or not _keeps_sizes(last):
        return None, "the layers keep the size of this patch alone, not of any other"
    return "pixels", ""


def _keeps_sizes(last: Data) -> bool:
    """Say whether other multiples of the stride keep their size too."""
    stride = _stride(last)
    for axis, steps in enumerate(last.steps):
        for more in range(1, 4):
            size = wanted = last.size[axis] + more * stride
            for step in steps:
                size = step.size(size)
            if size != wanted:
                return False
    return True


def _stride(last: Data) -> int:
    return math.lcm(1, *(jump.numerator for jump in last.grid))


def _reach(last: Data) -> tuple[int, int]:
    """Return the stride and the halo of a network that names every place."""
    stride = _stride(last)
    far = 0
    for steps in last.steps:
        low, high = follow_back(steps, 0, stride - 1)
        far = max(far, -low, high - stride + 1)
    return stride, -(-far // stride) * stride


def _least(last: Data) -> tuple[int, ...]:
    """Return the smallest size along each axis at which every layer has something to give.

    It is twice the stride at least, so that statistics have more than one value.
    """
    stride = _stride(last)
    return tuple(
        next((n for n in range(2 * stride, size, stride) if all_fit(steps, n)), size)
        for steps, size in zip(last.steps, last.size, strict=True)
    )


# ---- Layer by layer ----------------------------------------------------------------------------


def _run(layers: Sequence[Layer], data: Data, prefix: str) -> tuple[list[Row], Data]:
    rows: list[Row] = []
    for number, layer in enumerate(layers):
        path = f"{prefix}{number}"
        try:
            found = _found_of(layer, data, path)
            problem = found.problem or _too_large(found.data)
        except Impossible as error:
            found, problem = _Found(data), str(error)
        if problem:
            found = _Found(data, rows=found.rows)
        rows += [
            _row(path, title_of(layer, len(data.steps)), found, problem, block=bool(found.rows)),
            *found.rows,
        ]
        data = found.data
    return rows, data


def _row(path: str, title: str, found: _Found, problem: str, *, block: bool = False) -> Row:
    data = found.data
    return Row(
        path, title, data.output, found.parameters,
        () if data.brief else tuple(map(receptive_field, data.steps)), tuple(map(float, data.jump)),
        found.operations, found.dense, problem, block,
    )  # fmt: skip


def _too_large(data: Data) -> str:
    if data.values > _MOST_OUTPUT:
        return f"gives {data.values:,} values for one patch, too many"
    return ""


def _found_of(layer: Layer, data: Data, path: str = "") -> _Found:
    """Return what `layer` makes of `data`; raises `Impossible`."""
    match layer:
        case Activation() | Dropout():
            return _Found(data)
        case Dense():
            return _dense(layer, data)
        case Flatten():
            return _Found(replace(_whole(data, data.values, ()), left=data.size or data.left))
        case Normalisation():
            return _normalised(layer, data)
    if not data.size:
        raise Impossible("the data is one row of numbers here; put it before the flatten")
    if isinstance(layer, Residual | Inception):
        return (
            _residual(layer, data, path)
            if isinstance(layer, Residual)
            else _inception(layer, data, path)
        )
    if isinstance(layer, Convolution | TransposedConvolution):
        return _convolved(layer, data)
    return _pooled(layer, data)


def _dense(layer: Dense, data: Data) -> _Found:
    if math.prod(data.size) != 1:
        raise Impossible(
            f"the data is still {sizes_in_words(data.output)}; put a flatten before it"
        )
    made = replace(data, channels=layer.units, size=(), left=())
    count = (data.values + 1) * layer.units
    return _Found(made, count, data.values * layer.units, count)


def _normalised(layer: Normalisation, data: Data) -> _Found:
    values = math.prod(data.size)
    if layer.over == "instance" and values == 1:
        raise Impossible("each channel has a single value here, which has no spread")
    if layer.over == "group":
        if data.channels % layer.groups:
            raise Impossible(f"{layer.groups} groups do not divide {data.channels} channels")
        if data.channels // layer.groups * values == 1:
            raise Impossible("each group has a single value here, which has no spread")
    return _Found(data, 2 * data.channels)


def _pooled(layer: Pool | GlobalPool, data: Data) -> _Found:
    if isinstance(layer, GlobalPool):
        made = _whole(data, data.channels, (1,) * len(data.size))
    else:
        made = _stepped(data, steps_of(layer, len(data.size)), data.channels, "window")
    return _Found(made, dense=_dense_instead(data, made))


def _convolved(layer: Convolution | TransposedConvolution, data: Data) -> _Found:
    for count, name in ((data.channels, "channels"), (layer.channels, "kernels")):
        if count % layer.groups:
            raise Impossible(f"{layer.groups} groups do not divide {count} {name}")
    dims = len(data.size)
    made = _stepped(data, steps_of(layer, dims), layer.channels, "kernel")
    taps = math.prod(per_axis(layer.kernel, dims, "kernel"))
    weights = data.channels // layer.groups * layer.channels * taps
    transposed = isinstance(layer, TransposedConvolution)
    places = math.prod(data.size if transposed else made.size)
    return _Found(
        made, weights + layer.bias * layer.channels, weights * places, _dense_instead(data, made)
    )


def _dense_instead(data: Data, made: Data) -> int:
    return (data.values + 1) * made.values


def _stepped(data: Data, steps: tuple[Step, ...], channels: int, name: str) -> Data:
    """Return `data` after a step along each axis; raises `Impossible` where nothing is left."""
    sizes = tuple(step.size(n) for step, n in zip(steps, data.size, strict=True))
    for step, before, after in zip(steps, data.size, sizes, strict=True):
        if after < 1 and isinstance(step, Window):
            around = step.before + step.after
            padded = f" with {around} of padding" if around else ""
            raise Impossible(f"its {name} spans {step.reach + 1}, the data is {before}{padded}")
        if after < 1:
            raise Impossible(f"its padding leaves nothing of {before}")
    jump = tuple(_jump(j, step) for j, step in zip(data.jump, steps, strict=True))
    trail = tuple((*past, step) for past, step in zip(data.steps, steps, strict=True))
    grid = data.grid.union(jump)
    return replace(data, channels=channels, size=sizes, steps=trail, jump=jump, grid=grid)


def _jump(jump: Fraction, step: Step) -> Fraction:
    if isinstance(step, Window):
        return jump * step.stride
    return jump / step.stride if isinstance(step, Spread) else jump


def _whole(data: Data, channels: int, size: tuple[int, ...]) -> Data:
    if not data.size:
        return data
    steps = tuple((*s, Whole(n)) for s, n in zip(data.steps, data.size, strict=True))
    return replace(data, channels=channels, size=size, steps=steps)


# ---- Blocks ------------------------------------------------------------------------------------


def _residual(layer: Residual, data: Data, path: str) -> _Found:
    rows, last = _run(layer.layers, data, f"{path}.")
    try:
        if not layer.layers:
            raise Impossible("it has no layers")
        beside = data
        shortcut = shortcut_of(data, last)
        if shortcut is not None:
            found = _found_of(shortcut, data)
            rows.append(_row(f"{path}.shortcut", "Shortcut, 1x1", found, ""))
            beside = found.data
    except Impossible as error:
        return _Found(data, rows=rows, problem=str(error))
    return _block(data, [last, beside], rows, last.channels)


def shortcut_of(data: Data, last: Data) -> Convolution | None:
    """Return the 1x1 convolution that gives `data` the size of `last`, None where it has it.

    Raises
    ------
    Impossible
        When there is none.
    """
    if last.output == data.output and last.jump == data.jump:
        return None
    _check_axes(last)
    ratios = [a / b for a, b in zip(last.jump, data.jump, strict=True)]
    stride = tuple(max(1, int(ratio)) for ratio in ratios)
    sizes = tuple((n - 1) // s + 1 for n, s in zip(data.size, stride, strict=True))
    if stride != tuple(ratios) or sizes != last.size:
        raise Impossible(
            f"its layers give {sizes_in_words(last.size)} of {sizes_in_words(data.size)}, which "
            "no 1x1 convolution does; keep the size with same padding, or stride"
        )
    return Convolution(channels=last.channels, kernel=1, stride=stride, padding="valid")


def _inception(layer: Inception, data: Data, path: str) -> _Found:
    rows: list[Row] = []
    parts = []
    for number, branch in enumerate(layer.branches):
        inside, last = _run(branch, data, f"{path}.{number}.")
        rows += inside
        parts.append(last)
    try:
        for part in parts:
            _check_axes(part)
    except Impossible as error:
        return _Found(data, rows=rows, problem=str(error))
    sizes = list(dict.fromkeys(part.size for part in parts))
    if len(sizes) > 1 or len({part.jump for part in parts}) > 1:
        told = " and ".join(map(sizes_in_words, sizes))
        return _Found(data, rows=rows, problem=f"its branches give {told}, not one size")
    return _block(data, parts, rows, sum(part.channels for part in parts))


def _check_axes(last: Data) -> None:
    if not last.size:
        raise Impossible("flatten and dense layers cannot stand in a block")


def _block(data: Data, parts: Sequence[Data], rows: list[Row], channels: int) -> _Found:
    """Return what branches that begin with `data` give together."""
    trail = tuple(
        (*past, Beside(tuple(part.steps[axis][len(past) :] for part in parts)))
        for axis, past in enumerate(data.steps)
    )
    grid = data.grid.union(*(part.grid for part in parts))
    made = replace(parts[0], channels=channels, steps=trail, grid=grid)
    leaves = [row for row in rows if row.is_leaf]
    return _Found(
        made, sum(row.parameters for row in leaves), sum(row.operations for row in leaves),
        _dense_instead(data, made), rows,
    )  # fmt: skip

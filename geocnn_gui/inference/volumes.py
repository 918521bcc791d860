"""Predict the classes of a cube by a network on volumes, volume by volume, into a store on disk."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Event, Note, Progress, TileDone
from geocnn_gui.inference.cost import Costs
from geocnn_gui.inference.device import choose_device
from geocnn_gui.inference.engine import shares_of
from geocnn_gui.inference.folding import folded
from geocnn_gui.inference.journal import VOLUMES, Record
from geocnn_gui.inference.memory import (
    NotEnoughMemory,
    budget,
    in_words,
    is_out_of_memory,
    kept_memory,
    let_go,
)
from geocnn_gui.inference.naming import Naming, tell_naming
from geocnn_gui.inference.predict import sections_of, settings_of
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.inference.tiles import pad_to_stride
from geocnn_gui.inference.volume_tiles import (
    Ability,
    Grid,
    VolumeBlender,
    VolumePlan,
    plan_volumes,
    sides_of,
)
from geocnn_gui.models.volumes import (
    Axes,
    Cube,
    from_volume,
    require_cube,
    volume_axes,
    window_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from torch import Tensor

    from geocnn_gui.data.source import Section, Source, Window
    from geocnn_gui.inference.device import Device
    from geocnn_gui.inference.volume_tiles import Sides, Volume
    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.models.volumes import Box
    from geocnn_gui.models.weights import ModelCard

T = TypeVar("T")
#: Operations of the one pass of a check, which cannot be stopped.
_CHECKED = 1e12


def predict_volumes(
    net: SegmentationNet,
    card: ModelCard,
    source: Source,
    out: PredictionStore,
    *,
    device: Device,
    sections: Sequence[Section] | None = None,
    spec: PredictionSpec | None = None,
) -> Generator[Event]:
    """Predict the volumes that `sections` (default: the whole cube) lie in into `out`.

    What is done already by the same model in the same manner is left alone; a task that goes on
    gives the very cells of one that was never stopped. Volumes without live data stay 0. Yields
    `TileDone` and `Progress` after every volume; closing the generator leaves what is done.

    Raises
    ------
    BadRequest
        When the source is no cube.
    NotEnoughMemory, CannotWrite
        When the smallest volume does not fit, or the disk is full; what is done is kept.
    """
    require_cube(source)
    spec, net = spec or PredictionSpec(), folded(net)
    device, settings = plain(device, spec), settings_of(source, spec)
    record = out.record(settings) or Record(
        settings, make_plan(net, card, source, device, spec).model_dump()
    )
    plan = VolumePlan.model_validate(record.plan)
    grid = Grid(sides_in(source, plan.axes), plan, net.stride)
    wanted = sections_of(source, card) if sections is None else list(sections)
    numbers = _touched(grid, wanted)
    done = {n for n in range(len(grid)) if record.is_done(VOLUMES, n)}
    record.ask(wanted, len(done | numbers), whole=sections is None)
    yield Progress(record.count, record.total, "Reading")
    room = budget(device, spec)
    yield from _tell(record, grid, room)
    if (note := tell_naming(card, spec)) is not None:
        yield note
    journal = out.begin(settings, record, tiling=plan.word)
    writer = _Writer(out, Naming.of(card, spec), plan.axes)
    try:
        engine = VolumeEngine(net, device, spec, grid.largest.sides, len(card.named))
        cube = Cube(source, card.scaling.for_source(source))
        start, before = time.monotonic(), record.count
        with kept_memory(room):
            steps = _run(engine, cube, grid, sorted(numbers - done), writer)
            for count, (number, window) in enumerate(steps, before + 1):
                journal.add([(VOLUMES, number)])
                yield from engine.told()
                yield TileDone(window.offset, window.size)
                left = (time.monotonic() - start) / (count - before) * (record.total - count)
                text = f"Predicting, volume {count} of {record.total}"
                yield Progress(count, record.total, text, left)
    finally:
        journal.sync()
        out.finish(complete=record.count == record.total)


def plain(device: Device, spec: PredictionSpec) -> Device:
    """Return `device` as networks on volumes run there: bfloat16 only where that is asked for."""
    return replace(device, bf16=spec.precision == "bfloat16", channels_last=False)


def make_plan(
    net: SegmentationNet, card: ModelCard, source: Source, device: Device, spec: PredictionSpec
) -> VolumePlan:
    """Return how a cube is cut, the depth along sections as the network saw them in training."""
    axes = volume_axes(source, sections_of(source, card)[0])
    able = Ability(budget(device, spec), device.kind, len(card.named))
    costs = Costs(net, len(source.bands))
    return plan_volumes(costs, axes, sides_in(source, axes), able, tiling=spec.tiling)


def sides_in(source: Source, axes: Axes) -> Sides:
    """Return depth, rows and columns of a cube."""
    deep, down, along = (source.shape[axis] for axis in axes)
    return deep, down, along


def _touched(grid: Grid, sections: Sequence[Section]) -> set[int]:
    """Return the numbers of the volumes that predict cells of sections."""
    found: set[int] = set()
    for section in sections:
        if section.axis is not None:
            found.update(grid.touching(grid.plan.axes.index(section.axis), section.index))
    return found


def _tell(record: Record, grid: Grid, room: int) -> Iterator[Event]:
    if record.count == record.total:
        yield Note("All of it is predicted already, by this model and in this manner.")
        return
    if record.count:
        yield Note(f"Going on: {record.count} of {record.total} volumes are predicted already.")
    yield Note(f"Predicting takes up to {in_words(room)} of memory.")
    if len(grid) == 1:
        yield Note("The whole cube goes through the network at once.")
    elif grid.plan.blended:
        sides = " x ".join(map(str, grid.largest.sides))
        yield Note(
            f"Volumes of {sides} cells overlap by {grid.plan.overlap} and are blended: one pass "
            "over the whole would take too much memory or time."
        )


def _run(
    engine: VolumeEngine, cube: Cube, grid: Grid, numbers: Sequence[int], writer: _Writer
) -> Iterator[tuple[int, Window]]:
    """Predict volumes into the store; yields each that is there, with its window."""
    needed = sorted({n for number in numbers for n in grid.before(number)})
    wanted, blender = set(numbers), VolumeBlender(grid) if grid.plan.blended else None
    for number in needed:
        volume = grid.volume(number)
        values, live = cube.volume(grid.plan.axes, volume.wide)
        shares = engine.shares(values) if live.any() else None
        if blender is not None:
            blender.keep(number, shares)
        elif shares is not None:
            shares = shares[(slice(None), *volume.core)]
        if number in wanted:
            if blender is not None:
                shares = engine.persist(partial(blender.blend, number))
            writer.write(volume, shares, live[volume.core])
            yield number, window_of(grid.plan.axes, volume.own)
        if blender is not None:
            blender.drop(number)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes probabilities of volumes into a store."""

    out: PredictionStore
    naming: Naming
    axes: Axes

    def write(self, volume: Volume, shares: Tensor | None, live: np.ndarray) -> None:
        """Write what a volume predicts; nothing where it is dead."""
        if shares is None:
            return
        named, confidence = self.naming.name(shares)
        each = from_volume(shares.numpy(), self.axes) if self.out.has_probabilities else None
        self.out.write(
            window_of(self.axes, volume.own), from_volume(np.where(live, named, 0), self.axes),
            from_volume(confidence, self.axes), each,
        )  # fmt: skip


class VolumeEngine:
    """Maps volumes to probabilities; where memory does not suffice, in smaller ones, blended.

    `sides` are those of the largest volume that comes.
    """

    def __init__(
        self, net: SegmentationNet, device: Device, spec: PredictionSpec, sides: Sides, classes: int
    ) -> None:
        self.net, self.device, self.classes = net, device, classes
        self._flips, self._side = spec.flips, max(sides)
        self._notes: list[Note] = []
        device.place(net)

    def told(self) -> Iterator[Note]:
        """Yield what a user should read of it, once."""
        notes, self._notes = self._notes, []
        yield from notes

    def shares(self, values: np.ndarray) -> Tensor:
        """Return probabilities float32 (classes, *size) of values (bands, *size), in main memory."""
        return self.persist(lambda: self._shares(values))

    def logits(self, values: np.ndarray) -> Tensor:
        """Return logits float32 (classes, *size) of values (bands, *size), in one pass."""
        size = values.shape[1:]
        wide = np.ascontiguousarray(pad_to_stride(values, self.net.stride))
        volume = torch.from_numpy(wide)[None].to(self.device.torch_name)
        device = self.device
        with (
            torch.inference_mode(),
            torch.autocast(device.kind, torch.bfloat16, enabled=device.bf16),
        ):
            logits = self.net(volume)[0]
        return logits[(slice(None), *map(slice, size))].float()

    def persist(self, work: Callable[[], T]) -> T:
        """Call `work` until memory suffices; raises `NotEnoughMemory` at the smallest volume."""
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Beyond the handler, whose frames hold on to what is too much.
            let_go()
            self._take_smaller()

    def _shares(self, values: np.ndarray) -> Tensor:
        if max(values.shape[1:]) > self._side:
            return self.blended(values, self._side)
        return self._pass(values)

    def _pass(self, values: np.ndarray) -> Tensor:
        ways = [self.logits(values)]
        if self._flips:
            ways.append(self.logits(values[..., ::-1]).flip(-1))
        return shares_of(ways).cpu()  # beside those that another device may have given

    def blended(self, values: np.ndarray, side: int) -> Tensor:
        """Return probabilities (classes, *size) of overlapping volumes of about `side`."""
        stride, shape = self.net.stride, sides_of([slice(0, size) for size in values.shape[1:]])
        overlap = max(1, side // 4 // stride) * stride
        core = max(overlap, side - overlap)
        plan = VolumePlan(axes=(0, 1, 2), core=core, overlap=overlap, blended=True)
        grid = Grid(shape, plan, stride)
        blender, whole = VolumeBlender(grid), torch.zeros(self.classes, *shape)
        for number in range(len(grid)):
            volume = grid.volume(number)
            blender.keep(number, self._pass(values[(slice(None), *volume.wide)]))
            shares = blender.blend(number)
            assert shares is not None
            whole[(slice(None), *volume.own)] = shares
            blender.drop(number)
        return whole

    def _take_smaller(self) -> None:
        least = 2 * self.net.stride
        if self._side > least:
            self._side = max(least, self._side // 2 // self.net.stride * self.net.stride)
            self._say(f"volumes of {self._side} instead of larger ones, blended")
        elif self.device.kind == "cuda":
            self.device = replace(choose_device("cpu"), channels_last=False)
            self.device.place(self.net)
            self._say("the CPU instead of the GPU")
        else:
            raise NotEnoughMemory(
                "The memory does not suffice for the smallest volume of this network",
                "close other programs, or use a narrower network; what is done is kept",
            )

    def _say(self, step: str) -> None:
        self._notes.append(Note(f"Out of memory: going on with {step}.", warning=True))


def check_volumes(
    net: SegmentationNet,
    card: ModelCard,
    source: Source,
    *,
    device: Device,
    spec: PredictionSpec | None = None,
) -> Iterator[Event]:
    """Compare volumes with one pass over the largest part in the middle of a cube that memory allows.

    Volumes are as `predict_volumes` cuts them, or smaller, so that there is something to compare.
    The last event is the `Note` that says the result.
    """
    require_cube(source)
    spec, net = spec or PredictionSpec(), folded(net)
    device = plain(device, spec)
    plan = make_plan(net, card, source, device, spec)
    if not plan.blended and plan.overlap:
        yield Note(
            "Volumes are exact here: they look as far as the network does, so that nothing is "
            "compared."
        )
        return
    box = _middle(net, source, plan, budget(device, spec))
    values, live = Cube(source, card.scaling.for_source(source)).volume(plan.axes, box)
    if not live.any():
        raise BadRequest("The middle of the cube has no live data", "check another file")
    engine = VolumeEngine(net, device, spec, sides_of(box), len(card.named))
    yield Progress(0, 0, f"One pass over {_cells(box)} cells")
    truth = engine.shares(values)
    side = min(plan.core + plan.overlap, max(sides_of(box)) // 2)
    side = max(2 * net.stride, side // net.stride * net.stride)
    yield Progress(0, 0, f"Volumes of {side} of the same cells")
    found = engine.persist(lambda: engine.blended(values, side))
    yield from engine.told()
    most = float((found - truth).abs().max())
    other = float((found.argmax(0) != truth.argmax(0)).float().mean())
    yield Note(
        f"Blended volumes of {side} against one pass over {_cells(box)} cells: probabilities differ "
        f"by at most {most:.1e}; {100 * other:.3f} % of the cells get another class."
    )


def _middle(net: SegmentationNet, source: Source, plan: VolumePlan, room: float) -> Box:
    """Return the largest cube in the middle that goes through in one pass in a few seconds."""
    costs, shape = Costs(net, len(source.bands)), sides_in(source, plan.axes)
    side = min(max(shape), 2 * (plan.core + plan.overlap))
    while side > 4 * net.stride:
        cost = costs.of_volume([min(size, side) for size in shape])
        if cost.room <= room and cost.operations <= _CHECKED:
            break
        side = int(side * 0.8)
    one, two, three = (
        slice((size - min(size, side)) // 2, (size - min(size, side)) // 2 + min(size, side))
        for size in shape
    )
    return one, two, three


def _cells(box: Box) -> str:
    return " x ".join(map(str, sides_of(box)))

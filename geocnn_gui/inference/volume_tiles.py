"""Cut a cube into volumes for a network, and blend their probabilities where they overlap."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from geocnn_gui.inference.blending import fade
from geocnn_gui.inference.tiles import starts
from geocnn_gui.models.volumes import Box

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from geocnn_gui.inference.cost import Costs

#: Depth, rows and columns of a volume, in cells.
Sides = tuple[int, int, int]
#: Operations that a volume may take, for a Stop has to wait for it: a few seconds of two cores.
_OPERATIONS = {"cpu": 2.4e11, "cuda": 2.0e13}
#: Times the work of one pass over the whole that exact volumes may take before `auto` blends.
_WORTH = 2.0
#: Side of a volume where memory and patience allow it.
_SIDE = 128


class VolumePlan(BaseModel):
    """How a cube is cut. What two runs of one plan predict is the same to the bit.

    `axes` are those of the cube that are depth, rows and columns. `core`: side of what a volume
    predicts. `overlap`: how far it looks beyond, on every side where it is exact, towards higher
    numbers where volumes are `blended`.
    """

    model_config = ConfigDict(frozen=True)

    axes: Sides
    core: int
    overlap: int = 0
    blended: bool = False

    @property
    def word(self) -> str:
        """Return the word that the card of a prediction says of its volumes."""
        return "blended" if self.blended else "exact"


@dataclass(frozen=True, slots=True)
class Volume:
    """A part of a cube to predict, `own`, and the wider part that the network looks at."""

    own: Box
    wide: Box

    @property
    def core(self) -> Box:
        """Return where `own` lies in an array that begins where `wide` does."""
        one, two, three = (
            slice(a.start - b.start, a.stop - b.start)
            for a, b in zip(self.own, self.wide, strict=True)
        )
        return one, two, three

    @property
    def sides(self) -> Sides:
        """Return the sides of the wider part."""
        return sides_of(self.wide)


class Grid:
    """The volumes of a cube of `shape`, numbered along its columns, then rows, then depth.

    Along each axis they begin on the grid of the network's stride, as the whole cube does.
    """

    def __init__(self, shape: Sides, plan: VolumePlan, stride: int) -> None:
        self.shape, self.plan = shape, plan
        self._starts = [starts(size, plan.core, stride) for size in shape]
        self.counts = tuple(len(each) for each in self._starts)

    def __len__(self) -> int:
        """Count the volumes."""
        return math.prod(self.counts)

    def place(self, number: int) -> tuple[int, ...]:
        """Return which volume along each axis it is."""
        return tuple(int(i) for i in np.unravel_index(number, self.counts))

    def number(self, place: Iterable[int]) -> int:
        """Return the number of the volume at a place."""
        return int(np.ravel_multi_index(tuple(place), self.counts))

    def volume(self, number: int) -> Volume:
        """Return a volume by its number."""
        own, wide = [], []
        before = 0 if self.plan.blended else self.plan.overlap
        for at, begins, size in zip(self.place(number), self._starts, self.shape, strict=True):
            start, stop = begins[at], min(begins[at] + begins.step, size)
            own.append(slice(start, stop))
            wide.append(slice(max(0, start - before), min(size, stop + self.plan.overlap)))
        return Volume((own[0], own[1], own[2]), (wide[0], wide[1], wide[2]))

    def touching(self, axis: int, index: int) -> list[int]:
        """Return the numbers of the volumes that predict cell `index` along an axis of theirs."""
        at = index // self._starts[axis].step
        ranges = [range(n) for n in self.counts]
        ranges[axis] = range(at, at + 1)
        return [self.number(place) for place in product(*ranges)]

    def before(self, number: int) -> list[int]:
        """Return the volumes that reach into what one predicts, itself last, in order."""
        if not self.plan.blended:
            return [number]
        ranges = [range(max(0, at - 1), at + 1) for at in self.place(number)]
        return [self.number(place) for place in product(*ranges)]

    @property
    def largest(self) -> Volume:
        """Return one that costs most."""
        middle = [count // 2 for count in self.counts]
        some = {tuple(at if keep else 0 for at, keep in zip(middle, kept, strict=True))
                for kept in product((True, False), repeat=3)}  # fmt: skip
        volumes = [self.volume(self.number(place)) for place in sorted(some)]
        return max(volumes, key=lambda volume: math.prod(volume.sides))


class VolumeBlender:
    """Blends the volumes of a grid as they come, in the order of their numbers.

    Where a volume overlaps those before it, along any axis, it is faded in with a raised cosine
    while they are faded out; the sum is divided by that of the weights. Kept are about a row of
    volumes and the lower ends of a layer.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        #: Probabilities (classes, ...) of a volume from which depth on; None of a dead one.
        self._kept: dict[int, tuple[Tensor | None, int]] = {}

    def keep(self, number: int, shares: Tensor | None) -> None:
        """Take the probabilities of a volume."""
        self._kept[number] = (shares, self._grid.volume(number).wide[0].start)

    def blend(self, number: int) -> Tensor | None:
        """Return probabilities (classes, *own) of a volume, None where it is dead.

        Those of `Grid.before` have been kept, its own last.
        """
        volume, (own, _) = self._grid.volume(number), self._kept[number]
        if own is None:
            return None
        total = own.new_zeros(len(own), *sides_of(volume.own))
        weights = own.new_zeros(total.shape[1:])
        for other in self._grid.before(number):
            self._add(other, volume, total, weights)
        return total / weights

    def _add(self, number: int, volume: Volume, total: Tensor, weights: Tensor) -> None:
        shares, top = self._kept[number]
        if shares is None:  # dead: its cells weigh nothing
            return
        other = self._grid.volume(number)
        part = [slice(a.start, min(a.stop, b.stop))
                for a, b in zip(volume.own, other.wide, strict=True)]  # fmt: skip
        if any(span.stop <= span.start for span in part):
            return
        begins = (top, other.wide[1].start, other.wide[2].start)
        cut = [slice(s.start - a, s.stop - a) for s, a in zip(part, begins, strict=True)]
        deep, down, along = (self._faded(i, s, other).to(shares.device) for i, s in enumerate(part))
        weight = deep[:, None, None] * down[:, None] * along
        there = tuple(slice(0, size) for size in weight.shape)
        total[(slice(None), *there)] += shares[(slice(None), *cut)] * weight
        weights[there] += weight

    def _faded(self, axis: int, part: slice, other: Volume) -> Tensor:
        own, size = other.own[axis], self._grid.shape[axis]
        before = min(self._grid.plan.overlap, size - own.start) if own.start else 0
        return torch.from_numpy(fade(part, own, other.wide[axis], before))

    def drop(self, number: int) -> None:
        """Forget, after volume `number`, what none after it needs."""
        layer, row, column = self._grid.place(number)
        _, rows, columns = self._grid.counts
        for other in list(self._kept):
            deep, down, along = self._grid.place(other)
            # The last that needs it within a layer is the next one down and along.
            over = (min(down + 1, rows - 1), min(along + 1, columns - 1)) <= (row, column)
            if deep < layer - 1 or (deep == layer - 1 and over):
                del self._kept[other]
            elif deep < layer or over:
                self._keep_lower(other)

    def _keep_lower(self, number: int) -> None:
        """Keep of a volume only what the layer below needs."""
        shares, top = self._kept[number]
        stop = self._grid.volume(number).own[0].stop
        if shares is not None and stop > top:
            self._kept[number] = (shares[:, stop - top :].clone(), stop)


def sides_of(box: Sequence[slice]) -> Sides:
    """Return the sides of a box of bounded slices."""
    one, two, three = (span.stop - span.start for span in box)
    return one, two, three


@dataclass(frozen=True, slots=True)
class Ability:
    """What a pass may take: `room` in bytes, on a device of `kind`; `classes` come out of it."""

    room: float
    kind: str
    classes: int

    def allows(self, costs: Costs, shape: Sides, plan: VolumePlan) -> bool:
        """Say whether the largest volume fits, with what is kept to blend, and is soon done."""
        sides = Grid(shape, plan, costs.net.stride).largest.sides
        cost, kept = costs.of_volume(sides), 0
        if plan.blended:
            lower = plan.overlap * shape[1] + 2 * sides[0] * sides[1]
            kept = 4 * self.classes * lower * shape[2]
        return cost.room + kept <= self.room and cost.operations <= _OPERATIONS[self.kind]


def plan_volumes(
    costs: Costs, axes: Sides, shape: Sides, able: Ability, *, tiling: str
) -> VolumePlan:
    """Return how a cube of `shape` (depth, rows, columns) is cut.

    What fits as a whole, and does not keep a Stop waiting for long, is predicted in one pass.
    Otherwise exact volumes look as far as the network does; where that is more than twice the
    work, which it is for all but shallow networks, they are blended, unless `tiling` insists.
    """
    net, cost = costs.net, costs.of_volume(shape)
    whole = VolumePlan(axes=axes, core=-(-max(shape) // net.stride) * net.stride)
    patience = math.inf if tiling == "exact" else 2 * _OPERATIONS[able.kind]
    if cost.room <= able.room and cost.operations <= patience and tiling != "blended":
        return whole
    if net.finite and tiling != "blended":
        exact = _largest_that_fits(costs, shape, able, whole)
        if tiling == "exact" or _work(exact, shape, net.stride) <= _WORTH:
            return exact
    return _largest_that_fits(costs, shape, able, whole.model_copy(update={"blended": True}))


def _largest_that_fits(costs: Costs, shape: Sides, able: Ability, plan: VolumePlan) -> VolumePlan:
    stride = costs.net.stride
    side, least = -(-_SIDE // stride) * stride, 4 * stride
    while True:
        overlap = max(1, side // 4 // stride) * stride if plan.blended else costs.net.halo
        core = max(overlap, side - overlap) if plan.blended else side
        found = plan.model_copy(update={"core": core, "overlap": overlap})
        if side <= least or able.allows(costs, shape, found):
            return found
        side = max(least, int(side * 0.75) // stride * stride)


def _work(plan: VolumePlan, shape: Sides, stride: int) -> float:
    """Return the cells that all volumes look at as a multiple of those of the cube."""
    grid = Grid(shape, plan, stride)
    return sum(math.prod(grid.volume(n).sides) for n in range(len(grid))) / math.prod(shape)

"""Decide how a source is cut for a network, from what passes cost and what memory is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from geocnn_gui.inference.tiles import CORE, Tile, blend_windows, tiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.inference.cost import Costs
    from geocnn_gui.inference.spec import PredictionSpec
    from geocnn_gui.models.base import SegmentationNet

#: Small tiles go through the network together up to this many pixels.
_BATCH_PIXELS = {"cpu": 2**18, "cuda": 2**22}
#: Operations that a tile may take, for a Stop has to wait for it: about a second of two cores.
_OPERATIONS = {"cpu": 1.2e11, "cuda": 1.0e13}
#: Times the work of one pass over the whole that exact tiles may take before `auto` blends.
_WORTH = 2.0
#: Blended tiles are so large and overlap by a quarter of it.
_BLENDED = 512


class Plan(BaseModel):
    """How sections are cut. Cells that two runs of one plan predict are the same to the bit.

    `core`: side of what a tile predicts. `overlap`: how far it looks beyond, on every side where
    it is exact, to bottom and right where tiles are `blended`. `batch`: tiles in one pass.
    """

    model_config = ConfigDict(frozen=True)

    core: int
    overlap: int
    blended: bool = False
    batch: int = 1

    def tiles(self, shape: tuple[int, int], stride: int) -> Iterator[Tile]:
        """Yield the tiles of a picture; `rows` and `columns` of blended ones do not overlap."""
        if self.blended:
            return blend_windows(shape, overlap=self.overlap, stride=stride, core=self.core)
        return tiles(shape, halo=self.overlap, stride=stride, core=self.core)

    @property
    def word(self) -> str:
        """Return the word that the card of a prediction says of its tiles."""
        return "blended" if self.blended else "exact"


def make_plan(
    net: SegmentationNet,
    costs: Costs,
    shape: tuple[int, int],
    room: float,
    *,
    spec: PredictionSpec,
    kind: str,
) -> Plan:
    """Return how pictures of `shape` are cut on a device of `kind` within `room` bytes.

    Tiles are as large as memory and the patience of a Stop allow. Where exact ones would then
    take twice the work of one pass over the whole, they are blended, unless `spec` insists.
    Those of a network that sees the whole picture (not `finite`) can only be blended.
    """
    exact = Plan(core=net.core, overlap=net.halo)
    while not _fits(net, costs, shape, exact, room, kind) and exact.core > net.stride:
        exact = exact.model_copy(update={"core": max(net.stride, exact.core // 2)})
    plan = exact
    insisted = spec.tiling == "blended" or not net.finite
    if insisted or (spec.tiling == "auto" and _work(net, costs, shape, exact) > _WORTH):
        blended = _blended(net, costs, shape, room, kind)
        cheaper = _work(net, costs, shape, blended) < _work(net, costs, shape, exact)
        plan = blended if insisted or cheaper else exact
    return plan.model_copy(update={"batch": _batch(net, costs, shape, plan, room, kind)})


def _blended(
    net: SegmentationNet, costs: Costs, shape: tuple[int, int], room: float, kind: str
) -> Plan:
    side = min(_BLENDED, max(net.core, 4 * net.stride))
    while True:
        overlap = max(1, side // 4 // net.stride) * net.stride
        plan = Plan(core=max(overlap, side - overlap), overlap=overlap, blended=True)
        if side <= 4 * net.stride or _fits(net, costs, shape, plan, room, kind):
            return plan
        side //= 2


def largest(net: SegmentationNet, shape: tuple[int, int], plan: Plan) -> Tile:
    """Return the tile that costs most, as the network sees it."""
    found = max(plan.tiles(shape, net.stride), key=lambda tile: tile.seen)
    return found.window if plan.blended else found


def _fits(
    net: SegmentationNet, costs: Costs, shape: tuple[int, int], plan: Plan, room: float, kind: str
) -> bool:
    cost = costs.of_tile(largest(net, shape, plan))
    # A patch network takes its time whatever the size: its own core is as small as pays.
    patient = cost.operations <= _OPERATIONS[kind] or plan.core <= min(net.core, _BLENDED // 2)
    return cost.room <= room and patient


def _work(net: SegmentationNet, costs: Costs, shape: tuple[int, int], plan: Plan) -> float:
    """Return the work of all tiles as a multiple of that of one pass over the whole."""
    large = largest(net, shape, plan)
    seen = sum(tile.seen for tile in plan.tiles(shape, net.stride))
    each = costs.of_tile(large).operations / large.seen
    side = max(net.stride, min(256, 2 * net.core))
    alone = costs.of_whole(side)
    return each * seen / (alone.operations / alone.pixels * shape[0] * shape[1])


def _batch(
    net: SegmentationNet, costs: Costs, shape: tuple[int, int], plan: Plan, room: float, kind: str
) -> int:
    """Return how many tiles go through together: fewer where the network is slow."""
    if plan.blended:
        return 1
    large = largest(net, shape, plan)
    pixels = _BATCH_PIXELS[kind] * min(1.0, (net.core / CORE) ** 2)
    return max(1, min(int(pixels / large.seen), int(room / costs.of_tile(large).room)))

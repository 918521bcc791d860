"""Measure how far predicting in tiles is from one pass over the same cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Event, Note, Progress
from geocnn_gui.inference.blending import Blender
from geocnn_gui.inference.cost import Costs
from geocnn_gui.inference.engine import Engine, Reader, values_of
from geocnn_gui.inference.folding import folded
from geocnn_gui.inference.memory import budget, in_words
from geocnn_gui.inference.plan import Plan, make_plan
from geocnn_gui.inference.predict import exact_for, sections_of
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.inference.tiles import Tile, pad_to_stride

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from geocnn_gui.data.source import Section, Source
    from geocnn_gui.inference.device import Device
    from geocnn_gui.models.networks import SegmentationNet
    from geocnn_gui.models.target import Target
    from geocnn_gui.models.weights import ModelCard

#: A larger region would only take longer: one pass over it cannot be stopped.
_MOST = 2048


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest difference of logits and of probabilities, and the share of other classes."""

    logits: float
    probabilities: float
    classes: float


def check_tiling(
    net: SegmentationNet,
    card: ModelCard,
    source: Source,
    section: Section | None = None,
    *,
    device: Device,
    spec: PredictionSpec | None = None,
) -> Iterator[Event]:
    """Compare tiles with one pass over the largest part of a section that memory allows.

    By default the middle section and tiles as `predict` makes them; where the whole is one tile,
    smaller ones, so that there is something to compare. The last event is the `Note` that says
    the result.
    """
    spec, net = exact_for(card, spec or PredictionSpec()), folded(net)
    sections = sections_of(source, card)
    section = section or sections[len(sections) // 2]
    costs, room = Costs(net, len(source.bands)), budget(device, spec)
    shape = source.picture_shape(section)
    region = _region(shape, net, costs, room)
    plan = make_plan(net, costs, shape, room, spec=spec, kind=device.kind)
    plan = _cut_at_least_once(plan, region, net.stride)
    reader = Reader(source, card.scaling.for_source(source), net.stride)
    look = reader.look(section, region)
    if look.values is None:
        raise BadRequest("The middle of the section has no live data", "choose another section")
    engine = Engine(net, device, spec, plan, answer=values_of if card.target else None)
    engine.prepare(look)
    yield from engine.notes
    found = Difference(0, 0, 0)
    for event in _compare(engine, plan, look.values, _size(region)):
        if isinstance(event, Difference):
            found = event
        else:
            yield event
    if card.target is not None:
        yield Note(_value_sentence(found, plan, region, card.target))
        return
    yield Note(_sentence(found, plan, region, engine.device.bf16, room))


def _region(shape: tuple[int, int], net: SegmentationNet, costs: Costs, room: float) -> Tile:
    """Return the largest square in the middle of a picture that goes through in one pass."""
    side = min(_MOST, max(shape))
    while costs.of_whole(side).room > room and side > 4 * net.stride:
        side = int(side * 0.8)
    rows, columns = (_middle(size, side, net.stride) for size in shape)
    return Tile(rows, columns, rows, columns)


def _middle(size: int, side: int, stride: int) -> slice:
    length = min(size, side)
    start = (size - length) // 2 // stride * stride
    return slice(start, start + length)


def _cut_at_least_once(plan: Plan, region: Tile, stride: int) -> Plan:
    """Return the plan with tiles of at most half the region."""
    half = max(stride, max(_size(region)) // 2 // stride * stride)
    core = min(plan.core, half)
    overlap = min(plan.overlap, core) if plan.blended else plan.overlap
    return plan.model_copy(update={"core": core, "overlap": overlap})


def _compare(
    engine: Engine, plan: Plan, values: np.ndarray, shape: tuple[int, int]
) -> Iterator[Event | Difference]:
    """Yield progress, then the difference between one pass over `values` and their tiles."""
    yield Progress(0, 0, f"One pass over {shape[0]} x {shape[1]} cells")
    rows, columns = (slice(0, size) for size in shape)
    whole = engine.persist(lambda: engine.logits(values[None], rows, columns)[0].float())
    tiles = list(plan.tiles(shape, engine.net.stride))
    blender = Blender(tiles, plan.overlap) if plan.blended else None
    logits = shares = 0.0
    other = 0
    for number, tile in enumerate(tiles):
        yield Progress(number, len(tiles), f"Comparing, tile {number + 1} of {len(tiles)}")
        truth = whole[:, tile.rows, tile.columns]
        if blender is None:
            part = _pass(engine, values, tile)
            logits = max(logits, float((part - truth).abs().max()))
            part = engine.answer([part])
        else:
            blender.keep(number, engine.answer([_pass(engine, values, tile.window)]))
            part = _known(blender.blend(number))
            blender.drop(number)
        expected = engine.answer([truth])
        shares = max(shares, float((part - expected).abs().max()))
        other += int((part.argmax(0) != expected.argmax(0)).sum())
    yield Difference(logits, shares, other / (shape[0] * shape[1]))


def _pass(engine: Engine, values: np.ndarray, tile: Tile) -> Tensor:
    wide = pad_to_stride(
        np.ascontiguousarray(values[:, tile.wide_rows, tile.wide_columns]), engine.net.stride
    )
    return engine.logits(wide[None], *tile.core)[0].float()


def _known(shares: Tensor | None) -> Tensor:
    assert shares is not None
    return shares


def _size(tile: Tile) -> tuple[int, int]:
    return tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start


def _value_sentence(found: Difference, plan: Plan, region: Tile, target: Target) -> str:
    rows, columns = _size(region)
    return (
        f"{plan.word.capitalize()} tiles of {plan.core} against one pass over {rows} x {columns} "
        f"cells: values differ by at most {found.probabilities * target.scale:.1e} "
        f"{target.unit}".rstrip()
        + "."
    )


def _sentence(found: Difference, plan: Plan, region: Tile, bf16: bool, room: float) -> str:
    rows, columns = _size(region)
    logits = "" if plan.blended else f"logits differ by at most {found.logits:.1e}, "
    return (
        f"{plan.word.capitalize()} tiles of {plan.core} against one pass over {rows} x {columns}"
        f" cells in {'bfloat16' if bf16 else 'float32'}, within {in_words(room)}: {logits}"
        f"probabilities by at most {found.probabilities:.1e}; {100 * found.classes:.3f} % of the"
        " cells get another class."
    )

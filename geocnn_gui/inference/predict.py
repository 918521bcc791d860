"""Predict the classes of a source's sections, tile by tile, into a store on disk."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from geocnn_gui.data.source import Section
from geocnn_gui.events import Event, Progress, TileDone
from geocnn_gui.inference.device import probe_fast_cpu
from geocnn_gui.inference.folding import folded
from geocnn_gui.inference.tiles import CORE, Tile, pad_to_stride, tile_count, tiles
from geocnn_gui.models.scaling import scale_picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from geocnn_gui.data.source import Source
    from geocnn_gui.data.statistics import BandStatistics
    from geocnn_gui.inference.device import Device
    from geocnn_gui.inference.store import PredictionStore
    from geocnn_gui.models.networks import SegmentationNet
    from geocnn_gui.models.weights import ModelCard

#: Small tiles go through the network together up to this many pixels.
_BATCH_PIXELS = {"cpu": 2**18, "cuda": 2**22}
#: Side of the picture on which the fast paths are tried.
_PROBE = 256


def sections_of(source: Source, card: ModelCard) -> list[Section]:
    """Return the sections that make up a prediction of the whole source.

    A cube is cut along the first axis along which the network saw sections in training.
    """
    if not source.section_axes:
        return [Section()]
    axis = next((a for a in card.section_axes if a in source.section_axes), 0)
    return [Section(axis, index) for index in range(source.shape[axis])]


def predict(
    net: SegmentationNet,
    card: ModelCard,
    source: Source,
    out: PredictionStore,
    *,
    device: Device,
    sections: Sequence[Section] | None = None,
    flips: bool = False,
) -> Iterator[Event]:
    """Predict `sections` (default: the whole source) into `out`.

    Yields `TileDone` for every tile on disk and `Progress` after every batch. Cells without
    live data stay 0. Every class's probability is stored where `out` has room. With `flips`
    each tile is also seen mirrored left to right and the probabilities are averaged. Closing
    the generator leaves what is done, marked incomplete. Tiles are read while the network is at
    work on those before.
    """
    sections = sections_of(source, card) if sections is None else sections
    total = sum(
        tile_count(source.picture_shape(s), stride=net.stride, core=net.core) for s in sections
    )
    yield Progress(0, total, "Reading")
    engine = _Engine(folded(net), device, flips=flips)
    ids = np.array([c.id for c in card.classes], np.uint8)
    start, done = time.monotonic(), 0
    looks = _looks(net, card, source, sections)
    try:
        for batch in _ahead(_batches(looks, _batch_pixels(net, device))):
            for look, shares in zip(batch, engine.shares(batch), strict=True):
                yield from _store(look, shares, ids, source, out)
            done += len(batch)
            left = (time.monotonic() - start) / done * (total - done)
            yield Progress(done, total, f"Predicting, tile {done} of {total}", left)
    finally:
        out.finish(complete=done == total)


@dataclass(frozen=True, slots=True)
class _Look:
    """A tile as the network sees it: `values` float32 (bands, h, w), `live` bool of its core.

    `values` is None where the core has no live data and nothing is to be predicted.
    """

    section: Section
    tile: Tile
    values: np.ndarray | None
    live: np.ndarray


def _looks(
    net: SegmentationNet, card: ModelCard, source: Source, sections: Sequence[Section]
) -> Iterator[_Look]:
    statistics = card.scaling.for_source(source)
    for section in sections:
        shape = source.picture_shape(section)
        for tile in tiles(shape, halo=net.halo, stride=net.stride, core=net.core):
            yield _look(source, section, tile, statistics, net.stride)


def _look(
    source: Source,
    section: Section,
    tile: Tile,
    statistics: tuple[BandStatistics, ...],
    stride: int,
) -> _Look:
    picture = source.read_picture(section, tile.wide_rows, tile.wide_columns)
    live = picture.live[tile.core]
    if not live.any():
        return _Look(section, tile, None, live)
    return _Look(section, tile, pad_to_stride(scale_picture(picture, statistics), stride), live)


def _batch_pixels(net: SegmentationNet, device: Device) -> int:
    """Return how many pixels go through together: fewer where the network is slow."""
    return int(_BATCH_PIXELS[device.kind] * min(1.0, (net.core / CORE) ** 2))


def _batches(looks: Iterator[_Look], pixels: int) -> Iterator[list[_Look]]:
    """Group looks that follow each other and have one size; those without values stay alone."""
    batch: list[_Look] = []
    for look in looks:
        if batch and not _fits(batch, look, pixels):
            yield batch
            batch = []
        batch.append(look)
    if batch:
        yield batch


def _fits(batch: list[_Look], look: _Look, pixels: int) -> bool:
    first = batch[0].values
    if first is None or look.values is None or first.shape != look.values.shape:
        return False
    if batch[0].tile.core != look.tile.core:
        return False
    return (len(batch) + 1) * first[0].size <= pixels


def _ahead(batches: Iterator[list[_Look]]) -> Iterator[list[_Look]]:
    """Yield batches, the next one read and scaled on another thread while one is at work."""
    with ThreadPoolExecutor(1, thread_name_prefix="read") as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def _store(
    look: _Look, shares: Tensor | None, ids: np.ndarray, source: Source, out: PredictionStore
) -> Iterator[Event]:
    plane = source.plane(look.section)
    window = plane.window(look.tile.rows, look.tile.columns)
    if shares is not None:
        numbers, confidence = _likeliest(shares)
        picture = np.where(look.live, ids[numbers], 0)
        each = plane.array(shares.cpu().numpy()) if out.has_probabilities else None
        out.write(window, plane.array(picture), plane.array(confidence), each)
    yield TileDone(window.offset, window.size)


class _Engine:
    """A network at work; how it runs fastest is tried on the first tile."""

    def __init__(self, net: SegmentationNet, device: Device, *, flips: bool) -> None:
        self.net = net
        self.device = device
        self.flips = flips
        self._tried = False

    def shares(self, batch: list[_Look]) -> list[Tensor] | list[None]:
        """Return class probabilities float32 (classes, h, w) of each tile's core, None of dead ones."""
        if batch[0].values is None:
            return [None]
        values = torch.from_numpy(
            np.stack([look.values for look in batch if look.values is not None])
        )
        if not self._tried:
            self._prepare(values)
        values = values.to(self.device.torch_name, memory_format=self.device.memory_format)
        rows, columns = batch[0].tile.core
        logits = [self._logits(values, rows, columns)]
        if self.flips:
            width = values.shape[-1]
            mirrored = slice(width - columns.stop, width - columns.start)
            logits.append(self._logits(values.flip(-1), rows, mirrored).flip(-1))
        return [_shares([part[i] for part in logits]) for i in range(len(batch))]

    def _prepare(self, values: Tensor) -> None:
        side = min(_PROBE, self.net.core // 2) // self.net.stride * self.net.stride
        rows, columns = (max(0, (size - side) // 2) for size in values.shape[-2:])
        sample = values[:1, :, rows : rows + side, columns : columns + side].contiguous()
        self.device = probe_fast_cpu(self.net, sample.shape, device=self.device, values=sample)
        self.device.place(self.net)
        self._tried = True

    def _logits(self, values: Tensor, rows: slice, columns: slice) -> Tensor:
        device = self.device
        with (
            torch.inference_mode(),
            torch.autocast(device.kind, torch.bfloat16, enabled=device.bf16),
        ):
            return self.net.logits_in(values, rows, columns)


def _shares(logits: list[Tensor]) -> Tensor:
    """Return the mean probabilities (classes, h, w) of (classes, h, w) logits."""
    with torch.inference_mode():
        # Plane after plane in memory: over classes side by side softmax is 25 times slower.
        planes = [part.float().contiguous().softmax(0) for part in logits]
        return planes[0] if len(planes) == 1 else torch.stack(planes).mean(0)


def _likeliest(shares: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the number uint8 and the share float32 (h, w) of the likeliest class, the first of equals.

    `argmax` over a leading axis is 20 times slower than asking plane after plane.
    """
    with torch.inference_mode():
        highest = shares.amax(0)
        numbers = torch.zeros(highest.shape, dtype=torch.uint8, device=highest.device)
        for number in range(len(shares) - 1, 0, -1):
            numbers[shares[number] == highest] = number
        numbers[shares[0] == highest] = 0
    return numbers.cpu().numpy(), highest.cpu().numpy()

"""Features of a backbone over the sections of a source, computed tile by tile and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from geocnn_gui.data.statistics import estimate_statistics
from geocnn_gui.inference.device import has_bf16
from geocnn_gui.inference.folding import folded
from geocnn_gui.inference.memory import free_memory
from geocnn_gui.models.architectures.unet import UNet
from geocnn_gui.models.scaling import scale_picture
from geocnn_gui.models.survey import for_bands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from geocnn_gui.data.source import Picture, Section, Source
    from geocnn_gui.inference.device import Device
    from geocnn_gui.models.survey import Backbone

#: Side of a tile in cells.
TILE = 512
#: Features are kept up to so many bytes, and up to this share of the memory that is free.
ROOM, _SHARE = 2**30, 0.25
#: A head takes a level of more channels for as much as one of so many, and each band for so many
#: channels' worth: what is coarse has more channels, not more to say.
_LEVEL_CHANNELS, _BAND = 32, 6.0
#: Cells of a tile whose features are kept to say how data look that carry no labels.
_SAMPLE = 512

Key = tuple["Section", int, int]


@dataclass(frozen=True, slots=True)
class Tile:
    """The features of the cells `rows` x `columns` of a section.

    `levels` are tensors (1, channels, h, w): first the scaled bands, then the levels of the
    backbone, each half as fine as the one before, over the same `near` block of cells, which
    reaches one cell of the coarsest level beyond the tile. `live` is bool (rows, columns),
    `sample` float32 (n, channels) the features of some of the live cells.
    """

    rows: slice
    columns: slice
    near: tuple[slice, slice]
    levels: tuple[Tensor, ...]
    live: np.ndarray
    sample: Tensor

    @property
    def nbytes(self) -> int:
        """Return the bytes that the features take."""
        return sum(level.nbytes for level in self.levels) + self.live.nbytes + self.sample.nbytes

    def at(self, cells: np.ndarray) -> Tensor:
        """Return float32 (n, channels) at cells (n, 2), between the cells of coarse levels."""
        return sample_levels(self.levels, self.near, cells)


def sample_levels(
    levels: tuple[Tensor, ...], near: tuple[slice, slice], cells: np.ndarray
) -> Tensor:
    """Return float32 (n, channels) of levels over the block `near`, at cells (n, 2)."""
    low = torch.tensor([near[0].start, near[1].start], dtype=torch.float32)
    size = torch.tensor([near[i].stop - near[i].start for i in (0, 1)], dtype=torch.float32)
    spots = (torch.from_numpy(cells.astype(np.float32)) + 0.5 - low) / size * 2 - 1
    grid = spots.flip(1).view(1, 1, -1, 2)
    found = [
        functional.grid_sample(
            level.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
        )[0, :, 0].T
        for level in levels
    ]
    return torch.cat(found, dim=1)


class Features:
    """What a backbone sees of a source; tiles are computed once and kept within `room` bytes.

    May be called from several threads. A tile has the features that it would have in one pass
    over the whole section: the data around it are read as far as the network sees.
    """

    def __init__(
        self, backbone: Backbone, source: Source, *, device: Device, room: int | None = None
    ) -> None:
        self.source, self.backbone, self._device = source, backbone, device
        backbone = for_bands(backbone, tuple(band.name for band in source.bands))
        net = folded(backbone.net)
        assert isinstance(net, UNet)
        self._half = has_bf16(device)
        device.place(net)
        self._net = net
        self._stride = net.stride
        self.channels = len(source.bands) + sum(backbone.widths)
        #: How much each channel counts to a head, float32 (channels,).
        self.emphasis = _emphasis(len(source.bands), backbone.widths)
        self._statistics = estimate_statistics(source)
        self.room = room if room is not None else min(ROOM, int(free_memory() * _SHARE))
        #: Called before a tile is computed; what it raises ends the work.
        self.before_tile: Callable[[], None] = lambda: None
        self._tiles: OrderedDict[Key, Tile] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def numbers(self, section: Section, rows: slice, columns: slice) -> list[tuple[int, int]]:
        """Return the tiles (row, column) that hold a block of cells, nearest its middle first."""
        height, width = self.source.picture_shape(section)
        rows, columns = _within(rows, height), _within(columns, width)
        middle = ((rows.start + rows.stop) / 2 / TILE, (columns.start + columns.stop) / 2 / TILE)
        found = [
            (r, c)
            for r in range(rows.start // TILE, -(-rows.stop // TILE))
            for c in range(columns.start // TILE, -(-columns.stop // TILE))
        ]
        return sorted(
            found, key=lambda at: (at[0] + 0.5 - middle[0]) ** 2 + (at[1] + 0.5 - middle[1]) ** 2
        )

    def tile(self, section: Section, row: int, column: int) -> Tile:
        """Return a tile of a section, computed or kept."""
        key = (section, row, column)
        with self._lock:
            if (kept := self._tiles.get(key)) is not None:
                self._tiles.move_to_end(key)
                return kept
        self.before_tile()
        made = self._compute(section, row, column)
        with self._lock:
            if key not in self._tiles:
                self._tiles[key] = made
                self._held += made.nbytes
            while self._held > self.room and len(self._tiles) > 1:
                self._held -= self._tiles.popitem(last=False)[1].nbytes
        return made

    def kept(self) -> tuple[Tile, ...]:
        """Return the tiles that are kept now, the latest last."""
        with self._lock:
            return tuple(self._tiles.values())

    def let_go(self) -> None:
        """Keep nothing from now on but the latest tile: others are to have the room."""
        with self._lock:
            self._tiles.clear()
            self._held = self.room = 0

    def at(self, section: Section, cells: np.ndarray) -> tuple[Tensor, np.ndarray]:
        """Return the features at cells (n, 2) of a section, rows and columns, and which are live.

        Features are float32 (n, channels), the others bool (n,).
        """
        found, live = torch.empty(len(cells), self.channels), np.zeros(len(cells), bool)
        places = cells // TILE
        for row, column in np.unique(places, axis=0).tolist():
            here = np.flatnonzero((places == (row, column)).all(axis=1))
            tile = self.tile(section, row, column)
            found[torch.from_numpy(here)] = tile.at(cells[here])
            live[here] = tile.live[tuple((cells[here] - [tile.rows.start, tile.columns.start]).T)]
        return found, live

    def _compute(self, section: Section, row: int, column: int) -> Tile:
        height, width = self.source.picture_shape(section)
        rows, columns = (
            _within(slice(n * TILE, (n + 1) * TILE), size)
            for n, size in ((row, height), (column, width))
        )
        sizes = [-(-size // self._stride) * self._stride for size in (height, width)]
        near = self._widened(rows, sizes[0], 1), self._widened(columns, sizes[1], 1)
        wide = self._widened(near[0], sizes[0], 4), self._widened(near[1], sizes[1], 4)
        values, live = self._read(section, wide)
        levels = self._levels(values, near, wide)
        live = live[_inside(rows, wide[0]), _inside(columns, wide[1])]
        some = _some_cells(live, rows, columns)
        return Tile(rows, columns, near, levels, live, sample_levels(levels, near, some))

    def _widened(self, part: slice, size: int, cells: int) -> slice:
        """Return a part of an axis with some coarse cells more on both sides, on their grid."""
        low = part.start // self._stride - cells
        high = -(-part.stop // self._stride) + cells
        return slice(max(0, low) * self._stride, min(high * self._stride, size))

    def _read(self, section: Section, wide: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
        """Return scaled values float32 (bands, h, w) and live cells; the edge goes on beyond it."""
        shape = self.source.picture_shape(section)
        inner = [_within(part, size) for part, size in zip(wide, shape, strict=True)]
        picture: Picture = self.source.read_picture(section, *inner)
        values = scale_picture(picture, self._statistics)
        beyond = [(0, w.stop - i.stop) for w, i in zip(wide, inner, strict=True)]
        return np.pad(values, ((0, 0), *beyond), mode="edge"), np.pad(picture.live, beyond)

    @torch.inference_mode()
    def _levels(
        self, values: np.ndarray, near: tuple[slice, slice], wide: tuple[slice, slice]
    ) -> tuple[Tensor, ...]:
        device = self._device
        pictures = torch.from_numpy(values)[None].to(
            device.torch_name, memory_format=device.memory_format
        )
        with torch.autocast(device.kind, torch.bfloat16, enabled=self._half):
            found = [pictures, *self._net.levels(pictures)]
        kind = torch.bfloat16 if self._half else torch.float32
        made = []
        for number, level in enumerate(found):
            step = 2 ** max(0, number - 1)
            rows, columns = (
                slice((n.start - w.start) // step, (n.stop - w.start) // step)
                for n, w in zip(near, wide, strict=True)
            )
            part = level[:, :, rows, columns].to("cpu", kind)
            made.append(part.contiguous(memory_format=torch.channels_last))
        return tuple(made)


def tiles_of(features: Features, section: Section) -> Iterator[Tile]:
    """Yield all tiles of a section, its middle first."""
    height, width = features.source.picture_shape(section)
    for row, column in features.numbers(section, slice(0, height), slice(0, width)):
        yield features.tile(section, row, column)


def _emphasis(bands: int, widths: tuple[int, ...]) -> Tensor:
    levels = [torch.full((size,), min(1.0, (_LEVEL_CHANNELS / size) ** 0.5)) for size in widths]
    return torch.cat([torch.full((bands,), _BAND), *levels])


def _some_cells(live: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """Return up to `_SAMPLE` live cells (n, 2) of a tile, drawn alike every time."""
    random = np.random.default_rng(0)
    spots = random.integers(0, live.shape, (_SAMPLE, 2)) if live.size else np.zeros((0, 2), int)
    spots = spots[live[tuple(spots.T)]]
    return spots + np.array([rows.start, columns.start])


def _within(part: slice, size: int) -> slice:
    start = min(max(part.start, 0), size)
    return slice(start, min(max(part.stop, start), size))


def _inside(part: slice, outer: slice) -> slice:
    return slice(part.start - outer.start, part.stop - outer.start)

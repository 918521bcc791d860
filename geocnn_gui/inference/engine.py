"""A network at work on tiles; when memory does not suffice it takes smaller steps."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor

from geocnn_gui.events import Note
from geocnn_gui.inference.device import Device, probe_fast_cpu
from geocnn_gui.inference.memory import NotEnoughMemory, is_out_of_memory, let_go
from geocnn_gui.inference.runtimes import TITLES, make_runtime
from geocnn_gui.inference.tiles import Tile, pad_to_stride
from geocnn_gui.models.scaling import scale_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from geocnn_gui.data.source import Section, Source
    from geocnn_gui.data.statistics import BandStatistics
    from geocnn_gui.inference.cost import Costs
    from geocnn_gui.inference.plan import Plan
    from geocnn_gui.inference.runtimes import Runtime
    from geocnn_gui.inference.spec import PredictionSpec
    from geocnn_gui.models.networks import SegmentationNet

T = TypeVar("T")
_log = logging.getLogger(__name__)
#: Side of the picture on which the fast paths are tried.
_PROBE = 192


@dataclass(frozen=True, slots=True)
class Look:
    """A tile as the network sees it: `values` float32 (bands, h, w), `live` bool of its core.

    `values` is None where the core has no live data and nothing is to be predicted.
    """

    tile: Tile
    values: np.ndarray | None
    live: np.ndarray


@dataclass(frozen=True, slots=True)
class Answer:
    """Probabilities float32 (classes, h, w) of a tile's core, None of a dead one; `live` bool."""

    shares: Tensor | None
    live: np.ndarray


class Reader:
    """Reads tiles of a source as the network sees them.

    Dead areas lie together: after a dead tile the core of the next is looked at first, so that
    they are skipped without reading what surrounds them.
    """

    def __init__(self, source: Source, statistics: tuple[BandStatistics, ...], stride: int) -> None:
        self._source, self._statistics, self._stride = source, statistics, stride
        self._dead = False

    def look(self, section: Section, tile: Tile) -> Look:
        """Read one tile."""
        if self._dead and not self._live(section, tile).any():
            return Look(tile, None, np.zeros(_size(tile), bool))
        picture = self._source.read_picture(section, tile.wide_rows, tile.wide_columns)
        live = picture.live[tile.core]
        self._dead = not live.any()
        if self._dead:
            return Look(tile, None, live)
        values = scale_picture(picture, self._statistics)
        return Look(tile, pad_to_stride(values, self._stride), live)

    def _live(self, section: Section, tile: Tile) -> np.ndarray:
        window = self._source.plane(section).window(tile.rows, tile.columns)
        return self._source.live(window)


class Engine:
    """Maps tiles to probabilities on a device.

    How the network runs fastest is tried on the first tile. Where memory does not suffice, in
    this order: fewer tiles at once, parts of tiles, bfloat16 where that is allowed, the CPU;
    `notes` collects what a user should read of it, and finished work is never done again.
    """

    def __init__(
        self,
        net: SegmentationNet,
        device: Device,
        spec: PredictionSpec,
        plan: Plan,
        *,
        answer: Callable[[Sequence[Tensor]], Tensor] | None = None,
    ) -> None:
        #: Maps logits of a tile, one for each way it was seen, to what is written.
        self.answer = answer or shares_of
        self.net, self.device, self.spec = net, device, spec
        self.notes: list[Note] = []
        self.tried = False
        self._whole = max(net.stride, plan.core + (plan.overlap if plan.blended else 0))
        self._halo = net.halo
        self._together, self._core = self._most = plan.batch, self._whole
        #: What runs the network in the place of PyTorch, where that is wished and agrees.
        self._runtime: Runtime | None = None
        self._known = False

    def keep_within(self, room: float, costs: Costs, tile: Tile) -> None:
        """Begin with steps for `tile`, the largest, that take up to `room` bytes, or the least.

        A plan that was made with more memory stays, and its tiles are done in parts: the same
        but for rounding in the last digit, since sums of other sizes are taken in another order.
        """
        self._together = max(1, min(self._together, int(room / costs.of_tile(tile).room)))
        sides = [self._core]
        while self.net.finite and sides[-1] > self.net.stride:
            sides.append(max(1, sides[-1] // 2 // self.net.stride) * self.net.stride)

        def needs(side: int) -> float:
            parts = tile.pieces(halo=self._halo, stride=self.net.stride, core=side)
            return costs.of_tile(max(parts, key=lambda part: part.seen)).room

        rooms = [costs.of_tile(tile).room, *map(needs, sides[1:])]
        self._core = sides[next((i for i, r in enumerate(rooms) if r <= room),
                                rooms.index(min(rooms)))]  # fmt: skip
        if self.in_pieces:
            text = f"Tiles were planned for more memory: each is done in parts of {self._core} cells, the same but for the last digit."
            self.notes.append(Note(text))
        self._most = self._together, self._core

    def take_way(self, way: dict[str, bool]) -> None:
        """Run as an earlier task did, without trying."""
        self.device = replace(
            self.device, bf16=bool(way["bf16"]), channels_last=bool(way["channels_last"])
        )
        self.device.place(self.net)
        self._known = True
        self.tried = self.spec.engine == "pytorch"

    @property
    def way(self) -> dict[str, bool]:
        """Return what `take_way` takes."""
        return {"bf16": self.device.bf16, "channels_last": self.device.channels_last}

    def persist(self, work: Callable[[], T]) -> T:
        """Call `work` until memory suffices, each time with smaller steps.

        Raises
        ------
        NotEnoughMemory
            When there is no smaller step.
        """
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Beyond the handler, whose frames hold on to what is too much.
            let_go()
            self._take_smaller_steps()
            let_go()

    @property
    def in_pieces(self) -> bool:
        """Say whether tiles go through the network in parts now."""
        return self._core < self._whole

    def answers(
        self,
        refs: Sequence[tuple[Section, int, Tile]],
        looks: Sequence[Look] | None,
        read: Callable[[Section, Tile], Look],
    ) -> list[Answer]:
        """Predict tiles of one size; what is not in `looks` is read by `read`."""
        if self.in_pieces:
            return [self._in_pieces(section, tile, read) for section, _, tile in refs]
        if looks is None:
            looks = [read(section, tile) for section, _, tile in refs]
        alive = [look for look in looks if look.values is not None]
        if alive and not self.tried:
            self.prepare(alive[0])
        parts = (alive[i : i + self._together] for i in range(0, len(alive), self._together))
        found = iter([shares for part in parts for shares in self._shares(part)])
        return [Answer(None if k.values is None else next(found), k.live) for k in looks]

    def logits(self, values: np.ndarray, rows: slice, columns: slice) -> Tensor:
        """Return logits (n, classes, h, w) of a part of pictures float32 (n, bands, ...)."""
        pictures = torch.from_numpy(values)
        pictures = pictures.to(self.device.torch_name, memory_format=self.device.memory_format)
        return self._logits(pictures, rows, columns)

    def _in_pieces(
        self, section: Section, tile: Tile, read: Callable[[Section, Tile], Look]
    ) -> Answer:
        whole, live = None, np.zeros(_size(tile), bool)
        for piece in self.pieces(tile):
            look = read(section, piece)
            place = tuple(
                slice(part.start - all_.start, part.stop - all_.start)
                for part, all_ in ((piece.rows, tile.rows), (piece.columns, tile.columns))
            )
            live[place] = look.live
            if look.values is None:
                continue
            if not self.tried:
                self.prepare(look)
            (shares,) = self._shares([look])
            if whole is None:
                whole = shares.new_zeros(len(shares), *_size(tile))
            whole[(slice(None), *place)] = shares
        return Answer(whole, live)

    def pieces(self, tile: Tile) -> Iterator[Tile]:
        """Yield the parts in which a tile goes through the network now."""
        return tile.pieces(halo=self._halo, stride=self.net.stride, core=self._core)

    def _shares(self, looks: Sequence[Look]) -> list[Tensor]:
        values = np.stack([look.values for look in looks if look.values is not None])
        rows, columns = looks[0].tile.core
        pictures = torch.from_numpy(values)
        pictures = pictures.to(self.device.torch_name, memory_format=self.device.memory_format)
        logits = [self._logits(pictures, rows, columns)]
        if self.spec.flips:
            width = pictures.shape[-1]
            mirrored = slice(width - columns.stop, width - columns.start)
            logits.append(self._logits(pictures.flip(-1), rows, mirrored).flip(-1))
        return [self.answer([part[i] for part in logits]) for i in range(len(looks))]

    def _logits(self, pictures: Tensor, rows: slice, columns: slice) -> Tensor:
        device = self.device
        if self._runtime is not None:
            return self._runtime(pictures)[:, :, rows, columns]
        with (
            torch.inference_mode(),
            torch.autocast(device.kind, torch.bfloat16, enabled=device.bf16),
        ):
            return self.net.logits_in(pictures, rows, columns)

    def prepare(self, look: Look) -> None:
        """Try the fast paths on the middle of a tile."""
        assert look.values is not None
        values = torch.from_numpy(look.values[None])
        side = max(1, min(_PROBE, self.net.core // 2) // self.net.stride) * self.net.stride
        rows, columns = (max(0, (size - side) // 2) for size in values.shape[-2:])
        sample = values[..., rows : rows + side, columns : columns + side].contiguous()
        self.tried = True  # where memory does not suffice for trying, it runs plainly
        other = self.spec.engine != "pytorch" and self._other_runs(sample)
        if other or self._known:
            return
        self.device = probe_fast_cpu(
            self.net, sample.shape, device=self.device, values=sample,
            precision=self.spec.precision,
        )  # fmt: skip
        self.device.place(self.net)
        if self.device.bf16 and self.device.agreement is not None:
            share = 100 * self.device.agreement
            text = f"Computing in bfloat16, which names the class of float32 at {share:.2f} % of the pixels tried."
            self.notes.append(Note(text))

    def _other_runs(self, sample: Tensor) -> bool:
        """Let the engine that was asked for run the network, if it answers as PyTorch does."""
        title = TITLES[self.spec.engine]
        if self.device.kind == "cpu":
            self._runtime = make_runtime(self.net, sample, self.spec)
        if self._runtime is None:
            why = (
                "does not give the same answers"
                if self.device.kind == "cpu"
                else "is for the processor"
            )
            self.notes.append(Note(f"{title} {why} here: PyTorch runs this network.", warning=True))
            return False
        self.notes.append(Note(f"Computing with {title}."))
        return True

    def _take_smaller_steps(self) -> None:
        stride = self.net.stride
        if self._together > 1:
            self._together //= 2
            self._say(f"{self._together} at once instead of {2 * self._together}")
        elif self._core > stride:
            self._core = max(1, self._core // 2 // stride) * stride
            self._say(f"tiles of {self._core} instead of larger ones")
        elif self._may_use_bf16():
            self._start_over(replace(self.device, bf16=True))
            self._say("bfloat16 instead of float32")
        elif self.device.kind == "cuda":
            self._start_over(Device("cpu", "cpu", "CPU", agreement=self.device.agreement))
            self._say("the CPU instead of the GPU")
        else:
            raise NotEnoughMemory(
                "The memory does not suffice for the smallest tile of this network",
                "close other programs, use a narrower network, or begin anew with smaller windows "
                "(--tiling blended --memory 200); what is done is kept",
            )

    def _may_use_bf16(self) -> bool:
        """Say whether bfloat16 is allowed: not forbidden, not in use, and seen to agree."""
        device = self.device
        return self.spec.precision == "auto" and not device.bf16 and device.agrees

    def _start_over(self, device: Device) -> None:
        self.device = device
        self.device.place(self.net)
        self._together, self._core = self._most

    def _say(self, step: str) -> None:
        text = f"Out of memory: going on with {step}."
        _log.warning(text)
        self.notes.append(Note(text, warning=True))


def shares_of(logits: Sequence[Tensor]) -> Tensor:
    """Return the mean probabilities (classes, h, w) of (classes, h, w) logits."""
    with torch.inference_mode():
        # Plane after plane in memory: over classes side by side softmax is 25 times slower.
        planes = [part.float().contiguous().softmax(0) for part in logits]
        return planes[0] if len(planes) == 1 else torch.stack(planes).mean(0)


def values_of(logits: Sequence[Tensor]) -> Tensor:
    """Return the mean output (1, h, w) of (1, h, w) outputs, float32."""
    with torch.inference_mode():
        return torch.stack([part.float() for part in logits]).mean(0)


def likeliest(shares: Tensor) -> tuple[np.ndarray, np.ndarray]:
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


def _size(tile: Tile) -> tuple[int, int]:
    return tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start

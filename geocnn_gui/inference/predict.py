"""Predict the classes of a source's sections, tile by tile, into a store on disk."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from geocnn_gui.data.identity import identity_of
from geocnn_gui.data.source import Section, Source
from geocnn_gui.events import Event, Note, Progress, TileDone
from geocnn_gui.inference.blending import Blender
from geocnn_gui.inference.cost import Costs
from geocnn_gui.inference.engine import Answer, Engine, Look, Reader, values_of
from geocnn_gui.inference.folding import folded
from geocnn_gui.inference.journal import Record
from geocnn_gui.inference.memory import (
    NotEnoughMemory,
    budget,
    in_words,
    is_out_of_memory,
    kept_memory,
    let_go,
)
from geocnn_gui.inference.naming import Naming, tell_naming
from geocnn_gui.inference.plan import Plan, largest, make_plan
from geocnn_gui.inference.runtimes import require_runtime
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.models.target import Target

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from torch import Tensor

    from geocnn_gui.inference.device import Device
    from geocnn_gui.inference.journal import Journal
    from geocnn_gui.inference.tiles import Tile
    from geocnn_gui.models.networks import SegmentationNet
    from geocnn_gui.models.weights import ModelCard


def sections_of(source: Source, card: ModelCard) -> list[Section]:
    """Return the sections that make up a prediction of the whole source.

    A cube is cut along the first axis along which the network saw sections in training.
    """
    if not source.section_axes:
        return [Section()]
    axis = next((a for a in card.section_axes if a in source.section_axes), 0)
    return [Section(axis, index) for index in range(source.shape[axis])]


def settings_of(source: Source, spec: PredictionSpec) -> dict[str, Any]:
    """Return what must be the same for tiles that are done to count in another task."""
    return {"data": identity_of(source), **spec.model_dump(exclude={"memory"})}


def exact_for(card: ModelCard, spec: PredictionSpec) -> PredictionSpec:
    """Return `spec` for a model: values need float32 where bfloat16 is not asked for.

    What is tried for classes, whether the same one is likeliest, says nothing of values.
    """
    if card.target is None or spec.precision != "auto":
        return spec
    return spec.model_copy(update={"precision": "float32"})


def predict(
    net: SegmentationNet,
    card: ModelCard,
    source: Source,
    out: PredictionStore,
    *,
    device: Device,
    sections: Sequence[Section] | None = None,
    spec: PredictionSpec | None = None,
) -> Generator[Event]:
    """Predict `sections` (default: the whole source) into `out`.

    Tiles that `out` has from an earlier task of the same settings are not predicted again.
    Yields `TileDone` for every tile on disk and `Progress` after every batch. Cells without
    live data stay 0. Every class's probability is stored where `out` has room. Closing the
    generator leaves what is done, marked incomplete. Tiles are read while the network is at
    work on those before.

    Raises
    ------
    NotEnoughMemory, CannotWrite
        When the smallest step does not fit, or the disk is full; what is done is kept.
    BadRequest
        When the engine that was asked for is not installed.
    """
    spec = exact_for(card, spec or PredictionSpec())
    require_runtime(spec)
    net = folded(net)
    wanted = sections_of(source, card) if sections is None else list(sections)
    room = budget(device, spec)
    settings = settings_of(source, spec)
    begun = out.record(settings)
    record = begun or _new_record(net, source, wanted, spec, device)
    plan = Plan.model_validate(record.plan)
    cutter = _Cutter(source, plan, net.stride)
    record.ask(wanted, sum(cutter.count(s) for s in wanted), whole=sections is None)
    yield Progress(record.count, record.total, "Reading")
    yield from _tell(net, record, plan, room)
    if (note := tell_naming(card, spec)) is not None:
        yield note
    journal = out.begin(settings, record, tiling=plan.word)
    try:
        if record.count < record.total:
            engine = Engine(net, device, spec, plan, answer=values_of if card.target else None)
            if begun is not None:
                tile = largest(net, _largest_shape(source, wanted), plan)
                engine.keep_within(room, Costs(net, len(source.bands)), tile)
            reader = Reader(source, card.scaling.for_source(source), net.stride)
            writer = _writer(source, out, card, spec)
            with kept_memory(room):
                yield from _Task(engine, reader, journal, cutter, writer).run()
    finally:
        journal.sync()
        out.finish(complete=record.count == record.total)


def _new_record(
    net: SegmentationNet,
    source: Source,
    sections: Sequence[Section],
    spec: PredictionSpec,
    device: Device,
) -> Record:
    shape = _largest_shape(source, sections)
    costs, room = Costs(net, len(source.bands)), budget(device, spec)
    plan = make_plan(net, costs, shape, room, spec=spec, kind=device.kind)
    return Record(settings_of(source, spec), plan.model_dump())


def _largest_shape(source: Source, sections: Sequence[Section]) -> tuple[int, int]:
    return max((source.picture_shape(s) for s in sections), key=lambda size: size[0] * size[1])


def _tell(net: SegmentationNet, record: Record, plan: Plan, room: int) -> Iterator[Event]:
    if record.count == record.total:
        yield Note("All of it is predicted already, by this model and in this manner.")
        return
    if record.count:
        yield Note(f"Going on: {record.count} of {record.total} tiles are predicted already.")
    yield Note(f"Predicting takes up to {in_words(room)} of memory.")
    if plan.blended:
        yield Note(f"Tiles overlap by {plan.overlap} cells and are blended, {_why_blended(net)}.")


def _why_blended(net: SegmentationNet) -> str:
    if not net.finite:
        return "for this network sees all of a picture at once"
    return (
        "for to look as far as this network does would be more than twice the work; tiling set to "
        "exact does so all the same"
    )


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Numbers the tiles of sections."""

    source: Source
    plan: Plan
    stride: int

    def tiles(self, section: Section) -> list[Tile]:
        return list(self.plan.tiles(self.source.picture_shape(section), self.stride))

    def count(self, section: Section) -> int:
        return sum(1 for _ in self.plan.tiles(self.source.picture_shape(section), self.stride))


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes probabilities into a store."""

    source: Source
    out: PredictionStore
    naming: Naming

    def write(self, section: Section, tile: Tile, shares: Tensor | None, live: np.ndarray) -> None:
        if shares is None:
            return
        plane = self.source.plane(section)
        named, confidence = self.naming.name(shares)
        picture = np.where(live, named, 0)
        each = plane.array(shares.cpu().numpy()) if self.out.has_probabilities else None
        window = plane.window(tile.rows, tile.columns)
        self.out.write(window, plane.array(picture), plane.array(confidence), each)

    def done(self, section: Section, tile: Tile) -> TileDone:
        window = self.source.plane(section).window(tile.rows, tile.columns)
        return TileDone(window.offset, window.size)


@dataclass(frozen=True, slots=True)
class _ValueWriter(_Writer):
    """Writes outputs into a store of values, in the unit of the target."""

    target: Target

    def write(self, section: Section, tile: Tile, shares: Tensor | None, live: np.ndarray) -> None:
        if shares is None:
            return
        plane = self.source.plane(section)
        values = shares[0].cpu().numpy() * np.float32(self.target.scale)
        values = np.where(live, values + np.float32(self.target.mean), np.float32(np.nan))
        self.out.write_values(plane.window(tile.rows, tile.columns), plane.array(values))


def _writer(source: Source, out: PredictionStore, card: ModelCard, spec: PredictionSpec) -> _Writer:
    naming = Naming.of(card, spec)
    if card.target is None:
        return _Writer(source, out, naming)
    return _ValueWriter(source, out, naming, card.target)


#: A tile of a section and its number there.
_Ref = tuple[Section, int, "Tile"]


class _Task:
    """Reads, predicts, writes and notes down what is done."""

    def __init__(
        self, engine: Engine, reader: Reader, journal: Journal, cutter: _Cutter, writer: _Writer
    ) -> None:
        self._engine, self._reader, self._journal = engine, reader, journal
        self._cutter, self._writer = cutter, writer
        self._record, self._plan = journal.record, cutter.plan
        if self._record.way is not None:
            engine.take_way(self._record.way)

    def run(self) -> Iterator[Event]:
        """Predict what is missing."""
        start, before = time.monotonic(), self._record.count
        total, done = self._record.total, before
        steps = self._blended() if self._plan.blended else self._exact()
        try:
            for finished in steps:
                if self._record.way is None and self._engine.tried:
                    self._journal.set_way(self._engine.way)
                self._journal.add((section, number) for section, number, _ in finished)
                yield from self._notes()
                for section, _number, tile in finished:
                    yield self._writer.done(section, tile)
                done += len(finished)
                left = (time.monotonic() - start) / max(1, done - before) * (total - done)
                yield Progress(done, total, f"Predicting, tile {done} of {total}", left)
        except NotEnoughMemory:
            yield from self._notes()
            raise

    def _notes(self) -> Iterator[Event]:
        notes, self._engine.notes = self._engine.notes, []
        yield from notes

    def _exact(self) -> Iterator[list[_Ref]]:
        """Yield batches that are written, each while the network is at work on the next."""
        with ThreadPoolExecutor(1, thread_name_prefix="write") as pool:
            written: tuple[list[_Ref], list[Answer], Future[None]] | None = None
            for batch, looks in self._ahead(self._batches()):
                work = partial(self._engine.answers, batch, looks, self._reader.look)
                try:
                    answers = self._engine.persist(work)
                except NotEnoughMemory:
                    if written is not None:
                        yield self._settle(*written)
                    raise
                if written is not None:
                    yield self._settle(*written)
                written = (batch, answers, pool.submit(self._write, batch, answers))
            if written is not None:
                yield self._settle(*written)

    def _write(self, batch: list[_Ref], answers: list[Answer]) -> None:
        for (section, _, tile), answer in zip(batch, answers, strict=True):
            self._writer.write(section, tile, answer.shares, answer.live)

    def _settle(
        self, batch: list[_Ref], answers: list[Answer], writing: Future[None]
    ) -> list[_Ref]:
        """Wait until a batch is written; where memory did not suffice for that, try again."""
        try:
            writing.result()
            return batch
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        let_go()
        self._engine.persist(partial(self._write, batch, answers))
        return batch

    def _blended(self) -> Iterator[list[_Ref]]:
        for section in self._record.asked:
            tiles, missing = self._cutter.tiles(section), self._missing(section)
            if not missing:
                continue
            blender = Blender(tiles, self._plan.overlap)
            windows = blender.windows_for(number for _, number, _ in missing)
            wanted = {number for _, number, _ in missing}
            batches = ([(section, n, tiles[n].window)] for n in windows)
            for batch, looks in self._ahead(batches):
                number = batch[0][1]
                answers = partial(self._engine.answers, batch, looks, self._reader.look)
                (answer,) = self._engine.persist(answers)
                blender.keep(number, answer.shares)
                if number in wanted:
                    ref = (section, number, tiles[number])
                    self._engine.persist(partial(self._blend, blender, ref, answer.live))
                    yield [ref]
                blender.drop(number)

    def _blend(self, blender: Blender, ref: _Ref, live: np.ndarray) -> None:
        section, number, tile = ref
        live = live[: tile.rows.stop - tile.rows.start, : tile.columns.stop - tile.columns.start]
        self._writer.write(section, tile, blender.blend(number), live)

    def _missing(self, section: Section) -> list[_Ref]:
        tiles = enumerate(self._cutter.tiles(section))
        return [(section, n, tile) for n, tile in tiles if not self._record.is_done(section, n)]

    def _batches(self) -> Iterator[list[_Ref]]:
        """Group tiles that follow each other and have one size.

        Nothing but the plan decides, and batches are done as a whole: a task that goes on makes
        the same ones as one that was never stopped.
        """
        batch: list[_Ref] = []
        for section in self._record.asked:
            for ref in self._missing(section):
                if batch and (len(batch) == self._plan.batch or batch[0][2].form != ref[2].form):
                    yield batch
                    batch = []
                batch.append(ref)
        if batch:
            yield batch

    def _ahead(
        self, batches: Iterable[list[_Ref]]
    ) -> Iterator[tuple[list[_Ref], list[Look] | None]]:
        """Yield batches and their looks, the next read on another thread while one is at work."""
        with ThreadPoolExecutor(1, thread_name_prefix="read") as pool:
            waiting: tuple[list[_Ref], Future[list[Look] | None]] | None = None
            for batch in batches:
                coming = (batch, pool.submit(self._read, batch))
                if waiting is not None:
                    yield waiting[0], waiting[1].result()
                waiting = coming
            if waiting is not None:
                yield waiting[0], waiting[1].result()

    def _read(self, batch: list[_Ref]) -> list[Look] | None:
        """Read a batch; None where the engine has to do it in smaller steps."""
        if self._engine.in_pieces:
            return None
        try:
            return [self._reader.look(section, tile) for section, _, tile in batch]
        except MemoryError:
            return None

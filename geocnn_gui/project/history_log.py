"""The steps of a project on disk: history.journal.

Behind the header (magic, version) stand checked records, each of a kind (one byte) and more:
"P", a part of a step: the id and the shape of a source, and one deflated edit of its labels with
what stood there before; "S", a step of the parts just before it, as deflated JSON; "M", where
among the steps the project stands, as deflated JSON. A step without its S was never made.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from geocnn_gui.errors import CannotWrite, UnreadableFile
from geocnn_gui.files import replacing, write_bytes
from geocnn_gui.labels.classes import Classes
from geocnn_gui.labels.journal import packed, unpacked
from geocnn_gui.labels.records import RECORD, RecordFile
from geocnn_gui.labels.store import weighed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    from geocnn_gui.labels.edit import LabelEdit

_MAGIC, _VERSION = b"GEOCNNHI", 1
_HEADER = struct.Struct("<8sH")
_ID = re.compile(r"s[1-9][0-9]{0,5}")
#: Cells of the longest part; bounds what one needs in memory.
PIECE_CELLS = 2**22
#: Bytes of parts that are gathered before they are written.
_BUFFER = 2**23
_LARGEST_JSON = 2**22
_COPIED = 2**23
_LONGEST_RECORD = 2**24
#: So many steps may be taken back and made again in a file; far fewer are before it is renewed.
MOST_MOVES = 2**22

T = TypeVar("T")
Mark = Annotated[int, Field(ge=0, lt=2**64)]


class _Head(BaseModel):
    """What an S says: of `cells` in the windows of its parts, and marks of the labels before it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Annotated[str, Field(max_length=200)]
    time: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
    parts: Annotated[int, Field(ge=0)]
    cells: Annotated[int, Field(ge=0)] = 0
    classes: tuple[Classes, Classes] | None = None
    marks: dict[str, Mark] = {}


class _Move(BaseModel):
    """What an M says: so many steps stand now; with `drop` those after them are gone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Annotated[int, Field(ge=0)]
    drop: bool = False
    marks: dict[str, Mark] = {}


@dataclass(frozen=True, slots=True)
class Part:
    """An edit of a source's labels of `shape`, in the record at a place of the file."""

    entry: str
    shape: tuple[int, ...]
    at: int


@dataclass(frozen=True, eq=False)
class LoggedStep:
    """A step: its name, when it was made (seconds since 1970), and what it changed.

    `classes` are those before and after; `start` and `end` are where its records stand; `cells`
    are those of the windows of its parts, `weighed`.
    """

    text: str
    time: float
    parts: tuple[Part, ...]
    classes: tuple[Classes, Classes] | None
    start: int
    end: int
    cells: int = 0

    @property
    def bytes(self) -> int:
        """Return what it takes on disk."""
        return self.end - self.start

    @cached_property
    def sources(self) -> frozenset[str]:
        """Return the ids of the sources whose labels it changed."""
        return frozenset(part.entry for part in self.parts)


#: Steps made (True) or taken back, in this order.
Moves = tuple[tuple[LoggedStep, bool], ...]


@dataclass(frozen=True, eq=False)
class Turn:
    """What one record did, `steps` made (`forward`) or taken back in this order.

    `marks` are those of the labels that it found.
    """

    steps: tuple[LoggedStep, ...]
    forward: bool
    marks: dict[str, int]

    @property
    def moves(self) -> Moves:
        """Return the steps with their direction."""
        return tuple((step, self.forward) for step in self.steps)

    @cached_property
    def sources(self) -> frozenset[str]:
        """Return the ids of the sources whose labels it changed."""
        return frozenset().union(*(step.sources for step in self.steps))


@dataclass(frozen=True, slots=True, eq=False)
class LogState:
    """Where a history stood; `undone` are the steps after `position`."""

    size: int
    undone: list[LoggedStep]
    position: int
    turns: int
    ends: dict[str, int]


class HistoryLog:
    """The steps as they are on disk; `position` of them stand, the later ones are undone.

    `turns` are what was done in order, `moved` how many steps it took back or made again; `ends`
    the marks that the labels of sources have after all of it, where that is known. Everything
    raises `CannotWrite` and is then as before.
    """

    @staticmethod
    def create(path: Path) -> None:
        """Put an empty history at `path`, all or nothing; raises `CannotWrite`."""
        write_bytes(path, _HEADER.pack(_MAGIC, _VERSION))

    def __init__(self, path: Path) -> None:
        """Read a history; a torn end is cut off.

        Raises `UnreadableFile` for what is none, is damaged or from a newer version.
        """
        self.path = path
        self._open()

    def _open(self) -> None:
        self.steps: list[LoggedStep] = []
        self.position = self.moved = 0
        self.turns: list[Turn] = []
        self.ends: dict[str, int] = {}
        self._file = RecordFile(self.path, longest=_LONGEST_RECORD)
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise

    def _read(self) -> None:
        try:
            magic, version = _HEADER.unpack(self._file.take_header(_HEADER.size))
        except struct.error:
            magic, version = b"", 0
        if magic != _MAGIC:
            raise UnreadableFile(f"{self.path} is no history of steps", "move it away")
        if version > _VERSION:
            raise UnreadableFile(f"{self.path} was written by a newer GeoCNN", "update GeoCNN")
        try:
            parts: list[Part] = []
            begin = start = whole = self._file.place
            for at, payload in self._file.records():
                end = at + len(payload) + RECORD.size
                if payload[:1] == b"P":
                    parts.append(_part(payload, at))
                    continue
                self._take(payload, tuple(parts), start, end)
                parts, start, whole = [], end, end
        except (struct.error, zlib.error, ValueError, ValidationError) as error:
            raise UnreadableFile(f"{self.path} is damaged", "move it away") from error
        self.dropped = self._file.dropped + self._file.place - whole
        self.copy = self._file.copy
        self._file.cut(whole - begin)  # parts of a step that was never made

    def _take(self, payload: bytes, parts: tuple[Part, ...], start: int, end: int) -> None:
        """Follow what a record of the kind S or M did."""
        kind, data = payload[:1], _inflated(payload[1:])
        if kind == b"S":
            head = _Head.model_validate_json(data)
            if head.parts != len(parts):
                raise ValueError("parts are missing")
            step = LoggedStep(head.text, head.time, parts, head.classes, start, end, head.cells)
            self._push(step, head.marks)
        elif kind == b"M" and not parts:
            move = _Move.model_validate_json(data)
            if move.to > len(self.steps):
                raise ValueError("beyond the last step")
            self._go(move)
            if self.moved > MOST_MOVES:
                raise ValueError("more to and fro than anyone has done")
        else:
            raise ValueError(f"a record of kind {kind!r}")

    def _push(self, step: LoggedStep, marks: dict[str, int]) -> None:
        self.steps[self.position :] = [step]
        self.position += 1
        self._turn(Turn((step,), True, marks))

    def _go(self, move: _Move) -> None:
        low, high = sorted((self.position, move.to))
        forward, steps = move.to > self.position, tuple(self.steps[low:high])
        self.position, self.moved = move.to, self.moved + high - low
        if move.drop:
            del self.steps[move.to :]
        self._turn(Turn(steps if forward else steps[::-1], forward, move.marks))

    def _turn(self, turn: Turn) -> None:
        self.ends.update(turn.marks)
        if turn.steps:
            self.turns.append(turn)
            for entry in turn.sources:
                self.ends.pop(entry, None)

    def moves_to(self, position: int) -> Moves:
        """Return what leads to where only `position` steps stand."""
        back = reversed(self.steps[position : self.position])
        return (*((s, False) for s in back),
                *((s, True) for s in self.steps[self.position : position]))  # fmt: skip

    def edits(
        self, moves: Moves, entry: str = "", shape: tuple[int, ...] = ()
    ) -> Iterator[tuple[str, LabelEdit]]:
        """Yield source and edit of moves in order, read from the disk.

        With `entry` those of that source alone, whose labels have that `shape`. Raises
        `UnreadableFile` where the disk does not give back what was written, or another shape.
        """
        for step, forward in moves:
            for part in step.parts if forward else reversed(step.parts):
                if entry in ("", part.entry):
                    if shape not in ((), part.shape):
                        raise UnreadableFile(f"{self.path} is damaged", "move it away")
                    for edit in self._edits(part):
                        yield part.entry, edit if forward else edit.inverse()

    def _edits(self, part: Part) -> Iterator[LabelEdit]:
        payload = self._file.read_at(part.at)
        if payload is None:
            raise UnreadableFile(f"{self.path} is damaged", "move it away")
        body = payload[_part_head(payload)[2] :]
        yield from unpacked(body, part.shape, self.path, most=3 * PIECE_CELLS + 2**20, both=True)

    @property
    def size(self) -> int:
        """Return the bytes of all records."""
        return self._file.size

    def write(
        self, text: str, parts: Iterable[tuple[str, tuple[int, ...], LabelEdit]],
        classes: tuple[Classes, Classes] | None, time: float, marks: Callable[[], dict[str, int]],
    ) -> LoggedStep | None:  # fmt: skip
        """Put a step on disk behind those that stand; None where it changes nothing.

        `parts` are source, shape of its labels and edit of `PIECE_CELLS` at most. `marks` is
        asked when they have all been drawn.
        """
        return drawn(self.writing(text, parts, classes, time, marks))

    def writing(
        self, text: str, parts: Iterable[tuple[str, tuple[int, ...], LabelEdit]],
        classes: tuple[Classes, Classes] | None, time: float, marks: Callable[[], dict[str, int]],
    ) -> Generator[int, None, LoggedStep | None]:  # fmt: skip
        """Put a step on disk as `write` does, and yield the cells of each part's window.

        When it is closed before its end, nothing is on disk.
        """
        start, begun = self._file.place, self._file.size
        placed: list[Part] = []
        waiting: list[tuple[str, tuple[int, ...], bytes]] = []
        gathered = cells = 0
        try:
            for entry, shape, edit in parts:
                yield weighed(edit.mask.size, shape)
                if not edit.cells:
                    continue
                cells += weighed(edit.mask.size, shape)
                waiting.append((entry, shape, _part_bytes(entry, shape, edit)))
                gathered += len(waiting[-1][2])
                if gathered > _BUFFER:
                    placed += self._put(waiting)
                    gathered = 0
            if not (placed or waiting or classes):
                return None
            found = marks()
            head = _Head(text=text, time=time, parts=len(placed) + len(waiting), cells=cells,
                         classes=classes, marks=found)  # fmt: skip
            placed += self._put(waiting, _record(b"S", head))
        except BaseException:
            self._cut(begun)
            raise
        step = LoggedStep(text, time, tuple(placed), classes, start, self._file.place, cells)
        self._push(step, found)
        return step

    def _put(
        self, waiting: list[tuple[str, tuple[int, ...], bytes]], last: bytes = b""
    ) -> list[Part]:
        """Write parts, and with `last` wait until all is on disk; empties the list."""
        records = [each for *_, each in waiting]
        places = self._file.append_records([*records, last] if last else records, sync=bool(last))
        made = [Part(e, shape, at) for (e, shape, _), at in zip(waiting, places, strict=False)]
        waiting.clear()
        return made

    def move(self, to: int, marks: dict[str, int], *, drop: bool = False) -> None:
        """Say that so many steps stand now; with `drop` the later ones are gone."""
        move = _Move(to=to, drop=drop, marks=marks)
        self._file.append_records([_record(b"M", move)])
        self._go(move)

    def state(self) -> LogState:
        """Return what `restore` needs to forget all that is written from now on."""
        return LogState(
            self._file.size, self.steps[self.position :], self.position, len(self.turns),
            dict(self.ends),
        )  # fmt: skip

    def restore(self, state: LogState) -> None:
        """Forget what was written since `state`, on disk too."""
        self.steps[state.position :] = state.undone
        self.position, self.ends = state.position, state.ends
        del self.turns[state.turns :]
        self._cut(state.size)

    def _cut(self, size: int) -> None:
        try:
            self._file.cut(size)
        except CannotWrite:  # the next write begins there in any case
            return

    def compact(self, most: int, marks: dict[str, int]) -> None:
        """Forget the oldest steps, so that about `most` bytes stay; the last step always does.

        All steps stand. Where it cannot be written, everything stays as it was.
        """
        kept, size = len(self.steps), 0
        while kept and (not size or size + self.steps[kept - 1].bytes <= most):
            kept -= 1
            size += self.steps[kept].bytes
        last = _record(b"M", _Move(to=len(self.steps) - kept, marks=marks))
        try:
            with replacing(self.path) as temporary:
                self._copy_to(temporary, self.steps[kept:], last)
                self._file.close()
        finally:
            self._file.close()
            self._open()

    def _copy_to(self, path: Path, steps: list[LoggedStep], last: bytes) -> None:
        with path.open("wb") as copy:
            copy.write(_HEADER.pack(_MAGIC, _VERSION))
            for step in steps:
                for piece in self._file.pieces(step.start, step.end, _COPIED):
                    copy.write(piece)
        file = RecordFile(path)
        try:
            file.take_header(_HEADER.size)
            file.goes_on_at_end()
            file.append_records([last])
        finally:
            file.close()

    def close(self) -> None:
        """Release the file."""
        self._file.close()


def drawn(task: Generator[object, None, T]) -> T:
    """Run a task to its end; return what it returns."""
    while True:
        try:
            next(task)
        except StopIteration as end:
            return end.value


def _record(kind: bytes, content: BaseModel) -> bytes:
    return kind + zlib.compress(content.model_dump_json().encode(), 1)


def _inflated(data: bytes) -> bytes:
    unpack = zlib.decompressobj()
    plain = unpack.decompress(data, _LARGEST_JSON)
    if not unpack.eof:
        raise ValueError("too long")
    return plain


def _part_bytes(entry: str, shape: tuple[int, ...], edit: LabelEdit) -> bytes:
    name = entry.encode()
    head = struct.pack(f"<cB{len(name)}sB{len(shape)}q", b"P", len(name), name, len(shape), *shape)
    return head + packed([edit], both=True)


def _part_head(payload: bytes) -> tuple[str, tuple[int, ...], int]:
    """Return the source of a part, the shape of its labels, and where its edit begins."""
    length = payload[1]
    name = payload[2 : 2 + length].decode("ascii")
    axes = payload[2 + length]
    shape = struct.unpack_from(f"<{axes}q", payload, 3 + length)
    if _ID.fullmatch(name) is None or not 1 <= axes <= 3 or min(shape) < 1:
        raise ValueError("no part")
    return name, shape, 3 + length + 8 * axes


def _part(payload: bytes, at: int) -> Part:
    try:
        name, shape, _ = _part_head(payload)
    except IndexError as error:
        raise ValueError("no part") from error
    return Part(name, shape, at)

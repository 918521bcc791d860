"""Which tiles of a prediction are on disk, so that it can go on after a stop or a crash.

A file of JSON lines beside the card. The first says what must be the same for tiles to count;
others say what was asked for, how the network ran, and runs of tiles that are done. A line that
a crash cut short ends the file.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from geocnn_gui.data.source import Section
from geocnn_gui.errors import writing
from geocnn_gui.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

JOURNAL = "tiles.log"
_VERSION = 1
#: What volumes of a cube are numbered by, which belong to no section.
VOLUMES = Section()
#: Seconds between two lines, and the share of the time that making cells last may take.
_PACE, _SHARE = 3.0, 0.05


@dataclass
class Record:
    """What a journal says: tiles `done` per section, bool in the order of the plan.

    `settings` and `plan` are what they were written as. `way` is how the network ran, None
    before it has. `asked` are the sections of the last task, `whole` says that they
    are all, and `total` counts their tiles.
    """

    settings: dict[str, Any]
    plan: dict[str, Any]
    way: dict[str, Any] | None = None
    asked: tuple[Section, ...] = ()
    whole: bool = False
    total: int = 0
    done: dict[Section, np.ndarray] = field(default_factory=dict)

    def is_done(self, section: Section, number: int) -> bool:
        """Say whether a tile is on disk."""
        marks = self.done.get(section)
        return marks is not None and number < len(marks) and bool(marks[number])

    def mark(self, section: Section, first: int, stop: int) -> None:
        """Take tiles `first` .. `stop` - 1 of a section as done."""
        marks = self.done.get(section)
        if marks is None or len(marks) < stop:
            grown = np.zeros(stop, bool)
            if marks is not None:
                grown[: len(marks)] = marks
            marks = self.done[section] = grown
        marks[first:stop] = True

    @property
    def count(self) -> int:
        """Count the tiles that are done of those that were asked for."""
        keys = dict.fromkeys((*self.asked, VOLUMES))
        return sum(int(self.done[s].sum()) for s in keys if s in self.done)

    def ask(self, sections: Sequence[Section], total: int, *, whole: bool) -> None:
        """Take what is asked for now."""
        self.asked, self.total, self.whole = tuple(dict.fromkeys(sections)), total, whole

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the lines that say all this."""
        yield {"version": _VERSION, "settings": self.settings, "plan": self.plan}
        asked = [[section.axis, section.index] for section in self.asked]
        yield {"asked": asked, "total": self.total, "whole": self.whole}
        if self.way is not None:
            yield {"way": self.way}
        for section, marks in self.done.items():
            for first, stop in runs(np.flatnonzero(marks)):
                yield {"done": [section.axis, section.index, first, stop]}


def read_record(folder: Path) -> Record | None:
    """Return what the journal in `folder` says, None where there is none that can be read."""
    record: Record | None = None
    with suppress(OSError, ValueError, KeyError, TypeError, UnicodeDecodeError):
        for line in (folder / JOURNAL).read_text(encoding="utf-8").splitlines():
            said = json.loads(line)
            if record is None:
                if said["version"] != _VERSION:
                    return None
                record = Record(said["settings"], said["plan"])
            else:
                _take(record, said)
    return record


def _take(record: Record, said: dict[str, Any]) -> None:
    if "done" in said:
        axis, index, first, stop = said["done"]
        if 0 <= first < stop <= 2**40:
            record.mark(Section(axis, index), first, stop)
    elif "way" in said:
        record.way = dict(said["way"])
    elif "asked" in said:
        sections = [Section(axis, index) for axis, index in said["asked"]]
        record.ask(sections, int(said["total"]), whole=bool(said["whole"]))


class Journal:
    """Writes down which tiles are done, after their cells have been made to last.

    `flush` makes them last. Tiles are collected for a few seconds first, so that this costs
    next to nothing; what a crash takes is predicted again.
    """

    def __init__(self, folder: Path, record: Record, flush: Callable[[], None]) -> None:
        self.record = record
        self._path, self._flush = folder / JOURNAL, flush
        self._waiting: dict[Section, list[int]] = {}
        self._next = time.monotonic() + _PACE
        text = "".join(json.dumps(line) + "\n" for line in record.lines())
        write_bytes(self._path, text.encode())

    def set_way(self, way: dict[str, Any]) -> None:
        """Write down how the network runs, for those who go on."""
        self.record.way = way
        self._append([{"way": way}])

    def add(self, tiles: Iterable[tuple[Section, int]]) -> None:
        """Take tiles whose cells have been written; now and then make them last."""
        for section, number in tiles:
            self._waiting.setdefault(section, []).append(number)
        if time.monotonic() >= self._next:
            self.sync()

    def sync(self) -> None:
        """Make what was written last, then write down that it is done; raises `CannotWrite`."""
        start = time.monotonic()
        self._flush()
        lines = []
        for section, numbers in self._waiting.items():
            for first, stop in runs(sorted(numbers)):
                self.record.mark(section, first, stop)
                lines.append({"done": [section.axis, section.index, first, stop]})
        self._waiting = {}
        self._append(lines)
        took = time.monotonic() - start
        self._next = time.monotonic() + max(_PACE, took / _SHARE)

    def _append(self, lines: Sequence[dict[str, Any]]) -> None:
        with writing(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())


def runs(numbers: Sequence[int] | np.ndarray) -> list[tuple[int, int]]:
    """Return the runs of rising whole numbers, half-open: 3 4 5 9 -> (3, 6) (9, 10)."""
    found: list[tuple[int, int]] = []
    for number in map(int, numbers):
        if found and found[-1][1] == number:
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return found

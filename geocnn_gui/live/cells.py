"""Which labelled cells a head is fitted to, with their features; kept where nothing changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from geocnn_gui.data.source import Section
from geocnn_gui.training.sections import labelled_sections

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.live.features import Features

#: Cells of each class that are taken from one block of labels, and of all of them together.
BLOCK_CELLS, CLASS_CELLS = 200, 1000
#: So many blocks are looked at; of more than a few, each for fewer cells.
_MOST_BLOCKS, _FEW_BLOCKS, _LESS_CELLS = 48, 24, 60
#: Sections of a cube that are looked at, and of these the latest that were in view. Which hold
#: most labels is counted anew as long as there are no more than so many.
_MOST_SECTIONS, _RECENT_SECTIONS, _QUICK_CELLS = 64, 16, 300_000

#: A section, and the first and last-plus-one row and column of a block of labels in it.
Block = tuple["Section", tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class LabelledCells:
    """Cells of a source that carry labels: where, which class, and what the backbone sees there.

    `cells` int (n, 2) rows and columns of `sections[place]`, `place` int (n,); `ids` uint8 (n,);
    `features` float32 (n, channels).
    """

    sections: tuple[Section, ...]
    place: np.ndarray
    cells: np.ndarray
    ids: np.ndarray
    features: Tensor

    def take(self, chosen: np.ndarray) -> LabelledCells:
        """Return those of the cells that an index or a mask names."""
        return LabelledCells(
            self.sections, self.place[chosen], self.cells[chosen], self.ids[chosen],
            self.features[torch.from_numpy(chosen)],
        )  # fmt: skip


class CellBook:
    """The labelled cells of one source with their features, of which only what changed is new.

    Where labels fill much ground, some blocks stand for all: those painted last, and of each class
    some that lie apart.
    """

    def __init__(self, features: Features) -> None:
        self.features = features
        self._found: dict[Block, _Found] = {}
        self._seen: dict[Block, _Seen] = {}
        self._sections: tuple[Section, ...] = ()
        self._round = 0

    def gather(
        self, labels: LabelSnapshot, *, known: Sequence[int], near: Section | None = None
    ) -> LabelledCells:
        """Return a fair part of the labelled, live cells: each block and each class has its share.

        `known` are the ids of the classes that count, `near` is a section that does in any case.
        """
        for _ in self.look(labels, known=known, near=near):
            pass
        return self._joined()

    def look(
        self, labels: LabelSnapshot, *, known: Sequence[int], near: Section | None = None
    ) -> Iterator[None]:
        """Look at the cells that `gather` is to return; yields after each block of labels.

        What was looked at stays, also where this is broken off.
        """
        self._round += 1
        self._sections = self._choose_sections(labels, near)
        found: dict[Block, _Found] = {}
        for section in self._sections:
            for block, values, chunk in _blocks(self.features, section, labels):
                before = self._found.get(block)
                if before is None or before.chunk is not chunk:
                    ids = tuple(int(i) for i in np.unique(values[values > 0]))
                    before = _Found(chunk, ids, self._round)
                found[block] = before
        self._found = found
        chosen = _spread(found, known)
        most = BLOCK_CELLS if len(chosen) <= _FEW_BLOCKS else _LESS_CELLS
        for block in chosen:
            kept, asked = self._seen.get(block), (tuple(known), most)
            if kept is None or kept.chunk is not found[block].chunk or kept.asked != asked:
                self._seen[block] = self._see(block, found[block].chunk, labels, asked)
            yield
        self._seen = {block: self._seen[block] for block in chosen}

    def _choose_sections(self, labels: LabelSnapshot, near: Section | None) -> tuple[Section, ...]:
        """Return the sections to look at, the latest that were painted on first.

        Which hold most is counted anew while that is quick.
        """
        source = self.features.source
        base = self._sections
        if not base or sum(labels.counts.values()) <= _QUICK_CELLS:
            base = labelled_sections(source, labels)
        if near is None or not source.section_axes:
            return base
        recent = [one for one in self._sections[:_RECENT_SECTIONS] if one != near]
        return tuple(dict.fromkeys((near, *recent, *base)))[:_MOST_SECTIONS]

    def _see(self, block: Block, chunk: np.ndarray, labels: LabelSnapshot, asked: tuple) -> _Seen:
        section, rows, columns = block[0], *(slice(a, b) for a, b in block[1:])
        plane = self.features.source.plane(section)
        values = plane.picture(labels.read(plane.window(rows, columns)))
        cells = np.argwhere(np.isin(values, asked[0]) & (values > 0))
        ids = values[tuple(cells.T)]
        chosen = _fair_choice(ids, asked[1])
        cells, ids = cells[chosen] + [rows.start, columns.start], ids[chosen]
        features, live = self.features.at(section, cells)
        return _Seen(chunk, asked, cells[live], ids[live], features[torch.from_numpy(live)])

    def _joined(self) -> LabelledCells:
        none = _Seen(np.zeros(0), (), np.zeros((0, 2), int), np.zeros(0, np.uint8),
                     torch.zeros(0, self.features.channels))  # fmt: skip
        sections = tuple(dict.fromkeys(block[0] for block in self._seen))
        numbers = {section: number for number, section in enumerate(sections)}
        parts = [*self._seen.values(), none]
        place = [np.full(len(k.ids), numbers[block[0]]) for block, k in self._seen.items()]
        every = LabelledCells(
            sections, np.concatenate([*place, np.zeros(0, int)]),
            np.concatenate([part.cells for part in parts]),
            np.concatenate([part.ids for part in parts]),
            torch.cat([part.features for part in parts]),
        )  # fmt: skip
        return every.take(_fair_choice(every.ids, CLASS_CELLS))


@dataclass(frozen=True, slots=True)
class _Found:
    """A block of labels: the chunk that it lies in, its ids, and when that was written last."""

    chunk: np.ndarray
    ids: tuple[int, ...]
    when: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """Cells of a block with their features: of which chunk, and what was asked of it."""

    chunk: np.ndarray
    asked: tuple
    cells: np.ndarray
    ids: np.ndarray
    features: Tensor


def _blocks(
    features: Features, section: Section, labels: LabelSnapshot
) -> Iterator[tuple[Block, np.ndarray, np.ndarray]]:
    """Yield blocks of a section that hold labels, their labels (rows, columns), their chunks."""
    plane = features.source.plane(section)
    for window, chunk in labels.parts():
        if (cells := plane.cells(window)) is None:
            continue
        own = plane.window(*cells).relative_to(window.offset)
        values = plane.picture(chunk[own.slices])
        if values.any():
            rows, columns = ((part.start, part.stop) for part in cells)
            yield (section, rows, columns), values, chunk


def _spread(found: dict[Block, _Found], known: Sequence[int]) -> list[Block]:
    """Return which blocks stand for all: all of a few, else the newest and some of each class."""
    useful = [block for block, one in found.items() if set(one.ids) & set(known)]
    if len(useful) <= _MOST_BLOCKS:
        return useful
    newest = sorted(useful, key=lambda block: -found[block].when)[: _MOST_BLOCKS // 3]
    first = min(one.when for one in found.values())
    chosen = dict.fromkeys(block for block in newest if found[block].when > first)
    classes = {i: [block for block in useful if i in found[block].ids] for i in known}
    share = max(1, (_MOST_BLOCKS - len(chosen)) // max(1, sum(map(bool, classes.values()))))
    for blocks in classes.values():
        for at in np.unique(np.linspace(0, len(blocks) - 1, share).round().astype(int)):
            if blocks:
                chosen[blocks[at]] = None
    return list(chosen)


def _fair_choice(ids: np.ndarray, most: int) -> np.ndarray:
    """Return the sorted places of up to `most` of each id, alike every time."""
    random = np.random.default_rng(0)
    chosen = [np.zeros(0, int)]
    for number in np.unique(ids):
        places = np.flatnonzero(ids == number)
        if len(places) > most:
            places = random.choice(places, most, replace=False)
        chosen.append(places)
    return np.sort(np.concatenate(chosen))

"""Which labelled cells a head is fitted to, with their features; kept where nothing changed."""

from __future__ import annotations

import zlib
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

Block = tuple["Section", int, int]


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
    """The labelled cells of one source with their features, of which only what changed is new."""

    def __init__(self, features: Features) -> None:
        self.features = features
        self._kept: dict[Block, _Known] = {}

    def gather(self, labels: LabelSnapshot, *, known: Sequence[int]) -> LabelledCells:
        """Return a fair part of the labelled, live cells: each block and each class has its share.

        `known` are the ids of the classes that count.
        """
        for _ in self.look(labels, known=known):
            pass
        return self._joined(labelled_sections(self.features.source, labels))

    def look(self, labels: LabelSnapshot, *, known: Sequence[int]) -> Iterator[None]:
        """Look at the cells that `gather` is to return; yields after each block of labels."""
        found: dict[Block, _Known] = {}
        for section in labelled_sections(self.features.source, labels):
            for row, column, values in _blocks(self.features, section, labels):
                values = np.where(np.isin(values, known), values, 0)
                mark = zlib.crc32(values.tobytes())
                key = (section, row, column)
                kept = self._kept.get(key)
                if kept is None or kept.mark != mark:
                    kept = self._see(key, values, mark)
                found[key] = kept
                yield
        self._kept = found

    def _see(self, block: Block, values: np.ndarray, mark: int) -> _Known:
        section, row, column = block
        cells = np.argwhere(values)
        ids = values[tuple(cells.T)]
        chosen = _fair_choice(ids, BLOCK_CELLS)
        cells, ids = cells[chosen] + [row, column], ids[chosen]
        features, live = self.features.at(section, cells)
        return _Known(mark, cells[live], ids[live], features[torch.from_numpy(live)])

    def _joined(self, sections: tuple[Section, ...]) -> LabelledCells:
        none = _Known(0, np.zeros((0, 2), int), np.zeros(0, np.uint8),
                      torch.zeros(0, self.features.channels))  # fmt: skip
        numbers = {section: number for number, section in enumerate(sections)}
        parts = [*self._kept.values(), none]
        place = [np.full(len(k.ids), numbers[key[0]]) for key, k in self._kept.items()]
        every = LabelledCells(
            sections, np.concatenate([*place, np.zeros(0, int)]),
            np.concatenate([part.cells for part in parts]),
            np.concatenate([part.ids for part in parts]),
            torch.cat([part.features for part in parts]),
        )  # fmt: skip
        return every.take(_fair_choice(every.ids, CLASS_CELLS))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is kept of a block of labels: a sum over it, and the cells chosen of it."""

    mark: int
    cells: np.ndarray
    ids: np.ndarray
    features: Tensor


def _blocks(
    features: Features, section: Section, labels: LabelSnapshot
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield the first row and column and the labels (rows, columns) of blocks that hold any."""
    plane = features.source.plane(section)
    for window in labels.labelled_windows():
        if (cells := plane.cells(window)) is None:
            continue
        values = plane.picture(labels.read(plane.window(*cells)))
        if values.any():
            yield cells[0].start, cells[1].start, values


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

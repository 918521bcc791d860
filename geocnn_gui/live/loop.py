"""Strokes become a map: cells gathered, a head fitted, what is in view drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from geocnn_gui.live.cells import CellBook
from geocnn_gui.live.head import Head, fit_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geocnn_gui.data.source import Section, Window
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.live.cells import LabelledCells
    from geocnn_gui.live.features import Features, Tile
    from geocnn_gui.live.map import LiveMap

#: So many tiles of a view are drawn; of a larger one its middle.
MOST_TILES = 24
_OTHERS = 8192


class Live:
    """The head that is fitted anew after every stroke, over the features of one source.

    Use it from one thread at a time.
    """

    def __init__(self, features: Features) -> None:
        self.features = features
        self.head: Head | None = None
        self.cells: LabelledCells | None = None
        self._book = CellBook(features)
        self._beside: list[CellBook] = []

    def add(self, features: Features) -> CellBook:
        """Let the labels of another source of the same bands count too; see `learn`."""
        book = CellBook(features)
        self._beside.append(book)
        return book

    def learn(
        self,
        labels: LabelSnapshot,
        classes: Classes,
        *,
        beside: Sequence[LabelSnapshot] = (),
        near: tuple[Section, slice, slice] | None = None,
    ) -> Head | None:
        """Fit the head to labels as they are; None while they hold fewer than two classes.

        `beside` are the labels of the sources that were added, in their order. `near` is the
        part of a section that will be drawn: how common classes are is seen there too.
        """
        known = [c.id for c in classes]
        section = None if near is None else near[0]
        self.cells = self._book.gather(labels, known=known, near=section)
        parts = [self.cells]
        for book, other in zip(self._beside, beside, strict=True):
            parts.append(book.gather(other, known=known))
        ids = np.concatenate([part.ids for part in parts])
        if len(np.unique(ids)) < 2:
            self.head = None
            return None
        if near is not None:
            for row, column in self.features.numbers(*near)[:1]:
                self.features.tile(near[0], row, column)
        features = torch.cat([part.features for part in parts])
        self.head = fit_head(
            features, ids, others=self._others(), start=self.head, emphasis=self.features.emphasis
        )
        return self.head

    def _others(self) -> torch.Tensor:
        samples = [tile.sample for tile in self.features.kept()]
        found = torch.cat([torch.zeros(0, self.features.channels), *samples])
        step = max(1, -(-len(found) // _OTHERS))
        return found[::step]

    def draw(
        self, head: Head, section: Section, rows: slice, columns: slice, onto: LiveMap
    ) -> Iterator[Window]:
        """Say the classes of the tiles of a part of a section, its middle first; yield windows."""
        for row, column in self.features.numbers(section, rows, columns)[:MOST_TILES]:
            tile = self.features.tile(section, row, column)
            yield onto.put(tile.rows, tile.columns, *named(head, tile))


def named(head: Head, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
    """Return the likeliest classes uint8 and their probability float32 of a tile; 0 where dead."""
    best, number = head.over(tile).max(dim=0)
    classes = np.array(head.ids, np.uint8)[number.numpy()]
    return np.where(tile.live, classes, 0).astype(np.uint8), np.where(tile.live, best.numpy(), 0)

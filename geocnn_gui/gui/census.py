"""How many cells each class has in all sources of a project, and in how many places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.widgets.card import grouped, plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.project.project import Project

#: A class with fewer cells than this is few; its places are counted.
FEW_CELLS = 2000
#: A class in fewer places cannot be held out without being lost, or only once.
_FEW_PLACES = 3
#: Cells closer than about this lie in one place.
_NEAR = 16
#: More warnings than this are not read.
_MOST_SAID = 3


@dataclass(frozen=True)
class Census:
    """Labelled cells by class id, and the places of the classes that have `FEW_CELLS` at most."""

    cells: dict[int, int]
    places: dict[int, int]
    sources: int

    def warnings(self, classes: Classes) -> list[str]:
        """Return a sentence for each class too rare for a score to be trusted, rarest first."""
        few = sorted((n, i) for i, n in self.cells.items() if i in self.places)
        named = {c.id: c.name for c in classes}
        said = []
        for cells, number in few:
            if number not in named:
                continue
            places = self.places[number]
            what = "unknown" if places < 2 else "unknown or uncertain"
            said.append(
                f"{named[number]} has {plural(cells, 'pixel')} in {plural(places, 'place')}: "
                f"its score will be {what}."
            )
        more = len(said) - _MOST_SAID
        return said[:_MOST_SAID] + ([f"{grouped(more)} more are as rare."] if more > 0 else [])


def labels_elsewhere(project: Project, entry_id: str) -> list[LabelSnapshot]:
    """Return the labels of the other sources of a project; those that cannot be read are left out."""
    found = []
    for entry in project.sources:
        if entry.id != entry_id:
            try:
                book = project.stored_labels(entry.id)
            except GeoCNNError:  # the training says it
                continue
            if book is not None and book.store.counts:
                found.append(book.store.snapshot())
    return found


def take_census(labels: Iterable[LabelSnapshot]) -> Census:
    """Count labelled cells; the places of rare classes are groups of cells near each other."""
    snapshots = [each for each in labels if each.counts]
    cells: dict[int, int] = {}
    for each in snapshots:
        for number, count in each.counts.items():
            cells[number] = cells.get(number, 0) + count
    rare = {number for number, count in cells.items() if count < FEW_CELLS}
    places = dict.fromkeys(rare, 0)
    for each in snapshots:
        for number, count in _places(each, rare & set(each.counts)).items():
            places[number] += count
    crowded = {i for i, n in places.items() if n >= _FEW_PLACES and cells[i] >= FEW_CELLS // 4}
    return Census(cells, {i: n for i, n in places.items() if i not in crowded}, len(snapshots))


def _places(labels: LabelSnapshot, ids: set[int]) -> dict[int, int]:
    squares: dict[int, set[tuple[int, ...]]] = {number: set() for number in ids}
    for window in labels.labelled_windows() if ids else ():
        values = labels.read(window)
        for number in ids:
            found = np.argwhere(values == number) + window.offset
            squares[number] |= set(map(tuple, np.unique(found // _NEAR, axis=0).tolist()))
    return {number: _groups(found) for number, found in squares.items()}


def _groups(squares: set[tuple[int, ...]]) -> int:
    """Count the groups of squares that touch, also at corners."""
    left, groups = set(squares), 0
    while left:
        groups += 1
        edge = [left.pop()]
        while edge:
            here = edge.pop()
            steps = np.ndindex(*(3,) * len(here))
            near = {tuple(a + s - 1 for a, s in zip(here, step, strict=True)) for step in steps}
            edge += (found := near & left)
            left -= found
    return groups

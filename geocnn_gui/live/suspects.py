"""Suspect labels: those that a head which never saw their stroke strongly denies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from geocnn_gui.data.source import Section
from geocnn_gui.errors import NotEnoughLabels
from geocnn_gui.events import Event, Note, Progress, telling
from geocnn_gui.labels.store import LabelStore
from geocnn_gui.live.cells import CellBook, LabelledCells
from geocnn_gui.live.features import TILE
from geocnn_gui.live.groups import grouped
from geocnn_gui.live.head import Head, fit_head
from geocnn_gui.live.strokes import Part, Strokes
from geocnn_gui.training.sections import labelled_sections

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from geocnn_gui.data.source import Source
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.live.features import Features

#: A label is denied where its own class is at most so likely and another one at least so.
OWN_AT_MOST, OTHER_AT_LEAST = 0.1, 0.6
#: What heads say is first made as sure as it is right on other strokes, then softened by so much:
#: strokes that they are yet to judge may differ more. On F3 that halves what is denied of right
#: labels and keeps three quarters of what is denied of wrong ones.
SOFTENING = 1.5
_TEMPERATURES = np.geomspace(0.2, 4, 14)
#: A stroke of which so much is denied is suspect as a whole: it was made in one go.
WHOLE_FROM = 0.5
#: A smaller part of a stroke, and a smaller stroke, are not worth a question; of more regions the
#: first are given.
LEAST_PART, LEAST_STROKE, MOST_SUSPECTS = 32, 8, 100
#: Strokes of each class are dealt to so many folds; of more tiles those with most labels count.
FOLDS, MOST_TILES = 5, 256

TileKey = tuple[Section, int, int]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A connected region of labels of the class `label` that look like the class `says`.

    It lies in `rows` x `columns` of `section`, in the cells of `parts`. `own` and `other` are the
    mean probabilities of the two classes among the denied cells of its stroke, `share` is the
    part of the stroke that it takes.
    """

    section: Section
    rows: slice
    columns: slice
    parts: tuple[Part, ...]
    label: int
    says: int
    own: float
    other: float
    share: float

    @property
    def cells(self) -> int:
        """Count its cells."""
        return sum(int(np.count_nonzero(part.mask)) for part in self.parts)

    @property
    def weight(self) -> float:
        """Return its size times how strongly it is denied; suspects are ranked by it."""
        return self.cells * (self.other - self.own)


@dataclass(frozen=True, slots=True)
class Suspects:
    """All suspects, the weightiest first; `strokes` were judged, `notes` say what was not."""

    found: tuple[Suspect, ...]
    strokes: int
    notes: tuple[str, ...] = ()


def find_suspects(
    features: Features, labels: LabelSnapshot, classes: Classes
) -> Generator[Event, None, Suspects]:
    """Judge every labelled cell by a head that was fitted without its stroke.

    Strokes are regions of equal label that hang together in a section. Those of each class are
    dealt to folds, those that lie on each other in a cube to the same one; for each fold a head is fitted to the others, then once more without the
    strokes that the first ones doubt, so that wrong labels do not speak for each other. Classes
    count alike. A class with a single stroke, or with strokes that all lie on each other,
    helps to judge, and is not judged. The work goes in small steps and may be closed at every
    event.

    Raises
    ------
    NotEnoughLabels
        With fewer than two classes, or no class with two strokes.
    """
    known = [c.id for c in classes]
    looking = Progress(0, 0, "Looking at the strokes")
    yield looking
    strokes: dict[Section, Strokes] = {}
    for one in labelled_sections(features.source, labels):
        strokes[one] = Strokes(features.source, labels, one, known)
        yield looking
    groups = yield from telling(looking, grouped(strokes))
    folds, single = _dealt(strokes, groups)
    _check(strokes, folds)
    book = CellBook(features)
    yield from telling(looking, book.look(labels, known=known))
    cells = book.gather(labels, known=known)
    heads = yield from telling(looking, _heads(cells, *_owners(cells, strokes, folds)))
    keys, left_out = _tiles(features, strokes)
    court = _Court(features, strokes, folds, heads, known)
    for number, key in enumerate(keys):
        yield Progress(number, len(keys), "Judging labels")
        court.judge(key)
    done = Progress(len(keys), len(keys), "Judging labels")
    found = yield from telling(done, court.verdict())
    names = {c.id: c.name for c in classes}
    notes = [f"{names[one]} has {what} and is not judged." for one, what in single.items()]
    if left_out:
        notes.append(f"{left_out} parts of the data with few labels were left out.")
    for note in notes:
        yield Note(note)
    judged = sum(int((each > -1).sum()) for each in folds.values())
    return Suspects(found, judged, tuple(notes))


def _dealt(
    strokes: dict[Section, Strokes], groups: dict[Section, np.ndarray]
) -> tuple[dict[Section, np.ndarray], dict[int, str]]:
    """Return the fold of each stroke, -1 for those that none can judge; and their classes, why."""
    folds = {section: np.full(each.count + 1, -1) for section, each in strokes.items()}
    by_class: dict[int, dict[int, list[tuple[Section, int]]]] = {}
    for section, each in strokes.items():
        for number in range(1, each.count + 1):
            mine = by_class.setdefault(int(each.ids[number]), {})
            mine.setdefault(int(groups[section][number]), []).append((section, number))
    single = {}
    for one, rows in sorted(by_class.items()):
        each = sorted(rows.values(), key=lambda row: -sum(int(strokes[s].sizes[n]) for s, n in row))
        if len(each) == 1:
            single[one] = "a single stroke" if len(each[0]) == 1 else "strokes in one place only"
            continue
        for place, row in enumerate(each):
            for section, number in row:
                folds[section][number] = place % min(FOLDS, len(each))
    return folds, single


def _check(strokes: dict[Section, Strokes], folds: dict[Section, np.ndarray]) -> None:
    if len({int(one) for each in strokes.values() for one in each.ids[1:]}) < 2:
        raise NotEnoughLabels(
            "Labels are judged by each other, and there are fewer than two classes",
            "paint strokes of at least two classes",
        )
    if not any((each > -1).any() for each in folds.values()):
        raise NotEnoughLabels(
            "No class has two strokes apart, so none could judge another",
            "paint at least two strokes of a class that do not touch",
        )


def _owners(
    cells: LabelledCells, strokes: dict[Section, Strokes], folds: dict[Section, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the fold int (n,) of each cell, -1 for none, and a number for its stroke."""
    fold, owner, first = np.full(len(cells.ids), -1), np.zeros(len(cells.ids), int), 0
    for place, section in enumerate(cells.sections):
        here = np.flatnonzero(cells.place == place)
        numbers = strokes[section].at(cells.cells[here])
        fold[here], owner[here] = folds[section][numbers], first + numbers
        first += strokes[section].count + 1
    return fold, owner


def _heads(
    cells: LabelledCells, fold: np.ndarray, stroke: np.ndarray
) -> Generator[None, None, tuple[Head, ...]]:
    """Return the head of each fold; the second fit leaves out strokes that the first heads doubt.

    `stroke` int (n,) numbers the strokes of the cells from 0. The heads are as sure as they are
    right on strokes that they have not seen, and softened. Yields after each fit.
    """
    size = np.bincount(stroke)
    heads = yield from _fitted(cells, fold, np.ones(len(fold), bool))
    against = np.zeros(len(fold))
    for own, head, logits in _held_out(cells, fold, heads):
        said = logits.softmax(dim=1).numpy()
        against[own] = _denied(said, head, cells.ids[own])[2] >= OTHER_AT_LEAST
    kept = (np.bincount(stroke, against) < WHOLE_FROM * size)[stroke]
    heads = yield from _fitted(cells, fold, kept)
    cool = _temperature(cells, _held_out(cells, fold, heads), kept / size[stroke]) * SOFTENING
    return tuple(replace(h, weights=h.weights / cool, bias=h.bias / cool) for h in heads)


def _fitted(
    cells: LabelledCells, fold: np.ndarray, kept: np.ndarray
) -> Generator[None, None, list[Head]]:
    """Return a head for each fold, fitted to the cells of the others that are kept."""
    found = []
    for one in range(int(fold.max()) + 1):
        part = cells.take(np.flatnonzero(kept & (fold != one)))
        found.append(fit_head(part.features, part.ids))
        yield
    return found


def _held_out(
    cells: LabelledCells, fold: np.ndarray, heads: Sequence[Head]
) -> Iterator[tuple[np.ndarray, Head, torch.Tensor]]:
    """Yield for each fold the numbers of its cells, its head, and what that says of them."""
    for one, head in enumerate(heads):
        own = np.flatnonzero(fold == one)
        yield own, head, head.logits(cells.features[torch.from_numpy(own)])


def _temperature(
    cells: LabelledCells, judged: Iterator[tuple[np.ndarray, Head, torch.Tensor]],
    weights: np.ndarray,
) -> float:  # fmt: skip
    """Return by what logits should be divided to be as sure as they are right.

    Guo, Pleiss, Sun and Weinberger (2017); `weights` (n,) are those of the cells.
    """
    loss = np.zeros(len(_TEMPERATURES))
    for own, head, logits in judged:
        known = np.isin(cells.ids[own], head.ids)
        goal = torch.from_numpy(np.searchsorted(head.ids, cells.ids[own][known]))
        mine = torch.from_numpy(weights[own][known])
        for number, cool in enumerate(_TEMPERATURES):
            said = (logits[torch.from_numpy(known)] / cool).log_softmax(dim=1)
            loss[number] -= float((said[torch.arange(len(goal)), goal] * mine).sum())
    return float(_TEMPERATURES[int(loss.argmin())])


def _denied(said: np.ndarray, head: Head, ids: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return which cells are denied, their class' probability, the other's, and that class.

    `said` is (n, classes); a class that the head does not know is not judged.
    """
    table = np.full(256, -1)
    table[list(head.ids)] = np.arange(len(head.ids))
    place, rows = table[ids], np.arange(len(ids))
    own = np.where(place >= 0, said[rows, place], 1.0)
    other = said.copy()
    other[rows, place] = -1
    best = other.argmax(axis=1)
    most = other[rows, best]
    return (own <= OWN_AT_MOST) & (most >= OTHER_AT_LEAST), own, most, np.array(head.ids)[best]


def _tiles(features: Features, strokes: dict[Section, Strokes]) -> tuple[list[TileKey], int]:
    """Return the tiles that hold labels, section by section, and how many are left out."""
    counts: dict[TileKey, int] = {}
    for section, each in strokes.items():
        for rows, columns, numbers in each.blocks():
            key = (section, rows.start // TILE, columns.start // TILE)
            counts[key] = counts.get(key, 0) + int(np.count_nonzero(numbers))
    held = [key for key, count in counts.items() if count]
    fullest = sorted(held, key=lambda key: -counts[key])[:MOST_TILES]
    chosen = set(fullest)
    return [key for key in held if key in chosen], len(held) - len(chosen)


class _Court:
    """Judges tiles and keeps what is denied, in chunks."""

    def __init__(
        self, features: Features, strokes: dict[Section, Strokes],
        folds: dict[Section, np.ndarray], heads: tuple[Head, ...], known: Sequence[int],
    ) -> None:  # fmt: skip
        self._features, self._strokes, self._folds = features, strokes, folds
        self._heads, self._known = heads, known
        self._sums = {one: _Sums(features.source, one, each) for one, each in strokes.items()}

    def judge(self, key: TileKey) -> None:
        """Look at the labelled cells of a tile."""
        section, tile = key[0], self._features.tile(*key)
        strokes, folds = self._strokes[section], self._folds[section]
        blocks = list(strokes.blocks(tile.rows, tile.columns))
        for fold, head in enumerate(self._heads):
            said = None
            for rows, columns, numbers in blocks:
                inner = _within(rows, tile.rows), _within(columns, tile.columns)
                mask = (folds[numbers] == fold) & tile.live[inner]
                if not mask.any():
                    continue
                said = head.over(tile).numpy() if said is None else said
                mine = numbers[mask]
                judged = _denied(said[:, *inner][:, mask].T, head, strokes.ids[mine])
                self._sums[section].add(Part(rows, columns, mask), mine, *judged)

    def verdict(self) -> Generator[None, None, tuple[Suspect, ...]]:
        """Return the suspects, the weightiest first; yields after each section."""
        found: list[Suspect] = []
        for sums in self._sums.values():
            found += sums.suspects(self._known)
            yield
        return tuple(sorted(found, key=lambda one: -one.weight)[:MOST_SUSPECTS])


class _Sums:
    """What is denied in a section: the labels themselves, what they look like, sums by stroke."""

    def __init__(self, source: Source, section: Section, strokes: Strokes) -> None:
        self._source, self._section, self._strokes = source, section, strokes
        self._plane = source.plane(section)
        self._labels, self._says = LabelStore(source.shape), LabelStore(source.shape)
        self._cells, self._own, self._other = np.zeros((3, strokes.count + 1))

    def add(
        self, part: Part, numbers: np.ndarray, denied: np.ndarray, own: np.ndarray,
        other: np.ndarray, says: np.ndarray,
    ) -> None:  # fmt: skip
        """Take the cells of a part that are denied; all but `part` are (cells,)."""
        if not denied.any():
            return
        window = self._plane.window(part.rows, part.columns)
        ids = self._strokes.ids[numbers]
        for store, values in ((self._labels, ids), (self._says, says)):
            picture = self._plane.picture(store.read(window))
            picture[part.mask] = np.where(denied, values, picture[part.mask])
            store.write(window, self._plane.array(picture))
        for sums, values in ((self._cells, denied), (self._own, own), (self._other, other)):
            np.add.at(sums, numbers[denied], values[denied])

    def suspects(self, known: Sequence[int]) -> Iterator[Suspect]:
        """Yield whole strokes, then the regions of others that are denied."""
        strokes = self._strokes
        whole = self._cells >= WHOLE_FROM * np.maximum(strokes.sizes, 1)
        for number in np.flatnonzero(whole).tolist():
            if strokes.sizes[number] >= LEAST_STROKE:
                yield self._suspect(strokes, number, number)
        regions = Strokes(self._source, self._labels.snapshot(), self._section, known)
        large = np.flatnonzero(regions.sizes >= LEAST_PART)
        large = large[large > 0]
        for number in large[np.argsort(-regions.sizes[large], kind="stable")][:MOST_SUSPECTS]:
            parent = self._parent(regions, int(number))
            if not whole[parent]:
                yield self._suspect(regions, int(number), parent)

    def _parent(self, regions: Strokes, number: int) -> int:
        """Return the stroke that a denied region is of."""
        cell = regions.parts(number)[0].cells()[:1]
        return int(self._strokes.at(cell)[0])

    def _suspect(self, regions: Strokes, number: int, parent: int) -> Suspect:
        parts = regions.parts(number)
        votes = np.zeros(256, int)
        for part in parts:
            says = self._plane.picture(self._says.read(self._plane.window(part.rows, part.columns)))
            votes += np.bincount(says[part.mask], minlength=256)
        denied = max(self._cells[parent], 1)
        return Suspect(
            self._section, *regions.box(number), parts, int(regions.ids[number]),
            int(votes[1:].argmax()) + 1, float(self._own[parent] / denied),
            float(self._other[parent] / denied),
            float(regions.sizes[number] / self._strokes.sizes[parent]),
        )  # fmt: skip


def _within(part: slice, outer: slice) -> slice:
    return slice(part.start - outer.start, part.stop - outer.start)

"""Where to label next: windows of which the head knows least, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from geocnn_gui.data.source import Section
from geocnn_gui.events import Event, Progress, telling
from geocnn_gui.labels.classes import Classes
from geocnn_gui.labels.matching import predicted_ids
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.live.cells import LabelledCells
from geocnn_gui.live.features import TILE, Features
from geocnn_gui.live.head import Head
from geocnn_gui.live.nearness import Eye, distances, means

if TYPE_CHECKING:
    from collections.abc import Generator

    from geocnn_gui.data.source import Window

#: Side of a window in cells; of smaller sections a sixth, but not below the second number.
SIDE, _LEAST_SIDE, _PARTS = 56, 16, 6
#: So many cells along each side of a window are looked at.
_LOOKS = 8
#: So many places are named; of a larger source so many tiles are looked at, and of a cube so
#: many other sections.
MOST_PLACES, MOST_TILES, _SECTIONS = 12, 48, 6
#: How much doubt of the head and dispute with the network add to what a label would cover. Doubt
#: for itself leads to borders between classes: on F3 strokes there taught less than random ones.
_DOUBT, _DISPUTE = 0.25, 1.0
#: Of more labelled places so many are compared with.
_MOST_COMPARED = 2000
#: Distances are found for so many windows at once.
_AT_ONCE = 512
#: Windows with fewer live cells, and with more labelled ones, are left out.
_LEAST_LIVE, _MOST_LABELLED = 0.5, 0.02
#: From so much on a reason is told.
_TELL_DOUBT, _TELL_DISPUTE, _TELL_STRANGE = 0.4, 0.25, 1.5


class Prediction(Protocol):
    """What is predicted of the source already; see `PredictionStore`."""

    @property
    def classes(self) -> Classes:
        """Return the classes that the ids stand for."""
        ...

    def read_classes(self, window: Window) -> np.ndarray:
        """Return class ids uint8 (*window.size); 0 where nothing is predicted."""
        ...


@dataclass(frozen=True, slots=True)
class FileMap:
    """A class map that was read from a file."""

    classes: Classes
    snapshot: LabelSnapshot

    def read_classes(self, window: Window) -> np.ndarray:
        """Return class ids uint8 (*window.size); 0 where nothing is predicted."""
        return self.snapshot.read(window)


@dataclass(frozen=True, slots=True)
class Place:
    """A window worth labelling: `rows` x `columns` of a section, and why, in words."""

    section: Section
    rows: slice
    columns: slice
    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """What places are looked for in: features and labels of a source, and what is known of it.

    `cells` are the labelled cells that the head was fitted to; `section` is the one in view.
    """

    features: Features
    labels: LabelSnapshot
    head: Head
    cells: LabelledCells
    classes: Classes
    section: Section
    prediction: Prediction | None = None


def next_places(ground: Ground) -> Generator[Event, None, tuple[Place, ...]]:
    """Rank windows of a source by how much a label there would tell; the best first.

    Of each window some cells are looked at. With n the distance of the mean of its features to
    the nearest labelled place (the mean of a stroke's features; see `Eye` for the scale), the
    score of window i is

        n(i) * sum over windows j of max(0, n(j) - d(i, j)) * (1 + doubt / 4 + dispute):

    how strange it is times how much less strange a label there would make all others. Doubt is
    the mean entropy of the head's probabilities as a share of its maximum, dispute the share of
    cells where head and network name different classes, 0 without a prediction. Windows with
    labels or little data are left out. Places are taken one by one, each then counting as
    labelled, so that none is like another, and never nearer than two sides where that can be
    had. Scores are shares of the first. The same ground gives the same places.

    The whole of a line or raster is looked at where it is small enough, else tiles spread over
    it; of a cube the section in view and some along its axis. Yields `Progress` after each
    tile; may be closed at each.
    """
    tiles = _tiles(ground.features, ground.section)
    book = _Book(ground, Eye.of(ground.features, ground.head))
    for done, (section, row, column) in enumerate(tiles):
        yield Progress(done, len(tiles), "Looking where to label next")
        book.look(section, row, column)
    ranking = Progress(len(tiles), len(tiles), "Looking where to label next")
    yield ranking
    return (yield from telling(ranking, book.best()))


def _tiles(features: Features, section: Section) -> list[tuple[Section, int, int]]:
    """Return the tiles to look at: those of the section in view, then some of others."""
    found = _spread(features, section, MOST_TILES)
    if section.axis is None:
        return found
    count = features.source.shape[section.axis]
    others = np.unique(np.linspace(0, count - 1, _SECTIONS + 2).round().astype(int)[1:-1])
    others = [int(i) for i in others if i != section.index]
    for index in others:
        room = max(1, (MOST_TILES - len(found)) // max(1, len(others)))
        found += _spread(features, Section(section.axis, index), room)
    return found


def _spread(features: Features, section: Section, most: int) -> list[tuple[Section, int, int]]:
    height, width = features.source.picture_shape(section)
    tiles = sorted(features.numbers(section, slice(0, height), slice(0, width)))
    chosen = np.unique(np.linspace(0, len(tiles) - 1, min(most, len(tiles))).round().astype(int))
    return [(section, *tiles[i]) for i in chosen]


@dataclass
class _Book:
    """The windows that were looked at: where, scores, and what reasons are made of."""

    ground: Ground
    eye: Eye
    places: list[tuple[Section, int, int]] = field(default_factory=list)
    side: int = 0
    doubt: list[float] = field(default_factory=list)
    dispute: list[float] = field(default_factory=list)
    two: list[tuple[int, int]] = field(default_factory=list)
    pooled: list[np.ndarray] = field(default_factory=list)

    def look(self, section: Section, row: int, column: int) -> None:
        """Take the windows whose middle lies in a tile."""
        ground = self.ground
        shape = ground.features.source.picture_shape(section)
        self.side = side = min(SIDE, max(_LEAST_SIDE, min(shape) // _PARTS), *shape)
        corners = [
            (top, left)
            for top in _starts(shape[0], side, row)
            for left in _starts(shape[1], side, column)
            if not self._labelled(section, top, left)
        ]
        if not corners:
            return
        steps = np.unique(np.linspace(0, side - 1, min(_LOOKS, side)).round().astype(int))
        looks = np.array([(r, c) for r in steps for c in steps])
        cells = np.concatenate([looks + corner for corner in corners])
        features, live = ground.features.at(section, cells)
        shares = ground.head.probabilities(features)
        for number, corner in enumerate(corners):
            part = slice(number * len(looks), (number + 1) * len(looks))
            chosen = np.flatnonzero(live[part]) + part.start
            if len(chosen) >= _LEAST_LIVE * len(looks):
                which = torch.from_numpy(chosen)
                self._take(section, corner, cells[chosen], features[which], shares[which])

    def _labelled(self, section: Section, top: int, left: int) -> bool:
        plane = self.ground.features.source.plane(section)
        window = plane.window(slice(top, top + self.side), slice(left, left + self.side))
        return float((self.ground.labels.read(window) > 0).mean()) > _MOST_LABELLED

    def _take(
        self, section: Section, corner: tuple[int, int], cells: np.ndarray,
        features: torch.Tensor, shares: torch.Tensor,
    ) -> None:  # fmt: skip
        entropy = -(shares * shares.clamp(min=1e-9).log()).sum(dim=1).mean()
        self.places.append((section, *corner))
        self.doubt.append(float(entropy) / np.log(max(2, shares.shape[1])))
        self.dispute.append(self._disputed(section, cells, shares))
        self.pooled.append(self.eye.scaled(features.mean(dim=0, keepdim=True))[0])
        first, second = shares.mean(dim=0).topk(2).indices.tolist()
        self.two.append((self.ground.head.ids[first], self.ground.head.ids[second]))

    def _disputed(self, section: Section, cells: np.ndarray, shares: torch.Tensor) -> float:
        """Return the share of predicted cells that head and network name differently."""
        prediction = self.ground.prediction
        if prediction is None:
            return 0.0
        plane = self.ground.features.source.plane(section)
        low, high = cells.min(axis=0), cells.max(axis=0) + 1
        window = plane.window(slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])))
        picture = plane.picture(prediction.read_classes(window))
        table, _ = predicted_ids(self.ground.classes, prediction.classes)
        theirs = table[picture[tuple((cells - low).T)]]
        ours = np.array(self.ground.head.ids)[shares.argmax(dim=1).numpy()]
        told = np.isin(theirs, self.ground.head.ids)
        return float((ours != theirs)[told].mean()) if told.any() else 0.0

    def best(self) -> Generator[None, None, tuple[Place, ...]]:
        """Return the best places, none too like another; yields after each part of the work."""
        if not self.places:
            return ()
        pooled, found, labelled = np.stack(self.pooled), [], self._labelled_places()
        apart, near = np.empty((len(pooled), len(pooled)), np.float32), np.empty(len(pooled))
        for start in range(0, len(pooled), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            apart[part] = distances(pooled[part], pooled)
            near[part] = distances(pooled[part], labelled).min(axis=1)
            yield
        usual = float(np.median(near)) or 1.0
        strange = near / usual
        more = 1 + _DOUBT * np.array(self.doubt) + _DISPUTE * np.array(self.dispute)
        free, first = np.ones(len(pooled)), 0.0
        for _ in range(min(MOST_PLACES, len(pooled))):
            score = near * np.maximum(0, near - apart).sum(axis=1) * more * free
            at = int(score.argmax())
            if score[at] <= 0:
                break
            first = first or float(score[at])
            found.append(self._place(at, float(score[at]) / first, float(strange[at])))
            near = np.minimum(near, apart[at])
            free = np.minimum(free, self._apart(at))
            yield
        return tuple(found)

    def _labelled_places(self) -> np.ndarray:
        """Return the means of labelled cells, those of a class in a square of cells as one."""
        cells = self.ground.cells
        keys = np.column_stack([cells.place, cells.cells // max(1, self.side), cells.ids])
        _, owner = np.unique(keys, axis=0, return_inverse=True)
        found = means(self.eye.scaled(cells.features), owner.ravel())
        return found[:: max(1, -(-len(found) // _MOST_COMPARED))]

    def _apart(self, at: int) -> np.ndarray:
        """Return how far windows lie from one of them, 1 from two sides on; other sections are."""
        section, *corner = self.places[at]
        places = np.array([place[1:] for place in self.places])
        apart = np.hypot(*(places - corner).T) / (2 * self.side)
        same = np.array([place[0] == section for place in self.places])
        return np.where(same, np.minimum(apart, 1), 1)

    def _place(self, at: int, score: float, strange: float) -> Place:
        section, top, left = self.places[at]
        rows, columns = slice(top, top + self.side), slice(left, left + self.side)
        return Place(section, rows, columns, score, self._reasons(at, strange))

    def _reasons(self, at: int, strange: float) -> tuple[str, ...]:
        """Say why, the strongest reason first; strangeness is in that of half of the windows."""
        names = {c.id: c.name for c in self.ground.classes}
        one, other = (names.get(number, f"class {number}") for number in self.two[at])
        share = f"{100 * self.dispute[at]:.0f} %"
        told = [
            (strange / _TELL_STRANGE, "unlike anything labelled so far"),
            (self.dispute[at] / _TELL_DISPUTE, f"head and network disagree on {share}"),
            (self.doubt[at] / _TELL_DOUBT, f"unsure between {one} and {other}"),
        ]
        reasons = [text for strength, text in sorted(told, key=lambda t: -t[0]) if strength >= 1]
        return tuple(reasons) or (f"like much that has no label, perhaps {one}",)


def _starts(size: int, side: int, tile: int) -> list[int]:
    """Return where windows begin along an axis, evenly, of those with their middle in a tile."""
    count = max(1, round(size / side))
    starts = np.linspace(0, size - side, count).round().astype(int).tolist()
    return [start for start in starts if (start + side // 2) // TILE == tile]

"""Trace the regions of a class map as polygons with exact cell edges, strip by strip.

A region is the cells of one id that hang together by their sides. Its corners are collected while
strips come in; once no cell of the newest row belongs to it, they are linked to rings. So only
regions that reach the newest row are held, and the seams between strips leave no trace.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A corner's flags: its horizontal edge leads to higher columns, its vertical edge to higher
#: rows, and the ring, with the region on its left, leaves the corner by the horizontal edge.
_EAST, _SOUTH, _LEAVES_LEVEL = 1, 2, 4
#: Row and column of the cell seen from a vertex (0: before, 1: after), and the flags of a corner
#: of that cell alone.
_QUADRANTS = (
    (1, 1, _EAST | _SOUTH),
    (1, 0, _SOUTH | _LEAVES_LEVEL),
    (0, 1, _EAST | _LEAVES_LEVEL),
    (0, 0, 0),
)


@dataclass(frozen=True, slots=True)
class Regions:
    """Whole regions: per region its class id, cells, summed confidence and area, and its rings.

    `vertices` int64 (n, 2) are (row, column) of cell corners, without the closing one; ring i is
    `vertices[ring_starts[i]:ring_starts[i + 1]]`, and region j has the rings from
    `region_starts[j]` to before `region_starts[j + 1]`, the outer one first. Outer rings run
    anticlockwise and holes clockwise in a picture with rows down.
    """

    ids: np.ndarray
    cells: np.ndarray
    confidence: np.ndarray
    area: np.ndarray
    vertices: np.ndarray
    ring_starts: np.ndarray
    region_starts: np.ndarray


@dataclass(slots=True)
class _Sums:
    """Per open region: its class id, how many cells, their summed confidence and area."""

    ids: np.ndarray
    cells: np.ndarray
    confidence: np.ndarray
    area: np.ndarray

    def take(self, which: np.ndarray) -> _Sums:
        return _Sums(*(getattr(self, field.name)[which] for field in fields(self)))


@dataclass(slots=True)
class _Corners:
    """Corners of open regions: whose they are, where, and their flags."""

    region: np.ndarray
    row: np.ndarray
    column: np.ndarray
    flags: np.ndarray

    def take(self, which: np.ndarray) -> _Corners:
        return _Corners(*(getattr(self, field.name)[which] for field in fields(self)))


class Tracer:
    """Takes strips of a class map from the top down and gives back the regions that are whole."""

    def __init__(self, columns: int) -> None:
        self._row = 0
        self._last = np.zeros((1, columns), np.uint8)
        #: The open region (its index) of each cell of the last row, -1 for none.
        self._last_regions = np.full((1, columns), -1, np.int64)
        self._sums = _Sums(*(np.zeros(0, t) for t in (np.uint8, np.int64, float, float)))
        self._corners = _Corners(
            *(np.zeros(0, t) for t in (np.int64, np.int64, np.int64, np.uint8))
        )

    def add(self, ids: np.ndarray, confidence: np.ndarray, area: np.ndarray) -> Regions:
        """Take the next rows: ids uint8, confidence 0..1, both (rows, columns); 0 is no region.

        `area` is that of each cell and broadcasts to (rows, columns).
        """
        block = np.concatenate([self._last, ids])
        starts, run_of = _runs(block)
        groups = self._group(block, starts, run_of)
        self._add_sums(block, starts, groups, confidence, area)
        regions = groups[len(groups) - len(starts) :][run_of]
        self._add_corners(block, regions, groups)
        self._row += len(ids)
        self._last, self._last_regions = block[-1:].copy(), regions[-1:].copy()
        return self._split_off()

    def finish(self) -> Regions:
        """Return the regions that reach the last row."""
        nothing = np.zeros(self._last.shape)
        return self.add(nothing.astype(np.uint8), nothing, nothing)

    def _group(self, block: np.ndarray, starts: np.ndarray, run_of: np.ndarray) -> np.ndarray:
        """Return the new region number of every open region, then of every run."""
        known = len(self._sums.ids)
        a, b = run_of[:-1], run_of[1:]
        joined = (block[:-1] == block[1:]) & (block[1:] > 0)
        first = joined.copy()  # one pair per stretch of cells will do
        first[:, 1:] &= ~(joined[:, :-1] & (a[:, 1:] == a[:, :-1]) & (b[:, 1:] == b[:, :-1]))
        open_cells = self._last_regions[0] >= 0
        left = np.concatenate([a[first] + known, self._last_regions[0][open_cells]])
        right = np.concatenate([b[first] + known, run_of[0][open_cells] + known])
        roots = _join(known + len(starts), left, right)
        _, numbers = np.unique(roots, return_inverse=True)
        return numbers

    def _add_sums(
        self, block: np.ndarray, starts: np.ndarray, groups: np.ndarray,
        confidence: np.ndarray, area: np.ndarray,
    ) -> None:  # fmt: skip
        """Add up cells, confidence and area per region; the carried row was counted before."""
        old, count = self._sums, int(groups.max(initial=-1)) + 1
        width = block.shape[1]
        fresh = starts >= width
        at = starts[fresh] - width
        lengths = np.diff(np.append(at, (len(block) - 1) * width))
        areas = np.broadcast_to(area, (len(block) - 1, width)).ravel()
        per_run = (
            lengths,
            np.add.reduceat(confidence.ravel(), at, dtype=np.float64),
            np.add.reduceat(areas, at, dtype=np.float64),
        )
        runs = groups[len(old.ids) :]
        ids = np.zeros(count, np.uint8)
        ids[runs] = block.ravel()[starts]
        ids[groups[: len(old.ids)]] = old.ids
        sums = [
            np.bincount(runs[fresh], values, count)
            + np.bincount(groups[: len(old.ids)], before, count)
            for values, before in zip(per_run, (old.cells, old.confidence, old.area), strict=True)
        ]
        self._sums = _Sums(ids, sums[0].astype(np.int64), sums[1], sums[2])

    def _add_corners(self, block: np.ndarray, regions: np.ndarray, groups: np.ndarray) -> None:
        """Add the corners at the vertices above each row of the strip."""
        held = self._corners
        parts = [_Corners(groups[held.region], held.row, held.column, held.flags)]
        padded = np.pad(block, ((0, 0), (1, 1)))
        for down, right, alone in _QUADRANTS:
            parts += _corners_of(padded, regions, self._row, (down, right), alone)
        self._corners = _Corners(
            *(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(_Corners))
        )

    def _split_off(self) -> Regions:
        """Take out what does not reach the last row, and link it to rings."""
        sums, corners = self._sums, self._corners
        is_open = np.zeros(len(sums.ids), bool)
        is_open[self._last_regions[self._last > 0]] = True
        number = np.cumsum(is_open) - 1
        self._last_regions = np.where(self._last > 0, number[self._last_regions], -1)
        stays = is_open[corners.region]
        self._sums, self._corners = sums.take(is_open), corners.take(stays)
        self._corners.region = number[self._corners.region]
        done = ~is_open & (sums.ids > 0)
        ready = corners.take(~stays)
        ready.region = (np.cumsum(done) - 1)[ready.region]
        return _linked(sums.take(done), ready)


def _runs(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where (flat) each run of equal cells in a row starts, and each cell's run."""
    begins = np.ones(block.shape, bool)
    begins[:, 1:] = block[:, 1:] != block[:, :-1]
    return np.flatnonzero(begins), (np.cumsum(begins, dtype=np.int64) - 1).reshape(block.shape)


def _join(count: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return for each of `count` things the smallest that it hangs together with by pairs a, b."""
    root = np.arange(count)
    while a.size:
        low, high = np.minimum(root[a], root[b]), np.maximum(root[a], root[b])
        apart = low != high
        a, b = low[apart], high[apart]
        np.minimum.at(root, b, a)
        while not np.array_equal(further := root[root], root):
            root = further
    return root


def _corners_of(
    padded: np.ndarray, regions: np.ndarray, row: int, quadrant: tuple[int, int], alone: int
) -> Iterator[_Corners]:
    """Yield the corners that the cells of one quadrant of each vertex make.

    A cell makes one where both its neighbours at the vertex are foreign, and one where both
    belong to its region but the cell across does not: then the ring turns round that one.
    """
    down, right = quadrant
    rows, columns = len(padded) - 1, padded.shape[1] - 1

    def cells(d: int, r: int) -> np.ndarray:
        return padded[d : d + rows, r : r + columns]

    own = cells(down, right)
    level, upright = own == cells(down, 1 - right), own == cells(1 - down, right)
    present = own > 0
    across = own != cells(1 - down, 1 - right)
    mirrored = alone ^ (_EAST | _SOUTH)  # turning round the cell across, the edges are its own
    for found, flags in (
        (present & ~level & ~upright, alone),
        (present & level & upright & across, mirrored ^ _LEAVES_LEVEL),
    ):
        at_row, at_column = np.nonzero(found)
        region = regions[at_row + down, at_column + right - 1]
        yield _Corners(region, at_row + row, at_column, np.full(len(region), flags, np.uint8))


def _linked(sums: _Sums, corners: _Corners) -> Regions:
    """Link the corners of whole regions to rings, outer rings first."""
    along = _partners(corners, corners.row, corners.column, _EAST)
    if len(corners.row):
        _part_touching(corners, along)
    level = _pairs(along)
    upright = _pairs(_partners(corners, corners.column, corners.row, _SOUTH))
    following = np.where(corners.flags & _LEAVES_LEVEL > 0, level, upright)
    order, starts = _cycles(following)
    vertices = np.stack([corners.row[order], corners.column[order]], axis=1)
    owner = corners.region[order[starts[:-1]]]
    return _in_order(sums, vertices, starts, owner)


def _partners(corners: _Corners, line: np.ndarray, place: np.ndarray, flag: int) -> np.ndarray:
    """Return the corners in the order in which edges join them two by two along their lines.

    Where two corners of a region share a vertex, the one that ends an edge comes first.
    """
    span = 2 * (int(place.max(initial=0)) + 1)
    key = line * span + 2 * place + (corners.flags & flag > 0)
    return np.lexsort((key, corners.region))


def _part_touching(corners: _Corners, along: np.ndarray) -> None:
    """Swap the vertical edges of two corners of a region at one vertex.

    The region touches itself there, so one of the two other cells is enclosed by it. With the
    edges swapped no ring meets itself: that cell is left to a hole of its own.
    """
    a, b = along[:-1], along[1:]
    same = (
        (corners.region[a] == corners.region[b])
        & (corners.row[a] == corners.row[b])
        & (corners.column[a] == corners.column[b])
    )
    corners.flags[a[same]] ^= _SOUTH
    corners.flags[b[same]] ^= _SOUTH


def _pairs(order: np.ndarray) -> np.ndarray:
    """Return the partner of each corner, given an order in which partners are neighbours."""
    partner = np.empty_like(order)
    partner[order[::2]], partner[order[1::2]] = order[1::2], order[::2]
    return partner


def _cycles(following: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners ring after ring, and where each ring starts, with the end appended."""
    count = len(following)
    after, seen = following.data, bytearray(count)
    order = np.empty(count, np.int64)
    out, starts, done = order.data, [], 0
    for first in range(count):
        if seen[first]:
            continue
        starts.append(done)
        at = first
        while not seen[at]:
            seen[at] = 1
            out[done] = at
            done += 1
            at = after[at]
    starts.append(done)
    return order, np.array(starts, np.int64)


def _in_order(sums: _Sums, vertices: np.ndarray, starts: np.ndarray, owner: np.ndarray) -> Regions:
    """Sort the rings by region, the outer one (which encloses area from its left) first."""
    if not len(owner):
        empty = np.zeros(1, np.int64)
        return Regions(sums.ids, sums.cells, sums.confidence, sums.area, vertices, empty, empty)
    ends = starts[1:]
    row, column = vertices[:, 0], vertices[:, 1]
    after = np.arange(1, len(row) + 1)
    after[ends - 1] = starts[:-1]
    # A ring's edges from row to row, each times its column, add up to its area with a sign.
    turned = np.add.reduceat(column * (row - row[after]), starts[:-1])
    order = np.lexsort((turned < 0, owner))
    lengths = np.diff(starts)[order]
    ring_starts = np.concatenate([[0], np.cumsum(lengths)])
    gather = np.arange(len(row)) + np.repeat(starts[:-1][order] - ring_starts[:-1], lengths)
    region_starts = np.searchsorted(owner[order], np.arange(len(sums.ids) + 1))
    return Regions(
        sums.ids, sums.cells, sums.confidence, sums.area,
        vertices[gather], ring_starts, region_starts,
    )  # fmt: skip

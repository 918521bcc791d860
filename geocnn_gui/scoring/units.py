"""Cut labelled ground into units that are held out whole: blocks, sections, polygons, files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.scoring.regions import source_cells
from geocnn_gui.scoring.split_spec import UnitKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from geocnn_gui.scoring.split import LabelledPlane

#: Beyond every source: the end of a unit that goes on to the border.
_END = 2**30
#: Patches are told apart on squares of cells, at most about this many of them.
_MOST_SQUARES = 250_000
_WIDE_STEP = 64


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """A piece of ground that is held out whole.

    `id` stays the same while the labels there do; `boxes` int64 (n, axes, 2) are its ground in
    source number `source`; `counts` int64 (classes,) its labelled cells.
    """

    id: str
    source: int
    boxes: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True, eq=False)
class UnitSet:
    """All units of a split, and for each picture the unit number of every labelled cell.

    `classes` is their number; `side`, `axis` and `cuts` are those of `SplitChoice`.
    """

    kind: UnitKind
    classes: int
    units: tuple[Unit, ...]
    owners: tuple[np.ndarray, ...]
    side: int = 1
    axis: int | None = None
    cuts: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def counts(self) -> np.ndarray:
        """Return labelled cells int64 (units, classes)."""
        return np.array([unit.counts for unit in self.units], np.int64).reshape(-1, self.classes)

    @cached_property
    def ground(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Return of each source all boxes int64 (n, axes, 2) and their unit numbers from 1."""
        found = {}
        for source in {unit.source for unit in self.units}:
            own = [(n, u.boxes) for n, u in enumerate(self.units, 1) if u.source == source]
            numbers = np.repeat([n for n, _ in own], [len(boxes) for _, boxes in own])
            found[source] = np.concatenate([boxes for _, boxes in own]), numbers
        return found


def cut_blocks(
    planes: Sequence[LabelledPlane], classes: int, side: int, *, kind: UnitKind = "block"
) -> UnitSet:
    """Cut every source into boxes of `side` cells along all its axes."""

    def describe(source: int, place: tuple[int, ...]) -> tuple[str, np.ndarray]:
        low = np.array(place) * side
        return f"{source}:{'-'.join(map(str, low))}", np.stack([low, low + side], axis=1)[None]

    keys = [
        [place // side for place in source_cells(p.plane, p.cells.rows, p.cells.columns)]
        for p in planes
    ]
    units, owners = _gather(planes, classes, keys, describe)
    return UnitSet(kind, classes, units, owners, side)


def cut_files(planes: Sequence[LabelledPlane], classes: int) -> UnitSet:
    """Take every source whole."""

    def describe(source: int, place: tuple[int, ...]) -> tuple[str, np.ndarray]:
        return f"{source}", np.array([[(0, _END)] * len(place)])

    keys = [[np.zeros(1, np.int64)] * p.plane.ndim for p in planes]
    units, owners = _gather(planes, classes, keys, describe)
    return UnitSet("file", classes, units, owners)


def cut_sections(
    planes: Sequence[LabelledPlane], classes: int, axis: int, cuts: dict[int, tuple[int, ...]]
) -> UnitSet:
    """Cut every cube across `axis` at `cuts`; a source without sections is taken whole."""

    def describe(source: int, place: tuple[int, ...]) -> tuple[str, np.ndarray]:
        box = np.array([[(0, _END)] * len(place)])
        if len(place) < 3:
            return f"{source}", box
        low, high = (*cuts[source], _END)[place[axis] : place[axis] + 2]
        box[0, axis] = low, high
        return f"{source}:{axis}:{low}", box

    keys = []
    for p in planes:
        places = [np.zeros(1, np.int64)] * p.plane.ndim
        if p.plane.ndim == 3:
            along = source_cells(p.plane, p.cells.rows, p.cells.columns)[axis]
            places[axis] = np.searchsorted(cuts[p.source], along, side="right") - 1
        keys.append(places)
    units, owners = _gather(planes, classes, keys, describe)
    return UnitSet("section", classes, units, owners, axis=axis, cuts=cuts)


def cut_records(planes: Sequence[LabelledPlane], classes: int) -> UnitSet:
    """Take all samples of a record as a unit; a source without records is taken whole."""

    def describe(source: int, place: tuple[int, ...]) -> tuple[str, np.ndarray]:
        records = next(p.records for p in planes if p.source == source)
        if records is None:
            return f"{source}", np.array([[(0, _END)] * len(place)])
        held = np.flatnonzero(np.diff(np.pad(records == place[1], 1).astype(np.int8)))
        boxes = np.zeros((len(held) // 2, 2, 2), np.int64)
        boxes[:, 0] = 0, _END
        boxes[:, 1] = held.reshape(-1, 2)
        return f"{source}:{place[1]}", boxes

    keys = []
    for p in planes:
        places = [np.zeros(1, np.int64)] * p.plane.ndim
        if p.records is not None:
            places[1] = p.records[p.cells.columns]
        keys.append(places)
    units, owners = _gather(planes, classes, keys, describe)
    return UnitSet("record", classes, units, owners)


def section_axis(planes: Sequence[LabelledPlane]) -> int | None:
    """Return the axis with most sections; None where no source has any."""
    axes = [p.plane.section.axis for p in planes if p.plane.section.axis is not None]
    return max(sorted(set(axes)), key=axes.count) if axes else None


def group_sections(
    planes: Sequence[LabelledPlane], axis: int, groups: int
) -> dict[int, tuple[int, ...]]:
    """Return where to cut each cube across `axis` into `groups` at most.

    Groups are sections that follow each other, of about as many labels; a cut lies midway
    between two sections.
    """
    cuts: dict[int, tuple[int, ...]] = {}
    for source in sorted({p.source for p in planes if p.plane.ndim == 3}):
        along = [
            (p.plane.section.index, len(p.cells.rows))
            for p in planes
            if p.source == source and p.plane.section.axis == axis
        ]
        cuts[source] = _even_cuts(sorted(along), groups)
    return cuts


def _even_cuts(along: list[tuple[int, int]], groups: int) -> tuple[int, ...]:
    """Cut sections (index, labelled cells) into groups of about as many cells."""
    if not along:
        return (0,)
    index, cells = (np.array(each) for each in zip(*along, strict=True))
    ends = np.cumsum(cells) - cells / 2
    group = np.minimum(ends * groups // max(cells.sum(), 1), groups - 1)
    last = np.flatnonzero(np.diff(group))
    return (0, *((index[last] + index[last + 1] + 1) // 2).tolist())


def _gather(
    planes: Sequence[LabelledPlane], classes: int, keys: list[list[np.ndarray]],
    describe: Callable[[int, tuple[int, ...]], tuple[str, np.ndarray]],
) -> tuple[tuple[Unit, ...], tuple[np.ndarray, ...]]:  # fmt: skip
    """Return the units, by source and place, and whose each cell is; `keys` hold each cell's place per axis."""
    units: list[Unit] = []
    owners: list[np.ndarray] = [np.zeros(0, np.int64)] * len(planes)
    for source in sorted({p.source for p in planes}):
        own = [i for i, p in enumerate(planes) if p.source == source]
        sizes = [max(int(a.max(initial=0)) for a in axis) + 1
                 for axis in zip(*(keys[i] for i in own), strict=True)]  # fmt: skip
        flat = [_pack(keys[i], sizes, len(planes[i].cells.rows)) for i in own]
        found, inverse = np.unique(np.concatenate(flat), return_inverse=True)
        numbers = np.concatenate([planes[i].cells.classes for i in own])
        counts = np.bincount(inverse * classes + numbers, minlength=len(found) * classes)
        for key, count in zip(found, counts.reshape(-1, classes), strict=True):
            place = tuple(int(a) for a in np.unravel_index(key, sizes))
            name, boxes = describe(source, place)
            units.append(Unit(name, source, boxes, count))
        first = len(units) - len(found)
        for i, part in zip(own, np.split(inverse, np.cumsum([len(f) for f in flat])[:-1]),
                           strict=True):  # fmt: skip
            owners[i] = part + first
    return tuple(units), tuple(owners)


def _pack(places: Sequence[np.ndarray], sizes: Sequence[int], n: int) -> np.ndarray:
    flat = np.zeros(n, np.int64)
    for place, size in zip(places, sizes, strict=True):
        flat = flat * size + place
    return flat


# ---- Patches of labels -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """Connected patches of labels of one class each, told apart on squares of `grain` cells.

    Per source with labels: `squares` int64 (n, axes) in order, the patch of each (numbered from
    0 within the source), and for each of its pictures which square every labelled cell lies in.
    """

    grain: int
    squares: dict[int, np.ndarray]
    patch: dict[int, np.ndarray]
    of_cell: tuple[np.ndarray, ...]


def grain_of(planes: Sequence[LabelledPlane]) -> int:
    """Return the side of squares fine enough for the labels, coarse enough to be few.

    Where only every so-many-th cell is listed, a square is as wide as the steps between them, or
    holds about 16 listed ones, so that a patch does not fall apart.
    """
    step = max((p.cells.step for p in planes), default=1)
    grain = step if step <= _WIDE_STEP else max(_WIDE_STEP, 4 * int(np.ceil(np.sqrt(step))))
    cells = sum(len(p.cells.rows) for p in planes)
    while cells > _MOST_SQUARES and _count_squares(planes, grain) > _MOST_SQUARES:
        grain *= 2
    return grain


def _count_squares(planes: Sequence[LabelledPlane], grain: int) -> int:
    found = 0
    for p in planes:
        across = p.shape[1] // grain + 1
        flat = np.sort(p.cells.rows // grain * across + p.cells.columns // grain)
        found += np.count_nonzero(np.diff(flat, prepend=-1))
    return int(found)


def find_patches(planes: Sequence[LabelledPlane], grain: int, *, by_class: bool = True) -> Patches:
    """Find the patches: touching squares, also at corners, whose commonest class is the same.

    With `by_class` false any labels that touch are one patch.
    """
    squares: dict[int, np.ndarray] = {}
    patch: dict[int, np.ndarray] = {}
    of_cell: list[np.ndarray] = [np.zeros(0, np.int64)] * len(planes)
    for source in sorted({p.source for p in planes}):
        own = [i for i, p in enumerate(planes) if p.source == source]
        places = []
        for p in (planes[i] for i in own):
            cells = source_cells(p.plane, p.cells.rows, p.cells.columns)
            places.append([c // grain for c in cells])
        sizes = [max(int(a.max(initial=0)) for a in axis) + 3 for axis in zip(*places, strict=True)]
        lengths = [len(planes[i].cells.rows) for i in own]
        keys = [_pack([a + 1 for a in p], sizes, n) for p, n in zip(places, lengths, strict=True)]
        found, inverse = np.unique(np.concatenate(keys), return_inverse=True)
        classes = np.concatenate([planes[i].cells.classes for i in own])
        kinds = _commonest(inverse, classes) if by_class else np.zeros(len(found), np.int64)
        patch[source] = _connect(found, sizes, kinds)
        squares[source] = np.stack(np.unravel_index(found, sizes), axis=1) - 1
        for i, part in zip(own, np.split(inverse, np.cumsum(lengths)[:-1]), strict=True):
            of_cell[i] = part
    return Patches(grain, squares, patch, tuple(of_cell))


def _commonest(square: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the commonest class of each square, the first of equals."""
    if not len(classes):
        return np.zeros(0, np.int64)
    number = int(classes.max()) + 1
    return np.bincount(square * number + classes, minlength=(int(square.max()) + 1) * number).reshape(
        -1, number
    ).argmax(1)  # fmt: skip


def _connect(keys: np.ndarray, sizes: Sequence[int], kinds: np.ndarray) -> np.ndarray:
    """Return the number of each square's connected group; `keys` are packed squares in order."""
    root = np.arange(len(keys))
    steps = [s for s in product((-1, 0, 1), repeat=len(sizes)) if s > (0,) * len(sizes)]
    pairs = []
    for step in steps:
        other = keys + _pack([np.full(1, s) for s in step], sizes, 1)
        at = np.minimum(np.searchsorted(keys, other), max(len(keys) - 1, 0))
        joined = np.flatnonzero((keys[at] == other) & (kinds[at] == kinds))
        pairs.append(np.stack([joined, at[joined]]))
    one, two = np.concatenate(pairs, axis=1)
    while True:  # every group takes its lowest number; halving the chains keeps the rounds few
        low = np.minimum(root[one], root[two])
        new = root.copy()
        np.minimum.at(new, root[one], low)
        np.minimum.at(new, root[two], low)
        new = new[new]
        if np.array_equal(new, root):
            return np.unique(root, return_inverse=True)[1]
        root = new


def cut_polygons(planes: Sequence[LabelledPlane], classes: int, grain: int) -> UnitSet:
    """Take every patch of labels of one class as a unit."""
    patches = find_patches(planes, grain)
    units: list[Unit] = []
    owners: list[np.ndarray] = [np.zeros(0, np.int64)] * len(planes)
    for source, patch in patches.patch.items():
        number = int(patch.max()) + 1 if len(patch) else 0
        counts = np.zeros((number, classes), np.int64)
        for i, p in enumerate(planes):
            if p.source == source:
                own = patch[patches.of_cell[i]]
                np.add.at(counts, (own, p.cells.classes), 1)
                owners[i] = own + len(units)
        boxes = _runs(patches.squares[source], patch, grain)
        for count, box in zip(counts, boxes, strict=True):
            name = "-".join(str(n) for n in box[0, :, 0])
            units.append(Unit(f"{source}:{name}", source, box, count))
    return UnitSet("polygon", classes, tuple(units), tuple(owners), grain)


def _runs(squares: np.ndarray, patch: np.ndarray, grain: int) -> list[np.ndarray]:
    """Return each patch's ground as boxes int64 (n, axes, 2), runs along the last axis."""
    if not len(squares):
        return []
    order = np.lexsort((*squares.T[::-1], patch))
    places, owner = squares[order], patch[order]
    new = np.ones(len(places), bool)
    new[1:] = (owner[1:] != owner[:-1]) | np.any(places[1:, :-1] != places[:-1, :-1], axis=1)
    new[1:] |= places[1:, -1] != places[:-1, -1] + 1
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(places)) - 1
    boxes = np.stack([places[first], places[last] + 1], axis=2) * grain
    return np.split(boxes, np.flatnonzero(np.diff(owner[first])) + 1)

"""Choose by what to hold out, from how the labels lie, and cut them so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.scoring.split import BLOCK_SIDES, SAMPLE_SIDES
from geocnn_gui.scoring.split_spec import LEAKY, UnitKind
from geocnn_gui.scoring.units import (
    UnitSet,
    cut_blocks,
    cut_files,
    cut_polygons,
    cut_records,
    cut_sections,
    find_patches,
    grain_of,
    group_sections,
    section_axis,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geocnn_gui.scoring.buffer import Buffer
    from geocnn_gui.scoring.split import LabelledPlane
    from geocnn_gui.scoring.split_spec import SplitChoice, SplitSpec
    from geocnn_gui.scoring.units import Patches

_FILES_PER_CLASS = _GROUPS_PER_CLASS = 3
_FEWEST_SECTIONS = 6
_PATCHES_PER_CLASS = 5
#: Polygons stand apart when this share of the patches of single classes touch no other.
_APART = 0.5
_FEWEST_BLOCKS, _FEWEST_OF_SMALLEST = 10, 4
#: So many units held out are enough for an interval of the score.
HELD_UNITS = 5
#: A class of one patch is cut into blocks only where the patch is so many blocks long.
_BLOCKS_LONG = 3

#: Units, and which of them may be held out, bool (units,).
Cut = tuple[UnitSet, np.ndarray]

_REASONS: dict[str, str] = {
    "block": "the labels lie in one picture or in few files, sections or patches",
    "section": "the labels lie on many sections",
    "polygon": "every class is labelled in separate patches",
    "file": "every class is labelled in several files",
    "record": "samples of one record resemble each other",
    LEAKY: "as asked for",
}


_SAMPLES = "samples that follow each other may resemble each other"


def cut_units(
    planes: Sequence[LabelledPlane], classes: int, spec: SplitSpec, wanted: Buffer
) -> tuple[list[Cut], str]:
    """Return the ways to cut them, the one to prefer first, and why these, in words.

    A unit may not be held out where it holds a class that lies in no other, or a class of one patch too
    small to be cut: that class stays in training.
    """
    patches = find_patches(planes, grain_of(planes))
    kind, reason = spec.unit, "as asked for"
    if kind == "auto":
        kind = _choose(planes, classes, spec, (wanted, patches))
        reason = _SAMPLES if _are_samples(planes) and kind == "block" else _REASONS[kind]
    match kind:
        case "file":
            units = cut_files(planes, classes)
        case "section":
            units = _sections(planes, classes, spec, wanted)
        case "polygon":
            units = cut_polygons(planes, classes, patches.grain)
        case "record":
            units = cut_records(planes, classes)
        case _:
            return _blocks(planes, classes, spec, (wanted, patches), kind), reason
    return [(units, _movable(units.counts, np.zeros(classes, bool)))], reason


def recut_units(planes: Sequence[LabelledPlane], classes: int, choice: SplitChoice) -> UnitSet:
    """Cut the labels as a kept choice did, whatever has been painted since."""
    match choice.unit:
        case "file":
            return cut_files(planes, classes)
        case "section":
            cuts = {p.source: choice.cuts.get(p.source, (0,)) for p in planes}
            return cut_sections(planes, classes, choice.axis or 0, cuts)
        case "polygon":
            return cut_polygons(planes, classes, choice.side)
        case "record":
            return cut_records(planes, classes)
        case _:
            return cut_blocks(planes, classes, choice.side, kind=choice.unit)


def _choose(
    planes: Sequence[LabelledPlane], classes: int, spec: SplitSpec,
    measures: tuple[Buffer, Patches],
) -> UnitKind:  # fmt: skip
    wanted, patches = measures
    if _files_do(planes, classes):
        return "file"
    if _are_samples(planes):
        return "record" if any(p.records is not None for p in planes) else "block"
    if _sections_do(planes, classes, spec, wanted):
        return "section"
    return "polygon" if _polygons_do(planes, classes, patches) else "block"


def _are_samples(planes: Sequence[LabelledPlane]) -> bool:
    return bool(planes) and all(p.samples for p in planes)


def _present(planes: Sequence[LabelledPlane], classes: int) -> np.ndarray:
    counts = np.zeros(classes, np.int64)
    for p in planes:
        counts += np.bincount(p.cells.classes, minlength=classes)
    return np.greater(counts, 0)


def _files_do(planes: Sequence[LabelledPlane], classes: int) -> bool:
    holding = (cut_files(planes, classes).counts > 0).sum(0)
    return bool(np.all(holding[_present(planes, classes)] >= _FILES_PER_CLASS))


def _across(axis: int, wanted: Buffer) -> int:
    return wanted[0] if axis == 2 else wanted[1]


def _sections_do(
    planes: Sequence[LabelledPlane], classes: int, spec: SplitSpec, wanted: Buffer
) -> bool:
    """Say whether labels lie on many sections, groups of which are wider than the buffer."""
    axis = section_axis(planes)
    places = {p.plane.section.index for p in planes if p.plane.section.axis == axis}
    if axis is None or len(places) < _FEWEST_SECTIONS:
        return False
    if (max(places) - min(places)) / _FEWEST_SECTIONS < 2 * _across(axis, wanted):
        return False
    holding = (_sections(planes, classes, spec, wanted).counts > 0).sum(0)
    return bool(np.all(holding[_present(planes, classes)] >= _GROUPS_PER_CLASS))


def _polygons_do(planes: Sequence[LabelledPlane], classes: int, patches: Patches) -> bool:
    """Say whether each class has several patches and most of them touch no other."""
    present = _present(planes, classes)
    if np.any(_patches_per_class(planes, classes, patches)[present] < _PATCHES_PER_CLASS):
        return False
    joined = find_patches(planes, patches.grain, by_class=False)
    single, all_in = (
        sum(int(each.max(initial=-1)) + 1 for each in found.patch.values())
        for found in (patches, joined)
    )
    return all_in >= _APART * single


def _patches_per_class(
    planes: Sequence[LabelledPlane], classes: int, patches: Patches
) -> np.ndarray:
    found = np.zeros(classes, np.int64)
    for source, patch in patches.patch.items():
        held = np.zeros((int(patch.max(initial=-1)) + 1, classes), bool)
        for p, square in zip(planes, patches.of_cell, strict=True):
            if p.source == source:
                held[patch[square], p.cells.classes] = True
        found += held.sum(0)
    return found


def _sections(
    planes: Sequence[LabelledPlane], classes: int, spec: SplitSpec, wanted: Buffer
) -> UnitSet:
    """Group the sections, into groups of at least twice the buffer where they reach so far."""
    axis = section_axis(planes)
    if axis is None:
        return cut_sections(planes, classes, 0, {})
    places = [p.plane.section.index for p in planes if p.plane.section.axis == axis]
    room = (max(places) - min(places)) // max(2 * _across(axis, wanted), 1)
    fewest = max(_FEWEST_SECTIONS, spec.folds)
    groups = int(np.clip(_enough_units(spec), fewest, max(room, fewest)))
    return cut_sections(planes, classes, axis, group_sections(planes, axis, groups))


def _enough_units(spec: SplitSpec) -> int:
    """Return how many units give each fold enough for all classes and for an interval."""
    if spec.folds > 1 or not spec.share:
        return max(_FEWEST_BLOCKS, HELD_UNITS * spec.folds)
    return max(_FEWEST_BLOCKS, int(np.ceil(HELD_UNITS / spec.share)))


def _movable(counts: np.ndarray, small: np.ndarray) -> np.ndarray:
    """Say which units may be held out: none that holds a class found in one unit only, or `small`.

    `small` bool (classes,): of one patch that is not worth cutting.
    """
    holding = counts > 0
    stay = small | (holding.sum(0) == 1)
    return np.logical_not(holding[:, stay].any(1))


def _blocks(
    planes: Sequence[LabelledPlane], classes: int, spec: SplitSpec,
    measures: tuple[Buffer, Patches], kind: UnitKind,
) -> list[Cut]:  # fmt: skip
    """Cut blocks: first the widest that leave enough of them and let most classes be held out.

    Blocks narrower than twice the buffer are the last resort. After them come others of which
    there are enough too and which let as many classes be held out.
    """
    wanted, patches = measures
    extents = _extents(planes, classes, patches)
    found: list[tuple[tuple, Cut]] = []
    sides = SAMPLE_SIDES if _are_samples(planes) else BLOCK_SIDES
    for side in sides:
        units = cut_blocks(planes, classes, side, kind=kind)
        small = extents < _BLOCKS_LONG * side
        movable = _movable(units.counts, small)
        fewest = _FEWEST_OF_SMALLEST if side == sides[-1] else _FEWEST_BLOCKS
        scored = units.counts[movable].sum(0) > 0
        rank = (
            len(units.units) >= fewest and bool(movable.any()),
            side >= 2 * max(wanted),
            int(scored.sum()),
            len(units.units) >= _enough_units(spec),
            side if len(units.units) >= fewest else -side,
        )
        found.append((rank, (units, movable)))
    found.sort(key=lambda each: each[0], reverse=True)
    rank, (units, movable) = found[0]
    if len(units.units) < _FEWEST_OF_SMALLEST:
        return [(units, np.zeros(len(units.units), bool))]
    return [cut for other, cut in found if other[0] == rank[0] and other[2] >= rank[2]]


def _extents(planes: Sequence[LabelledPlane], classes: int, patches: Patches) -> np.ndarray:
    """Return how long in cells the one patch of each class is; without end where it has more."""
    extents = np.full(classes, np.inf)
    number = _patches_per_class(planes, classes, patches)
    for k in np.flatnonzero(number == 1):
        spans = [
            (int(np.ptp(places)) + 1)
            for p in planes
            for places in (p.cells.rows[p.cells.classes == k], p.cells.columns[p.cells.classes == k])
            if len(places)
        ]  # fmt: skip
        extents[k] = max(spans, default=0)
    return extents

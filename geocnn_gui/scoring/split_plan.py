"""The plan of a split: which units are held out in which fold, kept for a test, or trained on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import ge
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.errors import BadRequest, NotEnoughLabels
from geocnn_gui.scoring.buffer import MOST_LOST, Buffer, along_axes, wanted_buffer, widest_kept
from geocnn_gui.scoring.choose_unit import HELD_UNITS, cut_units, recut_units
from geocnn_gui.scoring.draw import draw_roles
from geocnn_gui.scoring.regions import Boxes, PixelDraw, PlaneSplit, project
from geocnn_gui.scoring.split import LabelledPlane
from geocnn_gui.scoring.split_spec import LEAKY, TEST, TRAINED, SplitChoice, SplitSpec
from geocnn_gui.scoring.split_words import split_warnings, split_words
from geocnn_gui.scoring.units import UnitSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geocnn_gui.data.source import Plane
    from geocnn_gui.scoring.units import Unit

#: The "fold" of the fit to all labels: no unit has it.
_REFIT = -3


@dataclass(frozen=True, slots=True)
class Place:
    """Where a unit lies in a picture: the box around its ground there, in rows and columns.

    `role` is a fold from 0, `TRAINED` or `TEST`; `plane` the number of the picture.
    """

    unit: str
    role: int
    plane: int
    rows: slice
    columns: slice


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Where the labelled cells of each class go, int64 (classes,) each.

    Of a class with very many labels each cell listed counts for those that it stands for.
    """

    trained: np.ndarray
    buffer: np.ndarray
    held: np.ndarray
    test: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """Return all labelled cells of each class."""
        return self.trained + self.buffer + self.held + self.test


@dataclass(frozen=True)
class SplitPlan:
    """Who holds which role, and what follows from it. Made by `plan_split`, changed by copies.

    `roles` holds one number per unit of `units`: a fold from 0, `TRAINED` or `TEST`. `buffer` is
    kept around held-out and test ground, (down, along) in cells; `wanted` is what it should be.
    `classes` are names; `missing` counts the units of a kept choice that hold no labels any more.
    Plans of the same labels are equal when they say the same of every unit.
    """

    spec: SplitSpec
    classes: tuple[str, ...]
    planes: tuple[LabelledPlane, ...] = field(compare=False)
    unit_set: UnitSet = field(compare=False)
    reason: str
    roles: tuple[int, ...]
    wanted: Buffer
    wanted_for: str
    buffer: Buffer = (0, 0)
    missing: int = 0

    @property
    def units(self) -> tuple[Unit, ...]:
        """Return all units that hold labels."""
        return self.unit_set.units

    @property
    def unit(self) -> str:
        """Return what is held out as a whole."""
        return self.unit_set.kind

    @property
    def folds(self) -> int:
        """Count the folds; 0 where nothing is held out."""
        most = max(self.roles, default=TRAINED)
        return self.spec.folds if self._leaky and most >= 0 else most + 1

    @property
    def tests(self) -> tuple[str, ...]:
        """Return the units kept for the test."""
        return tuple(u.id for u, r in zip(self.units, self.roles, strict=True) if r == TEST)

    @cached_property
    def unknown(self) -> tuple[int, ...]:
        """Return the class numbers, from 0, that no fold scores."""
        held = np.zeros(len(self.classes), np.int64)
        for fold in range(self.folds):
            held += self.parts(fold).held
        return tuple(int(k) for k in np.flatnonzero(held == 0))

    @property
    def capped(self) -> bool:
        """Say whether the buffer is narrower than it should be."""
        return self.buffer != self.wanted

    @property
    def words(self) -> tuple[str, ...]:
        """Return what is held out and why, a sentence each."""
        return split_words(self)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what makes the score less than it seems, a sentence each."""
        return split_warnings(self)

    # ---- What each picture gives ---------------------------------------------------------------

    def fold(self, number: int) -> tuple[PlaneSplit, ...]:
        """Return what fold `number` means for each picture."""
        return tuple(self.on(p.source, p.plane, p.shape, fold=number) for p in self.planes)

    def refit(self) -> tuple[PlaneSplit, ...]:
        """Return what the fit to all labels may see of each picture: all but the test set."""
        return tuple(self.on(p.source, p.plane, p.shape, fold=None) for p in self.planes)

    def on(
        self, source: int, plane: Plane, shape: tuple[int, int], *, fold: int | None
    ) -> PlaneSplit:
        """Return what a fold (None: the refit) means for any picture of a source."""
        boxes, owners = self._ground_of(source, plane.ndim)
        roles = np.array(self.roles, np.int64)[owners - 1]
        draw = self._draw(source, plane, fold)
        held = roles >= 0 if draw else roles == (_REFIT if fold is None else fold)
        test = roles == TEST
        closed = test if draw else held | test
        grow = along_axes(plane, self.buffer)
        return PlaneSplit(
            shape,
            held=project(boxes[held], owners[held], plane),
            test=project(boxes[test], owners[test], plane),
            near=project(boxes[closed], owners[closed], plane, grow=grow),
            pixels=draw,
        )

    def ground(self, source: int, plane: Plane) -> Boxes:
        """Return the ground of all units on a picture of a source, by unit number from 1."""
        return project(*self._ground_of(source, plane.ndim), plane)

    def places(self) -> Iterator[Place]:
        """Yield where each unit lies in each labelled picture, to draw it and to click on it."""
        for number, p in enumerate(self.planes):
            ground = self.ground(p.source, p.plane).within(p.shape)
            low, high = np.full((len(self.units), 4), 2**62), np.zeros((len(self.units), 4), int)
            np.minimum.at(low, ground.owners - 1, ground.spans)
            np.maximum.at(high, ground.owners - 1, ground.spans)
            for unit in np.unique(ground.owners) - 1:
                yield Place(
                    self.units[unit].id, self.roles[unit], number,
                    slice(int(low[unit, 0]), int(high[unit, 1])),
                    slice(int(low[unit, 2]), int(high[unit, 3])),
                )  # fmt: skip

    def unit_at(self, plane: int, row: int, column: int) -> str | None:
        """Return the unit at a cell of picture number `plane`, None on ground without labels."""
        p = self.planes[plane]
        ground = self.ground(p.source, p.plane)
        number = int(ground.paint(slice(row, row + 1), slice(column, column + 1))[0, 0])
        return self.units[number - 1].id if number else None

    def parts(self, fold: int | None) -> Parts:
        """Count where the labelled cells of each class go in a fold, or in the refit (None)."""
        counts = np.zeros((4, len(self.classes)), np.int64)
        for p, owners in zip(self.planes, self.unit_set.owners, strict=True):
            split = self.on(p.source, p.plane, p.shape, fold=fold)
            states = self._states(p, np.array(self.roles, np.int64)[owners], (split, fold))
            flat = states * len(self.classes) + p.cells.classes
            found = np.bincount(flat, p.cells.stands_for, minlength=counts.size)
            counts += found.astype(np.int64).reshape(counts.shape)
        return Parts(*counts)

    def _states(
        self, p: LabelledPlane, roles: np.ndarray, how: tuple[PlaneSplit, int | None]
    ) -> np.ndarray:
        """Return for each cell 0 trained on, 1 in the buffer, 2 held out, 3 of the test."""
        split, fold = how
        if split.pixels is not None:
            held = (roles >= 0) & split.pixels.drawn(p.cells.rows, p.cells.columns)
        else:
            held = roles == (_REFIT if fold is None else fold)
        states = np.where(roles == TEST, 3, np.where(held, 2, 0))
        left = np.flatnonzero(states == 0)
        if max(self.buffer) and len(split.near.spans):
            near = split.near.covers(p.cells.rows[left], p.cells.columns[left])
            states[left[near]] = 1
        return states

    def _draw(self, source: int, plane: Plane, fold: int | None) -> PixelDraw | None:
        if not self._leaky or fold is None:
            return None
        folds, share = self.spec.folds, self.spec.share
        low, high = (fold / folds, (fold + 1) / folds) if folds > 1 else (0.0, share)
        return PixelDraw(source, plane, self.spec.seed, low, high)

    # ---- Changes -------------------------------------------------------------------------------

    def moved(self, unit: str, *, held: bool, fold: int = 0) -> SplitPlan:
        """Return the plan with a unit held out in `fold`, or trained on.

        Raises
        ------
        NotEnoughLabels
            When a class would keep no labels to train on.
        BadRequest
            When single pixels are held out: their units cannot be moved.
        """
        if self._leaky:
            raise BadRequest(
                "Single pixels are held out, which cannot be moved", "hold out by block instead"
            )
        return self._with(unit, fold if held else TRAINED)

    def tested(self, unit: str, *, test: bool) -> SplitPlan:
        """Return the plan with a unit kept for the test, never trained on, or trained on again.

        Raises
        ------
        NotEnoughLabels
            When a class would keep no labels to train on.
        """
        return self._with(unit, TEST if test else self._plain_role)

    def choice(self) -> SplitChoice:
        """Return the units chosen, for a project to keep; `plan_split` takes it back."""
        kept, plain = self.unit_set, self._plain_role
        roles = {u.id: r for u, r in zip(self.units, self.roles, strict=True) if r != plain}
        return SplitChoice(
            unit=kept.kind, side=kept.side, axis=kept.axis, cuts=kept.cuts, roles=roles
        )

    def _with(self, unit: str, role: int) -> SplitPlan:
        roles = list(self.roles)
        roles[self._numbers[unit]] = role
        return replace(self, roles=tuple(roles)).ready()

    def ready(self) -> SplitPlan:
        """Return the plan with the widest buffer that its roles bear.

        Raises
        ------
        NotEnoughLabels
            When a class keeps no labels to train on.
        """
        for parts in replace(self, buffer=(0, 0))._every_fold():
            gone = (parts.trained == 0) & (parts.total > 0)
            if gone.any():
                names = ", ".join(self.classes[k] for k in np.flatnonzero(gone))
                raise NotEnoughLabels(
                    f"{names}: no labels would be left to train on",
                    "leave a part of each class in training",
                )
        return replace(self, buffer=widest_kept(self.wanted, self._bears))

    def _bears(self, buffer: Buffer) -> bool:
        """Say whether a buffer leaves every class enough labels in every fold."""
        return all(
            np.all(parts.buffer <= MOST_LOST * parts.total)
            and np.all((parts.trained > 0) | (parts.total == 0))
            for parts in replace(self, buffer=buffer)._every_fold()
        )

    def _every_fold(self) -> Iterator[Parts]:
        for fold in range(self.folds) if self.folds else (None,):
            yield self.parts(fold)

    @property
    def _leaky(self) -> bool:
        return self.unit_set.kind == LEAKY

    @property
    def _plain_role(self) -> int:
        """Return the role of a unit that nobody chose: of single pixels, drawn from."""
        return 0 if self._leaky else TRAINED

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {unit.id: number for number, unit in enumerate(self.units)}

    def _ground_of(self, source: int, ndim: int) -> tuple[np.ndarray, np.ndarray]:
        none = np.zeros((0, ndim, 2), np.int64), np.zeros(0, np.int64)
        return self.unit_set.ground.get(source, none)


def plan_split(
    planes: Sequence[LabelledPlane], spec: SplitSpec, classes: Sequence[str], reach: int, *,
    lengths: tuple[float, float] | None = None, choice: SplitChoice | None = None,
) -> SplitPlan:  # fmt: skip
    """Plan which labels are held out; same labels, same spec: same plan.

    `reach`: cells to each side that the network sees; `lengths`: what `correlation_length`
    measured, (down, along); None where it could not. With `choice` the units and roles that a
    project kept are taken up, `spec` giving only share, buffer and seed.

    Raises
    ------
    NotEnoughLabels
        When a kept choice leaves a class no labels to train on.
    """
    wanted, wanted_for = wanted_buffer(spec, reach, lengths)
    if LEAKY in (spec.unit, choice and choice.unit):
        wanted, wanted_for = (0, 0), "none around single pixels"
    elif spec.buffer == "auto" and planes and all(p.samples for p in planes):
        wanted, wanted_for = (0, 0), "a network sees no sample from within another"

    def plan_of(unit_set: UnitSet, reason: str) -> SplitPlan:
        roles = (TRAINED,) * len(unit_set.units)
        return SplitPlan(spec, tuple(classes), tuple(planes), unit_set, reason, roles, wanted,
                         wanted_for)  # fmt: skip

    if choice is not None:
        return _taken_up(
            plan_of(recut_units(planes, len(classes), choice), "as kept"), choice
        ).ready()
    cuts, reason = cut_units(planes, len(classes), spec, wanted)
    if cuts[0][0].kind == LEAKY:
        return _drawn(plan_of(cuts[0][0], reason)).ready()
    return _best(
        replace(plan_of(units, reason), roles=_draw(units.counts, movable, spec))
        for units, movable in cuts
    )


def _best(drawn: Iterator[SplitPlan]) -> SplitPlan:
    """Return the first plan, or one that tells more of the score with no narrower a buffer.

    More is told by up to `HELD_UNITS` units, then by more classes that lie in several of them.
    Where the first holds out a single unit, which tells too little, the buffer to keep is the
    widest of the others.
    """
    first = next(drawn).ready()
    if _telling(first) == (HELD_UNITS, len(first.classes)):
        return first
    plans = [first, *(plan.ready() for plan in drawn)]
    several = [plan for plan in plans if _telling(plan)[0] > 1]
    if several and _telling(first)[0] < 2:
        first = max(several, key=lambda plan: plan.buffer)
    return max((p for p in plans if all(map(ge, p.buffer, first.buffer))), key=_telling)


def _telling(plan: SplitPlan) -> tuple[int, int]:
    """Count the units held out, as far as they matter, and the classes that several hold."""
    held = plan.unit_set.counts[np.array(plan.roles, np.int64) >= 0]
    return min(len(held), HELD_UNITS), int(((held > 0).sum(0) > 1).sum())


def _draw(counts: np.ndarray, movable: np.ndarray, spec: SplitSpec) -> tuple[int, ...]:
    """Return each unit's role: first those of the test set are drawn, then the folds of the rest."""
    test = draw_roles(counts, movable, share=spec.test, folds=1, seed=spec.seed + 1) >= 0
    left = np.where(test[:, None], 0, counts)
    alone = (left > 0).sum(0) == 1
    movable = movable & ~test & ~(left > 0)[:, alone].any(1)
    roles = draw_roles(left, movable, share=spec.share, folds=spec.folds, seed=spec.seed)
    return tuple(np.where(test, TEST, roles).tolist())


def _taken_up(plan: SplitPlan, choice: SplitChoice) -> SplitPlan:
    """Return the plan with the roles of a kept choice."""
    plain = plan._plain_role
    known = {unit.id for unit in plan.units}
    roles = tuple(choice.roles.get(unit.id, plain) for unit in plan.units)
    return replace(plan, roles=roles, missing=len(choice.roles.keys() - known))


def _drawn(plan: SplitPlan) -> SplitPlan:
    """Return the plan of single pixels: units are drawn from unless that takes a whole class."""
    if not plan.spec.share:
        return plan
    plan = replace(plan, roles=(0,) * len(plan.units))
    while True:
        every = list(plan._every_fold())
        lost = np.any([(p.trained == 0) & (p.total > 0) for p in every], axis=0)
        if not lost.any():
            return plan
        counts = plan.unit_set.counts[:, int(lost.argmax())]
        fullest = int(np.where(np.array(plan.roles) == 0, counts, -1).argmax())
        roles = list(plan.roles)
        roles[fullest] = TRAINED
        plan = replace(plan, roles=tuple(roles))

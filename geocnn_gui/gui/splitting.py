"""The session's split: what the next training holds out, shown on the data, moved by clicks."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError
from PySide6.QtCore import Signal

from geocnn_gui.errors import GeoCNNError, NotEnoughLabels
from geocnn_gui.gui.rate_search import RateSearch
from geocnn_gui.gui.run_tasks import gather, with_choice
from geocnn_gui.gui.steps import Step
from geocnn_gui.project.split import KeptSplit
from geocnn_gui.scoring.regions import Boxes
from geocnn_gui.scoring.split_plan import SplitPlan
from geocnn_gui.scoring.split_spec import LEAKY, TEST, TRAINED

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Plane
    from geocnn_gui.events import Note
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.training.spec import TrainingSpec

_PLANNING = "Planning the split"


@dataclass(frozen=True)
class ShownSplit:
    """A plan as it is drawn; `entries` are the ids of its sources, in its order."""

    plan: SplitPlan
    entries: tuple[str, ...]


@dataclass(frozen=True)
class SplitGround:
    """What a split means for the picture in view: boxes of all units, of those closed, and roles.

    `near` are the units held out in `fold` and those of the test with the buffer around them;
    `roles` by unit number from 1.
    """

    units: Boxes
    near: Boxes
    roles: tuple[int, ...]
    fold: int = 0


class Splitting(RateSearch):
    """State that can look at the split of the next training, and change it.

    Signals
    -------
    split_changed: `split`, `split_outdated`, or whether one was made by hand.
    """

    split_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.split: ShownSplit | None = None
        self.split_outdated = False
        self._fold = 0
        self.labels_changed.connect(self._age_split)
        self.target_changed.connect(self._age_split)
        self.classes_changed.connect(self._age_split)
        self.project_changed.connect(self._on_project_for_split)
        self._split_project: object = None

    def why_no_split(self) -> str:
        """Say why the split cannot be looked at now; "" where it can."""
        if self.source is None or self.project is None:
            return "Open a file first."
        if self.busy:
            return f"{self.busy} …"
        few = self._labelled_classes() < 2 and not self._has_unseen_labels()
        if few and not self.learns_values:
            return "Paint a few strokes of at least two classes first."
        return ""

    def show_split(self) -> None:
        """Plan what the next training holds out, in the background, and draw it."""
        view, project = self._in_view(), self.project
        if view is None or project is None or self.why_no_split():
            return
        model, training, classes, kept = (
            self.model_spec, self.training_spec, self.classes, self.kept_split
        )  # fmt: skip

        def plan() -> tuple[ShownSplit, tuple[Note, ...]]:
            from geocnn_gui import workflow

            with ExitStack() as stack:
                chosen, notes = gather(project, view, stack)
                entries = tuple(entry.id for entry, _ in chosen)
                spec = with_choice(training, kept, entries).split
                found = workflow.plan_split([pair for _, pair in chosen], model, spec, classes)
            return ShownSplit(found, entries), notes

        def done(answer: tuple[ShownSplit, tuple[Note, ...]]) -> None:
            if self.project is not project:
                return
            if self.training_spec.split != training.split:  # wishes have changed meanwhile
                self.show_split()
                return
            self.split, notes = answer
            self.split_outdated = False
            for note in notes:
                self.tell(note.text, "warning")
            self.split_changed.emit()

        self._work_on(view.source, plan, done, _PLANNING)

    @property
    def shown_fold(self) -> int:
        """Return the fold, from 0, that is drawn and to which a click moves units.

        Single pixels have no ground of their own: all their folds are drawn as one.
        """
        plan = self.split.plan if self.split is not None else None
        folds = 0 if plan is None or plan.unit == LEAKY else plan.folds
        return min(self._fold, max(folds - 1, 0))

    def show_fold(self, fold: int) -> None:
        """Draw another fold, from 0: what it holds out and the buffer around that."""
        self._fold = fold
        self.split_changed.emit()

    def hide_split(self) -> None:
        """Draw it no more; units that were moved stay so."""
        self.split = None
        if self.tool == "split":
            self.set_tool("pan")
        self.split_changed.emit()

    def forget_choice(self) -> None:
        """Go back from a split made by hand to the automatic one."""
        if self.kept_split is None:
            return
        before = (self.split, self.kept_split)
        self._take_split(None, None)
        self._push_split("Back to the automatic split", before, (None, None))
        self.show_split()

    def split_ground(self) -> SplitGround | None:
        """Return what the split means for the section in view; None where it has no part in it."""
        if self.split is None or self.source is None or self.entry_id not in self.split.entries:
            return None
        plan, number = self.split.plan, self.split.entries.index(self.entry_id)
        plane = self.source.plane(self.section)
        shape = self.source.picture_shape(self.section)
        fold = self.shown_fold
        near = plan.on(number, plane, shape, fold=fold if plan.folds else None).near
        units = plan.ground(number, plane).within(shape)
        return SplitGround(units, near.within(shape), plan.roles, fold)

    def toggle_unit(self, row: int, column: int) -> None:
        """Make the unit at a cell held out in the fold shown, then of the test, then trained on."""
        shown, source = self.split, self.source
        if shown is None or source is None or self.entry_id not in shown.entries:
            return
        plan = shown.plan
        if reason := self.why_read_only():
            self.tell(reason, "warning")
            return
        if plan.unit == LEAKY:
            self.tell("Single pixels are held out, which cannot be moved.", "warning")
            return
        unit = _unit_at(plan, shown.entries.index(self.entry_id), source.plane(self.section),
                        row, column)  # fmt: skip
        if unit is None:
            return
        after = {TEST: TRAINED, self.shown_fold: TEST}
        try:
            self._move(unit, after.get(plan.roles[unit], self.shown_fold))
        except NotEnoughLabels as error:
            self.tell(str(error), "warning")

    def _move(self, unit: int, role: int) -> None:
        shown = self.split
        assert shown is not None
        name = shown.plan.units[unit].id
        plan = (
            shown.plan.tested(name, test=True) if role == TEST
            else shown.plan.moved(name, held=role >= 0, fold=max(role, 0))
        )  # fmt: skip
        new = ShownSplit(plan, shown.entries)
        kept = KeptSplit(choice=plan.choice(), entries=shown.entries)
        before = (shown, self.kept_split)
        self._take_split(new, kept)
        words = {TRAINED: "Train on", TEST: "Keep for the test"}.get(role, "Hold out")
        self._push_split(f"{words} a {plan.unit}", before, (new, kept))

    def _push_split(
        self, text: str,
        before: tuple[ShownSplit | None, KeptSplit | None],
        after: tuple[ShownSplit | None, KeptSplit | None],
    ) -> None:  # fmt: skip
        self.steps.push(
            Step(text, lambda: self._take_split(*after), lambda: self._take_split(*before))
        )

    def _take_split(self, shown: ShownSplit | None, kept: KeptSplit | None) -> bool:
        self.split, self.kept_split = shown, kept
        self.split_changed.emit()
        self.specs_changed.emit()  # it is saved with them
        return True

    def set_specs(
        self, model: ModelSpec | None = None, training: TrainingSpec | None = None
    ) -> None:
        """Take what the panels say; other wishes for the split leave that made by hand behind."""
        wished = training is not None and training.split != self.training_spec.split
        shown = self.split is not None
        if wished:
            self.split, self.kept_split = None, None
        super().set_specs(model, training)
        if wished:
            self.split_changed.emit()
            if shown and self.busy != _PLANNING:  # else it is planned anew at its end
                self.show_split()

    def _age_split(self, *_: object) -> None:
        if self.split is not None and not self.split_outdated:
            self.split_outdated = True
            self.split_changed.emit()

    def _on_project_for_split(self) -> None:
        """Take the split that a project keeps."""
        if self.project is self._split_project:
            return
        self._split_project = self.project
        self.split, self.kept_split = None, None
        if self.project is not None and (kept := self.project.specs[2]) is not None:
            try:
                self.kept_split = KeptSplit.model_validate(kept)
            except (ValidationError, GeoCNNError):
                self.tell("The split that was kept cannot be read; it is chosen anew.", "warning")
        self.split_changed.emit()


def _unit_at(plan: SplitPlan, source: int, plane: Plane, row: int, column: int) -> int | None:
    """Return the number from 0 of the unit at a cell."""
    ground = plan.ground(source, plane)
    number = int(ground.paint(slice(row, row + 1), slice(column, column + 1))[0, 0])
    return number - 1 if number else None

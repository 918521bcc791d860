"""The session's scores: a prediction against labels, and where it errs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import Signal

from geocnn_gui.data.source import Section
from geocnn_gui.errors import GeoCNNError
from geocnn_gui.events import Progress
from geocnn_gui.gui.splitting import Splitting
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.classes import Classes, by_id
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.scoring.compare import RIGHT, WRONG, ErrorMap, Pair, Subset, compare
from geocnn_gui.scoring.evaluation import ERROR_CLASSES, Evaluation, evaluation_of
from geocnn_gui.scoring.judge_thin import ThinWish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Source, Window
    from geocnn_gui.events import Event
    from geocnn_gui.labels.files import LabelFile
    from geocnn_gui.scoring.metrics import Scores
    from geocnn_gui.scoring.seen import Seen

_NOT_KNOWN = "This prediction does not tell which cells the model was trained on."


@dataclass(frozen=True, eq=False)
class Score:
    """Figures of a prediction against labels, and in words what the labels were.

    `classes` have the ids of the prediction, `truth` too.
    """

    evaluation: Evaluation
    against: str
    classes: Classes
    truth: LabelSnapshot
    store: PredictionStore
    seen: LabelSnapshot | None = None

    @property
    def scores(self) -> Scores:
        """Return the figures over all labelled cells."""
        return self.evaluation.scores

    @property
    def caution(self) -> str:
        """Say why the figures may be too good; "" where nothing speaks for it."""
        return " ".join(self.evaluation.warnings)

    def name(self, number: int) -> str:
        """Name a class of the prediction; 0 is no prediction."""
        found = by_id(self.classes, number)
        return found.name if found else f"Class {number}" if number else "no prediction"


@dataclass(frozen=True, eq=False)
class ErrorView:
    """What is shown instead of the prediction: right and wrong cells, or one kind of them.

    `pair` are a truth id and a predicted id of a cell of the confusion matrix that was picked.
    """

    score: Score
    subset: Subset = "all"
    pair: Pair | None = None

    @cached_property
    def marks(self) -> ErrorMap:
        """Return the cells to show."""
        score = self.score
        return ErrorMap(score.truth, score.store.read_classes, self.pair, self.subset, score.seen)

    @property
    def entries(self) -> Classes:
        """Return what the levels of `marks` mean."""
        if self.pair is None:
            return ERROR_CLASSES
        truth, predicted = (self.score.name(number) for number in self.pair)
        level = RIGHT if self.pair[0] == self.pair[1] else WRONG
        entry = next(c for c in ERROR_CLASSES if c.id == level)
        told = f"{truth}, found" if level == RIGHT else f"{truth}, predicted {predicted}"
        return (entry.model_copy(update={"name": told[:80]}),)


class Scoring(Splitting):
    """State that can score what it predicts.

    Signals
    -------
    errors_changed: `errors`, `subset` or whether the score is out of date. block_wanted: rows and
    columns (slices) of the section in view that should be seen.
    """

    errors_changed = Signal()
    block_wanted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.score: Score | None = None
        self.score_outdated = False
        self.subset: Subset = "all"
        self.errors: ErrorView | None = None
        self.error_opacity = 0.85
        self._scored: Score | None = None
        self._against: Path | str | None = None
        self.thin_wish = ThinWish()
        self._counts: tuple[ErrorView, int, np.ndarray] | None = None
        self.overlay_changed.connect(self._forget_score)
        self.labels_changed.connect(self._age_score)
        self.tile_done.connect(self._age_score)

    def why_no_score(self) -> str:
        """Say what a score still lacks; "" when it can start."""
        if self.prediction is None:
            return "Predict first."
        return "Wait for the running task, or stop it." if self.job is not None else ""

    def start_scoring(self, path: Path | str | None = None) -> None:
        """Compare the prediction with the labels of the project, or with a label file."""
        if self.prediction is None or self.source is None or self.labels is None:
            return
        truth = Path(path) if path else self.labels.store.snapshot()
        self._against = path
        task = self._scoring(self.source, self.prediction, truth, self.classes)
        self._start(task, "score", "Scoring")

    def switch_thin(self, number: int, *, thin: bool) -> None:
        """Judge a class as thin, or not, and score again against the same labels."""
        self.thin_wish = self.thin_wish.switched(number, thin=thin)
        self.start_scoring(self._against)

    def _scoring(
        self, source: Source, store: PredictionStore, truth: Path | LabelSnapshot, ours: Classes
    ) -> Iterator[Event]:
        self._scored = None
        self._scored = yield from score_prediction(source, store, truth, ours, wish=self.thin_wish)

    def _on_job_ended(self, outcome: str) -> None:
        work = self.work
        super()._on_job_ended(outcome)
        score, self._scored = self._scored, None
        if work == "score" and score is not None and score.store is self.prediction:
            self.score, self.score_outdated = score, False
            if self.subset not in score.evaluation.subsets:
                self.subset = "all"
            self._see(None)
            self.scored.emit(score)

    def save_report(self, path: Path | str) -> None:
        """Write the figures to a .csv or .json file."""
        from geocnn_gui.scoring.report import write_report

        if self.score is None:
            return
        try:
            write_report(Path(path), self.score.evaluation)
        except GeoCNNError as error:
            self.report(error)
        else:
            self.tell(f"Report saved to {path}.")

    # What is shown of the score

    def set_view(self, **changes: Any) -> None:
        """Change fields of `view`; choosing an overlay puts the errors away."""
        super().set_view(**changes)
        if "overlay" in changes:
            self._see(None)

    def set_subset(self, subset: Subset) -> None:
        """Look at another part of the labelled cells."""
        self.subset = subset
        errors = self.errors
        self._see(None if errors is None else replace(errors, subset=subset, pair=None))

    def show_errors(self, shown: bool) -> None:
        """Show which labelled cells are right and wrong, or the prediction again."""
        score = self.score
        self._see(ErrorView(score, self.subset) if shown and score is not None else None)

    def show_ground(self, subset: Subset | None) -> None:
        """Look at one kind of ground, where right and wrong cells are shown; None: no more."""
        if self.score is None or subset is None:
            self._see(None)
            return
        self.subset = subset
        self._see(ErrorView(self.score, subset))
        self._go_on(0)

    def set_error_opacity(self, opacity: float) -> None:
        """Draw the errors so strongly, 0-1; few cells need more than a whole prediction."""
        self.error_opacity = min(max(opacity, 0.0), 1.0)
        self.view_changed.emit()

    def pick_confusion(self, pair: Pair | None) -> None:
        """Show the cells of one cell of the confusion matrix and go where they lie; None: no more."""
        if self.score is None or pair is None:
            self._see(None)
            return
        self._see(ErrorView(self.score, self.subset, pair))
        self._go_on(0)

    def step_errors(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) section with such cells, or where they lie."""
        if self.errors is None:
            self.show_errors(True)
        self._go_on(direction)

    def _see(self, errors: ErrorView | None) -> None:
        if errors is not None:
            super().set_view(overlay_visible=True)
        self.errors = errors
        self.errors_changed.emit()

    def _go_on(self, direction: int) -> None:
        """Find a section with what is shown, in the background, and jump there."""
        errors, source, section = self.errors, self.source, self.section
        if errors is None or source is None:
            return
        known = self._counts

        def done(place: _Place) -> None:
            if self.errors is not errors or self.source is not source:
                return
            if place.counts is not None and section.axis is not None:
                self._counts = (errors, section.axis, place.counts)
            if place.block is None:
                self.tell(f"There is no such {self.cell_noun}.")
                return
            self.set_section(place.section)
            self.block_wanted.emit(place.block)

        self.call(lambda: _find(errors, source, section, direction, known), done)

    def _age_score(self, _: Window | None = None) -> None:
        """Take note that labels or the prediction are no longer those that were scored."""
        if self.score is not None and not self.score_outdated:
            self.score_outdated = True
            self._see(None)

    def _forget_score(self) -> None:
        self.score, self.score_outdated, self._counts = None, False, None
        self._see(None)


@dataclass(frozen=True)
class _Place:
    section: Section
    block: tuple[slice, slice] | None
    counts: np.ndarray | None = None


def _find(
    errors: ErrorView,
    source: Source,
    section: Section,
    direction: int,
    known: tuple[ErrorView, int, np.ndarray] | None,
) -> _Place:
    """Return the section to look at, and the block where most of what is shown lies together.

    With `direction` 0 the section in view is taken where it has any, else the nearest that has;
    with 1 or -1 the next one that way, and round to the other end.
    """
    marks, axis = errors.marks, section.axis
    if axis is None or direction == 0:
        block = marks.densest_block(source.plane(section))
        if axis is None or block is not None:
            return _Place(section, block)
    fits = known is not None and known[0] is errors and known[1] == axis
    counts = known[2] if fits and known is not None else marks.count_along(axis)
    found = counts.nonzero()[0]
    if not len(found):
        return _Place(section, None, counts)
    if direction:
        steps = (found - section.index) * direction % len(counts)
        at = found[(steps + (steps == 0) * len(counts)).argmin()]
    else:
        at = found[abs(found - section.index).argmin()]
    there = Section(axis, int(at))
    return _Place(there, marks.densest_block(source.plane(there)), counts)


def score_prediction(
    source: Source, store: PredictionStore, truth: Path | LabelSnapshot, ours: Classes,
    *, wish: ThinWish | None = None,
) -> Iterator[Event]:  # fmt: skip
    """Compare a prediction with labels of a project or a label file; return a `Score`.

    `ours` are the project's classes; `wish` says which are thin.
    """
    from geocnn_gui.scoring.judge_thin import Shares, judge_thin
    from geocnn_gui.scoring.seen import SEEN_FILE, Seen, cautions, unknown

    if isinstance(truth, Path):
        yield Progress(0, 0, f"Reading {truth.name}")
    given, against = _truth(source, store, truth, ours)
    seen: Seen | None = None
    note = _NOT_KNOWN
    try:
        if (store.folder / SEEN_FILE).exists():
            seen = Seen.load(store.folder / SEEN_FILE, store.shape)
            note = unknown(seen)
    except GeoCNNError as error:
        note = str(error)
    cells = seen.cells if seen is not None else None
    comparison = yield from compare(given.snapshot, store.read_classes, cells)
    labels = (given.snapshot,) if isinstance(truth, Path) else (truth, given.snapshot)
    evaluation = evaluation_of(
        comparison, {c.id: c.name for c in given.classes},
        known=seen is not None and seen.card.known,
        warnings=cautions(seen, comparison, labels), notes=(note,) if note else (),
        said=None if seen is None else seen.card.scores,
        refit=seen is not None and seen.card.refit,
    )  # fmt: skip
    places = {c.id: at for at, c in enumerate(store.classes)}
    changes = yield from judge_thin(
        evaluation.scores, evaluation.subsets, given.snapshot, store.read_classes,
        wish=wish or ThinWish(), seen=cells,
        shares=Shares(store.read_probabilities, places) if store.has_probabilities else None,
    )  # fmt: skip
    evaluation = evaluation.model_copy(update=changes)
    return Score(evaluation, against, given.classes, given.snapshot, store, cells)


def _truth(
    source: Source, store: PredictionStore, truth: Path | LabelSnapshot, ours: Classes
) -> tuple[LabelFile, str]:
    """Return the labels with the ids of the prediction, all its classes, and what they are."""
    from geocnn_gui.labels.files import LabelFile, read_label_file
    from geocnn_gui.labels.matching import fit_labels, fit_own_labels, is_named

    if not isinstance(truth, Path):
        return fit_own_labels(truth, ours, store.classes), "the labels of this project"
    names = {c.id: c.name for c in ours}
    known = tuple(
        c if is_named(c) else c.model_copy(update={"name": names.get(c.id, c.name)})
        for c in store.classes
    )
    file = fit_labels(read_label_file(truth, source), known, names=(truth.name, "this prediction"))
    more = tuple(c for c in file.classes if by_id(known, c.id) is None)
    return LabelFile(file.snapshot, (*known, *more)), truth.name

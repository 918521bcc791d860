"""The session's continuous target: what is learned instead of classes, and its score."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from PySide6.QtCore import Signal

from geocnn_gui.data.source import open_source
from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.run_list import RunList
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.sample_values import read_table, value_columns, values_on
from geocnn_gui.labels.targets import target_on
from geocnn_gui.project.home import is_example
from geocnn_gui.project.target import StoredTarget, keep_target, opened_target, target_at
from geocnn_gui.scoring.value_evaluation import (
    ValueEvaluation,
    compare_values,
    value_evaluation_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtCore import QObject

    from geocnn_gui.data.samples import Samples
    from geocnn_gui.data.source import Source
    from geocnn_gui.events import Event


#: A target, the names of its file's bands or columns, and what is missing in it.
Looked: TypeAlias = tuple[StoredTarget, tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class ValueScore:
    """Figures of predicted values, and in words what the true ones were."""

    evaluation: ValueEvaluation
    against: str
    store: PredictionStore
    cells: str = "pixels"


class Targeting(RunList):
    """State that knows what values are to be learned for the source in view.

    target_changed: `target`, its bands, or whether it is used. value_scored: `value_score`.
    request_target, request_true_values: a file of values is wanted, to learn or to score by;
    whoever can ask for one answers with `choose_target` or `start_value_scoring`.
    """

    target_changed = Signal()
    value_scored = Signal()
    request_target = Signal()
    request_true_values = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        #: Names of the bands of the target's file, where that is known.
        self.target_bands: tuple[str, ...] = ()
        self.value_score: ValueScore | None = None
        self._found: ValueScore | None = None
        self.source_changed.connect(self._on_target_source)
        self.overlay_changed.connect(self._forget_value_score)

    @property
    def target(self) -> StoredTarget | None:
        """Return the target of the source in view, used or not."""
        with suppress(KeyError):  # while its source is being removed
            if self.project is not None and self.entry_id:
                return self.project.stored(self.entry_id).target
        return None

    @property
    def learns_values(self) -> bool:
        """Say whether the next training learns values instead of classes."""
        return self.target is not None and self.target.used

    def choose_target(self, path: Path | str) -> None:
        """Learn the values of a file of the same grid; it is looked at in the background first."""
        source, project, entry = self.source, self.project, self.entry_id
        if source is None or project is None or self.why_read_only():
            return
        path = str(path)

        def look() -> Looked:
            if source.samples is not None:
                return _look_at_table(Path(path), source.samples, project.folder)
            with open_source(path) as file:
                several = len(file.bands) > 1 and not (source.kind == "cube" and file.banded)
                band = 0 if several else None
                found = target_on(file, source, band=band)
                names = tuple(each.name for each in file.bands) if several else ()
                return target_at(path, project.folder, band=band, unit=found.unit), names, ()

        def done(answer: Looked) -> None:
            if self.project is project and self.entry_id == entry:
                stored, self.target_bands, notes = answer
                self._set_target(stored)
                if notes:
                    self.tell(" ".join(notes))

        name = path if is_example(path) else Path(path).name
        self._work_on(source, look, done, f"Reading {name}")

    def change_target(self, **changes: object) -> None:
        """Change fields of the target: its band, unit, whether it is used."""
        if self.target is not None and not self.why_read_only():
            self._set_target(self.target.model_copy(update=changes))

    def drop_target(self) -> None:
        """Forget the target: classes are learned again."""
        self.target_bands = ()
        self._set_target(None)

    def _set_target(self, target: StoredTarget | None) -> None:
        if self.project is None or target == self.target:
            return
        try:
            keep_target(self.project, self.entry_id, target)
        except GeoCNNError as error:
            self.report(error)
            return
        self.target_changed.emit()

    def _on_target_source(self) -> None:
        self.target_bands = ()
        target, source = self.target, self.source
        if target is not None and target.band is not None and source is not None:
            path = target.found(self.project.folder) if self.project is not None else target.path
            self._look_at(source, lambda: _bands_of(path, source), self._take_bands)
        self.target_changed.emit()

    def _take_bands(self, names: tuple[str, ...]) -> None:
        self.target_bands = names
        self.target_changed.emit()

    # Scores of values

    def why_no_value_score(self) -> str:
        """Say what a score against the target lacks; "" when it can start."""
        if self.prediction is None:
            return "Predict first."
        if self.job is not None:
            return "Wait for the running task, or stop it."
        return "" if self.target is not None else "No target: choose a file of true values."

    def start_value_scoring(self, path: Path | str | None = None) -> None:
        """Compare predicted values with the target of the source, or with a file."""
        source, store, project = self.source, self.prediction, self.project
        if source is None or store is None or project is None:
            return
        stored = self.target if path is None else target_at(str(path), project.folder)
        if stored is not None:
            task = self._value_scoring(source, store, stored, project.folder)
            self._start(task, "score", "Scoring")

    def _value_scoring(
        self, source: Source, store: PredictionStore, target: StoredTarget, folder: Path
    ) -> Iterator[Event]:
        from geocnn_gui.scoring.seen import SEEN_FILE, Seen, unknown

        self._found = None
        seen, note = None, "This prediction does not tell which cells the model was trained on."
        if (store.folder / SEEN_FILE).exists():
            seen = Seen.load(store.folder / SEEN_FILE, store.shape)
            note = unknown(seen)
        with opened_target(target, folder, source) as truth:
            comparison = yield from compare_values(
                truth.read, store.read_values, store.shape, seen.cells if seen else None
            )
            learned = store.target
            unit = truth.unit or (learned.unit if learned is not None else "")
            evaluation = value_evaluation_of(comparison, (truth.name, unit), seen, note)
        cells = "pixels" if source.samples is None else "samples"
        self._found = ValueScore(evaluation, target.title, store, cells)

    def _on_job_ended(self, outcome: str) -> None:
        work = self.work
        super()._on_job_ended(outcome)
        score, self._found = self._found, None
        if work == "score" and score is not None and score.store is self.prediction:
            self.value_score = score
            self.value_scored.emit()

    def _forget_value_score(self) -> None:
        if self.value_score is not None:
            self.value_score = None
            self.value_scored.emit()


def _look_at_table(path: Path, samples: Samples, folder: Path) -> Looked:
    """Return a table as the target of samples: its first column of numbers, and all titles."""
    places = value_columns(path, samples.names)
    found = values_on(path, samples.names, column=places[0] if places else None)
    target = target_at(str(path), folder, band=found.place)
    return target, read_table(path).titles, found.notes


def _bands_of(path: str, source: Source) -> tuple[str, ...]:
    if source.samples is not None:
        return read_table(Path(path)).titles
    with open_source(path) as file:
        return tuple(each.name for each in file.bands)

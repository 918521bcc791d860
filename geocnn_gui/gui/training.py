"""The session's trainings: from the labels of the project to a model in hand."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from geocnn_gui.errors import GeoCNNError
from geocnn_gui.events import Note
from geocnn_gui.gui.opening import labelled_entries, open_entry
from geocnn_gui.gui.predicting import Predicting
from geocnn_gui.models.spec import UNetSpec
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Source
    from geocnn_gui.events import Event
    from geocnn_gui.labels.book import LabelBook
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.project.project import Project

#: Name of the model file in the folder of a run.
MODEL_FILE = "model.safetensors"


class Training(Predicting):
    """State with specs to train by and the training in hand."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.run_folder: Path | None = None
        self.model_spec: ModelSpec = UNetSpec.model_validate({})
        self.training_spec = TrainingSpec.model_validate({})
        self._books: dict[str, LabelBook] = {}

    def why_no_training(self) -> str:
        """Say what a training still lacks; "" when it can start."""
        if self.source is None or self.labels is None:
            return "Open a file first."
        if self.job is not None:
            return "Wait for the running task, or stop it."
        if self._labelled_classes() < 2 and not self._has_unseen_labels():
            return "Paint a few strokes of at least two classes, then train."
        return ""

    def _labelled_classes(self) -> int:
        """Count the classes that carry labels in the sources that were in view."""
        painted = {i for book in self._books.values() for i in book.store.counts}
        return len(painted & {c.id for c in self.classes})

    def _has_unseen_labels(self) -> bool:
        """Say whether a source not yet in view has labels; the training says of which classes."""
        return self.project is not None and bool(labelled_entries(self.project) - set(self._books))

    def set_specs(
        self, model: ModelSpec | None = None, training: TrainingSpec | None = None
    ) -> None:
        """Take what the panels say for the next training."""
        self.model_spec = model or self.model_spec
        self.training_spec = training or self.training_spec
        self.specs_changed.emit()

    def start_training(
        self, model_spec: ModelSpec | None = None, training_spec: TrainingSpec | None = None
    ) -> None:
        """Train on all labels of the project as they are now; then predict what is in view.

        Without specs those of the panels are taken, as they are at this moment.
        """
        model_spec, training_spec = (
            model_spec or self.model_spec,
            training_spec or self.training_spec,
        )
        if self.project is None or self.source is None or self.labels is None:
            return
        if self.job is not None:
            self.tell("Wait for the running task, or stop it.", "warning")
            return
        try:
            folder = self.project.new_run_folder()
        except GeoCNNError as error:
            self.report(error)
            return
        self.run_folder, self.epochs = folder, []
        task = _training(
            self.project, (self.entry_id, self.source, self.labels.store.snapshot()),
            (model_spec, training_spec), self.classes, folder / MODEL_FILE,
        )  # fmt: skip
        self._start(task, "train", f"Training {model_spec.__class__.model_fields['kind'].title}")

    def _on_job_ended(self, outcome: str) -> None:
        work = self.work
        super()._on_job_ended(outcome)
        if work == "train":
            self._after_training(outcome)

    def _after_training(self, outcome: str) -> None:
        self.runs_changed.emit()
        if self.run_folder is None:  # of a project that was left meanwhile
            self.tell("The training of the project you left has ended; its run is kept there.")
            return
        model = self.run_folder / MODEL_FILE
        if not model.exists():
            if outcome == "stopped":
                self.tell("Stopped before the first epoch had ended: nothing was learned yet.")
            return
        self.open_model(model)
        if outcome == "succeeded" and not self.why_no_prediction():
            self.start_prediction()
        elif outcome == "stopped":
            predict = ("Predict", self.start_prediction)
            self.tell("Stopped; the best weights so far are kept.", actions=(predict,))


def _training(
    project: Project,
    current: tuple[str, Source, LabelSnapshot],
    specs: tuple[ModelSpec, TrainingSpec],
    classes: Classes,
    out: Path,
) -> Iterator[Event]:
    """Train on the labels in view and on those of the project's other sources like it."""
    from geocnn_gui import workflow

    entry_id, source, snapshot = current
    pairs = [workflow.Pair(source, snapshot)] if snapshot.counts else []
    try:
        with ExitStack() as stack:
            for entry in project.sources:
                if entry.id == entry_id or entry.id not in labelled_entries(project):
                    continue
                try:
                    other = stack.enter_context(open_entry(entry))
                    labels = project.labels(entry.id, other.shape).store.snapshot()
                except GeoCNNError as error:
                    yield Note(f"Training goes on without {entry.name}: {error}", warning=True)
                    continue
                alike = (other.domain, len(other.bands)) == (source.domain, len(source.bands))
                if alike and labels.counts:
                    pairs.append(workflow.Pair(other, labels))
            yield from workflow.train(pairs, *specs, classes, out=out)
    finally:
        with suppress(OSError):  # a run that has left nothing is none
            out.parent.rmdir()

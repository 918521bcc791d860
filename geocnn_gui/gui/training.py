"""The session's trainings: from the labels of the project to a model in hand."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.census import labels_elsewhere, take_census
from geocnn_gui.gui.opening import labelled_entries
from geocnn_gui.gui.run_tasks import InView, go_on, new_run
from geocnn_gui.gui.targeting import Targeting
from geocnn_gui.models.cards import card_of
from geocnn_gui.models.layers.heads import why_no_classes
from geocnn_gui.models.layers.shapes import outline
from geocnn_gui.models.pretrained import fetch_weights, why_no_weights
from geocnn_gui.models.sample_form import way_to_read, why_not_read
from geocnn_gui.models.spec import LayersSpec, UNetSpec
from geocnn_gui.project.runs import MODEL_FILE, change_record, read_run
from geocnn_gui.training.checkpoint import STAGES, read_card
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from PySide6.QtCore import QObject

    from geocnn_gui.events import Event
    from geocnn_gui.gui.census import Census
    from geocnn_gui.inference.outlook import Outlook
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.project.project import Project
    from geocnn_gui.project.runs import Run
    from geocnn_gui.project.split import KeptSplit

__all__ = ["MODEL_FILE", "Training"]


class Training(Targeting):
    """State with specs to train by and the training in hand."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.model_spec: ModelSpec = UNetSpec.model_validate({})
        self.training_spec = TrainingSpec.model_validate({})
        self.kept_split: KeptSplit | None = None
        self._built: tuple[tuple[LayersSpec, tuple[int, int]], str] | None = None
        self._asked: Project | None = None
        self._listed = True
        self.project_changed.connect(self._offer_interrupted)

    def why_no_training(self) -> str:
        """Say what a training still lacks; "" when it can start."""
        if self.source is None or self.labels is None:
            return "Open a file first."
        if reason := self.why_read_only():
            return reason
        if self.job is not None:
            return "Wait for the running task, or stop it."
        few = self._labelled_classes() < 2 and not self._has_unseen_labels()
        if few and not self.learns_values:
            if self.cell_noun == "sample":
                return "Label samples of at least two classes, then train."
            return "Paint a few strokes of at least two classes, then train."
        if reason := self.why_no_network():
            return reason
        missing = why_no_weights(self.model_spec)
        return f"{missing} The Model panel says what to do." if missing else ""

    @property
    def outlets(self) -> tuple[int, int]:
        """Return the bands and the outputs of a network for what is in hand; 3 bands for nothing."""
        bands = 3 if self.source is None else len(self.source.bands)
        return bands, 1 if self.learns_values else max(2, len(self.classes))

    def why_no_network(self) -> str:
        """Say why the network that was put together cannot be built; "" where it can."""
        dims = getattr(self.model_spec, "dims", card_of(self.model_spec.kind).dims)
        if dims > 2 and self.source is not None and not self.source.section_axes:
            return "Networks on volumes need a cube: choose one on traces or pictures."
        if dims > 2 and self.learns_values:
            return "Networks on volumes learn classes only: choose one on pictures."
        if self.source is not None and (reason := why_not_read(self.model_spec, self.source)):
            return f"{reason}: {way_to_read(self.model_spec)}."
        if not isinstance(self.model_spec, LayersSpec):
            return ""
        if not self.learns_values and (reason := why_no_classes(self.model_spec)):
            return f"{reason}: take softmax to name classes, or a target to learn values."
        asked = self.model_spec, self.outlets
        if self._built is None or self._built[0] != asked:  # this is asked for at every stroke
            self._built = asked, outline(self.model_spec, *self.outlets).problem
        problem = self._built[1]
        return f"The layers make no network: {problem}." if problem else ""

    def look_at_network(
        self, spec: ModelSpec, bands: int, classes: int, done: Callable[[Outlook | None], None]
    ) -> None:
        """Count in the background what a network is made of and costs; None where it cannot be."""

        def look() -> Outlook | None:
            from geocnn_gui.inference.outlook import outlook

            try:
                return outlook(spec, bands, classes)
            except GeoCNNError:  # the form of the network says why
                return None

        self.call(look, done)

    def _labelled_classes(self) -> int:
        """Count the classes that carry labels in the sources that were in view."""
        painted = {i for book in self._books.values() for i in book.store.counts}
        return len(painted & {c.id for c in self.classes})

    def _has_unseen_labels(self) -> bool:
        """Say whether a source not yet in view has labels; the training says of which classes."""
        return self.project is not None and bool(labelled_entries(self.project) - set(self._books))

    def count_classes(self, done: Callable[[Census], None]) -> None:
        """Count the labels of all sources of the project, in the background."""
        project, entry = self.project, self.entry_id
        if project is None:
            return
        here = [] if self.labels is None else [self.labels.store.snapshot()]

        def tell(census: Census) -> None:
            if self.project is project:
                done(census)

        self.call(lambda: take_census([*here, *labels_elsewhere(project, entry)]), tell)

    def set_specs(
        self, model: ModelSpec | None = None, training: TrainingSpec | None = None
    ) -> None:
        """Take what the panels say for the next training."""
        self.model_spec = model or self.model_spec
        self.training_spec = training or self.training_spec
        self.specs_changed.emit()

    def start_download(self) -> None:
        """Bring the weights that the next training begins with to this machine."""
        self._start(fetch_weights(self.model_spec), "download", "Downloading weights")

    def check_weights(self) -> None:
        """See in the background whether the chosen weights fit, and say it where they do not."""
        spec = self.model_spec
        if why_no_weights(spec) or getattr(spec, "weights", "none") == "none":
            return

        def check() -> None:
            from geocnn_gui.models.networks import build_for_training

            build_for_training(spec, 3, 2)

        self.call(check, lambda _: None)

    def start_training(
        self, model_spec: ModelSpec | None = None, training_spec: TrainingSpec | None = None
    ) -> None:
        """Train on all labels of the project as they are now; then predict what is in view.

        Without specs those of the panels are taken, as they are at this moment.
        """
        specs = (model_spec or self.model_spec, training_spec or self.training_spec)
        view = self._in_view()
        if self.project is None or view is None:
            return
        if reason := self.why_read_only() or self.why_not_now():
            self.tell(reason, "warning")
            return
        try:
            folder = self.project.new_run_folder()
        except GeoCNNError as error:
            self.report(error)
            return
        task = new_run(self.project, view, specs, self.classes, folder, split=self.kept_split)
        self._begin(folder, task, specs[0])

    def _in_view(self) -> InView | None:
        if self.project is None or self.source is None or self.labels is None:
            return None
        entry = self.project.source(self.entry_id)
        return InView(entry, self.source, self.labels.store.snapshot())

    def _begin(self, folder: Path, task: Iterator[Event], spec: ModelSpec) -> None:
        self.run_folder, self._epochs, self._listed = folder, [], False
        self._start(task, "train", f"Training {type(spec).model_fields['kind'].title}")

    def _on_event(self, event: Event) -> None:
        super()._on_event(event)
        if self.work == "train" and not self._listed:  # its record is on disk now
            self._listed = True
            self.runs_changed.emit()

    # Trainings that were broken off

    def why_no_going_on(self, run: Run) -> str:
        """Say why the training of a run cannot go on now; "" where it can."""
        if self.source is None:
            return "Open a file first."
        return run.why_no_going_on() or self.why_read_only() or self.why_not_now()

    def continue_run(self, run: Run) -> None:
        """Go on with a training that was broken off, with the labels of its start."""
        view, record = self._in_view(), run.record
        if why := self.why_no_going_on(run):
            self.tell(why, "warning")
        elif self.project is not None and view is not None and record is not None:
            self._begin(run.folder, go_on(self.project, view, run), record.model)
            if run.checkpoint is not None:
                with suppress(GeoCNNError):  # the task says it
                    self._epochs = list(read_card(run.checkpoint).log)
            self.runs_changed.emit()

    def leave_run(self, run: Run) -> None:
        """Count an interrupted run as stopped: it is not asked about again."""
        with suppress(GeoCNNError):
            change_record(run, state="stopped")
        self.runs_changed.emit()

    def _offer_interrupted(self) -> None:
        """Ask what to do with trainings that were going on when their program ended."""
        if self.project is self._asked or self.project is None:
            return
        self._asked = self.project
        if self.project.read_only:
            return
        for run in self.runs:
            if run.state == "interrupted":
                self.tell(
                    f"Training of {_in_words(run)} was interrupted {_where(run)}.", "warning",
                    actions=(("Continue", lambda run=run: self.continue_run(run)),
                             ("Leave it", lambda run=run: self.leave_run(run))),
                )  # fmt: skip

    def _on_job_ended(self, outcome: str) -> None:
        work = self.work
        super()._on_job_ended(outcome)
        if work == "train":
            self._after_training(outcome)

    def _after_training(self, outcome: str) -> None:
        self.runs_changed.emit()
        if self.run_folder is None or self._trains_elsewhere():
            self._forget_training()
            self.tell("The training of the project you left has ended; its run is kept there.")
            return
        run = read_run(self.run_folder)
        if run is None:
            if outcome == "stopped":
                self.tell("Stopped before the first epoch had ended: nothing was learned yet.")
            return
        if run.model is not None:
            self.open_model(run.model)
        if outcome == "succeeded" and not self.why_no_prediction():
            self.start_prediction()
        elif outcome != "succeeded":
            self._tell_ways_on(run, outcome)

    def _tell_ways_on(self, run: Run, outcome: str) -> None:
        ways: list[tuple[str, Callable[[], object]]] = []
        if not self.why_no_going_on(run):
            ways.append(("Continue", lambda: self.continue_run(run)))
        if run.model is not None:
            ways.append(("Predict", self.start_prediction))
        if outcome == "stopped":
            self.tell("Stopped; the best weights so far are kept.", actions=tuple(ways))
        elif ways:
            self.tell(f"{run.title} failed; what it had learned is kept.", actions=tuple(ways))


def _in_words(run: Run) -> str:
    return run.title.lower() if run.title == f"Run {run.number}" else run.title


def _where(run: Run) -> str:
    """Say where a run was when it was broken off: "in epoch 5", "in epoch 2 of the refit"."""
    epochs = run.epochs()
    if not epochs:
        return "in epoch 1"
    last = epochs[-1]
    if last.epoch == last.epochs:
        return f"after epoch {last.epoch} of the {STAGES.get(last.stage, last.stage)}"
    return f"in epoch {last.epoch + 1}" + (" of the refit" if last.stage == "refit" else "")

"""The session's running tasks: training, prediction, export, scoring; one writes at a time."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from geocnn_gui.data.source import Window
from geocnn_gui.errors import GeoCNNError, UnreadableFile
from geocnn_gui.events import EpochDone, Note, Progress, Saved, TileDone
from geocnn_gui.files import write_bytes
from geocnn_gui.gui.jobs import Job
from geocnn_gui.gui.labelling import Labelling
from geocnn_gui.gui.opening import labelled_entries, open_entry
from geocnn_gui.models.compatibility import differences
from geocnn_gui.models.spec import UNetSpec
from geocnn_gui.models.weights import read_card
from geocnn_gui.scoring.metrics import Confusion, Scores
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtCore import QObject

    from geocnn_gui.data.source import Source
    from geocnn_gui.events import Event
    from geocnn_gui.gui.state import ExportWhat
    from geocnn_gui.inference.store import PredictionStore
    from geocnn_gui.labels.book import LabelBook
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.project.project import Project

Work = Literal["", "train", "predict", "export"]
#: Name of the model file in the folder of a run.
MODEL_FILE = "model.safetensors"


@dataclass(frozen=True, slots=True)
class Score:
    """Figures of a prediction against labels, and in words what the labels were."""

    scores: Scores
    against: str
    caution: str = ""


class Running(Labelling):
    """State with tasks; `work` says what kind the job in hand is, "" when there is none."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.work: Work = ""
        self.epochs: list[EpochDone] = []
        self.progress: Progress | None = None
        self.run_folder: Path | None = None
        self.model_spec: ModelSpec = UNetSpec.model_validate({})
        self.training_spec = TrainingSpec.model_validate({})
        self._prediction_folder: Path | None = None
        self._job_source: Source | None = None
        self._books: dict[str, LabelBook] = {}

    # What can be asked for

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

    def why_no_prediction(self) -> str:
        """Say what a prediction still lacks; "" when it can start."""
        if self.source is None:
            return "Open a file first."
        if self.job is not None:
            return "Wait for the running task, or stop it."
        if self.model_card is None:
            return "Train a model or open one first."
        try:
            differences(self.model_card, self.source)
        except GeoCNNError as error:
            return str(error)
        return ""

    def why_no_export(self) -> str:
        """Say what an export still lacks; "" when it can start."""
        if self.prediction is None:
            return "Predict first; there is nothing to write yet."
        return "Wait for the running task, or stop it." if self.job is not None else ""

    # Training

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

    def pause_job(self) -> None:
        """Let the running task rest."""
        if self.job is not None:
            self.job.pause()

    def resume_job(self) -> None:
        """Let the paused task go on."""
        if self.job is not None:
            self.job.resume()

    def stop_job(self) -> None:
        """Stop the running task; what it has so far is kept."""
        if self.job is not None and not self.job.stopping:
            self.job.stop()
            self.job_changed.emit()

    # Prediction

    def open_model(self, path: Path | str) -> None:
        """Predict with a model file from now on."""
        try:
            self._set_model(Path(path))
        except GeoCNNError as error:
            self.report(error)

    def use_run(self, model: Path) -> None:
        """Take the model of an earlier run in hand, with what it said of this source."""
        self.open_model(model)
        self.show_prediction(None)
        folder = self.prediction_folder()
        if folder is not None and folder.is_dir():
            self._show_folder(folder)
        if self.source is None and self.model_path == model:
            self.tell(f"{model.name} is the model in hand: open the data to predict.")

    def why_no_model(self) -> str:
        """Say why there is no model to save; "" when there is one."""
        return "" if self.model_path is not None else "Train a model or open one first."

    def save_model(self, path: Path | str) -> None:
        """Write a copy of the model in hand to a file, whole or not at all."""
        if self.model_path is None:
            return
        try:
            write_bytes(Path(path), self.model_path.read_bytes())
        except GeoCNNError as error:
            self.report(error)
        except OSError as error:
            way_out = "train again or open another model"
            self.report(
                UnreadableFile(f"Cannot read {self.model_path} ({error.strerror})", way_out)
            )
        else:
            self.tell(f"Model saved to {path}.")

    def _set_model(self, path: Path | None) -> None:
        self.model_card = None if path is None else read_card(path)
        self.model_path = path
        self.model_changed.emit()

    def start_prediction(self, *, whole: bool = False) -> None:
        """Predict the section in view, or the whole source, with the model in hand."""
        from geocnn_gui import workflow

        if self.project is None or self.source is None or self.model_path is None:
            return
        folder = self.prediction_folder()
        if folder is None:
            return
        sections = None if whole or self.section.axis is None else [self.section]
        task = workflow.predict(self.model_path, self.source, folder=folder, sections=sections)
        self._start(task, "predict", "Predicting", folder=folder)

    def prediction_folder(self) -> Path | None:
        """Return where the model in hand puts what it says of the source in view."""
        if self.project is None or self.model_path is None or not self.entry_id:
            return None
        return self.project.prediction_folder(self.entry_id) / _state_of(self.model_path)

    def show_prediction(self, store: PredictionStore | None) -> None:
        """Draw another prediction over the data, or none."""
        self.prediction = store
        self.overlay_changed.emit()

    def _predicts_here(self) -> bool:
        """Say whether the job in hand predicts the source in view."""
        folder, project = self._prediction_folder, self.project
        if folder is None or project is None or not self.entry_id:
            return False
        return folder.parent == project.prediction_folder(self.entry_id)

    def _on_tiles(self, tiles: list[TileDone]) -> None:
        if not self._predicts_here():
            return
        if self.prediction is None or self.prediction.folder != self._prediction_folder:
            self._show_folder(self._prediction_folder)
        for tile in tiles:
            self.tile_done.emit(Window(tile.offset, tile.size))

    def _show_folder(self, folder: Path | None) -> None:
        from geocnn_gui.inference.store import PredictionStore

        if folder is None or self.source is None:
            return
        try:
            store = PredictionStore.open(folder)
        except GeoCNNError as error:
            self.report(error)
            return
        if store.shape == self.source.shape:
            self.show_prediction(store)
            self.set_view(overlay_visible=True)

    # Export and score

    def export_prediction(self, path: Path | str, what: ExportWhat) -> None:
        """Write the prediction in view to a file; the ending says the format."""
        from geocnn_gui.export.table import export_prediction

        if self.prediction is None or self.source is None:
            return
        store, path = self.prediction, Path(path)
        task = export_prediction(store, self.source, store.classes, path, what)
        self._start(task, "export", f"Writing {path.name}")

    def start_scoring(self, path: Path | str | None = None) -> None:
        """Compare the prediction with the labels of the project, or with a label file."""
        if self.prediction is None or self.source is None or self.labels is None:
            return
        snapshot = None if path else self.labels.store.snapshot()
        store, source = self.prediction, self.source
        names = {c.id: c.name for c in (*store.classes, *self.classes)}
        caution = "" if snapshot is None else _caution(self.model_card, snapshot)

        def done(score: Score) -> None:
            if self.source is source:
                self.scored.emit(score)

        self._work_on(
            source, lambda: _score(store, source, snapshot or Path(path or ""), names, caution),
            done, "Scoring",
        )  # fmt: skip

    # The job in hand

    def _start(
        self, task: Iterator[Event], work: Work, title: str, *, folder: Path | None = None
    ) -> None:
        """Run a task on the source in view; a prediction goes to `folder`."""
        if self.job is not None or self.source is None:
            self.tell("Wait for the running task, or stop it.", "warning")
            return
        self.in_use.hold(self.source)
        self._job_source, self._prediction_folder = self.source, folder
        job = Job(task, title=title, parent=self)
        self.job, self.work, self.progress = job, work, None
        job.stepped.connect(self._on_event)
        job.tiles_done.connect(self._on_tiles)
        job.pause_changed.connect(self.job_changed)
        job.ended.connect(self._on_job_ended)
        job.start()
        self.job_changed.emit()

    def _on_event(self, event: Event) -> None:
        match event:
            case Progress():
                self.progress = event
                self.progressed.emit(event)
            case EpochDone():
                self.epochs.append(event)
                self.epoch_done.emit(event)
            case Note(text, warning):
                self.tell(text, "warning") if warning else self.noted.emit(text)
            case Saved(path, what) if self.work == "export":
                name = "Confidence" if what == "confidence" else "Prediction"
                self.tell(f"{name} saved to {path}.")

    def _on_job_ended(self, outcome: str) -> None:
        job, work = self.job, self.work
        self.job, self.work, self.progress = None, "", None
        if self._job_source is not None:
            self.in_use.release(self._job_source)
            self._job_source = None
        self._show_what_was_predicted()
        if job is not None:
            job.deleteLater()
            if job.error is not None:
                self.report(job.error)
        self.job_changed.emit()
        if work == "train":
            self._after_training(outcome)

    def _show_what_was_predicted(self) -> None:
        """Show the prediction that has ended, where no tile of it has come."""
        folder, shown = self._prediction_folder, self.prediction
        other = shown is None or shown.folder != folder
        if folder is not None and other and self._predicts_here() and folder.is_dir():
            self._show_folder(folder)
        self._prediction_folder = None

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

    def shut_down(self) -> None:
        """Stop what runs and wait for it: the last step of the window."""
        if self.job is not None:
            self.job.stop()
            self.job.wait()
        self._calls.wait()


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


def _state_of(model: Path) -> str:
    """Return a folder name for this very state of a model file."""
    state = f"{model.resolve()} {model.stat().st_mtime_ns}"
    return hashlib.sha256(state.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _caution(card: object, snapshot: LabelSnapshot) -> str:
    digests = getattr(getattr(card, "training", None), "labels_digest", ())
    if snapshot.digest in digests:
        return "The model was trained on these very labels: expect less where it has none."
    return "Labels the model was trained on flatter it; the held-out score in Runs does not."


def _score(
    store: PredictionStore,
    source: Source,
    truth: LabelSnapshot | Path,
    names: dict[int, str],
    caution: str,
) -> Score:
    from geocnn_gui.labels.files import read_label_file
    from geocnn_gui.labels.matching import fit_labels, is_named

    if isinstance(truth, Path):
        ours = tuple(
            c if is_named(c) else c.model_copy(update={"name": names.get(c.id, c.name)})
            for c in store.classes
        )
        file = fit_labels(
            read_label_file(truth, source), ours, names=(truth.name, "this prediction")
        )
        snapshot, against = file.snapshot, truth.name
        names = {**names, **{c.id: c.name for c in (*ours, *file.classes)}}
    else:
        snapshot, against = truth, "the labels of this project"
    confusion = Confusion()
    for window in snapshot.labelled_windows():
        confusion.add(snapshot.read(window), store.read_classes(window))
    return Score(confusion.scores(names), against, caution)

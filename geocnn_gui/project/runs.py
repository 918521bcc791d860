"""Runs: one training each, in a folder with its record, its log, its checkpoint, its model."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError

from geocnn_gui import __version__
from geocnn_gui.errors import CannotWrite, GeoCNNError, writing
from geocnn_gui.events import EpochDone, Event, Note
from geocnn_gui.files import write_bytes
from geocnn_gui.inference.model_state import ModelState, model_mark, model_state, remember_state
from geocnn_gui.inference.store import model_of
from geocnn_gui.labels.archive import read_archive, write_archive
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.spec import ModelSpec, Spec
from geocnn_gui.models.weights import TrainingSummary, read_card
from geocnn_gui.project.file import Choice
from geocnn_gui.project.lock import FolderLock, holder_of
from geocnn_gui.project.target import StoredTarget
from geocnn_gui.training.checkpoint import SourceMark
from geocnn_gui.training.checkpoint import read_card as read_checkpoint_card
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.models.weights import ModelCard

MODEL_FILE = "model.safetensors"
CHECKPOINT_FILE = "checkpoint.safetensors"
LOG_FILE = "log.jsonl"
_RECORD, _DELETED = "run.json", ".deleted"
Outcome = Literal["running", "stopped", "failed", "finished"]
State = Literal["running", "interrupted", "stopped", "failed", "finished", "damaged"]


class RunSource(Spec):
    """A source of a run: its id and choices in the project, and what it was then."""

    entry: str
    choices: dict[str, Choice] = Field(default={})
    mark: SourceMark
    target: StoredTarget | None = None


class RunRecord(Spec):
    """What run.json says of a training; `name` "" stands for its number."""

    version: Literal[1] = 1
    number: Annotated[int, Field(ge=1)]
    name: Annotated[str, Field(max_length=200)] = ""
    notes: Annotated[str, Field(max_length=100_000)] = ""
    created: datetime
    seconds: float = 0.0
    state: Outcome
    error: str = ""
    model: ModelSpec = Field(discriminator="kind")
    training: TrainingSpec | None = None
    classes: tuple[LabelClass, ...] = ()
    sources: tuple[RunSource, ...] = ()
    holdout_iou: float | None = None
    holdout_class_iou: dict[int, float | None] = Field(default={})
    #: Of its model file, so that nobody need read it to find what it predicted.
    model_state: ModelState | None = None
    #: What its model says of the training; None before there is one, and of runs of long ago.
    summary: TrainingSummary | None = None
    steps: int = 0
    software: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it lies on disk; `record` is None where nothing can be read of it.

    `state` "interrupted" is a run that was going on when its program ended.
    """

    folder: Path
    record: RunRecord | None
    state: State

    @property
    def number(self) -> int:
        """Return the number in its folder's name."""
        return int(self.folder.name)

    @property
    def title(self) -> str:
        """Return its name, or "Run 3"."""
        return (self.record.name if self.record is not None else "") or f"Run {self.number}"

    @property
    def model(self) -> Path | None:
        """Return its model file, where it has one."""
        path = self.folder / MODEL_FILE
        return path if path.is_file() else None

    @property
    def checkpoint(self) -> Path | None:
        """Return its checkpoint, where there is one to go on from."""
        path = self.folder / CHECKPOINT_FILE
        return path if path.is_file() else None

    def why_no_going_on(self) -> str:
        """Say why its training cannot go on; "" where it can."""
        match self.state:
            case "running":
                return f"{self.title} is running."
            case "finished":
                return f"{self.title} has finished."
        if self.record is None or not self.record.sources:
            return f"{self.title} does not say what it was trained on."
        return ""

    def epochs(self) -> tuple[EpochDone, ...]:
        """Return its epochs in order, as its log tells them."""
        found = {
            (e.stage, not e.leaky, e.fold, e.epoch): e
            for e in read_log(self.folder) if isinstance(e, EpochDone)
        }  # fmt: skip
        return tuple(found[key] for key in sorted(found))

    def labels(self, number: int) -> LabelSnapshot:
        """Return the labels of source `number` (from 0) as they were; raises `UnreadableFile`."""
        assert self.record is not None
        shape = self.record.sources[number].mark.shape
        return read_archive(_labels(self.folder, number), shape)[0].snapshot()


def _labels(folder: Path, number: int) -> Path:
    return folder / "labels" / f"{number + 1}.npz"


def read_run(folder: Path) -> Run | None:
    """Return the run in `folder`; None where there is no trace of one."""
    record, path = None, folder / _RECORD
    with suppress(OSError, ValidationError, ValueError):
        record = RunRecord.model_validate_json(path.read_bytes())
    if record is not None:
        with suppress(OSError):
            if record.model_state is not None:
                remember_state(folder / MODEL_FILE, record.model_state)
        left = record.state == "running" and holder_of(folder) is None
        return Run(folder, record, "interrupted" if left else record.state)
    model = folder / MODEL_FILE
    if model.is_file():
        with suppress(GeoCNNError):
            record = _of_card(read_card(model), folder)
            return Run(folder, record, record.state)
    return Run(folder, None, "damaged") if path.exists() or model.exists() else None


def _of_card(card: ModelCard, folder: Path) -> RunRecord:
    """Describe a run that has no record by the card of its model."""
    said = card.training
    saved = datetime.fromtimestamp((folder / MODEL_FILE).stat().st_mtime, UTC)
    return RunRecord(
        number=int(folder.name), created=saved, seconds=said.seconds, model=card.spec,
        state="stopped" if said.stopped_early else "finished", classes=card.classes,
        holdout_iou=said.holdout_iou, holdout_class_iou=said.holdout_class_iou,
        summary=said, steps=said.steps, software=said.software,
    )  # fmt: skip


def save_record(folder: Path, record: RunRecord) -> None:
    """Replace run.json, all or nothing; raises `CannotWrite`."""
    write_bytes(folder / _RECORD, record.model_dump_json(indent=1).encode())


def change_record(run: Run, **changes: object) -> None:
    """Change fields of a run's record (name, notes, ...), as it is on disk now.

    Raises
    ------
    CannotWrite
        When the record cannot be written, or nothing can be read of it.
    """
    now = read_run(run.folder)
    if now is None or now.record is None:
        raise CannotWrite(
            f"{run.folder / _RECORD} cannot be read", "delete the run, or leave it as it is"
        )
    save_record(run.folder, RunRecord.model_validate({**dict(now.record), **changes}))


def read_log(folder: Path) -> tuple[EpochDone | Note, ...]:
    """Return what a run has said so far; lines that cannot be read are passed over."""
    found: list[EpochDone | Note] = []
    with suppress(OSError), (folder / LOG_FILE).open(encoding="utf-8", errors="replace") as file:
        for line in file:
            with suppress(ValueError, TypeError, KeyError):
                data = dict(json.loads(line))
                kind = {"epoch": EpochDone, "note": Note}[data.pop("event")]
                found.append(_checked(kind(**data)))
    return tuple(found)


def _checked(event: EpochDone | Note) -> EpochDone | Note:
    """Return an event of a log whose figures are figures; raises `TypeError`."""
    if isinstance(event, EpochDone):
        figures = (event.epoch, event.epochs, event.loss, event.holdout_loss, event.holdout_iou,
                   event.fold, event.folds, event.holdout_rmse, event.holdout_r2, *(event.holdout_interval or ()))  # fmt: skip
        if not all(x is None or isinstance(x, int | float) for x in figures):
            raise TypeError
        if event.holdout_interval is not None:
            low, high = event.holdout_interval  # a list in JSON
            return replace(event, holdout_interval=(low, high))
    return event


def log_line(event: EpochDone | Note) -> str:
    """Return an event as a line of a log."""
    kind = "epoch" if isinstance(event, EpochDone) else "note"
    return json.dumps({"event": kind, **asdict(event)}) + "\n"


def begin_run(
    folder: Path,
    specs: tuple[ModelSpec, TrainingSpec],
    classes: Sequence[LabelClass],
    sources: Sequence[tuple[RunSource, LabelSnapshot]],
) -> None:
    """Write down what a training begins with: specs, classes, and the labels themselves.

    Raises
    ------
    CannotWrite
        When the folder cannot be written.
    """
    with writing(folder):
        (folder / "labels").mkdir(exist_ok=True)
    for number, (_, labels) in enumerate(sources):
        write_archive(_labels(folder, number), labels)
    record = RunRecord(
        number=int(folder.name), created=datetime.now(UTC), state="running", model=specs[0],
        training=specs[1], classes=tuple(classes), sources=tuple(s for s, _ in sources),
        software=f"GeoCNN {__version__}",
    )  # fmt: skip
    save_record(folder, record)


def take_up(run: Run) -> None:
    """Bring the log of a run to where its checkpoint is: what came after is done again.

    Raises
    ------
    UnreadableFile, CannotWrite
        When the checkpoint is damaged, or the log cannot be written.
    """
    kept = () if run.checkpoint is None else read_checkpoint_card(run.checkpoint).log
    notes = [event for event in read_log(run.folder) if isinstance(event, Note)]
    write_bytes(run.folder / LOG_FILE, "".join(map(log_line, [*kept, *notes])).encode())


def recorded(folder: Path, task: Generator[Event]) -> Iterator[Event]:
    """Draw a run's training and write down what it says and how it ends.

    While it is drawn the run is held, so that others see that it is going on. A run that ends
    without anything to keep (no model, no checkpoint) is removed.

    Raises
    ------
    ProjectInUse, CannotWrite
        When the run is going on elsewhere, or cannot be written; and whatever `task` raises.
    """
    lock, began = FolderLock(folder), time.monotonic()
    outcome: tuple[Outcome, str] = ("finished", "")
    try:
        with closing(task):
            for event in task:
                _write_down(event, folder / LOG_FILE)
                yield event
    except GeneratorExit:
        outcome = ("stopped", "")
        raise
    except BaseException as error:
        outcome = ("failed", str(error))
        raise
    finally:
        with suppress(CannotWrite):  # a full disk: it stays as one that was interrupted
            _end(folder, *outcome, seconds=time.monotonic() - began)
        lock.release()
        drop_empty(folder)


def _write_down(event: Event, log: Path) -> None:
    """Add a line to the log; opened anew, so that no rest of a failed one waits in a buffer."""
    if isinstance(event, EpochDone | Note):
        with suppress(OSError), log.open("ab") as file:  # a full disk must not end the training
            file.write(log_line(event).encode())


def _end(folder: Path, state: Outcome, error: str, *, seconds: float) -> None:
    run = read_run(folder)
    if run is None or run.record is None:
        return
    changes: dict[str, object] = {
        "state": state, "error": error[:2000], "seconds": round(run.record.seconds + seconds, 1)
    }  # fmt: skip
    if run.model is not None:
        with suppress(GeoCNNError, OSError):
            said = read_card(run.model).training
            changes["holdout_iou"], changes["steps"] = said.holdout_iou, said.steps
            changes["holdout_class_iou"], changes["summary"] = said.holdout_class_iou, said
            changes["model_state"] = model_state(run.model)
    change_record(run, **changes)


def drop_empty(folder: Path) -> None:
    """Remove a run that has left nothing; not one that another holds."""
    run = Run(folder, None, "damaged")
    if run.model is None and run.checkpoint is None and holder_of(folder) is None:
        shutil.rmtree(folder, ignore_errors=True)


def delete_run(run: Run) -> Path:
    """Put a run away, to be brought back or purged; return where it is now.

    Raises
    ------
    CannotWrite
        When it cannot be moved.
    """
    to = run.folder.parent / _DELETED / run.folder.name
    with writing(run.folder):
        to.parent.mkdir(exist_ok=True)
        run.folder.rename(to)
    return to


def restore_run(run: Run) -> None:
    """Bring a deleted run back; raises `CannotWrite`."""
    with writing(run.folder):
        (run.folder.parent / _DELETED / run.folder.name).rename(run.folder)


def deleted_runs(folder: Path) -> tuple[Path, ...]:
    """Return the folders of the deleted runs of a project that can still be brought back."""
    return tuple(sorted((folder / "runs" / _DELETED).glob("[0-9]*")))


def deleted_marks(folder: Path) -> set[str]:
    """Return the marks of the models of a project's deleted runs."""
    models = (run / MODEL_FILE for run in deleted_runs(folder))
    return {model_mark(model) for model in models if model.is_file()}


def purge_runs(folder: Path) -> None:
    """Remove the deleted runs of a project for good, with what their models predicted."""
    marks = deleted_marks(folder)
    for card in folder.glob("predictions/*/*/card.json") if marks else ():
        if model_of(card.parent) in marks:
            shutil.rmtree(card.parent, ignore_errors=True)
    shutil.rmtree(folder / "runs" / _DELETED, ignore_errors=True)

"""Find in a project what can be exported, without taking it from who has it open."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geocnn_gui.data.source import open_source
from geocnn_gui.errors import BadRequest, GeoCNNError, UnreadableFile
from geocnn_gui.export.table import Material
from geocnn_gui.inference.model_state import model_mark
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.project.file import read_project
from geocnn_gui.project.guard import check_folder
from geocnn_gui.project.project import Project, SourceEntry
from geocnn_gui.project.runs import deleted_marks, read_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.data.source import Source

_FILE = "project.json"


@dataclass(frozen=True, slots=True)
class _Found:
    """A prediction on disk, the source it is of, and when it was written."""

    written: float
    entry: SourceEntry
    folder: Path
    model: str


@contextmanager
def open_material(folder: Path, *, source: str = "", run: int | None = None) -> Iterator[Material]:
    """Open the newest prediction of a project, its source, labels and model, for reading.

    `folder` may be the project.json in it. `source` names one by name, file name or id; `run`
    is the number of a training. Nothing is locked and nothing is written.

    Raises
    ------
    UnreadableFile
        When there is no project, or its source is gone or has changed.
    BadRequest
        When the project has no such source, or no such run with a model.
    """
    folder = folder.parent if folder.name == _FILE else folder
    check_folder(folder)
    data = read_project(folder / _FILE)
    with (
        Project(folder, data, None, read_only="Opened for an export.") as project,
        ExitStack() as files,
    ):
        entries = _entries(project, source)
        model = _model(project, run)
        found = _newest(project, entries, "" if run is None or model is None else model_mark(model))
        entry = found.entry if found is not None else _left_at(project, entries)
        opened = files.enter_context(_open(entry))
        store = None if found is None else PredictionStore.open(found.folder)
        if store is not None:
            files.callback(store.close)
        yield _material(project, entry, opened, store, model)


def _entries(project: Project, wanted: str) -> tuple[SourceEntry, ...]:
    if not project.sources:
        raise BadRequest(f"The project in {project.folder} has no data", "add a file to it first")
    if not wanted:
        return project.sources
    for entry in project.sources:
        name = entry.path.replace("\\", "/").rpartition("/")[2]
        if wanted in (entry.id, entry.name, entry.path, name):
            return (entry,)
    known = ", ".join(f"{entry.id} {entry.name}" for entry in project.sources)
    raise BadRequest(f"The project has no source {wanted}", f"choose one of {known}")


def _left_at(project: Project, entries: tuple[SourceEntry, ...]) -> SourceEntry:
    return next((e for e in entries if e.id == project.work.source), entries[0])


def _model(project: Project, number: int | None) -> Path | None:
    """Return the model of a run, or of the newest one that has any."""
    runs = [run for folder in project.runs if (run := read_run(folder)) is not None]
    models = {run.number: run.model for run in runs if run.model is not None}
    if number is None:
        return models[max(models)] if models else None
    if number not in models:
        known = ", ".join(map(str, sorted(models))) or "none"
        raise BadRequest(
            f"The project in {project.folder} has no run {number} with a model",
            f"choose one of its runs ({known})",
        )
    return models[number]


def _made_here(project: Project, mark: str) -> bool:
    """Say whether a run of the project has the model with that mark."""
    models = (run.model for folder in project.runs if (run := read_run(folder)) is not None)
    return any(model is not None and model_mark(model) == mark for model in models)


def _newest(project: Project, entries: tuple[SourceEntry, ...], mark: str) -> _Found | None:
    """Return the newest prediction of the sources, by the model with that mark if one is given.

    Those of deleted runs are none, though they stay until the project is closed.
    """
    found, deleted = [], deleted_marks(project.folder)
    for entry in entries:
        for card in project.prediction_folder(entry.id).glob("*/card.json"):
            with suppress(GeoCNNError, OSError):  # a damaged one is none
                store = PredictionStore.open(card.parent)
                found.append(_Found(card.stat().st_mtime, entry, card.parent, store.model))
                store.close()
    fitting = [each for each in found if each.model not in deleted and mark in ("", each.model)]
    return max(fitting, key=lambda each: each.written, default=None)


def _open(entry: SourceEntry) -> Source:
    if entry.state == "missing":
        raise UnreadableFile(
            f"{entry.name} is no longer at {entry.path}", "open the project to say where it is"
        )
    if entry.state == "changed":
        raise UnreadableFile(
            f"{entry.path} has changed since it was added", "open the project to say that it may"
        )
    return open_source(entry.path, **entry.choices)


def _material(
    project: Project,
    entry: SourceEntry,
    source: Source,
    store: PredictionStore | None,
    model: Path | None,
) -> Material:
    if store is not None and not store.is_of(source):
        raise UnreadableFile(
            f"The prediction in {store.folder} is of other data than {entry.name} holds now",
            "predict again",
        )
    if store is not None and _made_here(project, store.model):
        store.show_as(project.classes)
    book = project.stored_labels(entry.id)
    return Material(
        source, store, store.classes if store is not None else project.classes,
        None if book is None else book.store.snapshot(), model,
        tuple(Path(each.path) for each in project.sources),
    )  # fmt: skip

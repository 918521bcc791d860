"""Open files and projects, away from the window's thread; no Qt here."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from geocnn_gui.data.samples import holds_samples
from geocnn_gui.data.source import EXAMPLE_TARGETS, Source, Window, open_source
from geocnn_gui.errors import GeoCNNError, SeveralArrays
from geocnn_gui.labels.book import LabelBook, pending_edits
from geocnn_gui.labels.classes import LabelClass, new_class
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.labels.files import LabelFile
from geocnn_gui.labels.samples import own_classes, own_labels
from geocnn_gui.models.layers.presets import PRESETS
from geocnn_gui.project.home import default_folder, is_example
from geocnn_gui.project.homes import entry_for
from geocnn_gui.project.project import Project, SourceEntry
from geocnn_gui.project.recent import remember
from geocnn_gui.project.removed import removed_sources
from geocnn_gui.project.target import StoredTarget, keep_target
from geocnn_gui.scoring.split_spec import SplitSpec
from geocnn_gui.training.spec import TrainingSpec
from geocnn_gui.training.textbook_recipes import RECIPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geocnn_gui.data.samples import Samples
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.models.layers.spec import LayersSpec

#: What a first network looks at of larger samples: more would take long on a processor.
_LONGEST_TRACE, _WIDEST_PATCH = 1024, 64


@dataclass(frozen=True, slots=True)
class Opened:
    """A project, and the source of it to be shown with its labels, where there is one.

    `problem` says why there is none; `recovered` counts the edits that a session which ended
    badly left in the journals; `before` is where a file that has moved was, else "";
    `back` says that it had been removed and is in the project again; `own` are the labels that
    a sample set new to the project brings along.
    """

    project: Project
    entry: SourceEntry | None = None
    source: Source | None = None
    labels: LabelBook | None = None
    problem: GeoCNNError | None = None
    recovered: int = 0
    before: str = ""
    back: bool = False
    own: LabelFile | None = None

    def close(self) -> None:
        """Let go of all of it."""
        if self.source is not None:
            self.source.close()
        self.project.close()


class Elsewhere(GeoCNNError):
    """The file of a source (`entry`) is missing, or no longer the one that was added."""

    def __init__(self, entry: SourceEntry) -> None:
        fact = {
            "missing": f"{entry.name} is no longer at {entry.path}",
            "changed": f"{entry.path} has changed since it was added",
        }[entry.state]
        super().__init__(fact, "show the source to say where it is, or that it is right as it is")
        self.entry = entry


def is_project(path: str) -> bool:
    """Say whether a path is that of a project: a folder without samples, or a project.json."""
    if is_example(path) or not Path(path).is_dir():
        return not is_example(path) and Path(path).name == "project.json"
    return (Path(path) / "project.json").exists() or not holds_samples(Path(path))


def open_work(path: str, choices: Mapping[str, str] | None = None) -> Opened:
    """Open a file or example with the project kept for it; a new one gets its first classes.

    `choices` are the reader's, kept where the file is new to the project.

    Raises
    ------
    UnreadableFile, LabelsMismatch, CannotWrite
        From the source, the project or its labels; nothing stays open then.
    """
    with ExitStack() as undo:
        source = undo.enter_context(_look(path, choices or {}))  # before a folder is made for it
        project = undo.enter_context(Project.for_source(path, choices=choices, or_read=True))
        recovered = _recovered(project)
        entry, before, back, fresh = entry_for(project, path), "", False, not project.classes
        if entry is None:
            entry, back = _add(project, path, choices)
            fresh = not back
        elif entry.path != path:
            entry, before = _relink(project, entry, path), entry.path
        remember(project.folder, name=project.name, source=path)
        if not entry.unchanged:
            source.close()
            undo.pop_all()
            return Opened(project, entry, problem=Elsewhere(entry), recovered=recovered)
        if entry.choices:
            source.close()
            source = undo.enter_context(open_entry(entry))
        labels = _labels(project, entry, source)
        if not project.classes and not project.history.steps and not project.read_only:
            _start(project, entry, source, labels)
        undo.pop_all()
    own = _own(source, labels) if fresh and not project.read_only else None
    return Opened(
        project, entry, source, labels, recovered=recovered, before=before, back=back, own=own
    )  # fmt: skip


def _look(path: str, choices: Mapping[str, str]) -> Source:
    """Open a file as asked; of several arrays the one that its project knows it by."""
    try:
        return open_source(path, **choices)
    except SeveralArrays:
        if choices or not (default_folder(path) / "project.json").exists():
            raise
        with Project.for_source(path, or_read=True) as project:
            entry = entry_for(project, path)
            kept = entry.choices if entry is not None else {}
        return open_source(path, **kept)


def _own(source: Source, labels: LabelBook) -> LabelFile | None:
    """Return the labels that a sample set brings along, where nothing is labelled yet."""
    if source.samples is None or not source.samples.labels.any() or labels.store.counts:
        return None
    return LabelFile(own_labels(source.samples), own_classes(source.samples))


def _add(
    project: Project, path: str, choices: Mapping[str, str] | None = None
) -> tuple[SourceEntry, bool]:
    """Add a file to a project; say whether it is a removed source that came back."""
    gone = {stored.id for stored in removed_sources(project.folder)}
    gone -= {entry.id for entry in project.sources}
    entry = project.add_source(path, choices)
    return entry, entry.id in gone


def open_project(folder: Path, wanted: str = "") -> Opened:
    """Open a project at the source `wanted`, or the one it was left at, or the first.

    Raises
    ------
    UnreadableFile
        When there is no project, or it is damaged, newer, or leads out of its folder.
    """
    with ExitStack() as undo:
        project = undo.enter_context(Project.open(folder, or_read=True))
        recovered = _recovered(project)
        sources = {entry.id: entry for entry in project.sources}
        first = next(iter(sources.values()), None)
        entry = sources.get(wanted) or sources.get(project.work.source) or first
        if first is not None:
            remember(project.folder, name=project.name, source=first.path)
        opened = Opened(project, recovered=recovered)
        if entry is not None:
            opened = _open_in(project, entry, recovered)
        undo.pop_all()
    return opened


def _open_in(project: Project, entry: SourceEntry, recovered: int) -> Opened:
    """Open one source of a project; where that fails the project is open without it."""
    source = None
    try:
        source = open_entry(entry)
        labels = _labels(project, entry, source)
    except GeoCNNError as error:
        if source is not None:
            source.close()
        return Opened(project, entry, problem=error, recovered=recovered)
    return Opened(project, entry, source, labels, recovered=recovered)


def _recovered(project: Project) -> int:
    """Count what only the journals hold after a session that ended badly."""
    if project.left_at is None:
        return 0
    return sum(pending_edits(project.folder / "labels" / e.id) for e in project.sources)


def place(
    project: Project, path: str, source: Source, choices: Mapping[str, str] | None = None
) -> Opened:
    """Put an open source into a project that is open; raises as `open_work`."""
    entry, back = _add(project, path, choices)
    labels = _labels(project, entry, source)
    own = None if back or project.read_only else _own(source, labels)
    return Opened(project, entry, source, labels, back=back, own=own)


def show_again(project: Project, entry: SourceEntry, source: Source) -> Opened:
    """Join a source that the project has already, freshly opened, with its labels."""
    return Opened(project, entry, source, _labels(project, entry, source))


def relinked(project: Project, entry: SourceEntry, source: Source) -> Opened:
    """Join another file in the place of a source, and keep that it is there now.

    Raises
    ------
    LabelsMismatch
        When the labels belong to a source of another shape; nothing is changed then.
    """
    labels = _labels(project, entry, source)
    return Opened(project, _relink(project, entry, entry.path), source, labels)


def _relink(project: Project, entry: SourceEntry, path: str) -> SourceEntry:
    """Say that the file of a source is at `path` now; a read-only project only shows it."""
    if project.read_only:
        return replace(entry, path=path, state="there")
    return project.relink(entry.id, Path(path))


def open_entry(entry: SourceEntry) -> Source:
    """Open the file of a project's source.

    Raises
    ------
    Elsewhere
        When it is missing, or another file stands in its place.
    UnreadableFile
        When it cannot be read.
    """
    if not entry.unchanged:
        raise Elsewhere(entry)
    try:
        return open_source(entry.path, **entry.choices)
    except (TypeError, ValueError, KeyError):
        if not entry.choices:
            raise
    return open_source(entry.path)  # choices that no reader knows, in a project from elsewhere


def open_with_labels(project: Project, entry: SourceEntry) -> Source:
    """Open a source as `open_entry` and read its labels too, so that joining it is quick.

    Raises
    ------
    UnreadableFile, LabelsMismatch, CannotWrite
        From the source or its labels; nothing stays open then.
    """
    source = open_entry(entry)
    try:
        _labels(project, entry, source)
    except BaseException:
        source.close()
        raise
    return source


def labelled_entries(project: Project) -> set[str]:
    """Return the ids of the sources that have labels on disk, without opening any."""
    return {file.parent.name for file in (project.folder / "labels").glob("*/labels.*")}


def _labels(project: Project, entry: SourceEntry, source: Source) -> LabelBook:
    return project.labels(entry.id, source.shape, axes=tuple(axis.name for axis in source.axes))


def _first_classes() -> Classes:
    first = new_class(())
    return (first, new_class((first,)))


def _first_specs(entry: SourceEntry, samples: Samples) -> tuple[LayersSpec, TrainingSpec]:
    """Return the network and the training of a textbook example; of other sets what suits them."""
    recipe = RECIPES.get(entry.path.removeprefix("example:"))  # type: ignore[call-overload]
    if recipe is not None and is_example(entry.path):
        return recipe.model, recipe.training(0, SplitSpec())
    if samples.dims == 1:
        form = {"dims": 1, "patch": min(max(samples.size[0], 16), _LONGEST_TRACE)}
    else:
        form = {"dims": 2, "patch": min(max(*samples.size, 16), _WIDEST_PATCH)}
    return PRESETS["residual"].model_copy(update=form), TrainingSpec.model_validate({})


def _start(project: Project, entry: SourceEntry, source: Source, labels: LabelBook) -> None:
    """Give a new project two classes; an example its own and strokes, so that one click trains."""
    if source.samples is not None:
        project.set_classes(own_classes(source.samples) or _first_classes())
        model, training = _first_specs(entry, source.samples)
        project.keep(project.work, model.model_dump(mode="json"), training.model_dump(mode="json"))
        return
    if not is_example(entry.path):
        project.set_classes(_first_classes())
        return
    if entry.path in EXAMPLE_TARGETS:
        project.set_classes(_first_classes())
        clean = StoredTarget(path=EXAMPLE_TARGETS[entry.path], name="Clean amplitude", unit="mPa")
        keep_target(project, entry.id, clean)
        return
    from geocnn_gui.data.synthetic import example_classes, starter_labels

    name = "seismic" if entry.path == "example:seismic" else "scene"
    rows = example_classes(name)
    strokes = starter_labels(source)
    labels.apply(LabelEdit.replace(labels.store, Window.whole(source.shape), strokes))
    project.set_classes(tuple(LabelClass(id=i, name=n, color=c) for i, n, c in rows))

"""Open a file with its project, away from the window's thread; no Qt here."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geocnn_gui.data.source import Source, Window, open_source
from geocnn_gui.labels.book import LabelBook
from geocnn_gui.labels.classes import LabelClass, new_class
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.project.home import is_example
from geocnn_gui.project.project import Project, SourceEntry
from geocnn_gui.project.recent import remember

if TYPE_CHECKING:
    from geocnn_gui.labels.classes import Classes


@dataclass(frozen=True, slots=True)
class Opened:
    """A source with its place in a project, ready to be shown."""

    project: Project
    entry: SourceEntry
    source: Source
    labels: LabelBook


def open_work(path: str) -> Opened:
    """Open a file or example with the project kept for it; a new one gets its first classes.

    Raises
    ------
    UnreadableFile, LabelsMismatch, ProjectInUse, CannotWrite
        From the source, the project or its labels; nothing stays open then.
    """
    with ExitStack() as undo:
        source = undo.enter_context(open_source(path))  # before a folder is made for it
        project = undo.enter_context(Project.for_source(path))
        entry = next((e for e in project.sources if e.path == path), project.sources[0])
        if entry.choices or entry.path != path:
            source.close()
            source = undo.enter_context(open_entry(entry))
        labels = _labels(project, entry, source)
        if not project.classes:
            _start(project, entry, source, labels)
        remember(project.folder, name=project.name, source=path)
        undo.pop_all()
    return Opened(project, entry, source, labels)


def place(project: Project, path: str, source: Source) -> Opened:
    """Put an open source into a project that is open; raises as `open_work`."""
    entry = project.add_source(path)
    return Opened(project, entry, source, _labels(project, entry, source))


def show_again(project: Project, entry: SourceEntry, source: Source) -> Opened:
    """Join a source that the project has already, freshly opened, with its labels."""
    return Opened(project, entry, source, _labels(project, entry, source))


def open_entry(entry: SourceEntry) -> Source:
    """Open the file of a project's source; raises `UnreadableFile`."""
    return open_source(entry.path, **entry.choices)


def labelled_entries(project: Project) -> set[str]:
    """Return the ids of the sources that have labels on disk, without opening any."""
    return {file.parent.name for file in (project.folder / "labels").glob("*/labels.*")}


def _labels(project: Project, entry: SourceEntry, source: Source) -> LabelBook:
    return project.labels(entry.id, source.shape, axes=tuple(axis.name for axis in source.axes))


def _first_classes() -> Classes:
    first = new_class(())
    return (first, new_class((first,)))


def _start(project: Project, entry: SourceEntry, source: Source, labels: LabelBook) -> None:
    """Give a new project two classes; an example its own and strokes, so that one click trains."""
    if not is_example(entry.path):
        project.set_classes(_first_classes())
        return
    from geocnn_gui.data.synthetic import example_classes, starter_labels

    name = "seismic" if entry.path == "example:seismic" else "scene"
    rows = example_classes(name)
    strokes = starter_labels(source)
    labels.apply(LabelEdit.replace(labels.store, Window.whole(source.shape), strokes))
    project.set_classes(tuple(LabelClass(id=i, name=n, color=c) for i, n, c in rows))

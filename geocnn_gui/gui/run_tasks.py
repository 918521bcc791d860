"""What a training job does: gather sources and labels, begin or take up a run; no Qt here."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geocnn_gui.data.source import Source
from geocnn_gui.errors import BadRequest, GeoCNNError, NotEnoughLabels
from geocnn_gui.events import Note
from geocnn_gui.gui.opening import labelled_entries, open_entry
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.project.project import SourceEntry
from geocnn_gui.project.runs import (
    CHECKPOINT_FILE,
    MODEL_FILE,
    Run,
    RunSource,
    begin_run,
    change_record,
    drop_empty,
    recorded,
    take_up,
)
from geocnn_gui.project.target import opened_target
from geocnn_gui.training.checkpoint import identity, mark
from geocnn_gui.training.sections import Pair
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from geocnn_gui.events import Event
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.project.project import Project
    from geocnn_gui.project.split import KeptSplit


@dataclass(frozen=True)
class InView:
    """The source in view, which is open already, and its labels as they are now."""

    entry: SourceEntry
    source: Source
    labels: LabelSnapshot


def new_run(
    project: Project,
    view: InView,
    specs: tuple[ModelSpec, TrainingSpec],
    classes: Classes,
    folder: Path,
    *,
    split: KeptSplit | None = None,
    after: Callable[[list[Pair], TrainingSpec], Iterator[Event]] | None = None,
) -> Iterator[Event]:
    """Train on the labels in view and on those of the project's other sources like it.

    `after` goes on with the same labels once the run is whole.
    """
    from geocnn_gui import workflow

    with ExitStack() as stack:
        stack.callback(drop_empty, folder)
        chosen, notes = gather(project, view, stack)
        yield from notes
        sources = [(_source(entry, pair), pair.labels) for entry, pair in chosen]
        specs = specs[0], with_choice(specs[1], split, [entry.id for entry, _ in chosen])
        begin_run(folder, specs, classes, sources)
        pairs = [pair for _, pair in chosen]
        yield from recorded(folder, workflow.train(
            pairs, *specs, classes, out=folder / MODEL_FILE, checkpoint=folder / CHECKPOINT_FILE,
        ))  # fmt: skip
        if after is not None:
            yield from after(pairs, specs[1])


def with_choice(
    training: TrainingSpec, kept: KeptSplit | None, entries: Sequence[str]
) -> TrainingSpec:
    """Return the spec with the split made by hand for a training on these sources."""
    choice = None if kept is None else kept.choice_for(entries)
    split = training.split.model_copy(update={"choice": choice})
    return training.model_copy(update={"split": split})


def gather(
    project: Project, view: InView, stack: ExitStack
) -> tuple[list[tuple[SourceEntry, Pair]], tuple[Note, ...]]:
    """Return the labelled sources like that in view, in the project's order, and what failed.

    `stack` closes those that were opened for it.
    """
    if view.entry.target is not None and view.entry.target.used:
        return _gather_values(project, view, stack)
    chosen: list[tuple[SourceEntry, Pair]] = []
    notes = []
    for entry in project.sources:
        if entry.id == view.entry.id:
            if view.labels.counts:
                chosen.append((view.entry, Pair(view.source, view.labels)))
            continue
        if entry.id not in labelled_entries(project):
            continue
        try:
            other = stack.enter_context(open_entry(entry))
            labels = project.labels(entry.id, other.shape).store.snapshot()
        except GeoCNNError as error:
            notes.append(Note(f"Training goes on without {entry.name}: {error}", warning=True))
            continue
        ours = view.source
        alike = (other.domain, len(other.bands)) == (ours.domain, len(ours.bands))
        if alike and labels.counts:
            chosen.append((entry, Pair(other, labels)))
    return chosen, tuple(notes)


def _source(entry: SourceEntry, pair: Pair) -> RunSource:
    target = entry.target if pair.target is not None else None
    return RunSource(entry=entry.id, choices=dict(entry.choices), mark=mark(pair), target=target)


def _gather_values(
    project: Project, view: InView, stack: ExitStack
) -> tuple[list[tuple[SourceEntry, Pair]], tuple[Note, ...]]:
    """Return the sources like that in view whose values are to be learned, and what failed."""
    chosen: list[tuple[SourceEntry, Pair]] = []
    notes, ours = [], view.source
    for entry in project.sources:
        if entry.target is None or not entry.target.used:
            continue
        here = entry.id == view.entry.id
        try:
            source = ours if here else stack.enter_context(open_entry(entry))
            if (source.domain, len(source.bands)) != (ours.domain, len(ours.bands)):
                continue
            values = stack.enter_context(opened_target(entry.target, project.folder, source))
            labels = LabelSnapshot(source.shape)
            if entry.target.only_labelled:
                labels = view.labels if here else (
                    project.labels(entry.id, source.shape).store.snapshot())  # fmt: skip
                if not labels.counts:
                    raise NotEnoughLabels(
                        f"{entry.name} has no labels", "paint where its values are to be learned"
                    )
        except GeoCNNError as error:
            if here:
                raise
            notes.append(Note(f"Training goes on without {entry.name}: {error}", warning=True))
            continue
        chosen.append((entry, Pair(source, labels, target=values)))
    return chosen, tuple(notes)


def go_on(project: Project, view: InView, run: Run) -> Iterator[Event]:
    """Go on with a run that was broken off, on the labels of its start; from the start if need be.

    Raises
    ------
    UnreadableFile, BadRequest
        When data are gone or have changed, or what the run has kept is damaged.
    """
    from geocnn_gui import workflow

    record = run.record
    assert record is not None
    with ExitStack() as stack:
        pairs = []
        for number, kept in enumerate(record.sources):
            source = _open_again(project, view, run, kept, stack)
            values = None
            if kept.target is not None:
                values = stack.enter_context(opened_target(kept.target, project.folder, source))
            pairs.append(workflow.Pair(source, run.labels(number), target=values))
        take_up(run)
        change_record(run, state="running", error="")
        out, checkpoint = run.folder / MODEL_FILE, run.folder / CHECKPOINT_FILE
        if run.checkpoint is not None:
            task = workflow.resume(checkpoint, pairs, out=out)
        else:
            training = record.training or TrainingSpec()
            task = workflow.train(
                pairs, record.model, training, record.classes, out=out, checkpoint=checkpoint
            )
        yield from recorded(run.folder, task)


def _open_again(
    project: Project, view: InView, run: Run, kept: RunSource, stack: ExitStack
) -> Source:
    """Return a source of a run, the one in view where it is the same."""
    from geocnn_gui.data.source import open_source

    entry = next((e for e in project.sources if e.id == kept.entry), None)
    if entry is None:
        raise BadRequest(
            f"{kept.mark.name}, on which {run.title} was trained, is no longer in the project",
            "train anew",
        )
    if entry.id == view.entry.id and dict(view.entry.choices) == kept.choices:
        source = view.source
    else:
        source = stack.enter_context(open_source(entry.path, **kept.choices))
    if (identity(source), source.shape) != (kept.mark.identity, kept.mark.shape):
        raise BadRequest(
            f"{entry.path} has changed since {run.title} began",
            "put the file back as it was, or train anew",
        )
    return source

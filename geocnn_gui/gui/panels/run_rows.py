"""Runs in words: a line of the list, a column of the comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.gui.panels.model_panel import title_of
from geocnn_gui.gui.widgets.card import duration, grouped, plural
from geocnn_gui.gui.widgets.compare_runs import ComparedRun
from geocnn_gui.gui.widgets.run_tree import RunRow

if TYPE_CHECKING:
    from pathlib import Path

    from geocnn_gui.events import EpochDone
    from geocnn_gui.models.spec import Spec
    from geocnn_gui.project.runs import Run, RunRecord


def row_of(run: Run, in_hand: Path | None) -> RunRow:
    """Return the line of a run; `in_hand` is the model in hand."""
    record = run.record
    if record is None:
        tip = f"Nothing can be read of the run in {run.folder}"
        return RunRow(run.folder, run.title, "", "", "", "damaged", "", tip)
    score = "" if record.holdout_iou is None else f"IoU {record.holdout_iou:.2f}"
    mine = run.model is not None and run.model == in_hand
    return RunRow(
        run.folder, run.title, title_of(record.model), score,
        duration(record.seconds) if record.seconds else "", run.state,
        record.notes.partition("\n")[0], _tip(run, record, in_hand=mine), mine,
    )  # fmt: skip


def _tip(run: Run, record: RunRecord, *, in_hand: bool) -> str:
    score = record.holdout_iou
    lines = [
        f"{run.title}, begun {record.created.astimezone():%d %B %Y, %H:%M}",
        "No held-out score" if score is None else f"Mean IoU {score:.2f} on held-out blocks",
    ]
    if record.sources:
        lines.append("Trained on " + ", ".join(source.mark.name for source in record.sources))
    lines += [record.error] if record.error else []
    lines += ["", record.notes] if record.notes else []
    if in_hand:
        lines.append("Its model is the one that predicts")
    elif run.model is not None:
        lines.append("Double click to predict with it")
    return "\n".join(lines)


def compared(run: Run, epochs: tuple[EpochDone, ...]) -> ComparedRun:
    """Return a run as a column of the comparison."""
    record = run.record
    if record is None:
        return ComparedRun(run.title, {"State": run.state})
    score = record.holdout_iou
    facts = {
        "Network": title_of(record.model),
        "State": run.state,
        "Mean IoU, held out": "–" if score is None else f"{score:.3f}",
        "Steps": grouped(record.steps),
        "Time": duration(record.seconds),
    }
    data = {
        "Trained on": ", ".join(source.mark.name for source in record.sources) or "–",
        "Labels": _labels(record),
    }
    names = {c.id: c.name for c in record.classes}
    scores = {names.get(i, f"Class {i}"): iou for i, iou in record.holdout_class_iou.items()}
    settings = {**data, **_settings(record.model), **_settings(record.training)}
    held = tuple(map(tuple, held_runs(epochs)))
    refit = tuple(epoch for epoch in epochs if epoch.stage == "refit")
    return ComparedRun(run.title, facts, scores, settings, held, refit)


def _labels(record: RunRecord) -> str:
    """Name the labels by the start of their digests: the same name, the same labels."""
    digests = {source.mark.labels_digest[:6] for source in record.sources}
    return ", ".join(sorted(digests)) or "–"


def _settings(spec: Spec | None) -> dict[str, str]:
    if spec is None:
        return {}
    fields = type(spec).model_fields
    return {
        fields[name].title or name: _word(value)
        for name, value in spec.model_dump().items() if name != "kind"
    }  # fmt: skip


def _word(value: object) -> str:
    return {True: "on", False: "off"}.get(value, "") if isinstance(value, bool) else f"{value}"


def held_runs(epochs: tuple[EpochDone, ...]) -> list[list[EpochDone]]:
    """Return the epochs of each held-out run, one per fold; those on single pixels are left out."""
    runs: dict[int, list[EpochDone]] = {}
    for epoch in epochs:
        if epoch.stage == "holdout" and not epoch.leaky:
            runs.setdefault(epoch.fold, []).append(epoch)
    return list(runs.values())


def chosen_sentence(runs: tuple[Run, ...]) -> str:
    """Name what is chosen: "Run 3", "3 runs"."""
    return runs[0].title if len(runs) == 1 else plural(len(runs), "run")

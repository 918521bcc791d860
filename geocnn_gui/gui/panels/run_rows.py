"""Runs in words: a line of the list, a column of the comparison."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.panels.model_words import title_of
from geocnn_gui.gui.widgets.card import duration, grouped, plural
from geocnn_gui.gui.widgets.compare_runs import ComparedRun
from geocnn_gui.gui.widgets.run_tree import RunRow
from geocnn_gui.models.spec import Spec
from geocnn_gui.models.weights import TrainingSummary, read_card
from geocnn_gui.scoring.intervals import score_words
from geocnn_gui.scoring.value_gain import ValueRun

if TYPE_CHECKING:
    from pathlib import Path

    from geocnn_gui.events import EpochDone
    from geocnn_gui.project.runs import Run, RunRecord


def row_of(run: Run, in_hand: Path | None) -> RunRow:
    """Return the line of a run; `in_hand` is the model in hand."""
    record = run.record
    if record is None:
        tip = f"Nothing can be read of the run in {run.folder}"
        return RunRow(run.folder, run.title, "", "", "", "damaged", "", tip)
    said = record.summary or TrainingSummary(holdout_iou=record.holdout_iou)
    score = "" if said.holdout_iou is None else (
        f"IoU {score_words(said.holdout_iou, said.holdout_interval)}")  # fmt: skip
    if (rmse := said.holdout_values.get("rmse")) is not None:
        score = f"RMSE {rmse:.4g}"
    mine = run.model is not None and run.model == in_hand
    return RunRow(
        run.folder, run.title, title_of(record.model), score,
        duration(record.seconds) if record.seconds else "", run.state,
        record.notes.partition("\n")[0], _tip(run, record, in_hand=mine), mine,
    )  # fmt: skip


def _tip(run: Run, record: RunRecord, *, in_hand: bool) -> str:
    lines = [
        f"{run.title}, begun {record.created.astimezone():%d %B %Y, %H:%M}",
        *score_lines(record),
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
    facts = {
        "Network": title_of(record.model),
        "State": run.state,
        **_figures(record),
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
    said = record.summary
    units = None if said is None else said.holdout_scores
    ends = {} if said is None else said.holdout_class_interval
    intervals = {names.get(i, f"Class {i}"): each for i, each in ends.items()}
    values = _value_run(run, said)
    return ComparedRun(run.title, facts, scores, settings, held, refit, units, intervals, values)


def _value_run(run: Run, said: TrainingSummary | None) -> ValueRun | None:
    """Return what a run for values came to, None of one for classes or without its model."""
    if said is None or not said.holdout_values or run.model is None:
        return None
    with suppress(GeoCNNError):
        target = read_card(run.model).target
        return None if target is None else ValueRun(target, said.holdout_value_scores)
    return None


def score_lines(record: RunRecord) -> list[str]:
    """Say how good a run is and how far that may be off, a line each."""
    said = record.summary or TrainingSummary(holdout_iou=record.holdout_iou)
    if said.holdout_values:
        return [_value_line(title, figures) for title, figures in (
            ("Held out", said.holdout_values), ("Test set", said.test_values),
            ("On single pixels (leaky)", said.leaky_values),
        ) if figures]  # fmt: skip
    if said.holdout_iou is None:
        return ["No held-out score"]
    words = score_words(
        said.holdout_iou, said.holdout_interval, said.holdout_units, said.holdout_by
    )
    lines = [f"Held-out mean IoU {words}" + (": may be optimistic" * said.holdout_optimistic)]
    if said.test_iou is not None:
        lines.append(f"Test set: mean IoU {score_words(said.test_iou, said.test_interval)}")
    if said.leaky_iou is not None:
        lines.append(f"On single pixels (leaky): {said.leaky_iou:.2f}")
    return lines


def _value_line(title: str, figures: dict[str, float | None]) -> str:
    names = {"rmse": "RMSE", "mae": "MAE", "r2": "R²", "psnr": "PSNR"}
    said = [f"{n} {figures[k]:.4g}" for k, n in names.items() if figures.get(k) is not None]
    return f"{title}: {', '.join(said)}"


def _figures(record: RunRecord) -> dict[str, str]:
    """Return the scores of a run, with their intervals, as the comparison shows them."""
    said = record.summary or TrainingSummary(holdout_iou=record.holdout_iou)
    if said.holdout_values:
        line = _value_line("", said.holdout_values).removeprefix(": ")
        scored = plural(said.holdout_units, said.holdout_by)
        return {"Values, held out": line, "Scored on": scored}
    found = {"Mean IoU, held out": "–"}
    if said.holdout_iou is not None:
        found["Mean IoU, held out"] = score_words(said.holdout_iou, said.holdout_interval, digits=3)
    if said.holdout_by:
        folds = f", {said.holdout_folds} folds" if said.holdout_folds > 1 else ""
        found["Scored on"] = f"{plural(said.holdout_units, said.holdout_by)}{folds}"
    if said.holdout_optimistic:
        found["Buffer"] = "capped: may be optimistic"
    if said.test_iou is not None:
        found["Mean IoU, test set"] = score_words(said.test_iou, said.test_interval, digits=3)
    if said.leaky_iou is not None:
        found["On single pixels (leaky)"] = f"{said.leaky_iou:.3f}"
    return found


def _labels(record: RunRecord) -> str:
    """Name the labels by the start of their digests: the same name, the same labels."""
    digests = {source.mark.labels_digest[:6] for source in record.sources}
    return ", ".join(sorted(digests)) or "–"


def _settings(spec: Spec | None) -> dict[str, str]:
    if spec is None:
        return {}
    found = {}
    for name, field in type(spec).model_fields.items():
        value = getattr(spec, name)
        if name == "choice":
            found["Units moved by hand"] = "no" if value is None else "yes"
        elif isinstance(value, Spec):
            inner = _settings(value)
            found.update({f"{k} (split)" if k == "Seed" else k: v for k, v in inner.items()})
        elif name != "kind":
            found[field.title or name] = _word(value)
    return found


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

"""`geocnn evaluate`: a class map against labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from geocnn_gui import workflow
from geocnn_gui.cli.app import STOPPED
from geocnn_gui.cli.console import follow, print_json
from geocnn_gui.cli.options import json_option
from geocnn_gui.cli.targets import table_of
from geocnn_gui.scoring.intervals import score_words
from geocnn_gui.scoring.judge_thin import ThinWish
from geocnn_gui.scoring.value_evaluation import (
    ValueEvaluation,
    evaluate_value_files,
    evaluate_value_table,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from geocnn_gui.events import Event
    from geocnn_gui.scoring.evaluation import Evaluation
    from geocnn_gui.scoring.metrics import Scores

_FIGURES = {
    "mean_iou": "Mean IoU",
    "mean_f1": "Mean F1",
    "mean_class_accuracy": "Mean class accuracy",
    "frequency_weighted_iou": "Frequency weighted IoU",
    "kappa": "Kappa",
    "pixel_accuracy": "Pixel accuracy",
}
_SUBSETS = {"held_out": "Held out", "trained": "Trained on", "near": "Buffer", "new": "New"}
_PATH = click.Path(path_type=Path)
Matrix = Literal["counts", "rows", "columns"]
T = TypeVar("T")


@click.command()
@click.argument("prediction", type=_PATH)
@click.option(
    "--labels", type=_PATH,
    help="The true classes: raster, PNG, SEG-Y or .npy of the same grid; 0 is unlabelled.",
)  # fmt: skip
@click.option(
    "--target", metavar="FILE",
    help="The true values, of a map of values: raster, SEG-Y or .npy of the same grid.",
)  # fmt: skip
@click.option("--target-band", type=click.IntRange(1, 10_000), help="Band of the target, from 1.")
@click.option(
    "--values", "table", type=_PATH, metavar="FILE.csv",
    help="The true values of samples, whose predicted ones PREDICTION (.csv) holds.",
)  # fmt: skip
@click.option("--column", default="", help="Title of the column of --values.")
@click.option(
    "--errors",
    type=_PATH,
    help="Error map to write, as .tif, .sgy or .npy: 0 unlabelled, 1 right, 2 wrong.",
)
@click.option(
    "--confusion", "matrix", type=click.Choice(["counts", "rows", "columns"]),
    help="Print the confusion matrix too: counts, or percent of each row (truth) or column.",
)  # fmt: skip
@click.option(
    "--tolerance", type=click.IntRange(0, 50), default=2, show_default=True,
    help="Cells that the line of a thin class may lie aside and still be right.",
)  # fmt: skip
@click.option(
    "--thin",
    type=click.IntRange(1, 254),
    multiple=True,
    help="Count this class id as thin.  [default: classes whose labels are narrow]",
)
@click.option(
    "--not-thin", type=click.IntRange(1, 254), multiple=True,
    help="Do not count this class id as thin.",
)  # fmt: skip
@click.option(
    "--probabilities", type=_PATH,
    help="Probabilities written beside PREDICTION: precision-recall curves of thin classes.",
)  # fmt: skip
@click.option(
    "--model", type=_PATH,
    help="The model file, where nothing beside PREDICTION tells its scores on held-out ground.",
)  # fmt: skip
@json_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    prediction: Path,
    labels: Path | None,
    target: str | None,
    target_band: int | None,
    table: Path | None,
    column: str,
    errors: Path | None,
    matrix: Matrix | None,
    tolerance: int,
    thin: tuple[int, ...],
    not_thin: tuple[int, ...],
    probabilities: Path | None,
    model: Path | None,
    as_json: bool,
) -> None:
    """Compare PREDICTION with labels: IoU, F1, accuracy, confusion.

    Unlabelled cells enter nothing; labelled cells without a prediction count as wrong. Cells
    that the model was trained on, that it held out and that are new to it are scored apart
    where the file beside PREDICTION (.seen.npz) tells them, each with its 95 % interval and why
    it is so. Classes whose labels are narrow
    (faults) also get an F1 that forgives lines a little aside. A map of values is compared
    with a --target, the values of samples with --values instead: MAE, RMSE, R2, PSNR.
    """
    if target is not None or table is not None:
        if labels or errors or matrix or probabilities or model or (target and table):
            raise click.UsageError("--labels and what goes with classes has no use with values.")
        band = None if target_band is None else target_band - 1
        if table is not None:
            task = evaluate_value_table(prediction, table, column=column or None)
        else:
            task = evaluate_value_files(prediction, target or "", band=band)
        _evaluate_values(ctx, task, as_json)
        return
    if labels is None:
        raise click.UsageError(
            "Missing option '--labels' (of classes), '--target' or '--values' (of values)."
        )
    wish = ThinWish(tolerance, frozenset(thin), frozenset(not_thin))
    found: list[Evaluation] = []
    outcome = follow(
        _keeping(
            workflow.evaluate(
                prediction,
                labels,
                errors=errors,
                wish=wish,
                probabilities=probabilities,
                model=model,
            ),
            found,
        )
    )
    if outcome.stopped:
        click.echo("geocnn: stopped; nothing is written.", err=True)
        ctx.exit(STOPPED)
    (evaluation,) = found
    if as_json:
        more = evaluation.model_dump(exclude={"scores"})
        print_json({**evaluation.scores.model_dump(), **more, "errors": errors})
        return
    _print_figures(evaluation)
    _print_grounds(evaluation)
    _print_classes(evaluation)
    _print_thin(evaluation)
    if matrix is not None:
        _print_confusion(evaluation.scores, matrix)
    if missing := sum(evaluation.scores.unpredicted):
        click.echo(f"\n{missing:,} labelled cells have no prediction and count as wrong.")
    for sentence in (*evaluation.warnings, *evaluation.notes):
        click.echo(f"\n{sentence}")


def _evaluate_values(
    ctx: click.Context, task: Generator[Event, None, ValueEvaluation], as_json: bool
) -> None:
    found: list[ValueEvaluation] = []
    if follow(_keeping(task, found)).stopped:
        click.echo("geocnn: stopped; nothing is written.", err=True)
        ctx.exit(STOPPED)
    (evaluation,) = found
    if as_json:
        print_json(
            {**evaluation.figures.model_dump(), **evaluation.model_dump(exclude={"figures"})}
        )
        return
    parts = {"All": evaluation.figures}
    parts |= {_SUBSETS[part]: figures for part, figures in evaluation.subsets.items()}
    titles = ["", *parts] if evaluation.subsets else ["", ""]
    _print_table(titles, table_of(parts, evaluation.unit))
    if missing := evaluation.figures.missing:
        click.echo(f"\n{missing:,} cells with a true value have no prediction and do not count.")
    for sentence in (*evaluation.warnings, *evaluation.notes):
        click.echo(f"\n{sentence}")


def _keeping(task: Generator[Event, None, T], found: list[T]) -> Generator[Event]:
    found.append((yield from task))


def _print_figures(evaluation: Evaluation) -> None:
    parts = {"All": evaluation.scores}
    parts |= {_SUBSETS[part]: scores for part, scores in evaluation.subsets.items()}
    rows = [
        [title, *(_figure(getattr(scores, key)) for scores in parts.values())]
        for key, title in _FIGURES.items()
    ]
    cells = [f"{sum(c.support for c in scores.classes):,}" for scores in parts.values()]
    titles = ["", *parts] if evaluation.subsets else ["", ""]
    _print_table(titles, [*rows, ["Labelled cells", *cells]])


def _print_grounds(evaluation: Evaluation) -> None:
    """Print the score with its reason, where any of it is known."""
    from geocnn_gui.scoring.reasons import gap_words

    if all(ground.value is None for ground in evaluation.grounds):
        return
    click.echo()
    for each in evaluation.grounds:
        figure = score_words(each.value, each.interval, each.units, each.kind)
        click.echo(f"{each.title}: {figure}. {each.reason}")
    if words := gap_words(evaluation.grounds):
        click.echo(words)


def _print_classes(evaluation: Evaluation) -> None:
    titles = ["Class", "IoU", "F1", "Precision", "Recall", "Accuracy", "Cells"]
    titles += [f"IoU {_SUBSETS[part].lower()}" for part in evaluation.subsets]
    apart = [{c.id: c.iou for c in each.classes} for each in evaluation.subsets.values()]
    rows = []
    for c in evaluation.scores.classes:
        figures = [_figure(v) for v in (c.iou, c.f1, c.precision, c.recall, c.accuracy)]
        more = [_figure(part.get(c.id)) for part in apart]
        rows.append([f"{c.id} {c.name}", *figures, f"{c.support:,}", *more])
    click.echo()
    _print_table(titles, rows)


def _print_thin(evaluation: Evaluation) -> None:
    thin = [c for c in evaluation.scores.classes if c.thin]
    if not thin:
        return
    titles = ["Thin class", f"F1 ±{evaluation.tolerance}", "Precision", "Recall"]
    titles += ["Best threshold", "F1 there"] if evaluation.thresholds else []
    rows = []
    for c in thin:
        row = [f"{c.id} {c.name}"]
        row += [_figure(v) for v in (c.f1_tolerant, c.precision_tolerant, c.recall_tolerant)]
        if evaluation.thresholds:
            best = evaluation.thresholds.get(c.id)
            row += [_figure(best.threshold), _figure(best.f1)] if best else ["-", "-"]
        rows.append(row)
    click.echo()
    _print_table(titles, rows)


def _print_confusion(scores: Scores, matrix: Matrix) -> None:
    from geocnn_gui.scoring.metrics import by_column, by_row

    if matrix == "counts":
        table = [[f"{n:,}" for n in row] for row in scores.confusion]
    else:
        shares = by_row(scores) if matrix == "rows" else by_column(scores)
        table = [["-" if v is None else f"{v:.1%}" for v in row] for row in shares]
    names = [f"{c.id} {c.name}" for c in scores.classes]
    click.echo("\nConfusion: rows are the labels, columns the prediction.")
    _print_table(["", *names], [[name, *row] for name, row in zip(names, table, strict=True)])


def _print_table(titles: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(titles[0], box=None, pad_edge=False)
    for title in titles[1:]:
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"

"""`geocnn evaluate`: a class map against labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from geocnn_gui import workflow
from geocnn_gui.cli.console import print_json
from geocnn_gui.cli.options import json_option

if TYPE_CHECKING:
    from geocnn_gui.scoring.metrics import Scores

_FIGURES = {
    "mean_iou": "Mean IoU",
    "mean_class_accuracy": "Mean class accuracy",
    "frequency_weighted_iou": "Frequency weighted IoU",
    "kappa": "Kappa",
    "pixel_accuracy": "Pixel accuracy",
}


@click.command()
@click.argument("prediction", type=click.Path(path_type=Path))
@click.option(
    "--labels", type=click.Path(path_type=Path), required=True,
    help="The truth: raster, PNG, SEG-Y or .npy of the same grid; 0 is unlabelled.",
)  # fmt: skip
@json_option
def evaluate(prediction: Path, labels: Path, as_json: bool) -> None:
    """Compare PREDICTION with labels: IoU, F1, accuracy, confusion.

    Unlabelled cells enter nothing; labelled cells without a prediction count as wrong.
    """
    scores = workflow.evaluate(prediction, labels)
    if as_json:
        print_json(scores.model_dump())
        return
    for key, title in _FIGURES.items():
        click.echo(f"{title:<24}{_figure(getattr(scores, key))}")
    click.echo()
    _print_classes(scores)


def _print_classes(scores: Scores) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("Class", box=None, pad_edge=False)
    for title in ("IoU", "F1", "Precision", "Recall", "Cells"):
        table.add_column(title, justify="right")
    for c in scores.classes:
        figures = (_figure(v) for v in (c.iou, c.f1, c.precision, c.recall))
        table.add_row(f"{c.id} {c.name}", *figures, f"{c.support:,}")
    Console(highlight=False, markup=False).print(table)
    if missing := sum(scores.unpredicted):
        click.echo(f"\n{missing:,} labelled cells have no prediction and count as wrong.")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"

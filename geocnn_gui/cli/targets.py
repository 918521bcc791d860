"""Options of a continuous target: its file, band and unit, and data that need no labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geocnn_gui.data.source import open_source
from geocnn_gui.errors import BadRequest
from geocnn_gui.labels.sample_values import sample_target_on
from geocnn_gui.labels.targets import target_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from geocnn_gui.data.source import Source
    from geocnn_gui.labels.targets import TargetValues
    from geocnn_gui.models.target import Target
    from geocnn_gui.models.weights import TrainingSummary
    from geocnn_gui.scoring.values import ValueFigures

_DATA = "--data"
FIGURES = {"rmse": "RMSE", "mae": "MAE", "r2": "R2", "psnr": "PSNR", "bias": "Bias"}


class DataCommand(click.Command):
    """A command whose `--data FILE LABELS` may leave LABELS out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse arguments, an empty text in the place of labels left out."""
        filled: list[str] = []
        for place, word in enumerate(args):
            filled.append(word)
            alone = place + 1 == len(args) or args[place + 1].startswith("--")
            if place and args[place - 1] == _DATA and alone:
                filled.append("")
        return super().parse_args(ctx, filled)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --target and --values, and what goes with them, to a command."""
    options = [
        click.option(
            "--target", "targets", multiple=True, metavar="FILE",
            help="Learn the values of FILE, a raster, SEG-Y or .npy of the grid of the data, "
            "instead of classes; one for each --data, which then needs no labels. Where labels "
            "are given only labelled cells are learned.",
        ),
        click.option(
            "--target-band", type=click.IntRange(1, 10_000), help="Band of the target, from 1."
        ),
        click.option("--target-name", default="", help="What the values are: porosity."),
        click.option(
            "--target-unit", "--unit", default="", help="Their unit, where FILE does not say it."
        ),
        click.option(
            "--values", "tables", multiple=True, metavar="FILE.csv",
            help="Learn one value for each sample instead of classes; one table for each --samples. "
            "Its rows name the samples in a column, or are as many and in their order. A sample "
            "without a number is left out.",
        ),
        click.option("--column", default="", help="Title of the column of --values to learn."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def check_targets(
    data: tuple[tuple[str, str], ...], sets: tuple[str, ...], wish: dict[str, Any]
) -> None:
    """Refuse data without labels or target, and another number of targets than of data."""
    targets, tables = wish["targets"], wish["tables"]
    if targets and sets:
        raise click.UsageError("A --target goes with --data; --samples learn --values.")
    if tables and len(tables) != len(data):
        raise click.UsageError(
            f"There are {len(sets)} --samples and {len(tables)} --values: give one for each, "
            "and no --data."
        )
    if wish["column"] and not tables:
        raise click.UsageError("--column is one of --values: give its file.")
    if targets and len(targets) != len(data):
        raise click.UsageError(
            f"There are {len(data)} --data and {len(targets)} --target: give one for each."
        )
    if tables and wish["target_band"]:
        raise click.UsageError("--target-band goes with --target; --values have a --column.")
    if (
        not targets
        and not tables
        and any(wish[f"target_{key}"] for key in ("band", "name", "unit"))
    ):
        raise click.UsageError("Which --target is meant? Give its file.")
    for file, labels in data:
        if not labels and not targets and not tables:
            raise click.UsageError(
                f"--data {file} needs LABELS after it, or a --target to learn values from."
            )


def open_target(
    number: int, wish: dict[str, Any], source: Source, files: ExitStack
) -> TargetValues | None:
    """Return the target of data file `number`, None where there are none; say what it lacks."""
    if wish["tables"]:
        return _sample_target(Path(wish["tables"][number]), wish, source)
    if not wish["targets"]:
        return None
    band = None if wish["target_band"] is None else wish["target_band"] - 1
    file = files.enter_context(open_source(wish["targets"][number]))
    try:
        return target_on(
            file, source, band=band, name=wish["target_name"], unit=wish["target_unit"]
        )
    except BadRequest as error:
        if band is None:
            raise BadRequest(error.fact, f"{error.way_out} (--target-band)") from error
        raise


def _sample_target(path: Path, wish: dict[str, Any], source: Source) -> TargetValues:
    try:
        target, notes = sample_target_on(
            path, source, column=wish["column"] or None, name=wish["target_name"],
            unit=wish["target_unit"],
        )  # fmt: skip
    except BadRequest as error:
        if "one of" not in (error.way_out or ""):
            raise
        raise BadRequest(error.fact, f"{error.way_out} (--column)") from error
    for note in notes:
        click.echo(f"geocnn: {note}", err=True)
    return target


def words_of(target: Target, said: TrainingSummary) -> str:
    """Return what a training of values came to, in a line."""
    text = _words(target, said.holdout_values)
    if not text:
        return "no score"
    text = f"held out {text}"
    if ends := said.holdout_values_interval.get("rmse"):
        text += (
            f" (RMSE {ends[0]:.4g} to {ends[1]:.4g} over {said.holdout_units} {said.holdout_by}s)"
        )
    if said.holdout_optimistic:
        text += " (may be optimistic)"
    if leaky := _words(target, said.leaky_values):
        text += f"; leaky on single pixels {leaky}"
    if test := _words(target, said.test_values):
        text += f"; test set {test}"
    return text


def _words(target: Target, values: dict[str, float | None]) -> str:
    unit = {"rmse": target.unit, "mae": target.unit, "psnr": "dB"}
    shown = [
        f"{FIGURES[key]} {value:.4g} {unit.get(key, '')}".strip()
        for key, value in values.items()
        if value is not None
    ]
    return ", ".join(shown)


def result_of(target: Target, said: TrainingSummary) -> dict[str, Any]:
    """Return what a training of values came to, for --json."""
    return {
        "target": target.model_dump(),
        "holdout": said.holdout_values,
        "holdout_interval": said.holdout_values_interval,
        "leaky": said.leaky_values,
        "test": said.test_values,
        "test_interval": said.test_values_interval,
    }


def table_of(parts: dict[str, ValueFigures], unit: str) -> list[list[str]]:
    """Return the rows of a table of figures, a column for each part of the cells."""
    units = {"r2": "", "psnr": " (dB)"}
    rows = []
    for key, title in FIGURES.items():
        values = [getattr(figures, key) for figures in parts.values()]
        suffix = units.get(key, f" ({unit})" if unit else "")
        rows.append([title + suffix, *("-" if v is None else f"{v:.4g}" for v in values)])
    return [*rows, ["Cells", *(f"{figures.cells:,}" for figures in parts.values())]]

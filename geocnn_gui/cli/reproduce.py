"""`geocnn reproduce`: the two textbook examples, ours beside the published figures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from geocnn_gui import workflow
from geocnn_gui.cli.app import STOPPED
from geocnn_gui.cli.console import follow, print_json
from geocnn_gui.cli.options import device_option, json_option

if TYPE_CHECKING:
    from geocnn_gui.training.textbook import SeedResult
    from geocnn_gui.training.textbook_recipes import Published
    from geocnn_gui.workflow import DeviceWish


@click.command()
@click.argument("example", type=click.Choice(["patches", "traces"]))
@click.option(
    "--seeds", type=click.IntRange(1, 1000), default=1, show_default=True,
    help="Train with seeds 0 to N - 1; each draws its own samples and its own weights.",
)  # fmt: skip
@click.option(
    "--figure", type=click.Path(path_type=Path),
    help="Figure to write (.png, .pdf or .svg): a held-out sample of each class, true -> predicted.",
)  # fmt: skip
@device_option
@json_option
@click.pass_context
def reproduce(
    ctx: click.Context,
    example: Literal["patches", "traces"],
    seeds: int,
    figure: Path | None,
    device: DeviceWish,
    as_json: bool,
) -> None:
    """Draw a textbook example, train its network as published, and compare the figures.

    Four fifths of the samples are trained on, all at once; the last fifth is held out. The loss
    of the first epoch depends on the initial weights and is no target.
    """
    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.training.textbook import reproduce as run
    from geocnn_gui.training.textbook_recipes import RECIPES

    if figure is not None:
        workflow.check_destination(figure)
    results: list[SeedResult] = []
    outcome = follow(run(example, seeds, results, figure=figure, device=choose_device(device)))
    published = RECIPES[example].published
    if as_json:
        print_json(_result(results, published, RECIPES[example].parameters))
    else:
        _print(results, published)
    ctx.exit(STOPPED if outcome.stopped else 0)


def _result(results: list[SeedResult], published: Published, parameters: int) -> dict[str, Any]:
    return {
        "parameters": results[0].parameters if results else parameters,
        "seeds": [
            {
                "seed": r.seed, "losses": r.losses, "holdout_loss": r.holdout_loss,
                "accuracy": r.accuracy, "class_accuracy": r.class_accuracy, "seconds": r.seconds,
                "misses": [
                    {"sample": m.name, "true": m.true, "predicted": m.predicted} for m in r.misses
                ],
            }
            for r in results
        ],
        "published": {**asdict(published), "parameters": parameters},
    }  # fmt: skip


def _print(results: list[SeedResult], published: Published) -> None:
    from rich.console import Console
    from rich.table import Table

    if not results:
        return
    console = Console(highlight=False, markup=False)
    losses = Table("Loss", box=None, pad_edge=False)
    for epoch in published.epochs:
        losses.add_column(f"epoch {epoch}", justify="right")
    losses.add_column("held out", justify="right")
    losses.add_row("Published", *_four(*published.losses, published.holdout_loss))
    rates = Table("Accuracy", box=None, pad_edge=False)
    names = list(results[0].class_accuracy)
    for title in ("all", *names, "seconds"):
        rates.add_column(title, justify="right")
    rates.add_row(
        "Published", *_three(published.accuracy, *[published.class_accuracy] * len(names))
    )
    for r in results:
        losses.add_row(f"Seed {r.seed}", *_four(*r.losses, r.holdout_loss))
        rates.add_row(
            f"Seed {r.seed}", *_three(r.accuracy, *r.class_accuracy.values()), f"{r.seconds:.1f}"
        )
    console.print(losses, "", rates)
    click.echo(f"\nParameters: {results[0].parameters:,}. Losses are mean cross-entropies.")
    misses = [(r.seed, m) for r in results for m in r.misses]
    for seed, miss in misses:
        click.echo(f"Seed {seed}: {miss.name} is {miss.true}, taken for {miss.predicted}.")
    if not misses:
        click.echo("Every sample held out is named rightly.")


def _four(*values: float) -> list[str]:
    return [f"{v:.4f}" for v in values]


def _three(*values: float) -> list[str]:
    return [f"{v:.3f}" for v in values]

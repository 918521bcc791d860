"""`geocnn learn`: data without labels in, backbone file out."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from geocnn_gui import workflow
from geocnn_gui.cli.app import STOPPED
from geocnn_gui.cli.console import Outcome, follow, print_json
from geocnn_gui.cli.options import BUNDLED, device_option, domain_option, json_option, open_as
from geocnn_gui.models.survey_card import STEPS, BackboneCard, read_backbone_card

if TYPE_CHECKING:
    from geocnn_gui.data.source import Domain
    from geocnn_gui.workflow import DeviceWish

NONE = "none"


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FILE",
    help="Backbone file to write (.safetensors).",
)  # fmt: skip
@click.option(
    "--start", default=BUNDLED, show_default=True, metavar="FILE|bundled|none",
    help="Backbone to begin with: a file, for instance --out itself to go on with it, the one "
    "that comes with the program, or fresh weights.",
)  # fmt: skip
@click.option(
    "--steps", type=click.IntRange(1, 1_000_000), default=STEPS, show_default=True,
    help="Steps to take, on top of those of the backbone that it begins with.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True,
    help="What patches are drawn, and what is hidden of them.",
)  # fmt: skip
@click.option(
    "--licence", default="", metavar="TEXT",
    help="Licence and attribution of the data, to be kept in the file.",
)  # fmt: skip
@domain_option(
    "What rasters and 2-D arrays hold; a section as a picture is imagery unless you say seismic."
)
@device_option
@json_option
@click.pass_context
def learn(
    ctx: click.Context,
    files: tuple[str, ...],
    out: Path,
    start: str,
    steps: int,
    seed: int,
    licence: str,
    domain: Domain | None,
    device: DeviceWish,
    as_json: bool,
) -> None:
    """Learn data without labels: a backbone for `geocnn live` and for trainings.

    It sees patches of which a half is hidden, and learns to fill that in. All SOURCEs must be of
    one kind and of as many bands. Ctrl-C stops and keeps what is learned.
    """
    before = _stamp(out)
    with ExitStack() as opened:
        sources = [opened.enter_context(open_as(file, domain)) for file in files]
        task = workflow.learn(
            sources, out=out, steps=steps, seed=seed, licence=licence, device=device,
            start=backbone_named(start, sources[0].domain),
        )  # fmt: skip
        outcome = follow(task)
    if outcome.stopped:
        _tell_stopped(out, kept=_stamp(out) != before)
    if _stamp(out) != before:
        _report(outcome, out, read_backbone_card(out), as_json=as_json)
    ctx.exit(STOPPED if outcome.stopped else 0)


def backbone_named(name: str, domain: Domain) -> Path | None:
    """Return the file that --start or --backbone names; None for fresh weights."""
    if name == NONE:
        return None
    return workflow.bundled_backbone(domain) if name == BUNDLED else Path(name)


def _tell_stopped(out: Path, *, kept: bool) -> None:
    if not kept:
        stays = f"; {out} stays, which learned longer." if out.exists() else "."
        click.echo(f"geocnn: stopped before there was anything to save{stays}", err=True)
        return
    click.echo(
        f"geocnn: stopped; what is learned is saved as {out}. The same command with "
        f"--start {out} goes on.",
        err=True,
    )


def _stamp(out: Path) -> tuple[int, int] | None:
    """Return what changes when a file is replaced."""
    if not out.exists():
        return None
    facts = out.stat()
    return facts.st_ino, facts.st_mtime_ns


def _report(outcome: Outcome, out: Path, card: BackboneCard, *, as_json: bool) -> None:
    if not as_json:
        click.echo(f"{out}: {card.steps:,} steps, error {card.loss:.3f}, {outcome.seconds:.0f} s")
        return
    said = card.model_dump(exclude={"version", "spec", "seconds"})
    print_json(
        {
            "backbone": str(out), **said, "stopped": outcome.stopped,
            "seconds": outcome.seconds, "notes": outcome.notes,
        }
    )  # fmt: skip

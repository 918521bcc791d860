"""`geocnn inspect`: what goes on inside a model at one place of the data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geocnn_gui import workflow
from geocnn_gui.cli.app import STOPPED
from geocnn_gui.cli.console import follow, print_json
from geocnn_gui.cli.options import (
    SectionRange,
    SectionRangeType,
    domain_option,
    json_option,
    one_section,
    open_as,
)
from geocnn_gui.inspection.spec import Place, Wish
from geocnn_gui.models.weights import read_card

if TYPE_CHECKING:
    from collections.abc import Generator

    from geocnn_gui.data.source import Domain
    from geocnn_gui.events import Event
    from geocnn_gui.inspection.report import Report

_PATH = click.Path(path_type=Path)
_AT = re.compile(r"^(\d+),(\d+)$")


class _CellType(click.ParamType):
    """Read "120,45"."""

    name = "ROW,COLUMN"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        """Return row and column."""
        if isinstance(value, tuple):
            return value
        if (found := _AT.match(value)) is None:
            self.fail(f"{value!r} is not of the form 120,45: row and column from 0.", param, ctx)
        return int(found[1]), int(found[2])


@click.command()
@click.argument("model", type=_PATH)
@click.argument("file")
@click.option(
    "--at", type=_CellType(), required=True, help="Row and column of the section, from 0."
)
@click.option(
    "--section", type=SectionRangeType(), help="Which section of a cube: inline:150.  [default: the middle]",
)  # fmt: skip
@click.option("--layer", default="", help="Layer by name.  [default: the deepest convolution]")
@click.option(
    "--class", "output", help="Class to explain, by name or id.  [default: the likeliest]"
)
@click.option(
    "--size",
    type=click.IntRange(1, 512),
    help="Cells across the window of a network that names every pixel.",
)
@click.option(
    "--method", "methods", multiple=True,
    type=click.Choice(["grad-cam", "integrated", "occlusion"]),
    default=("grad-cam", "integrated"), show_default=True, help="How to attribute the class.",
)  # fmt: skip
@click.option(
    "--windows", type=click.IntRange(0, 1000), default=16, show_default=True,
    help="Windows that the effective receptive field is the mean of; 0 leaves it out.",
)  # fmt: skip
@click.option("--out", type=_PATH, help="Arrays (.npz) or a picture (.png) to write.")
@domain_option("What a raster or 2-D array holds.  [default: what the model was trained on]")
@json_option
@click.pass_context
def inspect(
    ctx: click.Context,
    model: Path,
    file: str,
    at: tuple[int, int],
    section: SectionRange | None,
    domain: Domain | None,
    out: Path | None,
    as_json: bool,
    **wish: Any,
) -> None:
    """See inside MODEL at one place of FILE.

    Says the class probabilities there, lists the layers and gives the receptive fields; --out
    holds the feature maps and kernels of a layer, attributions and the effective receptive
    field as well.
    """
    found: list[Report] = []
    card = read_card(model)
    with open_as(file, domain or card.domain) as source:
        place = Place(one_section(section, source) or source.first_section(), *at)
        task = workflow.inspect(model, source, place, wish=Wish(**wish), out=out)
        outcome = follow(_kept(found, task))
    if outcome.stopped:
        click.echo("geocnn: stopped; nothing is written.", err=True)
        ctx.exit(STOPPED)
    facts = found[0].facts()
    if as_json:
        print_json({"model": str(model), "source": file,
                    "out": None if out is None else str(out), **facts,
                    "notes": outcome.notes, "seconds": outcome.seconds})  # fmt: skip
        return
    for line in _lines(facts):
        click.echo(line)
    if out is not None:
        click.echo(f"{out}: written in {outcome.seconds:.1f} s")


def _kept(found: list[Report], task: Generator[Event, None, Report]) -> Generator[Event]:
    """Pass on the events of a task and keep what it returns."""
    found.append((yield from task))


def _lines(facts: dict[str, Any]) -> list[str]:
    lines = [
        f"{each['name']:<24}{each['value']:.4g} {each['unit']}".rstrip()
        for each in facts["outputs"]
    ]
    for key, title in (("receptive_field", "Receptive field"),
                       ("effective_field", "  of it in use")):  # fmt: skip
        if (box := facts[key]) is not None:
            rows, columns = (b - a for a, b in (box["rows"], box["columns"]))
            more = " or more" if box["cut"] else ""
            lines.append(f"{title:<24}{rows} x {columns}{more}")
    for each in facts["layers"]:
        size = " x ".join(str(n) for n in (each["channels"], *each["size"]))
        mark = "  <" if each["name"] == facts["layer"] else ""
        lines.append(f"{each['name']:<40} {each['kind']:<18}{size}{mark}")
    return lines

"""`geocnn export`: what a project or a class map holds, as files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geocnn_gui import workflow
from geocnn_gui.cli.app import STOPPED
from geocnn_gui.cli.console import Outcome, follow, print_json
from geocnn_gui.cli.options import SectionRange, SectionRangeType, json_option, one_section
from geocnn_gui.data.colour_maps import COLOUR_MAPS
from geocnn_gui.export.figure import FigureSpec
from geocnn_gui.export.layers import target_of
from geocnn_gui.export.table import FORMATS, Kind, Material, Order, kind_for

if TYPE_CHECKING:
    from geocnn_gui.export.segy import Samples
    from geocnn_gui.labels.classes import Classes

_PATH = click.Path(path_type=Path)
_ONE = "probability:"


class _KindType(click.ParamType):
    """Read one of the kinds, or "probability:CLASS"."""

    name = "KIND"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[Kind, str]:
        """Return the kind and the class."""
        if isinstance(value, tuple):
            return value
        kind, _, name = value.partition(":")
        known = kind in FORMATS and (kind == "probability") == bool(name)
        if not known:
            kinds = ", ".join(k for k in FORMATS if k != "probability")
            self.fail(f"{value!r} is none of {kinds}, {_ONE}CLASS.", param, ctx)
        return kind, name


def _table() -> str:
    rows = [
        f"{kind:<14}{' '.join(f.suffixes[0] for f in formats)}" for kind, formats in FORMATS.items()
    ]
    return "\b\nWhat can be written as what:\n" + "\n".join(rows)


@click.command(epilog=_table())
@click.argument("input", type=_PATH)
@click.argument("out", type=_PATH)
@click.option(
    "--what", type=_KindType(),
    help="What to write, by default what OUT's ending speaks of: classes, confidence, "
    "probabilities, probability:CLASS, values, polygons, figure, labels or model.",
)  # fmt: skip
@click.option("--source", default="", help="Source of the project, by name, file name or id.")
@click.option("--run", type=int, help="Run of the project whose model, or prediction, is meant.")
@click.option(
    "--format", "samples", type=click.Choice(["source", "int8"]), default="source",
    help="Samples of a SEG-Y: as in the source, or one byte each.",
)  # fmt: skip
@click.option(
    "--section", type=SectionRangeType(),
    help="Section of a cube for a figure or polygons: inline:150.",
)  # fmt: skip
@click.option("--confidence", type=_PATH, help="Confidence that goes with a class map.")
@click.option("--data", type=_PATH, help="Data under a class map, for a figure.")
@click.option(
    "--names", type=_PATH, metavar="MODEL",
    help="Model whose class names and colours a class map takes: SEG-Y and .npy have none.",
)  # fmt: skip
@click.option(
    "--colour-map", type=click.Choice(list(COLOUR_MAPS)), help="Colours of the data in a figure."
)
@click.option(
    "--clip", nargs=2, type=float, metavar="LOW HIGH", help="Values of the first and last colour."
)
@click.option(
    "--overlay", type=click.Choice(["classes", "confidence", "none"]), help="Over the figure."
)
@click.option("--opacity", type=click.FloatRange(0, 1), help="Of the overlay of a figure.")
@json_option
@click.pass_context
def export(
    ctx: click.Context,
    input: Path,  # noqa: A002  its name in the usage line
    out: Path,
    what: tuple[Kind, str] | None,
    source: str,
    run: int | None,
    samples: Samples,
    section: SectionRange | None,
    confidence: Path | None,
    data: Path | None,
    names: Path | None,
    as_json: bool,
    **figure: Any,
) -> None:
    """Write what INPUT holds to OUT; the ending says the format.

    INPUT is a project (its folder or project.json; the newest prediction in it, unless --source
    or --run say otherwise) or a map of classes or values that `predict` wrote. A project that is open elsewhere
    can be exported too. Ctrl-C stops; then nothing is written.
    """
    kind, name = what or (kind_for(out), "")
    _check_options(kind, figure, section)
    with workflow.material_in(
        input, source=source, run=run, data=data, confidence=confidence, names=names
    ) as material:
        if what is None and kind == "classes" and target_of(material.prediction) is not None:
            kind = "values"
        order = Order(
            kind, out, one_section(section, material.source), _class_id(name, material.classes),
            samples,
        )  # fmt: skip
        outcome = follow(workflow.export(_with_figure(order, figure, material), material))
    if outcome.stopped:
        click.echo("geocnn: stopped; nothing is written.", err=True)
        ctx.exit(STOPPED)
    _report(input, order, outcome, as_json=as_json)


def _check_options(kind: Kind, figure: dict[str, Any], section: SectionRange | None) -> None:
    given = [name for name, value in figure.items() if value is not None]
    if kind != "figure" and given:
        names = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{names} belong to a figure, and this is {kind}.")
    if section is not None and kind not in ("figure", "polygons"):
        raise click.UsageError(f"--section belongs to a figure or polygons, and this is {kind}.")


def _class_id(name: str, classes: Classes) -> int:
    if not name:
        return 0
    for one in classes:
        if name in (one.name, str(one.id)):
            return one.id
    known = ", ".join(one.name for one in classes) or "no classes"
    raise click.BadParameter(f"there is no class {name}; there are {known}.", param_hint="--what")


def _with_figure(order: Order, wishes: dict[str, Any], material: Material) -> Order:
    if order.kind != "figure":
        return order
    low, high = wishes["clip"] or (None, None)
    overlay = wishes["overlay"] or ("none" if material.prediction is None else "classes")
    chosen = {"colour_map": wishes["colour_map"], "overlay_opacity": wishes["opacity"]}
    given = {key: value for key, value in chosen.items() if value is not None}
    if material.source.path in getattr(material.prediction, "files", ()):
        given.setdefault("overlay_opacity", 1.0)  # the map itself, with nothing under it
    spec = FigureSpec(section=order.section, low=low, high=high, overlay=overlay, **given)
    return Order(order.kind, order.out, order.section, figure=spec)


def _report(path: Path, order: Order, outcome: Outcome, *, as_json: bool) -> None:
    beside = [str(saved.path) for saved in outcome.saved if saved.path != order.out]
    if not as_json:
        click.echo(f"{order.out}: written in {outcome.seconds:.1f} s")
        return
    print_json(
        {
            "input": str(path), "out": str(order.out), "what": order.kind, "beside": beside,
            "seconds": outcome.seconds, "notes": outcome.notes,
        }
    )  # fmt: skip

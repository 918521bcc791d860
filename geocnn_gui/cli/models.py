"""`geocnn models`: the networks there are, and what each layer of one gives and costs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError

from geocnn_gui.cli.console import print_json
from geocnn_gui.cli.options import json_option, make_spec, open_as, parse_settings
from geocnn_gui.errors import BadRequest
from geocnn_gui.models.cards import CARDS, least_of
from geocnn_gui.models.layers.files import layers_from
from geocnn_gui.models.layers.presets import PRESETS, PURPOSES
from geocnn_gui.models.layers.shapes import Row, least_patch, number_of, outline
from geocnn_gui.models.layers.spec import LayersSpec
from geocnn_gui.models.spec import SPECS, ModelSpec
from geocnn_gui.models.weights import read_card

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geocnn_gui.data.source import Source
    from geocnn_gui.models.base import SegmentationNet

_BANDS, _CLASSES = 3, 2


@dataclass(frozen=True, slots=True)
class _Asked:
    """A network to tell about, with the bands and classes it is built for."""

    name: str
    spec: ModelSpec
    bands: int
    classes: int

    @property
    def title(self) -> str:
        """Return its name for people."""
        return type(self.spec).model_fields["kind"].title or self.name


@click.command()
@click.argument("name", required=False)
@click.option("--bands", type=click.IntRange(1, 4096), help="Bands that go in.  [default: 3]")
@click.option("--classes", type=click.IntRange(1, 255), help="Classes to name.  [default: 2]")
@click.option(
    "--patch", type=click.IntRange(1, 4096), help="Side of the patch.  [default: the network's]"
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE",
    help="A setting of the network, as for geocnn train: model.width=32.",
)  # fmt: skip
@click.option("--data", metavar="FILE", help="Say what one pass over this file takes.")
@json_option
def models(
    name: str | None,
    bands: int | None,
    classes: int | None,
    patch: int | None,
    settings: tuple[str, ...],
    data: str | None,
    as_json: bool,
) -> None:
    """List the networks; of NAME say what each layer gives and costs.

    NAME is a network, a model file, an example of a list of layers or a file of one (.json).
    """
    if name is None:
        _list(bands or _BANDS, classes or _CLASSES, as_json=as_json)
        return
    asked = _asked(name, parse_settings(settings)["model"], bands, classes)
    source = None if data is None else open_as(data, None)
    try:
        if source is not None and bands is None:
            asked = _Asked(asked.name, asked.spec, len(source.bands), asked.classes)
        asked = _Asked(name, _with_patch(asked, patch), asked.bands, asked.classes)
        facts, rows = _describe(asked, patch, source)
    finally:
        if source is not None:
            source.close()
    if as_json:
        print_json({**facts, "layers": [_row(row) for row in rows]})
        return
    _print(facts, rows)


def _list(bands: int, classes: int, *, as_json: bool) -> None:
    found = [
        {**asdict(CARDS[name]), "parameters": spec.model_validate({}).parameters(bands, classes)}
        for name, spec in SPECS.items()
    ]
    lists = [
        {
            "name": name, "purpose": PURPOSES[name], "dims": spec.dims,
            "task": outline(spec, bands, classes).task,
            "least_patch": least_patch(spec, bands, classes), "patch": spec.patch,
            "parameters": spec.parameters(bands, classes),
        }
        for name, spec in PRESETS.items()
    ]  # fmt: skip
    if as_json:
        print_json({"bands": bands, "classes": classes, "models": found, "layers": lists})
        return
    click.echo(f"Parameters are those for {bands} bands and {classes} classes.\n")
    heads = ("Name", "Task", "Dims", "Parameters", "Least patch", "Year", "Origin")
    keys = ("name", "task", "dims", "parameters", "least_patch", "year", "origin")
    _columns([heads, *([_text(each[key], key) for key in keys] for each in found)])
    click.echo("\nLists of layers (--model layers --set model.layers=NAME, or a .json file):\n")
    heads = ("Name", "Task", "Dims", "Parameters", "Least patch", "Shows")
    keys = ("name", "task", "dims", "parameters", "least_patch", "purpose")
    _columns([heads, *([_text(each[key], key) for key in keys] for each in lists)])


def _text(value: Any, key: str) -> str:
    return f"{value:,}" if isinstance(value, int) and key != "year" else str(value)


def _asked(name: str, values: dict[str, str], bands: int | None, classes: int | None) -> _Asked:
    """Return the network called `name`; raises `GeoCNNError` where there is none."""
    if name in SPECS:
        spec = make_spec(SPECS[name], "model", values)
        return _Asked(name, spec, bands or _BANDS, classes or _CLASSES)
    if values:
        raise click.BadParameter(
            "settings belong to a network by its name: geocnn models layers --set "
            f"model.layers={name} ...", param_hint="--set",
        )  # fmt: skip
    path = Path(name)
    if path.suffix.lower() == ".safetensors":
        card = read_card(path)
        return _Asked(
            name, card.spec, bands or len(card.bands), classes or max(1, len(card.classes))
        )
    if name not in PRESETS and path.suffix.lower() != ".json" and not path.exists():
        raise BadRequest(
            f"There is no network, file or list of layers called {name}",
            "geocnn models lists what there is",
        )
    return _Asked(name, layers_from(name), bands or _BANDS, classes or _CLASSES)


def _with_patch(asked: _Asked, patch: int | None) -> ModelSpec:
    """Return the spec with another patch, where it has one; raises `BadRequest`."""
    spec = asked.spec
    if patch is None or "patch" not in type(spec).model_fields:
        return spec
    try:
        return type(spec).model_validate({**spec.model_dump(), "patch": patch})
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BadRequest(
            f"{asked.title} cannot look at patches of {patch}: {said[0].lower()}{said[1:]}",
            f"the least patch is {_least(spec)}",
        ) from error


def _least(spec: ModelSpec) -> int | None:
    return least_patch(spec) if isinstance(spec, LayersSpec) else least_of(spec, spec.kind)


def _describe(
    asked: _Asked, patch: int | None, source: Source | None
) -> tuple[dict[str, Any], Sequence[Row]]:
    spec, bands, classes = asked.spec, asked.bands, asked.classes
    problem, net = "", None
    if isinstance(spec, LayersSpec):
        found = outline(spec, bands, classes)
        rows, task, dims, side, problem = (
            found.rows, found.task, spec.dims, spec.patch, found.problem,
        )  # fmt: skip
    else:
        card = CARDS[spec.kind]
        task, dims = card.task, card.dims
        net = _build(asked)
        side = patch or net.patch
        rows = _measured(asked, net, side)
    leaves = [row for row in rows if row.is_leaf]
    facts = {
        "name": asked.name, "title": asked.title, "task": task, "dims": dims,
        "bands": bands, "classes": classes, "patch": side, "least_patch": _least(spec),
        "parameters": sum(row.parameters for row in leaves),
        "operations": sum(row.operations for row in leaves), "problem": problem,
    }  # fmt: skip
    if source is not None and not problem:
        facts["data"] = _cost(asked, net or _build(asked), source, facts)
    return facts, rows


def _build(asked: _Asked) -> SegmentationNet:
    from geocnn_gui.models.networks import build

    return build(asked.spec, asked.bands, asked.classes)


def _measured(asked: _Asked, net: SegmentationNet, side: int) -> Sequence[Row]:
    from geocnn_gui.models.measure import measure

    try:
        if CARDS[asked.spec.kind].task == "pixels" and side % net.stride:
            raise ValueError(side)  # some encoders round sizes, and would answer for another
        return measure(net, asked.bands, side)
    except ValueError as error:
        raise BadRequest(
            f"{asked.title} cannot look at patches of {side}",
            f"choose a multiple of {net.stride}, {net.patch} for example",
        ) from error


def _cost(
    asked: _Asked, net: SegmentationNet, source: Source, facts: dict[str, Any]
) -> dict[str, Any]:
    """Return what one pass over the whole of `source` takes, and what to know before.

    Raises
    ------
    BadRequest
        When samples are smaller than the network can look at.
    """
    total, side = facts["operations"], facts["patch"]
    if source.samples is not None:
        size, count = source.samples.size, len(source.samples)
        least = facts["least_patch"] or side
        if min(n for n in size if n > 1) < least:
            raise BadRequest(
                f"The samples of {source.name} are {' x '.join(map(str, size))}, smaller than the "
                f"{least} that {asked.title} looks at",
                "choose a network with a smaller patch",
            )
        return {"file": source.name, "samples": count, "operations": count * total}
    shape = source.picture_shape(source.first_section())
    cells = math.prod(source.shape)
    small = min(shape[: min(2, net.dims)]) < side
    return {
        "file": source.name, "shape": list(source.shape), "cells": cells,
        "operations": round(cells * _per_cell(net, facts)),
        "note": f"its sections are {shape[0]} x {shape[1]}, smaller than the patch of {side}: "
        "beyond their edges they are reflected" if small else "",
    }  # fmt: skip


def _per_cell(net: SegmentationNet, facts: dict[str, Any]) -> float:
    """Return multiply-adds for each cell of a picture."""
    total, dims = facts["operations"], facts["dims"]
    if facts["task"] == "pixels":
        return total / facts["patch"] ** dims
    if net.stride > 1:  # asked at so many places
        return total / net.stride**dims
    from geocnn_gui.inference.cost import Costs

    cost = Costs(net, facts["bands"]).of_whole(4 * net.patch)
    return cost.operations / 2 / cost.pixels


def _row(row: Row) -> dict[str, Any]:
    return {**asdict(row), "output": list(row.output)}


def _print(facts: dict[str, Any], rows: Sequence[Row]) -> None:
    heads = ("Layer", "", "Gives", "Parameters", "Sees", "Multiply-adds", "Dense instead")
    lists = rows[-1].path == "head" and rows[0].path == "0"  # else modules by their names
    lines = [
        (
            number_of(row.path) if lists else row.path, row.title if not row.problem else f"! {row.title}",
            " x ".join(map(str, row.output)), f"{row.parameters:,}",
            " x ".join(map(str, row.receptive_field)), f"{row.operations:,}",
            f"{row.dense_parameters:,}" if row.dense_parameters else "",
        )
        for row in rows
    ]  # fmt: skip
    name, task = facts["title"], {"patches": "names middles", "pixels": "names every place"}
    click.echo(
        f"{name} on {facts['bands']} bands and {facts['classes']} classes, patches of "
        f"{facts['patch']}: {task.get(facts['task'], 'names nothing yet')}\n"
    )
    _columns([heads, *lines])
    click.echo(
        f"\n{facts['parameters']:,} parameters, {facts['operations']:,} multiply-adds for a patch; "
        f"least patch {facts['least_patch'] or 'unknown'}"
    )
    for row in rows:
        if row.problem:
            click.echo(f"Layer {number_of(row.path)} ({row.title}): {row.problem}.")
    if "data" in facts:
        _print_cost(facts["data"])


def _print_cost(data: dict[str, Any]) -> None:
    counted = f"{data['samples']:,} samples" if "samples" in data else f"{data['cells']:,} cells"
    click.echo(
        f"One pass over {data['file']}, {counted}: {data['operations'] / 1e9:,.2f} thousand "
        "million multiply-adds"
    )
    if data.get("note"):
        click.echo(f"Note: {data['note']}.")


def _columns(lines: Sequence[Sequence[str]]) -> None:
    """Print lines in columns; numbers stand to the right."""
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    right = [
        all(line[at][:1].isdigit() or not line[at] for line in lines[1:])
        for at in range(len(widths))
    ]
    for line in lines:
        cells = [
            text.rjust(width) if flush else text.ljust(width)
            for text, width, flush in zip(line, widths, right, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())

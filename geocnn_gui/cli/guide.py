"""`geocnn next` and `geocnn suspects`: where to label, and which labels look wrong."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from geocnn_gui import workflow
from geocnn_gui.cli.app import STOPPED
from geocnn_gui.cli.console import follow, print_json
from geocnn_gui.cli.live import backbone_for, open_pairs
from geocnn_gui.cli.options import (
    SectionRange,
    SectionRangeType,
    backbone_option,
    device_option,
    domain_option,
    json_option,
    labels_option,
    one_section,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from geocnn_gui.data.source import Domain, Section, Source
    from geocnn_gui.events import Event
    from geocnn_gui.live.next import Place
    from geocnn_gui.live.suspects import Suspect
    from geocnn_gui.workflow import DeviceWish

T = TypeVar("T")


def _looking(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what both commands take: data, labels, backbone, domain, device, --json."""
    for option in (
        json_option,
        device_option,
        domain_option(
            "What rasters and 2-D arrays hold; a section as a picture is imagery unless you say "
            "seismic."
        ),
        backbone_option,
        labels_option,
        click.argument("file", metavar="SOURCE"),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("next")
@_looking
@click.option(
    "--section", type=SectionRangeType(),
    help="Section of a cube to look at first: inline:150.  [default: that with most labels]",
)  # fmt: skip
@click.option(
    "--prediction", type=click.Path(path_type=Path), metavar="MAP",
    help="Class map of a network on the grid of SOURCE; where it and the head disagree counts.",
)  # fmt: skip
@click.pass_context
def next_command(
    ctx: click.Context,
    file: str,
    labels: str,
    section: SectionRange | None,
    prediction: Path | None,
    backbone: str,
    domain: Domain | None,
    device: DeviceWish,
    as_json: bool,
) -> None:
    """Say where in SOURCE a label would tell most, and why; the best places first.

    Rows and columns count from 0, those of a section as it is drawn: samples down.
    """
    found: list[tuple[Place, ...]] = []
    with ExitStack() as opened:
        pairs, classes = open_pairs(((file, labels),), domain, opened)
        source = pairs[0].source
        outcome = follow(_kept(found, workflow.next_places(
            pairs[0], classes, backbone_for(backbone, source), prediction=prediction,
            section=one_section(section, source), device=device,
        )))  # fmt: skip
        places = [_place(each, source) for each in (found[0] if found else ())]
    if outcome.stopped:
        click.echo("geocnn: stopped; nothing was found yet.", err=True)
        ctx.exit(STOPPED)
    if as_json:
        print_json({"source": file, "labels": labels, "backbone": backbone, "places": places,
                    "seconds": outcome.seconds, "notes": outcome.notes})  # fmt: skip
        return
    if not places:
        click.echo("No place without labels is left to name.")
        return
    rows = [
        [str(number), *_where(each), f"{each['score']:.2f}", "; ".join(each["reasons"])]
        for number, each in enumerate(places, 1)
    ]
    _print_table(["", "Section", "Rows", "Columns", "Score", "Why"], rows)


@click.command("suspects")
@_looking
@click.pass_context
def suspects(
    ctx: click.Context,
    file: str,
    labels: str,
    backbone: str,
    domain: Domain | None,
    device: DeviceWish,
    as_json: bool,
) -> None:
    """Find LABELS of SOURCE that look wrong: other strokes strongly speak against them.

    Each stroke is judged by heads that were fitted to other strokes. Rows and columns count
    from 0, those of a section as it is drawn: samples down.
    """
    found: list[Any] = []
    with ExitStack() as opened:
        pairs, classes = open_pairs(((file, labels),), domain, opened)
        source = pairs[0].source
        outcome = follow(_kept(found, workflow.suspect_labels(
            pairs[0], classes, backbone_for(backbone, source), device=device
        )))  # fmt: skip
        names = {c.id: c.name for c in classes}
        regions = [_suspect(each, source, names) for each in (found[0].found if found else ())]
    if outcome.stopped:
        click.echo("geocnn: stopped; nothing was found yet.", err=True)
        ctx.exit(STOPPED)
    if as_json:
        print_json({"source": file, "labels": labels, "backbone": backbone,
                    "strokes": found[0].strokes, "suspects": regions,
                    "seconds": outcome.seconds, "notes": outcome.notes})  # fmt: skip
        return
    if not regions:
        click.echo(f"None of {found[0].strokes} strokes looks wrong.")
        return
    rows = [
        [str(number), *_where(each), each["label"], each["looks_like"], f"{each['cells']:,}",
         f"{each['share_of_stroke']:.0%}", f"{each['own_probability']:.2f}"]
        for number, each in enumerate(regions, 1)
    ]  # fmt: skip
    _print_table(["", "Section", "Rows", "Columns", "Label", "Looks like", "Cells", "Of stroke",
                  "Own probability"], rows)  # fmt: skip
    click.echo(f"\n{found[0].strokes} strokes were judged.")


def _kept(found: list[T], task: Generator[Event, None, T]) -> Generator[Event]:
    """Pass on the events of a task and keep what it returns."""
    found.append((yield from task))


def _place(place: Place, source: Source) -> dict[str, Any]:
    return {
        **_box(source, place.section, place.rows, place.columns),
        "score": round(place.score, 4), "reasons": list(place.reasons),
    }  # fmt: skip


def _suspect(one: Suspect, source: Source, names: dict[int, str]) -> dict[str, Any]:
    return {
        **_box(source, one.section, one.rows, one.columns),
        "label": names.get(one.label, str(one.label)),
        "looks_like": names.get(one.says, str(one.says)),
        "label_id": one.label, "looks_like_id": one.says, "cells": one.cells,
        "share_of_stroke": round(one.share, 4), "own_probability": round(one.own, 4),
        "other_probability": round(one.other, 4),
    }  # fmt: skip


def _box(source: Source, section: Section, rows: slice, columns: slice) -> dict[str, Any]:
    where = {"axis": None, "number": None}
    if section.axis is not None:
        axis = source.axes[section.axis]
        where = {"axis": axis.name, "number": axis.at(section.index)}
    return {"section": where, "rows": [rows.start, rows.stop],
            "columns": [columns.start, columns.stop]}  # fmt: skip


def _where(place: dict[str, Any]) -> list[str]:
    section = place["section"]
    name = "-" if section["axis"] is None else f"{section['axis']} {section['number']:g}"
    return [name, *(f"{place[key][0]}-{place[key][1] - 1}" for key in ("rows", "columns"))]


def _print_table(titles: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*titles, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)

"""`geocnn live`: data and labels in, class map out, without a training."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geocnn_gui import workflow
from geocnn_gui.cli.app import STOPPED
from geocnn_gui.cli.console import follow, print_json
from geocnn_gui.cli.learn import NONE, backbone_named
from geocnn_gui.cli.options import (
    BUNDLED,
    SectionRange,
    SectionRangeType,
    backbone_option,
    device_option,
    domain_option,
    json_option,
    labels_option,
    open_as,
    resolve_sections,
)
from geocnn_gui.errors import ModelMismatch
from geocnn_gui.labels.files import read_label_file
from geocnn_gui.labels.matching import merge_classes, renumber
from geocnn_gui.scoring.seen import seen_path

if TYPE_CHECKING:
    from geocnn_gui.data.source import Domain, Source
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.workflow import DeviceWish

_OUTPUT = click.Path(path_type=Path)
_DOMAINS = ("seismic", "imagery")


@click.command()
@click.argument("file", metavar="SOURCE")
@labels_option
@click.option(
    "--data", "more", nargs=2, multiple=True, metavar="FILE LABELS",
    help="Another data file of the same kind and its labels; may be given several times.",
)  # fmt: skip
@click.option(
    "--on", "other", metavar="FILE", help="Draw this file instead of SOURCE; no labels needed."
)
@click.option(
    "--out", type=_OUTPUT, required=True, metavar="MAP",
    help="Class map to write: .tif, .sgy (a copy of the SEG-Y with other samples) or .npy.",
)  # fmt: skip
@click.option("--confidence", type=_OUTPUT, help="Confidence, 0 to 1, to write as well.")
@click.option(
    "--probabilities", type=_OUTPUT,
    help="Probability of each class, to write as well: a .tif with a band for each, or .npy.",
)  # fmt: skip
@backbone_option
@click.option(
    "--sections", type=SectionRangeType(), multiple=True,
    help="Draw only these sections of a cube: inline:100-200:10; the rest stays 0.",
)  # fmt: skip
@domain_option(
    "What rasters and 2-D arrays hold; a section as a picture is imagery unless you say seismic."
)
@device_option
@json_option
@click.pass_context
def live(
    ctx: click.Context,
    file: str,
    labels: str,
    more: tuple[tuple[str, str], ...],
    other: str | None,
    out: Path,
    confidence: Path | None,
    probabilities: Path | None,
    sections: tuple[SectionRange, ...],
    domain: Domain | None,
    device: DeviceWish,
    as_json: bool,
    **wish: Any,
) -> None:
    """Draw a class map from a few labels, in seconds: what Live shows in the window.

    A linear head is fitted to what a backbone sees where SOURCE is labelled, and drawn over all
    of it, or over another file (--on). Cells without live data are 0. Ctrl-C stops; then nothing
    is written.
    """
    with ExitStack() as opened:
        pairs, classes = open_pairs(((file, labels), *more), domain, opened)
        source = pairs[0].source
        if other is not None:
            source = opened.enter_context(open_as(other, domain))
        task = workflow.live_to_file(
            workflow.MapWish(
                pairs, classes, source, backbone_for(wish["backbone"], source),
                resolve_sections(sections, source),
                tuple(Path(each) for each in (labels, *(pair[1] for pair in more))),
            ),
            out, confidence, probabilities=probabilities, device=device,
        )  # fmt: skip
        outcome = follow(task)
    if outcome.stopped:
        click.echo("geocnn: stopped; nothing is written.", err=True)
        ctx.exit(STOPPED)
    if not as_json:
        click.echo(f"{out}: drawn in {outcome.seconds:.1f} s")
        return
    print_json(
        {
            "map": str(out),
            "confidence": None if confidence is None else str(confidence),
            "probabilities": None if probabilities is None else str(probabilities),
            "seen": str(seen_path(out)),
            "backbone": wish["backbone"],
            "source": other or file,
            "classes": [{"id": c.id, "name": c.name, "color": c.color} for c in classes],
            "seconds": outcome.seconds,
            "notes": outcome.notes,
        }
    )


def open_pairs(
    data: tuple[tuple[str, str], ...], domain: Domain | None, opened: ExitStack
) -> tuple[list[workflow.Pair], Classes]:
    """Open data files with their labels; all of them share one list of classes."""
    pairs: list[workflow.Pair] = []
    classes: Classes = ()
    for file, labels in data:
        source = opened.enter_context(open_as(file, domain))
        found = read_label_file(Path(labels), source)
        classes, table = merge_classes(classes, found.classes, by_color=found.coloured)
        pairs.append(workflow.Pair(source, renumber(found.snapshot, table)))
    return pairs, tuple(sorted(classes, key=lambda c: c.id))


def backbone_for(name: str, source: Source) -> Path | None:
    """Return the backbone of that name; raises `ModelMismatch` where a bundled one is of another kind."""
    if name in _DOMAINS and name != source.domain:
        raise ModelMismatch(
            f"The backbone {name} does not suit {source.name}, which is {source.domain}",
            f"choose {source.domain} or another file, or say with --domain what the file holds",
        )
    if name in (BUNDLED, NONE, *_DOMAINS):
        return backbone_named(BUNDLED if name in _DOMAINS else name, source.domain)
    return Path(name)

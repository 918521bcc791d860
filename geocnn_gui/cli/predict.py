"""`geocnn predict`: model and data in, class map out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from geocnn_gui import workflow
from geocnn_gui.cli.app import STOPPED
from geocnn_gui.cli.console import follow, print_json
from geocnn_gui.cli.options import (
    SectionRange,
    SectionRangeType,
    device_option,
    domain_option,
    json_option,
    open_as,
    resolve_sections,
)
from geocnn_gui.models.weights import read_card
from geocnn_gui.scoring.seen import seen_path

if TYPE_CHECKING:
    from geocnn_gui.data.source import Domain
    from geocnn_gui.workflow import DeviceWish

_OUTPUT = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=_OUTPUT)
@click.argument("file")
@click.option(
    "--out", type=_OUTPUT, required=True,
    help="Class map to write: .tif, .sgy (a copy of the SEG-Y with other samples) or .npy.",
)  # fmt: skip
@click.option("--confidence", type=_OUTPUT, help="Confidence, 0 to 1, to write as well.")
@click.option(
    "--probabilities", type=_OUTPUT,
    help="Probability of each class, to write as well: a .tif with a band for each, or .npy.",
)  # fmt: skip
@click.option(
    "--sections", type=SectionRangeType(), multiple=True,
    help="Only these sections of a cube: inline:100-200:10; the rest stays 0.",
)  # fmt: skip
@domain_option("What a raster or 2-D array holds.  [default: what the model was trained on]")
@device_option
@json_option
@click.pass_context
def predict(
    ctx: click.Context,
    model: Path,
    file: str,
    out: Path,
    confidence: Path | None,
    probabilities: Path | None,
    sections: tuple[SectionRange, ...],
    domain: Domain | None,
    device: DeviceWish,
    as_json: bool,
) -> None:
    """Predict the classes of FILE with MODEL.

    Cells without live data are 0. A small file beside it (.seen.npz) says which cells the model
    was trained on. Ctrl-C stops; then nothing is written.
    """
    card = read_card(model)
    with open_as(file, domain or card.domain) as source:
        outcome = follow(
            workflow.predict_to_file(
                model, source, out, confidence,
                sections=resolve_sections(sections, source), device=device, probabilities=probabilities,
            )
        )  # fmt: skip
    if outcome.stopped:
        click.echo("geocnn: stopped; nothing is written.", err=True)
        ctx.exit(STOPPED)
    if not as_json:
        click.echo(f"{out}: predicted in {outcome.seconds:.1f} s")
        return
    print_json(
        {
            "prediction": str(out),
            "confidence": None if confidence is None else str(confidence),
            "probabilities": None if probabilities is None else str(probabilities),
            "seen": str(seen_path(out)),
            "model": str(model),
            "source": file,
            "classes": [{"id": c.id, "name": c.name, "color": c.color} for c in card.classes],
            "seconds": outcome.seconds,
            "notes": outcome.notes,
        }
    )

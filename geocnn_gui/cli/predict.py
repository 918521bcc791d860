"""`geocnn predict`: model and data in, class map out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

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
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.models.weights import read_card
from geocnn_gui.scoring.seen import seen_path

if TYPE_CHECKING:
    from geocnn_gui.cli.console import Outcome
    from geocnn_gui.data.source import Domain, Source
    from geocnn_gui.workflow import DeviceWish

_OUTPUT = click.Path(path_type=Path)


@click.command()
@click.argument("model", type=_OUTPUT)
@click.argument("file")
@click.option(
    "--out", type=_OUTPUT,
    help="Map of classes or values to write: .tif, .sgy (a copy of the SEG-Y with other samples) "
    "or .npy; of a sample set .csv or .npy.",
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
@click.option("--resume", is_flag=True, help="Go on with a prediction to --out that was stopped.")
@click.option(
    "--partial", is_flag=True,
    help="When stopped, write what is predicted so far; the rest is 0.",
)  # fmt: skip
@click.option(
    "--precision", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto",
    show_default=True, help="auto takes bfloat16 where it is quicker and names the same classes.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(["pytorch", "openvino", "onnxruntime"]), default="pytorch",
    show_default=True, help="What runs the network on the processor; others have to be installed.",
)  # fmt: skip
@click.option(
    "--tiling", type=click.Choice(["auto", "exact", "blended"]), default="auto",
    show_default=True, help="exact equals one pass; auto blends where that takes twice the work.",
)  # fmt: skip
@click.option("--mirror", is_flag=True, help="See each tile mirrored too, and take the mean.")
@click.option(
    "--thresholds", is_flag=True,
    help="Name thin classes (faults) from the probability that was best on held-out ground.",
)  # fmt: skip
@click.option(
    "--memory", type=click.IntRange(1, 1_000_000), metavar="MB",
    help="Memory that it may take.  [default: half of what is free]",
)  # fmt: skip
@click.option(
    "--check-tiling", is_flag=True,
    help="Write nothing; measure how far tiles are from one pass over the same cells.",
)  # fmt: skip
@domain_option("What a raster or 2-D array holds.  [default: what the model was trained on]")
@device_option
@json_option
@click.pass_context
def predict(
    ctx: click.Context,
    model: Path,
    file: str,
    out: Path | None,
    confidence: Path | None,
    probabilities: Path | None,
    sections: tuple[SectionRange, ...],
    domain: Domain | None,
    device: DeviceWish,
    check_tiling: bool,
    as_json: bool,
    **manner: Any,
) -> None:
    """Predict the classes or values of FILE with MODEL.

    Cells without live data are 0, of values NaN. A small file beside it (.seen.npz) says which cells the model
    was trained on. Ctrl-C stops; what is predicted by then is kept for --resume.
    """
    card = read_card(model)
    if out is None and not check_tiling:
        raise click.UsageError("Missing option '--out'.")
    spec = PredictionSpec(
        precision=manner["precision"], tiling=manner["tiling"], flips=manner["mirror"],
        memory=manner["memory"] or 0, thresholds=manner["thresholds"], engine=manner["engine"],
    )  # fmt: skip
    with open_as(file, domain or card.domain) as source:
        chosen = resolve_sections(sections, source)
        if out is None or check_tiling:
            section = chosen[0] if chosen else None
            outcome = follow(
                workflow.check_tiling(model, source, section=section, device=device, spec=spec)
            )
            _tell_check(ctx, outcome, as_json=as_json)
            return
        how = workflow.Manner(device, spec, resume=manner["resume"])
        outcome = follow(
            workflow.predict_to_file(
                model, source, out, confidence,
                probabilities=probabilities, sections=chosen, how=how,
            )
        )  # fmt: skip
        if outcome.stopped:
            _stop(ctx, source, (out, confidence, probabilities), partial=manner["partial"])
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
            "target": None if card.target is None else card.target.model_dump(),
            "classes": [{"id": c.id, "name": c.name, "color": c.color} for c in card.classes],
            "seconds": outcome.seconds,
            "notes": outcome.notes,
        }
    )


def _tell_check(ctx: click.Context, outcome: Outcome, *, as_json: bool) -> None:
    if outcome.stopped:
        ctx.exit(STOPPED)
    if as_json:
        print_json({"notes": outcome.notes, "seconds": outcome.seconds})
    else:
        click.echo(outcome.notes[-1])


def _stop(
    ctx: click.Context,
    source: Source,
    outputs: tuple[Path, Path | None, Path | None],
    *,
    partial: bool,
) -> NoReturn:
    """Say what a stopped prediction leaves, write it where asked for, and exit."""
    out, confidence, probabilities = outputs
    kept = workflow.working_folder(out)
    if not kept.exists():
        click.echo("geocnn: stopped; nothing is written.", err=True)
        ctx.exit(STOPPED)
    if partial:
        task = workflow.write_partial(source, out, confidence, probabilities=probabilities)
        partial = not follow(task).stopped
    written = f"{out} holds what is predicted so far" if partial else "nothing is written"
    click.echo(
        f"geocnn: stopped; {written}. The same command with --resume goes on from {kept}.",
        err=True,
    )
    ctx.exit(STOPPED)

"""`geocnn train`: labels in, model file out."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from geocnn_gui import workflow
from geocnn_gui.cli.app import STOPPED
from geocnn_gui.cli.console import Outcome, follow, print_json
from geocnn_gui.cli.options import (
    SectionRange,
    SectionRangeType,
    default_of,
    device_option,
    domain_option,
    json_option,
    make_spec,
    open_as,
    parse_settings,
    resolve_sections,
    settable,
)
from geocnn_gui.cli.rates import find_and_print
from geocnn_gui.cli.targets import (
    DataCommand,
    check_targets,
    open_target,
    result_of,
    target_options,
    words_of,
)
from geocnn_gui.errors import BadRequest
from geocnn_gui.labels.files import read_label_file
from geocnn_gui.labels.matching import merge_classes, renumber
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.spec import SPECS
from geocnn_gui.models.weights import ModelCard, TrainingSummary, read_card
from geocnn_gui.project.split import read_choice
from geocnn_gui.scoring.intervals import score_words
from geocnn_gui.scoring.split_spec import UnitKind
from geocnn_gui.training.checkpoint import read_card as read_begun
from geocnn_gui.training.checkpoint import require_same_specs
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from geocnn_gui.data.source import Domain, Source
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.training.checkpoint import CheckpointCard
    from geocnn_gui.workflow import DeviceWish


_UNITS = {u.removesuffix(" (leaky)"): u for u in ("auto", *get_args(UnitKind))}


def _settings_help() -> str:
    groups = [("training", TrainingSpec, ""), *(("model", s, f" ({n})") for n, s in SPECS.items())]
    lines = [
        f"{group}.{key}{note}: {allowed}; {default_of(kind, key)}"
        for group, kind, note in groups
        for key, allowed in settable(kind).items()
    ]
    return "\b\nSettings (--set KEY=VALUE) and their defaults:\n" + "\n".join(lines)


@click.command(cls=DataCommand, epilog=_settings_help())
@click.option(
    "--data", "data", nargs=2, multiple=True, metavar="FILE LABELS",
    help="A data file and labels of the same grid (raster, PNG, SEG-Y or .npy; 0 is "
    "unlabelled); may be given several times.",
)  # fmt: skip
@click.option(
    "--samples", "sets", multiple=True, metavar="SET",
    help="A sample set with its own labels: a folder of images with a sub-folder for each class, "
    "an .npz of patches or traces with labels, a folder of records, example:patches or "
    "example:traces; may be given several times.",
)  # fmt: skip
@target_options
@click.option("--model", "kind", type=click.Choice(list(SPECS)), required=True, help="Network.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="MODEL",
    help="Model file to write (.safetensors).",
)  # fmt: skip
@click.option(
    "--find-rate", "find_rate", is_flag=True,
    help="Train nothing: try learning rates from tiny to huge for up to 100 steps, print the loss "
    "at each and the rate to take.",
)  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting, see below.")
@click.option(
    "--sections", type=SectionRangeType(), multiple=True,
    help="Sections of a cube to train on, by the axis' own numbers: inline:100-200:10 or "
    "inline:150. Default: those that hold the labels.",
)  # fmt: skip
@click.option(
    "--resume", is_flag=True,
    help="Go on with this very training, where it was stopped or broken off: its state is kept in "
    "MODEL.checkpoint until it has finished. Give the same data and settings.",
)  # fmt: skip
@click.option(
    "--split", "unit", type=click.Choice(list(_UNITS)),
    help="What is held out as a whole for the score; auto (the default) chooses from the labels. "
    "pixels is leaky: its score says nothing about new ground, and one by block is given beside it.",
)  # fmt: skip
@click.option(
    "--split-file", "split_file", type=click.Path(path_type=Path), metavar="FILE",
    help="Hold out the units that were moved by hand: the project.json of a project, or the "
    "run.json of one of its runs. Sources count in the order of --data.",
)  # fmt: skip
@click.option(
    "--folds", type=click.IntRange(1, 10),
    help="Hold out each of so many parts in turn, a training for each, and pool their scores.",
)  # fmt: skip
@click.option(
    "--test-set", "test", type=click.FloatRange(0, 0.5), metavar="SHARE",
    help="Share of the labels that training never sees; the model is scored on it at the end.",
)  # fmt: skip
@click.option(
    "--start", metavar="FILE",
    help="Begin with the weights of a GeoCNN model, or of a survey backbone (for --model unet); the "
    "same as --set training.start=FILE.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Same as --set training.seed=N.")
@domain_option(
    "What rasters and 2-D arrays hold; a section as a picture is imagery unless you say seismic."
)
@device_option
@json_option
@click.pass_context
def train(
    ctx: click.Context,
    data: tuple[tuple[str, str], ...],
    sets: tuple[str, ...],
    kind: str,
    out: Path | None,
    find_rate: bool,
    settings: tuple[str, ...],
    sections: tuple[SectionRange, ...],
    resume: bool,
    unit: str | None,
    split_file: Path | None,
    folds: int | None,
    test: float | None,
    start: str | None,
    seed: int | None,
    domain: Domain | None,
    device: DeviceWish,
    as_json: bool,
    **wish: Any,
) -> None:
    """Train a network on labelled data and save it.

    A part of the labels is held out for the score; then a fresh network is fitted to all of
    them. Ctrl-C stops and keeps the best network so far; the same command with --resume goes on.
    """
    data = (*data, *((each, "" if wish["tables"] else each) for each in sets))
    if not data:
        raise click.UsageError("Missing option '--data' or '--samples'.")
    check_targets(data, sets, wish)
    values = parse_settings(settings)
    wishes = {
        "seed": seed, "split.unit": _UNITS.get(unit or ""), "split.folds": folds,
        "split.test": test, "start": start,
    }  # fmt: skip
    values["training"].update({k: str(v) for k, v in wishes.items() if v is not None})
    model_spec = make_spec(SPECS[kind], "model", values["model"])
    training_spec = make_spec(TrainingSpec, "training", values["training"])
    if split_file is not None:
        if unit or folds or test:
            raise click.UsageError(
                "--split-file says by itself what is held out and kept for a test."
            )
        by_hand = training_spec.split.model_copy(update={"choice": read_choice(split_file)})
        training_spec = training_spec.model_copy(update={"split": by_hand})
    if find_rate:
        with ExitStack() as files:
            pairs, classes = _open(data, sections, files, domain=domain, wish=wish, sets=sets)
            search = workflow.find_rate(pairs, model_spec, training_spec, classes, device=device)
            stopped = find_and_print(search, as_json=as_json)
        ctx.exit(STOPPED if stopped else 0)
    if out is None:
        raise click.UsageError("Missing option '--out'.")
    workflow.check_destination(out, inputs=_inputs(data, wish))
    checkpoint, before = out.with_name(f"{out.name}.checkpoint"), _stamp(out)
    begun = _begun(checkpoint, model_spec, training_spec) if resume else None
    with ExitStack() as files:
        pairs, classes = _open(data, sections, files, domain=domain, wish=wish, sets=sets)
        outcome = follow(
            workflow.resume(checkpoint, pairs, out=out, device=device)
            if resume
            else workflow.train(
                pairs, model_spec, training_spec, classes,
                out=out, device=device, checkpoint=checkpoint,
            )
        )  # fmt: skip
    if outcome.stopped and checkpoint.exists():
        click.echo("geocnn: the same command with --resume goes on.", err=True)
    card = read_card(out) if _stamp(out) != before else None
    _report(outcome, card, out, begun, as_json=as_json)
    ctx.exit(STOPPED if outcome.stopped else 0)


def _begun(path: Path, model_spec: ModelSpec, training_spec: TrainingSpec) -> CheckpointCard:
    """Return what is there to go on with, begun by the same settings."""
    if not path.exists():
        raise BadRequest(
            f"There is nothing to resume: {path} does not exist", "train without --resume"
        )
    card = read_begun(path)
    require_same_specs(card, model_spec, training_spec)
    return card


def _open(
    data: tuple[tuple[str, str], ...],
    ranges: tuple[SectionRange, ...],
    files: ExitStack,
    *,
    domain: Domain | None = None,
    wish: dict[str, Any],
    sets: tuple[str, ...] = (),
) -> tuple[list[workflow.Pair], Classes]:
    pairs, classes = [], ()
    for number, (file, labels) in enumerate(data):
        source = files.enter_context(open_as(file, domain))
        if number >= len(data) - len(sets):
            _require_samples(file, source)
        target, chosen = open_target(number, wish, source, files), resolve_sections(ranges, source)
        if not labels:
            unlabelled = LabelSnapshot(source.shape)
            pairs.append(workflow.Pair(source, unlabelled, chosen, target))
            continue
        found = read_label_file(Path(labels), source)
        classes, table = merge_classes(classes, found.classes, by_color=found.coloured)
        snapshot = renumber(found.snapshot, table)
        pairs.append(workflow.Pair(source, snapshot, chosen, target))
    return pairs, tuple(sorted(classes, key=lambda c: c.id))


def _require_samples(name: str, source: Source) -> None:
    if source.samples is None:
        size = " x ".join(f"{n:,}" for n in source.shape)
        raise BadRequest(
            f"{name} is no sample set: it opens as a {source.kind} of {size}, without labels of "
            "its own",
            "give an .npz with an array `labels`, one for each patch or trace, or give this file "
            "and its labels with --data",
        )


def _inputs(data: tuple[tuple[str, str], ...], wish: dict[str, Any]) -> tuple[Path, ...]:
    return tuple(
        Path(p)
        for p in (*(p for pair in data for p in pair), *wish["targets"], *wish["tables"])
        if p
    )


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file is replaced."""
    if not path.exists():
        return None
    facts = path.stat()
    return facts.st_ino, facts.st_mtime_ns


def _report(
    outcome: Outcome,
    card: ModelCard | None,
    out: Path,
    begun: CheckpointCard | None,
    *,
    as_json: bool,
) -> None:
    if card is None:
        click.echo("geocnn: stopped before there was anything to save.", err=True)
        return
    if outcome.stopped:
        click.echo(f"geocnn: stopped; the best network so far is saved as {out}.", err=True)
    if as_json:
        print_json(_result(outcome, card, out, begun))
        return
    said = card.training
    score = _score_of(said) if card.target is None else words_of(card.target, said)
    click.echo(f"{out}: {score}, {card.training.steps:,} steps, {outcome.seconds:.0f} s")


def _score_of(said: TrainingSummary) -> str:
    if said.holdout_iou is None:
        return "no score"
    words = score_words(
        said.holdout_iou, said.holdout_interval, said.holdout_units, said.holdout_by, digits=3
    )
    text = f"held-out mean IoU {words}" + (
        " (may be optimistic)" if said.holdout_optimistic else ""
    )
    if said.leaky_iou is not None:
        text += f", leaky on single pixels {said.leaky_iou:.3f}"
    if said.test_iou is not None:
        text += f", test set {score_words(said.test_iou, said.test_interval, digits=3)}"
    return text


def _result(
    outcome: Outcome, card: ModelCard, out: Path, begun: CheckpointCard | None
) -> dict[str, Any]:
    training = card.training
    return {
        "model": str(out),
        **({} if card.target is None else result_of(card.target, training)),
        "holdout_iou": training.holdout_iou,
        "holdout_iou_interval": training.holdout_interval,
        "holdout_class_iou": training.holdout_class_iou,
        "holdout_class_iou_interval": training.holdout_class_interval,
        "holdout_share": training.holdout_share,
        "holdout_by": training.holdout_by,
        "holdout_units": training.holdout_units,
        "holdout_folds": training.holdout_folds,
        "holdout_optimistic": training.holdout_optimistic,
        "leaky_iou": training.leaky_iou,
        "test_iou": training.test_iou,
        "test_iou_interval": training.test_interval,
        "test_units": training.test_units,
        "refit": training.refit,
        "stopped": outcome.stopped,
        "resumed_from_epoch": None if begun is None else begun.epoch,
        "resumed_from_stage": None if begun is None else begun.stage,
        "steps": training.steps,
        "seed": training.seed,
        "classes": [{"id": c.id, "name": c.name, "color": c.color} for c in card.classes],
        "seconds": outcome.seconds,
        "device": training.device,
        "notes": outcome.notes,
    }

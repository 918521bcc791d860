"""The verbs both shells call: generators of events, torch imported only when they run."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from geocnn_gui.data.source import open_source
from geocnn_gui.data.statistics import require_live
from geocnn_gui.errors import BadRequest, CannotWrite, GeoCNNError, writing
from geocnn_gui.events import Event, Note, Progress, Saved, TileDone
from geocnn_gui.inference.map_files import (
    WORK_LOCK,
    empty_folder,
    make_folder,
    naming,
    outputs_beside,
    seen_for,
    working_folder,
    write_maps,
)
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.inference.store import progress_in
from geocnn_gui.inspection.spec import Wish, check_report_name
from geocnn_gui.project.lock import alone, training_alone
from geocnn_gui.training.sections import Pair

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from geocnn_gui.data.source import Section, Source
    from geocnn_gui.export.table import Material, Order
    from geocnn_gui.inference.store import PredictionStore
    from geocnn_gui.inspection.report import Report
    from geocnn_gui.inspection.spec import Place
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.scoring.evaluation import Evaluation
    from geocnn_gui.scoring.judge_thin import ThinWish
    from geocnn_gui.scoring.split_plan import SplitPlan
    from geocnn_gui.scoring.split_spec import SplitSpec
    from geocnn_gui.training.spec import TrainingSpec

__all__ = ["DeviceWish", "Manner", "Pair", "check_destination", "check_tiling", "evaluate", "export", "find_rate",
           "inspect", "material_in", "plan_split", "predict", "predict_to_file", "resume", "train", "working_folder", "write_partial"]  # fmt: skip

DeviceWish = Literal["auto", "cpu", "cuda"]


def train(
    pairs: Sequence[Pair],
    model_spec: ModelSpec,
    training: TrainingSpec,
    classes: Classes,
    *,
    out: Path,
    device: DeviceWish = "auto",
    checkpoint: Path | None = None,
) -> Generator[Event]:
    """Train a network on `pairs` and save it to `out`; see `training.run.train`.

    `checkpoint` is the file that keeps its state until it has finished; None keeps nothing.

    Raises
    ------
    NotEnoughLabels, NoLiveData, CannotWrite, BadRequest
        Before anything is computed, when the model cannot be written or is being trained elsewhere.
    """
    check_destination(out)
    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.models.networks import prepare_weights
    from geocnn_gui.training.checkpoint import tell_replaced
    from geocnn_gui.training.run import Order
    from geocnn_gui.training.run import train as run

    chosen = choose_device(device)
    with training_alone(out):
        yield from tell_replaced(checkpoint)
        yield from prepare_weights(model_spec)
        yield from run(Order(pairs, model_spec, training, classes, out, chosen, checkpoint))


def find_rate(
    pairs: Sequence[Pair],
    model_spec: ModelSpec,
    training: TrainingSpec,
    classes: Classes,
    *,
    device: DeviceWish = "auto",
) -> Generator[Event]:
    """Try learning rates from tiny to huge and suggest one; see `training.rate_finder`."""
    from pathlib import Path

    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.models.networks import prepare_weights
    from geocnn_gui.training.rate_finder import find_rate as run
    from geocnn_gui.training.run import Order

    chosen = choose_device(device)
    yield from prepare_weights(model_spec)
    yield from run(Order(pairs, model_spec, training, classes, Path(), chosen))


def plan_split(
    pairs: Sequence[Pair], model_spec: ModelSpec, split: SplitSpec, classes: Classes
) -> SplitPlan:
    """Return what a training on `pairs` would hold out, without training.

    Raises
    ------
    NotEnoughLabels
        With fewer than two classes labelled, or where a kept split leaves a class none.
    """
    from geocnn_gui.models.networks import build
    from geocnn_gui.training.pictures import labelled_classes, open_pictures
    from geocnn_gui.training.values import open_target_pictures

    learns = any(pair.target is not None for pair in pairs)
    number = 1 if learns else len(labelled_classes(pairs, classes))
    reach = build(model_spec, len(pairs[0].source.bands), number).halo
    opening = open_target_pictures(pairs) if learns else open_pictures(pairs, classes)
    while True:
        try:
            next(opening)
        except StopIteration as end:
            return end.value.plan(split, reach)


def resume(
    checkpoint: Path, pairs: Sequence[Pair], *, out: Path, device: DeviceWish = "auto"
) -> Generator[Event]:
    """Go on with a training that was broken off, from its last epoch; see `training.run.resume`.

    The data and labels are those that it began with; specs and classes are in the checkpoint.

    Raises
    ------
    UnreadableFile
        When there is no checkpoint, or it is damaged.
    BadRequest, CannotWrite
        When data or labels are others, the model cannot be written or is being trained elsewhere.
    """
    check_destination(out)
    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.training.run import resume as run

    with training_alone(out):
        yield from run(checkpoint, pairs, out=out, device=choose_device(device))


def predict(
    model: Path,
    source: Source,
    *,
    folder: Path,
    sections: Sequence[Section] | None = None,
    device: DeviceWish = "auto",
    probabilities: bool | None = None,
    spec: PredictionSpec | None = None,
) -> Generator[Event]:
    """Predict sections of `source` (default: all of it) into a `PredictionStore` in `folder`.

    What the same model has predicted there before is kept; tiles that it did in the manner of
    `spec` are not done again, so that a task which was stopped or killed goes on. The probability of every
    class is stored where asked for, and by default for a 2-D source that is not too large.
    Says first where the data differ from what the model was trained on. Closing the generator
    leaves a readable store with what is done. The last event is `Saved(folder, "prediction")`.

    Raises
    ------
    ModelMismatch, NoLiveData, BadRequest, CannotWrite, NotEnoughMemory
        When the model does not fit, nothing is live, the device is missing, the disk or the
        memory is full.
    """
    how = Manner(device, spec)
    yield from _predict(model, source, folder, sections, how, probabilities=probabilities)
    yield Saved(folder, "prediction")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a prediction is made: where, as `spec` says, and whether a stopped one goes on."""

    device: DeviceWish = "auto"
    spec: PredictionSpec | None = None
    resume: bool = False


def _predict(
    model: Path,
    source: Source,
    folder: Path,
    sections: Sequence[Section] | None,
    how: Manner,
    *,
    probabilities: bool | None,
) -> Generator[Event]:
    from geocnn_gui.models.compatibility import differences
    from geocnn_gui.models.weights import load_model, read_card

    for sentence in differences(read_card(model), source):
        yield Note(sentence, warning=True)
    require_live(source)

    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.inference.model_state import model_mark
    from geocnn_gui.inference.store import PredictionStore, stores_unasked
    from geocnn_gui.inference.ways import predict_any
    from geocnn_gui.scoring.seen import SEEN_FILE, Seen

    chosen = choose_device(how.device)
    yield Note(f"Predicting on {chosen.description}.")
    seen = Seen.by_model(model, source)
    net, card = load_model(model)
    if probabilities is None:
        probabilities = stores_unasked(source, card.classes)
    store = PredictionStore.create(
        folder, source, card.named, model=model_mark(model),
        probabilities=probabilities and card.target is None, target=card.target,
    )  # fmt: skip
    seen.save(folder / SEEN_FILE)
    view = card.scaling.view(source)
    try:
        task = predict_any(net, card, view, store, device=chosen, sections=sections, spec=how.spec)
        yield from _telling_absent(task, store)
    finally:
        store.close()


def _telling_absent(task: Generator[Event], store: PredictionStore) -> Generator[Event]:
    """Pass on the events of a prediction; say at its end which classes it has found nowhere."""
    import numpy as np

    from geocnn_gui.data.source import Window

    found, tiles, total = {0}, 0, 0
    with closing(task):  # a stop ends it before the store is closed
        for event in task:
            if isinstance(event, TileDone):
                tiles += 1
                window = Window(event.offset, event.size)
                found |= set(np.unique(store.read_classes(window)).tolist())
            total = event.total if isinstance(event, Progress) else total
            yield event
    absent = [c.name for c in store.classes if c.id not in found]
    if absent and tiles == total:  # not where it went on from earlier tiles
        yield Note(f"{', '.join(absent)}: predicted nowhere here.")


def check_tiling(
    model: Path,
    source: Source,
    *,
    section: Section | None = None,
    device: DeviceWish = "auto",
    spec: PredictionSpec | None = None,
) -> Generator[Event]:
    """Measure how far predicting in tiles is from one pass over the same cells, and say it.

    Raises
    ------
    ModelMismatch, NoLiveData, BadRequest, NotEnoughMemory
        When the model does not fit, nothing is live, the device or the memory is missing.
    """
    from geocnn_gui.models.compatibility import differences
    from geocnn_gui.models.weights import load_model, read_card

    differences(read_card(model), source)
    require_live(source)

    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.inference.ways import check_any

    net, card = load_model(model)
    view = card.scaling.view(source)
    yield from check_any(net, card, view, section, device=choose_device(device), spec=spec)


def predict_to_file(
    model: Path,
    source: Source,
    out: Path,
    confidence: Path | None = None,
    *,
    probabilities: Path | None = None,
    sections: Sequence[Section] | None = None,
    how: Manner | None = None,
) -> Generator[Event]:
    """Predict `source` and write classes to `out`, confidence and probabilities where asked for.

    The formats follow from the names. Nothing stands under a final name before all is
    predicted; `scoring.seen` says what stands beside `out`. What a task had done that was
    stopped, killed or failed stays in `working_folder(out)`, from where it goes on if `how` says
    so; otherwise it is removed. Raises as `predict`, and `BadRequest` where a name does not suit
    or another process writes there.
    """
    from geocnn_gui.models.weights import read_card

    how, written = how or Manner(), False
    if (confidence or probabilities) and read_card(model).target is not None:
        raise BadRequest(
            f"{model.name} predicts values, which have no confidence or probabilities",
            "leave them out",
        )
    beside = outputs_beside(source, out, confidence, probabilities)
    for path in (out, *beside.values()):
        check_destination(path, inputs=(model,))
    with alone(working_folder(out) / WORK_LOCK, f"{out} is being predicted"):
        folder = make_folder(out, resume=how.resume)
        try:
            with naming(out):
                wanted = probabilities is not None or source.samples is not None
                yield from _predict(model, source, folder, sections, how, probabilities=wanted)
            yield from write_maps(folder, source, out, beside)
            written = True
        except GeoCNNError:
            if progress_in(folder) is not None:
                yield Note(f"What is predicted so far is kept in {folder}.")
            raise
        finally:
            if written or progress_in(folder) is None:
                with suppress(OSError):  # the lock is given back last
                    empty_folder(folder)


def write_partial(
    source: Source, out: Path, confidence: Path | None = None, *, probabilities: Path | None = None
) -> Generator[Event]:
    """Write what a stopped `predict_to_file` has done; cells that are not predicted are nodata.

    Its working folder stays, so that it can still go on.

    Raises
    ------
    UnreadableFile, BadRequest, CannotWrite
        When nothing is predicted, a name does not suit, or the disk is full.
    """
    beside = outputs_beside(source, out, confidence, probabilities)
    yield from write_maps(working_folder(out), source, out, beside)


@contextmanager
def material_in(
    path: Path,
    *,
    source: str = "",
    run: int | None = None,
    data: Path | None = None,
    confidence: Path | None = None,
    names: Path | None = None,
) -> Generator[Material]:
    """Open what can be exported of a project folder, or of a class map in a file.

    `source` and `run` choose in a project (see `project.material`), `data` and `confidence` go
    with a class map (see `export.class_map`), `names` is a model file whose classes it shows.

    Raises
    ------
    UnreadableFile, LabelsMismatch, ModelMismatch, BadRequest
        When it cannot be read, or an option belongs to the other kind of input.
    """
    from geocnn_gui.export.class_map import ClassMap, open_map
    from geocnn_gui.export.table import Material
    from geocnn_gui.models.weights import read_card
    from geocnn_gui.project.material import open_material

    whole = path.is_dir() or path.name == "project.json"
    if (data or confidence or names) if whole else (source or run is not None):
        other = "a project, which has its own data" if whole else "a class map, not a project"
        options = "--data, --confidence and --names" if whole else "--source and --run"
        raise BadRequest(f"{path} is {other}", f"leave {options} out")
    if whole:
        with open_material(path, source=source, run=run) as material:
            yield material
        return
    classes = () if names is None else read_card(names).classes
    with open_map(path, data=data, confidence=confidence, classes=classes) as found:
        yield Material(found.source, found, found.named if isinstance(found, ClassMap) else ())


def export(order: Order, material: Material) -> Generator[Event]:
    """Write what is ordered; see `export.table`. A class map gets what the model had seen too.

    Raises
    ------
    BadRequest, CannotWrite, LabelsMismatch
        When the order does not suit, the disk is full, or a map holds other than classes.
    """
    from geocnn_gui.export.table import check
    from geocnn_gui.export.table import export as run

    check(order, material)
    check_destination(order.out, inputs=material.files)
    if order.kind not in ("polygons", "figure", "labels", "model"):
        yield from _tell_extent(material)
    for event in run(order, material):
        if event == Saved(order.out, "prediction"):
            yield from _save_seen(order.out, material)
        yield event


def _tell_extent(material: Material) -> Generator[Event]:
    from geocnn_gui.export.extent import find_extent
    from geocnn_gui.inference.store import PredictionStore

    if isinstance(material.prediction, PredictionStore):
        newest = PredictionStore.open(material.prediction.folder)
        if missing := (yield from find_extent(newest, material.source)):
            yield Note(missing)


def _save_seen(out: Path, material: Material) -> Generator[Event]:
    """Write beside a class map what its model had seen, where that is known."""
    from geocnn_gui.export.class_map import ClassMap, ValueMap
    from geocnn_gui.inference.map_files import passed_on
    from geocnn_gui.inference.store import PredictionStore
    from geocnn_gui.scoring.seen import SEEN_FILE, seen_beside, seen_path

    store = material.prediction
    if isinstance(store, ClassMap | ValueMap) and store.source.path == store.files[0]:
        if (seen := seen_beside(store.files[0], store.shape)[0]) is not None:
            passed_on(seen, store.source, out).save(seen_path(out))
            yield Saved(seen_path(out), "what the model had seen")
    elif isinstance(store, PredictionStore) and (store.folder / SEEN_FILE).exists():
        seen_for(store, material.source, out).save(seen_path(out))
        yield Saved(seen_path(out), "what the model had seen")


def check_destination(path: Path, *, inputs: tuple[Path, ...] = ()) -> None:
    """Make sure, before hours of work, that `path` can be written and is none of the `inputs`.

    Raises
    ------
    CannotWrite, BadRequest
        When the folder is missing or closed, `path` is a folder, or one of the inputs.
    """
    if path.is_dir():
        raise CannotWrite(f"Cannot write {path}: it is a folder", "give the name of a file")
    if path.exists() and any(each.exists() and path.samefile(each) for each in inputs):
        raise BadRequest(f"{path} is one of the inputs", "choose another name")
    with writing(path):
        if not os.access(path.parent, os.W_OK):
            path.parent.stat()
            raise PermissionError(13, "no permission")


def inspect(
    model: Path, source: Source, place: Place, *, wish: Wish | None = None, out: Path | None = None
) -> Generator[Event, None, Report]:
    """Look inside a model at a place; see `inspection.report.inspect`. Raises as that does."""
    if out is not None:
        check_report_name(out)
        check_destination(out, inputs=(model,))
    from geocnn_gui.inspection.report import inspect as run

    return (yield from run(model, source, place, wish or Wish(), out=out))


def evaluate(
    prediction: Path,
    labels: Path,
    *,
    errors: Path | None = None,
    wish: ThinWish | None = None,
    probabilities: Path | None = None,
    model: Path | None = None,
) -> Generator[Event, None, Evaluation]:
    """Compare a class map with labels of the same grid, both as files; see `scoring.evaluation`.

    With `errors` an error map is written there in the format of its name: 0 unlabelled, 1 right,
    2 wrong; the last event is then `Saved(errors, "error map")`. `probabilities` written beside
    the map give curves of thin classes; `wish` says which are thin. `model` is the file whose
    card says what it reached on held-out ground, where nothing beside the map does.

    Raises
    ------
    UnreadableFile, LabelsMismatch, ModelMismatch, BadRequest, NotEnoughLabels, CannotWrite
        When a file cannot be read or written, the grids differ, the prediction holds no classes,
        or no cell is labelled.
    """
    from geocnn_gui.export.table import check_output, export_prediction
    from geocnn_gui.scoring.evaluation import ERROR_CLASSES, evaluate_source

    with ExitStack() as files:
        source = files.enter_context(open_source(prediction))
        if errors is not None:
            check_output(source, errors)
            check_destination(errors, inputs=(prediction, labels))
        evaluation, error_map = yield from evaluate_source(
            source, labels, wish=wish, probabilities=probabilities, model=model
        )
        if errors is not None:
            for event in export_prediction(error_map, source, ERROR_CLASSES, errors):
                yield Saved(errors, "error map") if isinstance(event, Saved) else event
    return evaluation

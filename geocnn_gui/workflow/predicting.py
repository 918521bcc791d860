"""From a model to maps: predict into a store or to files, and check how tiles join."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geocnn_gui.data.statistics import require_live
from geocnn_gui.errors import BadRequest, GeoCNNError
from geocnn_gui.events import Event, Note, Progress, Saved, TileDone
from geocnn_gui.inference.map_files import (
    WORK_LOCK,
    empty_folder,
    make_folder,
    naming,
    outputs_beside,
    working_folder,
    write_maps,
)
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.inference.store import progress_in
from geocnn_gui.project.lock import alone
from geocnn_gui.workflow.destination import DeviceWish, check_destination

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from geocnn_gui.data.source import Section, Source
    from geocnn_gui.inference.store import PredictionStore


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

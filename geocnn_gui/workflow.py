"""The verbs both shells call: generators of events, torch imported only when they run."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from geocnn_gui.data.source import open_source
from geocnn_gui.data.statistics import require_live
from geocnn_gui.errors import BadRequest, CannotWrite, NotEnoughLabels, writing
from geocnn_gui.events import Event, Note, Saved
from geocnn_gui.training.sections import Pair

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from geocnn_gui.data.source import Section, Source, Window
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.scoring.metrics import Scores
    from geocnn_gui.training.spec import TrainingSpec

__all__ = ["DeviceWish", "Pair", "check_destination", "evaluate", "predict",
           "predict_to_file", "train"]  # fmt: skip

#: Formats without names or colours, and what stands in a palette where there is no class.
_ARRAYS, _BLACK = ("NPY", "NPZ"), "#000000"
DeviceWish = Literal["auto", "cpu", "cuda"]


def train(
    pairs: Sequence[Pair],
    model_spec: ModelSpec,
    training: TrainingSpec,
    classes: Classes,
    *,
    out: Path,
    device: DeviceWish = "auto",
) -> Generator[Event]:
    """Train a network on `pairs` and save it to `out`; see `training.run.train`.

    Raises
    ------
    NotEnoughLabels, NoLiveData, CannotWrite, BadRequest
        Before anything is computed, or when the model cannot be written.
    """
    check_destination(out)
    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.training.run import train as run

    yield from run(pairs, model_spec, training, classes, out=out, device=choose_device(device))


def predict(
    model: Path,
    source: Source,
    *,
    folder: Path,
    sections: Sequence[Section] | None = None,
    device: DeviceWish = "auto",
) -> Generator[Event]:
    """Predict sections of `source` (default: all of it) into a `PredictionStore` in `folder`.

    Sections that the same model has predicted there before are kept.
    Says first where the data differ from what the model was trained on. Closing the generator
    leaves a readable store with what is done. The last event is `Saved(folder, "prediction")`.

    Raises
    ------
    ModelMismatch, NoLiveData, BadRequest, CannotWrite
        When the model does not fit, nothing is live, the device is missing, the disk is full.
    """
    yield from _predict(model, source, folder, sections, device)
    yield Saved(folder, "prediction")


def _predict(
    model: Path,
    source: Source,
    folder: Path,
    sections: Sequence[Section] | None,
    device: DeviceWish,
) -> Generator[Event]:
    from geocnn_gui.models.compatibility import differences
    from geocnn_gui.models.weights import load_model, read_card

    for sentence in differences(read_card(model), source):
        yield Note(sentence, warning=True)
    require_live(source)

    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.inference.predict import predict as run
    from geocnn_gui.inference.store import PredictionStore

    chosen = choose_device(device)
    yield Note(f"Predicting on {chosen.description}.")
    net, card = load_model(model)
    store = PredictionStore.create(folder, source, card.classes, model=_fingerprint(model))
    try:
        yield from run(net, card, source, store, device=chosen, sections=sections)
    finally:
        store.close()


def _fingerprint(model: Path) -> str:
    """Return the name of a model file with a digest of what is in it."""
    with model.open("rb") as file:
        return f"{model.name} {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"


def predict_to_file(
    model: Path,
    source: Source,
    out: Path,
    confidence: Path | None = None,
    *,
    sections: Sequence[Section] | None = None,
    device: DeviceWish = "auto",
) -> Generator[Event]:
    """Predict `source` and write the classes to `out`, the confidence beside it where asked for.

    The formats follow from the names. Nothing stands under a final name before all is
    predicted. Raises as `predict`, and `BadRequest` where a name does not suit.
    """
    from geocnn_gui.export.table import check_output, export_prediction
    from geocnn_gui.inference.store import PredictionStore

    outputs = {out: "classes"} if confidence is None else {out: "classes", confidence: "confidence"}
    if confidence == out:
        raise BadRequest(f"{out} cannot hold both classes and confidence", "give two names")
    for path in outputs:
        check_output(source, path)
        check_destination(path, inputs=(model,))
    folder = Path(tempfile.mkdtemp(prefix=".geocnn-", dir=out.parent))
    try:
        with _naming(out):
            yield from _predict(model, source, folder, sections, device)
        store = PredictionStore.open(folder)
        yield from export_prediction(store, source, store.classes, out)
        if confidence is not None:
            yield from export_prediction(store, source, store.classes, confidence, "confidence")
        store.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _naming(out: Path) -> Generator[None]:
    """Let a failure to write a working file name the file that the user asked for."""
    try:
        yield
    except CannotWrite as error:
        if not isinstance(error.__cause__, OSError):
            raise
        with writing(out):
            raise error.__cause__ from None


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


def evaluate(prediction: Path, labels: Path) -> Scores:
    """Compare a class map with labels of the same grid, both as files.

    Classes are matched by name where both files name them, those of a colour picture by the
    palette of the class map, all others by id.

    Raises
    ------
    UnreadableFile, LabelsMismatch, BadRequest, NotEnoughLabels
        When a file cannot be read, the grids differ, the prediction holds no classes, or no
        cell is labelled.
    """
    from geocnn_gui.labels.files import read_label_file
    from geocnn_gui.labels.matching import fit_labels, is_named
    from geocnn_gui.scoring.metrics import Confusion

    confusion = Confusion()
    with open_source(prediction) as source:
        truth = read_label_file(labels, source)
        ours = _classes_of(source, coloured=truth.coloured)
        truth = fit_labels(truth, ours, names=(labels.name, prediction.name))
        for window in truth.snapshot.labelled_windows():
            confusion.add(truth.snapshot.read(window), _read_classes(source, window))
    if not confusion.ids:
        raise NotEnoughLabels(f"{labels} labels no cell", "choose a file with labels")
    return confusion.scores({c.id: c.name for c in (*ours, *truth.classes) if is_named(c)})


def _classes_of(prediction: Source, *, coloured: bool) -> Classes:
    """Return the classes that a class map names or colours; for `coloured` labels the latter."""
    from geocnn_gui.labels.classes import classes_for
    from geocnn_gui.labels.rasters import names_and_colors

    if prediction.kind != "raster" or prediction.path is None or prediction.format in _ARRAYS:
        return ()
    names, colors = names_and_colors(prediction.path)
    ids = {i for i, color in colors.items() if color != _BLACK} | set(() if coloured else names)
    classes = classes_for([i for i in ids if 0 < i <= 254], names)
    return tuple(c.model_copy(update={"color": colors.get(c.id, c.color)}) for c in classes)


def _read_classes(source: Source, window: Window) -> np.ndarray:
    values = source.read(window)
    values = values[0] if source.banded else values
    whole = np.nan_to_num(values, nan=0.0) if values.dtype.kind == "f" else values
    if whole.size and (whole.min() < 0 or whole.max() > 254 or np.any(whole != np.rint(whole))):
        raise BadRequest(
            f"{source.path} holds other values than class ids 0 to 254",
            "choose a file that a prediction was saved to",
        )
    return whole.astype(np.uint8)

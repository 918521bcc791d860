"""Write what a project holds, or a class map, in other formats."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Event, Note, Saved
from geocnn_gui.inference.map_files import seen_for
from geocnn_gui.workflow.destination import check_destination

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from geocnn_gui.export.table import Material, Order


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

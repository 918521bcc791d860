"""Write what is predicted to the files that were asked for, from a working folder beside them."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from geocnn_gui.errors import BadRequest, CannotWrite, writing
from geocnn_gui.events import Event, Note, Saved
from geocnn_gui.files import put_in_place
from geocnn_gui.inference.store import PredictionStore

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from geocnn_gui.data.source import Source
    from geocnn_gui.export.layers import What
    from geocnn_gui.scoring.seen import Seen


#: Name of the file in a working folder that whoever predicts there holds.
WORK_LOCK = "lock"


def working_folder(out: Path) -> Path:
    """Return where a prediction to the file `out` is kept until it is complete."""
    return out.with_name(f".{out.name}.prediction")


def make_folder(out: Path, *, resume: bool) -> Path:
    """Make the working folder of `out`: empty but for its lock, or with what a stopped task has left.

    Raises
    ------
    CannotWrite
        When it cannot be made, or what is there cannot be removed.
    """
    folder = working_folder(out)
    with writing(out):
        folder.mkdir(exist_ok=True)
        if not resume:
            empty_folder(folder)
    return folder


def empty_folder(folder: Path) -> None:
    """Remove all from a working folder but its lock; raises `OSError`."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != WORK_LOCK:
            path.unlink()


def write_maps(
    folder: Path, source: Source, out: Path, beside: dict[What, Path]
) -> Generator[Event]:
    """Write classes to `out`, and what else is wanted, from the prediction in `folder`.

    Raises
    ------
    UnreadableFile, CannotWrite
        When there is no prediction, or the disk is full.
    """
    from geocnn_gui.export.table import export_prediction

    store = PredictionStore.open(folder)
    try:
        yield from _write_map(store, source, out)
        for what, path in beside.items():
            yield from export_prediction(store, source, store.classes, path, what)
    finally:
        store.close()


def outputs_beside(
    source: Source, out: Path, confidence: Path | None, probabilities: Path | None
) -> dict[What, Path]:
    """Return what else is wanted than the classes in `out`; raises `BadRequest` for bad names."""
    from geocnn_gui.export.table import check_output

    beside: dict[What, Path] = {}
    check_output(source, out)
    wishes: tuple[tuple[What, Path | None], ...] = (
        ("confidence", confidence), ("probabilities", probabilities),
    )  # fmt: skip
    for what, path in wishes:
        if path is None:
            continue
        check_output(source, path, what)
        if path in (out, *beside.values()):
            other = "classes" if path == out else "confidence"
            raise BadRequest(f"{path} cannot hold both {other} and {what}", "give two names")
        beside[what] = path
    return beside


def _write_map(store: PredictionStore, source: Source, out: Path) -> Generator[Event]:
    """Write the classes and, beside them, what the model had seen: both or neither."""
    from geocnn_gui.export import styles
    from geocnn_gui.export.table import export_prediction
    from geocnn_gui.scoring.seen import seen_path

    done = store.folder / "done"
    shutil.rmtree(done, ignore_errors=True)  # of an earlier try
    done.mkdir()
    what = "classes" if store.target is None else "values"
    with naming(out, done / out.name):
        for event in export_prediction(store, source, store.classes, done / out.name, what):
            if not isinstance(event, Saved):
                yield event
        seen = seen_for(store, source, done / out.name)
        seen.save(seen_path(done / out.name))
    picture = out.suffix.lower() in (".tif", ".tiff")
    if picture and styles.is_foreign(styles.style_path(out)):
        styles.style_path(done / out.name).unlink()
        yield Note(styles.kept(out))
    put_in_place(done, out, stale=styles.stale_paths(out) if picture else ())
    yield Saved(out, "prediction")
    yield Saved(seen_path(out), "what the model had seen")


def seen_for(store: PredictionStore, source: Source, path: Path) -> Seen:
    """Return what the model of a prediction had seen, for the class map written to `path`."""
    from geocnn_gui.scoring.seen import SEEN_FILE, Seen

    seen = Seen.load(store.folder / SEEN_FILE, source.shape)
    return seen.for_map(path, transposed=_is_turned(source, path))


def passed_on(seen: Seen, source: Source, path: Path) -> Seen:
    """Return what lies beside a class map `source`, for a copy of the map in `path`."""
    copy = seen.for_map(path, transposed=_is_turned(source, path))
    turned = copy.card.transposed != seen.card.transposed
    return replace(copy, card=copy.card.model_copy(update={"transposed": turned}))


def _is_turned(source: Source, path: Path) -> bool:
    """Say whether a map of `source` in `path` is a picture with the axes swapped."""
    from geocnn_gui.data.source import Section

    plane = source.plane(Section()) if len(source.shape) == 2 else None
    turned = plane is not None and plane.row_axis > plane.column_axis
    return turned and path.suffix.lower() in (".tif", ".tiff")


@contextmanager
def naming(out: Path, working: Path | None = None) -> Generator[None]:
    """Let a failure to write a working file name the file that the user asked for."""
    try:
        yield
    except CannotWrite as error:
        if not isinstance(error.__cause__, OSError):
            fact = error.fact.replace(str(working or out), str(out))
            raise CannotWrite(fact, error.way_out) from error
        with writing(out):
            raise error.__cause__ from None

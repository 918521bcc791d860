"""Copy a whole project to another place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from geocnn_gui.errors import BadRequest, writing
from geocnn_gui.events import Progress, Saved
from geocnn_gui.files import making_folder
from geocnn_gui.project.file import read_project, write_project
from geocnn_gui.project.guard import check_folder
from geocnn_gui.project.history import HISTORY_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.events import Event
    from geocnn_gui.project.file import ProjectFile, StoredSource

_PIECE = 8 * 2**20


def copy_project(folder: Path, to: Path) -> Iterator[Event]:
    """Copy labels, predictions, runs, backbones, steps and project.json to a new folder `to`.

    The data files stay where they are. The copy appears under its name when it is whole; one
    that is stopped or fails leaves nothing.

    Raises
    ------
    BadRequest
        When `to` exists or lies in the project.
    UnreadableFile, CannotWrite
        When the project cannot be read, or the copy not written.
    """
    folder, to = folder.resolve(), to.resolve()
    if to.exists():
        raise BadRequest(f"{to} exists already", "choose another name")
    if to.is_relative_to(folder):
        raise BadRequest(f"{to} lies in the project itself", "choose another place")
    check_folder(folder)
    with making_folder(to) as part:
        with writing(to):
            yield from _copy_files(folder, part)
            data = _copy_steps(folder, part)
        _write_project(data, folder, part, to)
    yield Saved(to, "project")


def _copy_files(folder: Path, part: Path) -> Iterator[Event]:
    files = [path for name in ("labels", "runs", "predictions", "backbones", "removed")
             for path in sorted((folder / name).rglob("*")) if path.is_file()]  # fmt: skip
    # A base file that is renewed meanwhile holds what an older journal says, not the reverse.
    files.sort(key=lambda path: path.suffix != ".journal")
    total, done = sum(path.stat().st_size for path in files), 0
    for path in files:
        target = part / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        for size in _copy(path, target):
            done += size
            yield Progress(done, max(total, done), "Copying")
        shutil.copystat(path, target)


def _copy_steps(folder: Path, part: Path) -> ProjectFile:
    """Copy the steps behind the labels; return the project as it stood beside them.

    So these know everything that is painted meanwhile, and bring the copied labels up to it.
    """
    steps, before, now = folder / HISTORY_FILE, None, read_project(folder / "project.json")
    while before != now:
        if steps.is_file():
            list(_copy(steps, part / HISTORY_FILE))
        before, now = now, read_project(folder / "project.json")
    return now


def _copy(path: Path, target: Path) -> Iterator[int]:
    """Copy one file in pieces; pieces of zeros become holes. Yield the bytes of each."""
    with path.open("rb") as source, target.open("wb") as copy:
        while piece := source.read(_PIECE):
            if piece.strip(b"\0"):
                copy.write(piece)
            else:
                copy.seek(len(piece), os.SEEK_CUR)
            yield len(piece)
        copy.truncate(copy.tell())
        copy.flush()
        os.fsync(copy.fileno())


def _write_project(data: ProjectFile, folder: Path, part: Path, to: Path) -> None:
    sources = tuple(_seen_from(stored, folder, to) for stored in data.sources)
    write_project(part / "project.json", data.model_copy(update={"sources": sources}))


def _seen_from(stored: StoredSource, folder: Path, to: Path) -> StoredSource:
    """Return a source as the copy names it: where it is now, seen from there."""
    if stored.relative is None:
        return stored
    here = stored.find(folder)[0]
    try:
        relative = Path(os.path.relpath(here, to)).as_posix()
    except ValueError:  # another drive
        relative = None
    return stored.model_copy(update={"path": here, "relative": relative})

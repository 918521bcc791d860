"""Which project a file belongs to, wherever the file or the project lie now."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from geocnn_gui.data.identity import fingerprint_of
from geocnn_gui.errors import GeoCNNError
from geocnn_gui.project.file import read_project
from geocnn_gui.project.home import data_home, default_folder, is_example
from geocnn_gui.project.recent import recent_projects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.project.file import StoredSource
    from geocnn_gui.project.project import Project, SourceEntry

#: Projects that are looked into for a file.
_MOST = 200


def home_of(source: str | Path) -> Path:
    """Return the folder of the project that goes with a file or example.

    The one begun for a file of this place; else the latest that has a source there; else the
    latest that misses a source of this very content; else where a new one is to be begun.
    """
    default = default_folder(source)
    if is_example(source) or (default / "project.json").exists():
        return default
    place = Path(source).resolve()
    known = [(folder, stored) for folder in _folders() for stored in _sources(folder)]
    for folder, stored in known:
        if stored.find(folder)[0] == str(place):
            return folder
    moved = (folder for folder, stored in known if has_moved(stored, folder, place))
    return next(moved, default)


def entry_for(project: Project, path: str) -> SourceEntry | None:
    """Return the source of a project that a file or example is; None where it has none.

    Where its `path` is another, the source was there and has moved to the file's place.
    """
    for entry in project.sources:
        if entry.path == path:
            return entry
    for entry in project.sources if not is_example(path) else ():
        if has_moved(project.stored(entry.id), project.folder, Path(path)):
            return entry
    return None


def has_moved(stored: StoredSource, folder: Path, place: Path) -> bool:
    """Say whether the file at `place` is a source that is no longer where it was.

    Told by size and samples of the content alone: files made together share size and time.
    """
    if not stored.fingerprint or stored.find(folder)[1] == "there":
        return False
    with suppress(OSError):
        return place.stat().st_size == stored.size and fingerprint_of(place) == stored.fingerprint
    return False


def _folders() -> Iterator[Path]:
    """Yield the folders of the projects known, the latest first."""
    recent = [Path(item.folder) for item in recent_projects()]
    yield from recent
    ours = []
    for file in (data_home() / "projects").glob("*/project.json"):
        with suppress(OSError):
            ours.append((file.stat().st_mtime_ns, file.parent))
    left = [folder for _, folder in sorted(ours, reverse=True) if folder not in recent]
    yield from left[:_MOST]


def _sources(folder: Path) -> tuple[StoredSource, ...]:
    """Return the sources of a project; none where it is gone, damaged or newer."""
    with suppress(GeoCNNError):
        return read_project(folder / "project.json").sources
    return ()

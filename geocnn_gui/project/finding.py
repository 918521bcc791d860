"""Look for a source that is no longer where it was."""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from geocnn_gui.project.home import is_example

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from geocnn_gui.project.file import StoredSource
    from geocnn_gui.project.project import Project

#: Folders below a place, names in all and seconds after which the search gives up.
DEEPEST, MOST_NAMES, LONGEST = 4, 50_000, 10.0


def search_places(project: Project, entry_id: str) -> tuple[Path, ...]:
    """Return the folders in which a source may lie now, the likeliest first.

    Beside the project, where its other sources are, and what is left of the old path.
    """
    stored = project.stored(entry_id)
    others = [entry for entry in project.sources if entry.id != entry_id and entry.unchanged]
    places = [project.folder, project.folder.parent]
    places += [Path(entry.path).parent for entry in others if not is_example(entry.path)]
    places += _near(Path(stored.path))
    return tuple(dict.fromkeys(places))


def find_moved(
    stored: StoredSource, places: tuple[Path, ...], stopped: Callable[[], bool] = lambda: False
) -> Path | None:
    """Return a file of the same size and content below `places`, or None.

    Links are not followed, and the search is bounded; a file of the same name is tried first.
    It ends when `stopped` says so.
    """
    if is_example(stored.path) or not stored.fingerprint:
        return None
    name = Path(stored.path).name
    alike = []
    for path in _of_size(stored.size, places, stopped):
        if path.name == name and stored.is_at(path):
            return path
        alike.append(path)
    return next((path for path in alike[:100] if stored.is_at(path)), None)


def _near(path: Path) -> list[Path]:
    """Return the nearest folder above a path that exists and the one above it.

    Not where that is a whole disk, or the folder of all users.
    """
    parent = next((p for p in path.parents if p.is_dir()), Path(path.anchor))
    return [place for place in (parent, parent.parent) if len(place.parts) > 2]


def _of_size(size: int, places: tuple[Path, ...], stopped: Callable[[], bool]) -> Iterator[Path]:
    end, names = time.monotonic() + LONGEST, 0
    waiting = deque((str(place), 0) for place in places)
    seen: set[str] = set()
    while waiting:
        folder, depth = waiting.popleft()
        if folder in seen:
            continue
        seen.add(folder)
        if stopped():
            return
        for entry in _entries(folder):
            names += 1
            if names > MOST_NAMES or time.monotonic() > end:
                return
            if entry.is_dir(follow_symlinks=False):
                if depth < DEEPEST and not entry.name.startswith("."):
                    waiting.append((entry.path, depth + 1))
            elif _has_size(entry, size):
                yield Path(entry.path)


def _has_size(entry: os.DirEntry[str], size: int) -> bool:
    try:
        plain = entry.is_file(follow_symlinks=False)
        return plain and entry.stat(follow_symlinks=False).st_size == size
    except OSError:
        return False


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []

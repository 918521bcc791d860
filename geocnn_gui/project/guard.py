"""Refuse a project folder that reaches out of itself."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from geocnn_gui.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a project writes to; a name beside these is none of its business.
_OURS = (
    "project.json", "project.lock", "labels", "predictions", "runs", "removed",
    "history.journal", "history.journal.aside", "history.journal.damaged",
)  # fmt: skip
_DEEPEST = 6
_MOST = 200_000


def check_folder(folder: Path) -> None:
    """Look at every file that a project would read or write.

    Raises
    ------
    UnreadableFile
        When one is a link, a pipe or a device: it could lead outside the folder.
    """
    for number, (path, mode) in enumerate(_everything(folder)):
        if number >= _MOST:
            raise _refused(folder, "far more files than a project")
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            what = "a link" if stat.S_ISLNK(mode) else "a pipe or device"
            raise _refused(folder, f"{what}, {path.relative_to(folder)}")


def _refused(folder: Path, what: str) -> UnreadableFile:
    return UnreadableFile(
        f"The project in {folder} is not opened because it holds {what}",
        "put plain files and folders in its place",
    )


def _everything(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield path and mode of what is the project's, never through a link."""
    for entry in _entries(folder):
        name = entry.name
        if name in _OURS or (name.startswith("project.v") and name.endswith(".json")):
            yield from _below(entry, 1)


def _below(entry: os.DirEntry[str], depth: int) -> Iterator[tuple[Path, int]]:
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError:  # gone meanwhile
        return
    junction = getattr(entry, "is_junction", lambda: False)()
    yield Path(entry.path), stat.S_IFLNK if junction else mode
    if stat.S_ISDIR(mode) and not junction and depth < _DEEPEST:
        for inner in _entries(entry.path):
            yield from _below(inner, depth + 1)


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []

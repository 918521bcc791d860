"""Which projects are open, noted in the program's own folder, so that a crash is noticed."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from geocnn_gui.labels.book import last_tidy, pending_edits
from geocnn_gui.project.home import data_home
from geocnn_gui.project.lock import began, holder_of, is_taken, sign, take

_MOST, _LONGEST = 100, 16384


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A project that was open when the program ended badly.

    `edits` were made since `since` (UTC) and are in the journals.
    """

    folder: Path
    name: str
    edits: int
    since: datetime | None
    mark: Path


class OpenMark:
    """Notes that a project is open here, until released; where that fails, nothing is noted."""

    def __init__(self, folder: Path, name: str) -> None:
        digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]
        self._path = data_home() / "open" / f"{os.getpid()}-{digest}.json"
        self._handle: int | None = None
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            take(self._handle)
            sign(self._handle, folder=str(folder), name=name[:200])

    def release(self) -> None:
        """Take the note away."""
        if self._handle is None:
            return
        with suppress(OSError):
            os.close(self._handle)
            self._path.unlink(missing_ok=True)
        self._handle = None


def interrupted() -> tuple[Interrupted, ...]:
    """Return the projects that a session ended badly with, the newest first.

    Notes of windows that still run are left alone; those that say nothing any more are removed.
    """
    try:
        marks = sorted((data_home() / "open").glob("*.json"))[:_MOST]
    except OSError:
        return ()
    found: dict[Path, Interrupted] = {}
    for mark in marks:
        if _is_alive(mark):
            continue
        item = _read(mark)
        if item is None or item.folder in found or holder_of(item.folder) is not None:
            forget_mark(mark)
        else:
            found[item.folder] = item
    return tuple(sorted(found.values(), key=lambda i: i.mark.stat().st_mtime, reverse=True))


def forget_mark(mark: Path) -> None:
    """Remove a note; one that cannot be removed stays."""
    with suppress(OSError):
        mark.unlink(missing_ok=True)


def _is_alive(mark: Path) -> bool:
    try:
        handle = os.open(mark, os.O_RDWR)
    except OSError:
        return True  # not ours to judge
    try:
        take(handle)
    except OSError as error:
        return is_taken(error) or _runs(mark)
    finally:
        os.close(handle)
    return False


def _runs(mark: Path) -> bool:
    """Say whether the process of a note runs, on a file system without locks."""
    if os.name != "posix":  # asking would end the process there
        return False
    try:
        os.kill(int(mark.name.partition("-")[0]), 0)
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _read(mark: Path) -> Interrupted | None:
    try:
        signed = mark.read_bytes()[:_LONGEST]
        data = json.loads(signed)
        folder, name = Path(str(data["folder"])), str(data["name"])
        if not (folder / "project.json").is_file():
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    books = sorted((folder / "labels").glob("s*"))
    tidy = [when for when in map(last_tidy, books) if when is not None]
    times = [t for t in (began(signed), max(tidy, default=None)) if t is not None]
    edits = sum(pending_edits(book) for book in books)
    return Interrupted(folder, name, edits, max(times, default=None), mark)

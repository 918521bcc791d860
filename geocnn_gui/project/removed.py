"""The sources that were taken out of a project: what is kept of each in removed/ID/."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic import ValidationError

from geocnn_gui.errors import writing
from geocnn_gui.files import write_bytes
from geocnn_gui.project.file import StoredSource

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_FILE = "source.json"
_LARGEST = 2**20


def removed_folder(folder: Path, stored: StoredSource) -> Path:
    """Return where a project keeps what belongs to a removed source."""
    return folder / "removed" / stored.id


def removed_sources(folder: Path, present: Iterable[str] = ()) -> tuple[StoredSource, ...]:
    """Return the sources that can be put back, in the order they were added.

    `present` are the ids of those that are in the project. Damaged records are passed over.
    """
    found = []
    for path in (folder / "removed").glob(f"*/{_FILE}"):
        with suppress(OSError, ValidationError, ValueError):
            if path.stat().st_size <= _LARGEST:
                stored = StoredSource.model_validate_json(path.read_bytes())
                if stored.id == path.parent.name and stored.id not in present:
                    found.append(stored)
    return tuple(sorted(found, key=lambda stored: int(stored.id[1:])))


def removed_like(removed: Iterable[StoredSource], new: StoredSource) -> StoredSource | None:
    """Return the removed source that a file is, by its content, or that an example is."""
    alike = [old for old in removed if old.fingerprint == new.fingerprint]
    if not new.fingerprint:
        return next((old for old in alike if old.path == new.path), None)
    alike = [old for old in alike if old.size == new.size]
    alike.sort(key=lambda old: old.path != new.path)  # of copies the one of this place
    return next(iter(alike), None)


def note_removed(folder: Path, stored: StoredSource) -> None:
    """Keep what `put_back` needs of a source; raises `CannotWrite`."""
    kept = removed_folder(folder, stored)
    with writing(kept):
        kept.mkdir(parents=True, exist_ok=True)
    write_bytes(kept / _FILE, stored.model_dump_json(indent=1).encode())


def forget_removed(folder: Path, stored: StoredSource) -> None:
    """Drop the record of a source that is in the project again."""
    with suppress(OSError):  # it is passed over as long as the source is there
        (removed_folder(folder, stored) / _FILE).unlink(missing_ok=True)

"""Write files so that the old one stays until the new one is whole."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from geocnn_gui.errors import writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; put it in its place when the block ends well.

    The temporary file keeps the suffix, so that libraries that look at it still work. It is
    flushed to disk before the rename, and removed when anything fails (or the task is stopped);
    a file that stood at `path` stays then.

    Raises
    ------
    CannotWrite
        For an `OSError` inside the block or while renaming (disk full, no permission, ...).
    """
    with replacing_set(path, ()) as (temporary,):
        yield temporary


@contextmanager
def replacing_set(
    path: Path, companions: Sequence[Path], *, stale: Sequence[Path] = ()
) -> Iterator[list[Path]]:
    """Give temporary paths for `path` and the files that belong to it; put all in their places.

    As `replacing`, for several. Older companions, and `stale` files that speak of the older
    `path`, step aside first and come back when it cannot be replaced: a loss of power leaves at
    worst a file without companions, never one with those of another.

    Raises
    ------
    CannotWrite
        For an `OSError` inside the block or while renaming; all older files stay.
    """
    finals = [path, *companions]
    temporaries = [_beside(final, "part") for final in finals]  # they differ in their suffix
    try:
        with writing(path):
            yield temporaries
            for temporary in temporaries:
                with temporary.open("rb+") as file:
                    os.fsync(file.fileno())
            _replace_all(temporaries, finals, stale)
            _sync_folder(path.parent)
    finally:
        for temporary in temporaries:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _beside(path: Path, word: str) -> Path:
    return path.with_name(f".{path.stem[:40]}.{os.getpid()}.{word}{path.suffix}")


def _replace_all(
    temporaries: Sequence[Path], finals: Sequence[Path], stale: Sequence[Path]
) -> None:
    """Rename `temporaries` to `finals`, the first of which the others belong to."""
    present = (old for old in (*finals[1:], *stale) if old.is_file())
    aside = {old: _beside(old, f"old{number}") for number, old in enumerate(present)}
    try:
        for old, place in aside.items():
            os.replace(old, place)
        os.replace(temporaries[0], finals[0])
    except OSError:
        for old, place in aside.items():
            with suppress(OSError):
                os.replace(place, old)
        raise
    try:
        for temporary, final in zip(temporaries[1:], finals[1:], strict=True):
            os.replace(temporary, final)
    finally:
        for place in aside.values():
            with suppress(OSError):
                place.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself last through a loss of power, where the system can."""
    if os.name != "posix":
        return
    with suppress(OSError):  # some network file systems refuse
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def put_in_place(folder: Path, target: Path, *, stale: Sequence[Path] = ()) -> None:
    """Move the finished files of `folder` to the folder of `target`, as `replacing_set` does.

    One of them has the name of `target`, and the others belong to it. Both folders lie on one
    disk, so that nothing can fail for want of room half-way.

    Raises
    ------
    CannotWrite
        When the system refuses to rename one.
    """
    with writing(target):
        files = sorted(folder.iterdir(), key=lambda file: file.name != target.name)
        _replace_all(files, [target.parent / file.name for file in files], stale)
        _sync_folder(target.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the content of `path` by `data`, all or nothing; raises `CannotWrite`."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)

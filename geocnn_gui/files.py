"""Write files so that the old one stays until the new one is whole."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from geocnn_gui.errors import writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_DAY = 86400.0


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
    worst a file without companions, never one with those of another. What a killed process of
    this machine left of these names is removed first.

    Raises
    ------
    CannotWrite
        For an `OSError` inside the block or while renaming; all older files stay.
    """
    finals = [path, *companions]
    _remove_leftovers((*finals, *stale))
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


@contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path`, which takes that name when the block ends well.

    It is removed when anything fails. What a killed process of this machine left of this name is
    removed first.

    Raises
    ------
    CannotWrite
        When the folder cannot be made or renamed.
    """
    _remove_leftovers((path,))
    temporary = _beside(path, "part")
    try:
        with writing(path):
            temporary.mkdir(parents=True)
        yield temporary
        with writing(path):
            temporary.rename(path)
            _sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _beside(path: Path, word: str) -> Path:
    return path.with_name(f".{path.stem[:40]}.{os.getpid()}-{_host()}.{word}{path.suffix}")


def _host() -> str:
    """Return a short name of this machine: others may write to the same folder."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def _remove_leftovers(paths: Sequence[Path]) -> None:
    """Remove what processes of this machine that are gone left of `paths`."""
    with suppress(OSError):
        names = [entry.name for entry in os.scandir(paths[0].parent) if entry.name[0] == "."]
        for path in paths:
            stem, suffix = re.escape(path.stem[:40]), re.escape(path.suffix)
            ours = re.compile(rf"\.{stem}\.(\d+)-{_host()}\.(part|old\d+){suffix}")
            for name in names:
                if (found := ours.fullmatch(name)) is not None:
                    left = path.with_name(name)
                    if not _in_use(left, int(found[1])):
                        _remove(left)


def _remove(left: Path) -> None:
    if left.is_dir() and not left.is_symlink():
        shutil.rmtree(left, ignore_errors=True)
    else:
        left.unlink(missing_ok=True)


def _in_use(path: Path, process: int) -> bool:
    """Say whether the process that writes a temporary file may still be there."""
    if process == os.getpid():
        return True
    if os.name != "posix":  # asking would end it there
        return time.time() - path.stat().st_mtime < _DAY
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


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
    except BaseException:
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

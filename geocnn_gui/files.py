"""Write files so that the old one stays until the new one is whole."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from geocnn_gui.errors import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    temporary = path.with_name(f".{path.stem[:40]}.{os.getpid()}.part{path.suffix}")
    try:
        with writing(path):
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _sync_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


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


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the content of `path` by `data`, all or nothing; raises `CannotWrite`."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)

"""Tell whether two sources are the same data, whatever they are called and wherever they lie."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from geocnn_gui.data.source import Source

_SAMPLE = 65536


def identity_of(source: Source) -> str:
    """Return a digest of a source's file, or the name of an example.

    Raises
    ------
    OSError
        When the file has gone.
    """
    return source.name if source.path is None else fingerprint_of(source.path)


def fingerprint_of(path: Path) -> str:
    """Return a digest of a file's size and of its start, middle and end; cheap for any size.

    Of a folder it is one of the names and sizes of all files in it.
    """
    if path.is_dir():
        return _fingerprint_of_folder(path)
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for at in (0, size // 2, max(0, size - _SAMPLE)):
            file.seek(at)
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()[:32]


def size_of(path: Path) -> int:
    """Return a file's size in bytes; 0 of a folder, whose own size says nothing."""
    return 0 if path.is_dir() else path.stat().st_size


def _fingerprint_of_folder(path: Path) -> str:
    digest = hashlib.sha256(b"folder")
    for place, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            file = os.path.join(place, name)
            digest.update(f"{os.path.relpath(file, path)} {os.lstat(file).st_size}".encode(
                "utf-8", "surrogateescape"
            ))  # fmt: skip
    return digest.hexdigest()[:32]

"""Write several files that belong together so that the old ones stay until all new ones are whole."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from geocnn_gui.errors import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def replacing_set(path: Path, *, outdated: tuple[str, ...] = ()) -> Iterator[Path]:
    """Give a folder beside `path`; what is in it at the end moves to beside `path`.

    Write `path.name` and its companions into the folder. Files beside `path` with one of the
    suffixes `outdated` belong to the old set and go where the new one has none of that name.
    Where a file cannot be replaced, those replaced before are put back. When the block fails
    or is stopped, the folder is removed and nothing else has changed.

    Raises
    ------
    CannotWrite
        For an `OSError` inside the block or while moving (disk full, no permission, ...).
    """
    folder = path.with_name(f".{path.stem[:40]}.{os.getpid()}.part")
    try:
        with writing(path):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            yield folder
            new = sorted(folder.iterdir())
            for one in new:
                with one.open("rb+") as file:
                    os.fsync(file.fileno())
            old = [path.with_suffix(suffix) for suffix in outdated]
            _move(new, path.parent, [one for one in old if one.name not in {n.name for n in new}])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(new: list[Path], target: Path, outdated: list[Path]) -> None:
    """Move all files or none; the old ones are kept under a second name meanwhile."""
    if not new:
        return
    kept = new[0].parent / "old"
    kept.mkdir()
    for name in [one.name for one in (*new, *outdated) if (target / one.name).is_file()]:
        with suppress(OSError):  # file systems without links: then there is no way back
            os.link(target / name, kept / name)
    moved = []
    try:
        for one in new:
            os.replace(one, target / one.name)
            moved.append(target / one.name)
        for one in outdated:
            one.unlink(missing_ok=True)
    except OSError:
        for one in moved:
            one.unlink(missing_ok=True)
        for one in kept.iterdir():
            os.replace(one, target / one.name)
        raise

"""Where results go, and what runs them: what every verb asks first."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from geocnn_gui.errors import BadRequest, CannotWrite, writing

if TYPE_CHECKING:
    from pathlib import Path

DeviceWish = Literal["auto", "cpu", "cuda"]


def check_destination(path: Path, *, inputs: tuple[Path, ...] = ()) -> None:
    """Make sure, before hours of work, that `path` can be written and is none of the `inputs`.

    Raises
    ------
    CannotWrite, BadRequest
        When the folder is missing or closed, `path` is a folder, or one of the inputs.
    """
    if path.is_dir():
        raise CannotWrite(f"Cannot write {path}: it is a folder", "give the name of a file")
    if path.exists() and any(each.exists() and path.samefile(each) for each in inputs):
        raise BadRequest(f"{path} is one of the inputs", "choose another name")
    with writing(path):
        if not os.access(path.parent, os.W_OK):
            path.parent.stat()
            raise PermissionError(13, "no permission")

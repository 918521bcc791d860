"""Where projects and the list of recent ones live when the user names no folder."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import platformdirs


def data_home() -> Path:
    """Return the folder of projects and settings: $GEOCNN_HOME, else the system's place."""
    if home := os.environ.get("GEOCNN_HOME"):
        return Path(home).resolve()
    return Path(platformdirs.user_data_dir("geocnn", appauthor=False)).resolve()


def default_folder(source: str | Path) -> Path:
    """Return the project folder for a file or an example: its name and a hash of where it lies."""
    place = str(source) if is_example(source) else str(Path(source).resolve())
    name = str(source).removeprefix("example:") if is_example(source) else Path(source).stem
    digest = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return data_home() / "projects" / f"{_readable(name)}-{digest}"


def is_example(source: str | Path) -> bool:
    """Say whether `source` names a built-in example ("example:seismic")."""
    return str(source).startswith("example:")


def _readable(name: str) -> str:
    """Keep letters and digits of any script; short, so that no file system finds it too long."""
    return re.sub(r"[^\w-]+|_+", "_", name).strip("_")[:48] or "project"

"""The list of recent projects; a convenience that never stands in the way of a start."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from geocnn_gui.errors import CannotWrite
from geocnn_gui.files import write_bytes
from geocnn_gui.project.home import data_home

LONGEST = 12


class Recent(BaseModel):
    """A project opened lately: its folder, its first source and when (ISO 8601, UTC)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str
    name: str
    source: str
    opened: str

    @property
    def exists(self) -> bool:
        """Say whether the project is still there; its source may have moved."""
        return (Path(self.folder) / "project.json").is_file()


_LIST = TypeAdapter(tuple[Recent, ...])


def recent_projects() -> tuple[Recent, ...]:
    """Return the recent projects, newest first; empty when the list is missing or damaged."""
    try:
        return _LIST.validate_json(_path().read_bytes())[:LONGEST]
    except (OSError, ValidationError):
        return ()


def remember(folder: Path, *, name: str, source: str | Path) -> None:
    """Put a project on top of the list; a list that cannot be written stays as it is."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    new = Recent(folder=str(folder), name=name, source=str(source), opened=now)
    _write((new, *(r for r in recent_projects() if r.folder != new.folder)))


def forget(folder: str | Path) -> None:
    """Take a project off the list; the project itself stays."""
    _write(tuple(r for r in recent_projects() if r.folder != str(folder)))


def _write(items: tuple[Recent, ...]) -> None:
    with suppress(CannotWrite, OSError):
        _path().parent.mkdir(parents=True, exist_ok=True)
        write_bytes(_path(), _LIST.dump_json(items[:LONGEST], indent=1))


def _path() -> Path:
    return data_home() / "recent.json"

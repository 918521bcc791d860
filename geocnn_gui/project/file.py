"""project.json: what it says, and reading and writing it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from geocnn_gui.data.identity import fingerprint_of
from geocnn_gui.errors import UnreadableFile
from geocnn_gui.files import write_bytes
from geocnn_gui.labels.classes import Classes
from geocnn_gui.project.home import is_example

VERSION = 1
Choice = str | int | float | bool | None


class StoredSource(BaseModel):
    """One source as project.json keeps it.

    `id` names its folders, so it is held to a pattern. `path` is absolute (or "example:..."),
    `relative` counts from the project folder; `size` (bytes), `modified` (ns) and `fingerprint`
    tell whether a file found there is still the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^s[1-9][0-9]{0,5}$")]
    name: Annotated[str, Field(min_length=1)]
    path: Annotated[str, Field(min_length=1)]
    relative: str | None = None
    choices: dict[str, Choice] = {}
    size: int = 0
    modified: int = 0
    fingerprint: str = ""

    @classmethod
    def of(
        cls, source: str | Path, folder: Path, *, entry_id: str, choices: dict[str, Choice]
    ) -> StoredSource:
        """Describe a file, or an example.

        Raises `UnreadableFile` when the file is not there or its name is not text.
        """
        if is_example(source):
            name = f"Example: {str(source).removeprefix('example:')}"
            return cls(id=entry_id, name=name, path=str(source), choices=choices)
        path = Path(source).resolve()
        if not _is_text(str(path)):
            shown = str(path).encode(errors="replace").decode()
            raise UnreadableFile(f"The name of {shown} is not valid Unicode", "rename it")
        try:
            status = path.stat()
            fingerprint = fingerprint_of(path)
        except OSError as error:
            raise UnreadableFile(
                f"{source} cannot be read ({error.strerror or error})",
                "check the name and the folder",
            ) from error
        return cls(
            id=entry_id, name=path.name, path=str(path), relative=_relative(path, folder),
            choices=choices, size=status.st_size, modified=status.st_mtime_ns,
            fingerprint=fingerprint,
        )  # fmt: skip

    def find(self, folder: Path) -> tuple[str, bool]:
        """Return where the file is now, and whether it is the same as when it was added.

        The place relative to the project and the absolute one are both tried; a file with the
        content known wins over one that merely has the name.
        """
        if is_example(self.path):
            return self.path, True
        places = [Path(self.path)]
        if self.relative is not None:
            places.insert(0, Path(os.path.normpath(folder / self.relative)))
        there = [place for place in places if place.is_file()]
        for place in there:
            if self._is(place):
                return str(place), True
        return str(there[0]) if there else self.path, False

    def _is(self, place: Path) -> bool:
        try:
            status = place.stat()
            if (status.st_size, status.st_mtime_ns) == (self.size, self.modified):
                return True
            return status.st_size == self.size and fingerprint_of(place) == self.fingerprint
        except OSError:
            return False


class ProjectFile(BaseModel):
    """Everything in project.json; `last_class_id` is the highest id ever given to a class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = VERSION
    name: Annotated[str, Field(min_length=1)]
    sources: tuple[StoredSource, ...] = ()
    classes: Classes = ()
    last_class_id: Annotated[int, Field(ge=0, le=254)] = 0

    @model_validator(mode="after")
    def _ids_are_unique(self) -> ProjectFile:
        for ids in ([s.id for s in self.sources], [c.id for c in self.classes]):
            if len(set(ids)) != len(ids):
                raise ValueError("an id is used twice")
        return self


def read_project(path: Path) -> ProjectFile:
    """Read project.json.

    Raises
    ------
    UnreadableFile
        When it is missing, damaged or from a newer version; the file is left alone.
    """
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be read ({error.strerror})", "choose a folder with a project.json"
        ) from error
    except ValueError as error:
        raise _damaged(path, "it is not JSON") from error
    version = data.get("version") if isinstance(data, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise UnreadableFile(
            f"{path} was written by a newer GeoCNN (project version {version})", "update GeoCNN"
        )
    try:
        return ProjectFile.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise _damaged(path, f"{where}: {first['msg']}") from error


def _damaged(path: Path, why: str) -> UnreadableFile:
    return UnreadableFile(
        f"{path} is damaged ({why})",
        "restore it from a backup, or move its folder away to start anew; the labels in it are"
        " untouched",
    )


def write_project(path: Path, project: ProjectFile) -> None:
    """Replace project.json, all or nothing; raises `CannotWrite`."""
    write_bytes(path, project.model_dump_json(indent=1).encode())


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of another encoding, as old disks have them
        return False
    return True


def _relative(path: Path, folder: Path) -> str | None:
    try:
        return Path(os.path.relpath(path, folder.resolve())).as_posix()
    except ValueError:  # another drive
        return None

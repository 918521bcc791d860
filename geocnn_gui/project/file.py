"""project.json: what it says, and reading and writing it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from geocnn_gui.data.identity import fingerprint_of, size_of
from geocnn_gui.errors import UnreadableFile
from geocnn_gui.files import write_bytes
from geocnn_gui.labels.classes import Classes
from geocnn_gui.project.home import is_example
from geocnn_gui.project.migrations import migrated
from geocnn_gui.project.state import WorkState, plain_object, tolerant_work
from geocnn_gui.project.target import StoredTarget

VERSION = 2
Choice = str | int | float | bool | None
State = Literal["there", "changed", "missing"]
#: Bytes of project.json; a stranger's larger one is not read.
_LARGEST = 16 * 2**20
_SpecData = Annotated[dict[str, Any] | None, BeforeValidator(plain_object)]


class StoredSource(BaseModel):
    """One source as project.json keeps it.

    `id` names its folders, so it is held to a pattern. `path` is absolute (or "example:..."),
    `relative` counts from the project folder; `size` (bytes), `modified` (ns) and `fingerprint`
    tell whether a file found there is still the same. `target` are values to be learned for it.
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
    target: StoredTarget | None = None

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
            choices=choices, size=size_of(path), modified=status.st_mtime_ns,
            fingerprint=fingerprint,
        )  # fmt: skip

    def find(self, folder: Path) -> tuple[str, State]:
        """Return where the file is now, and whether it is still the one that was added.

        The place relative to the project and the absolute one are both tried; a file with the
        content known wins over one that merely has the name.
        """
        if is_example(self.path):
            return self.path, "there"
        places = [Path(self.path)]
        if self.relative is not None:
            places.insert(0, Path(os.path.normpath(folder / self.relative)))
        there = [place for place in places if place.is_file() or place.is_dir()]
        for place in there:
            if self.is_at(place):
                return str(place), "there"
        return (str(there[0]), "changed") if there else (self.path, "missing")

    def is_at(self, place: Path) -> bool:
        """Say whether the file at `place` is the one that was added."""
        try:
            size, modified = size_of(place), place.stat().st_mtime_ns
            if not place.is_dir() and (size, modified) == (self.size, self.modified):
                return True
            return size == self.size and fingerprint_of(place) == self.fingerprint
        except OSError:
            return False


class ProjectFile(BaseModel):
    """Everything in project.json.

    `last_class_id` and `last_source_id` are the highest ever given. The specs are those of the
    panels as JSON, None before any was chosen; `split` is one made by hand. Whoever uses them
    checks them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[2] = VERSION
    name: Annotated[str, Field(min_length=1)]
    sources: tuple[StoredSource, ...] = ()
    classes: Classes = ()
    last_class_id: Annotated[int, Field(ge=0, le=254)] = 0
    last_source_id: Annotated[int, Field(ge=0, le=999_999)] = 0
    model_spec: _SpecData = None
    training_spec: _SpecData = None
    split: _SpecData = None
    work: Annotated[WorkState, BeforeValidator(tolerant_work)] = WorkState()

    @model_validator(mode="after")
    def _ids_are_unique(self) -> ProjectFile:
        for ids in ([s.id for s in self.sources], [c.id for c in self.classes]):
            if len(set(ids)) != len(ids):
                raise ValueError("an id is used twice")
        return self


def read_project(path: Path) -> ProjectFile:
    """Read project.json of this version or an older one; the file is left as it is.

    Raises
    ------
    UnreadableFile
        When it is missing, damaged or from a newer version.
    """
    data = _read(path)
    version = data.get("version")
    if isinstance(version, int) and version > VERSION:
        raise UnreadableFile(
            f"{path} was written by a newer GeoCNN (project version {version})", "update GeoCNN"
        )
    try:
        return ProjectFile.model_validate(migrated(data, VERSION))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise _damaged(path, f"{where}: {first['msg']}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise _damaged(path, "it is far too large")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be read ({error.strerror})", "choose a folder with a project.json"
        ) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "it is not JSON") from error
    if not isinstance(data, dict):
        raise _damaged(path, "it is no project")
    return data


def _damaged(path: Path, why: str) -> UnreadableFile:
    return UnreadableFile(
        f"{path} is damaged ({why})",
        "restore it from a backup, or move its folder away to start anew; the labels in it are"
        " untouched",
    )


def write_project(path: Path, project: ProjectFile) -> None:
    """Replace project.json, all or nothing; an older version is kept beside it.

    Raises `CannotWrite`; the old file is intact then.
    """
    _keep_older(path)
    write_bytes(path, project.model_dump_json(indent=1).encode())


def _keep_older(path: Path) -> None:
    """Keep the file of an older version as project.v1.json, the first time."""
    try:
        old = path.read_bytes()
        version = json.loads(old).get("version")
    except (OSError, ValueError, AttributeError):
        return
    kept = path.with_name(f"{path.stem}.v{version}{path.suffix}")
    if isinstance(version, int) and version < VERSION and not kept.exists():
        write_bytes(kept, old)


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

"""The continuous target of a source, as a project keeps it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from geocnn_gui.data.source import open_source
from geocnn_gui.labels.sample_values import sample_target_on
from geocnn_gui.labels.targets import target_on
from geocnn_gui.project.home import is_example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.data.source import Source
    from geocnn_gui.labels.targets import TargetValues
    from geocnn_gui.project.project import Project


class StoredTarget(BaseModel):
    """Values that are to be learned instead of classes.

    Of a sample set they are a column of a table.

    `path` is absolute (or "example:..."), `relative` counts from the project folder; `band`,
    or the column, counts from 0. `used` says whether a training learns them; `only_labelled` that it learns
    them where labels are painted only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    relative: Annotated[str, Field(max_length=4096)] | None = None
    band: Annotated[int, Field(ge=0, le=9999)] | None = None
    name: Annotated[str, Field(max_length=80)] = ""
    unit: Annotated[str, Field(max_length=40)] = ""
    used: bool = True
    only_labelled: bool = False

    def found(self, folder: Path) -> str:
        """Return where the file is now, by its place relative to the project or its own."""
        if is_example(self.path) or self.relative is None:
            return self.path
        beside = Path(os.path.normpath(folder / self.relative))
        return str(beside) if beside.is_file() else self.path

    @property
    def title(self) -> str:
        """Name the file, and the band or column where there is a choice."""
        name = self.path if is_example(self.path) else Path(self.path).name
        what = "column" if name.lower().endswith((".csv", ".txt")) else "band"
        return name if self.band is None else f"{name}, {what} {self.band + 1}"


@contextmanager
def opened_target(stored: StoredTarget, folder: Path, source: Source) -> Iterator[TargetValues]:
    """Open a target on the grid of its source, of samples a table.

    Raises as `open_source` and `target_on`, or as `sample_target_on`.
    """
    if source.samples is not None:
        path = Path(stored.found(folder))
        yield sample_target_on(
            path, source, column=stored.band, name=stored.name, unit=stored.unit
        )[0]
        return
    with open_source(stored.found(folder)) as file:
        yield target_on(file, source, band=stored.band, name=stored.name, unit=stored.unit)


def keep_target(project: Project, entry_id: str, target: StoredTarget | None) -> None:
    """Save which values are to be learned for a source; raises `CannotWrite`."""
    project.replace_source(project.stored(entry_id).model_copy(update={"target": target}))


def target_at(path: str, folder: Path, **fields: object) -> StoredTarget:
    """Describe the file at `path` for a project in `folder`."""
    if is_example(path):
        return StoredTarget.model_validate({"path": path, **fields})
    place = Path(path).resolve()
    try:
        relative = Path(os.path.relpath(place, folder.resolve())).as_posix()
    except ValueError:  # another drive
        relative = None
    return StoredTarget.model_validate({"path": str(place), "relative": relative, **fields})

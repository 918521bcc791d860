"""What a model file holds: a digest by which its predictions are found."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from pathlib import Path


def model_mark(model: Path) -> str:
    """Return what a store says of the model file that fills it: name and digest."""
    return f"{model.name} {model_state(model).digest}"


class ModelState(BaseModel):
    """What a model file holds, and how large and old it was when that was looked at."""

    model_config = ConfigDict(frozen=True)

    size: int
    modified: int
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


_states: dict[Path, ModelState] = {}


def model_state(model: Path) -> ModelState:
    """Return the state of a model file, read once for its size and time; raises `OSError`."""
    status = model.stat()
    state = _states.get(model)
    if state is None or (state.size, state.modified) != (status.st_size, status.st_mtime_ns):
        with model.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        state = ModelState(size=status.st_size, modified=status.st_mtime_ns, digest=digest)
        _states[model] = state
    return state


def remember_state(model: Path, state: ModelState) -> None:
    """Take what was kept of a model file where that looks the same; raises `OSError`."""
    status = model.stat()
    if (state.size, state.modified) == (status.st_size, status.st_mtime_ns):
        _states.setdefault(model, state)

"""What the window remembers between two starts; a broken file never stops a start."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from geocnn_gui.errors import CannotWrite
from geocnn_gui.files import write_bytes
from geocnn_gui.project.home import data_home

_NAME = "settings.json"


class Settings(BaseModel):
    """How the window was left; unknown keys of other versions are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    theme: Literal["system", "light", "dark"] = "system"
    geometry: str = ""  # QWidget.saveGeometry, base 64
    columns: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    learn_surveys: bool = True
    folder: str = ""  # of the last file dialog


def read_settings() -> Settings:
    """Return the stored settings, or the defaults where they cannot be read."""
    try:
        return Settings.model_validate_json((data_home() / _NAME).read_bytes())
    except (OSError, ValidationError):
        return Settings()


def write_settings(settings: Settings) -> None:
    """Store the settings; where that fails, the next start has the old ones."""
    path = data_home() / _NAME
    with suppress(OSError, CannotWrite):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, settings.model_dump_json(indent=1).encode())

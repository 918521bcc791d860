"""Where the plain files of the program (icons, backbones) are, installed or in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder() -> Path:
    """Return the folder of resources: inside an installed package, or beside it in a checkout."""
    installed = _PACKAGE / "_resources"
    return installed if installed.is_dir() else _PACKAGE.parent / "resources"


def icon(name: str) -> Path:
    """Return the SVG file of the icon called `name` ("open", "brush", "app", ...).

    All but "app" are drawn in `currentColor`: replace that word by a colour before rendering.

    Raises
    ------
    KeyError
        When there is no such icon.
    """
    path = folder() / "icons" / f"{name}.svg"
    if not path.is_file():
        raise KeyError(f"there is no icon called {name!r} in {path.parent}")
    return path


def backbone(domain: str) -> Path | None:
    """Return the backbone that comes with the program for "seismic" or "imagery", if there is one."""
    path = folder() / "backbones" / f"{domain}.safetensors"
    return path if path.is_file() else None

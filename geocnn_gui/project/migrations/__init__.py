"""Older project files brought up to date, one step per version; each step is a pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geocnn_gui.project.migrations import v1_to_v2

if TYPE_CHECKING:
    from collections.abc import Callable

#: Version -> what turns the data of that version into data of the next.
STEPS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: v1_to_v2.migrate}


def migrated(data: dict[str, Any], to: int) -> dict[str, Any]:
    """Return `data` of an older project.json as that of version `to`; `data` stays as it is."""
    version = data.get("version")
    while isinstance(version, int) and version in STEPS and version < to:
        data = STEPS[version](data)
        version = data["version"]
    return data

"""Lists of layers as files (.json), and by the names of the examples."""

from __future__ import annotations

import difflib
from pathlib import Path

from pydantic import ValidationError

from geocnn_gui.errors import UnreadableFile
from geocnn_gui.files import write_bytes
from geocnn_gui.models.layers.presets import PRESETS
from geocnn_gui.models.layers.spec import LayersSpec

#: A list of as many layers as are allowed is far smaller.
_MOST_BYTES = 1_000_000
_OUTER = ("layers", "branches")


def layers_from(name: str) -> LayersSpec:
    """Return the example called `name`, or what the file of that name holds.

    Raises
    ------
    UnreadableFile
        As `read_layers`, and for a name that is neither, with the nearest example.
    """
    if name in PRESETS:
        return PRESETS[name]
    path = Path(name)
    if path.suffix.lower() != ".json" and not path.exists():
        near = difflib.get_close_matches(name, PRESETS, 1)
        hint = f"did you mean {near[0]}?" if near else f"examples are {', '.join(PRESETS)}"
        raise UnreadableFile(
            f"There is no file and no example of layers called {name}", hint.rstrip("?")
        )
    return read_layers(path)


def read_layers(path: Path) -> LayersSpec:
    """Read a list of layers.

    Raises
    ------
    UnreadableFile
        When the file is missing, too large, no JSON, or no list of layers.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be read: {error.strerror}", "check the name and the folder"
        ) from error
    if len(content) > _MOST_BYTES:
        raise UnreadableFile(
            f"{path} is larger than any list of layers", "choose a file that GeoCNN has saved"
        )
    try:
        return LayersSpec.model_validate_json(content)
    except ValidationError as error:
        raise UnreadableFile(
            f"{path} is no list of layers: {_reason(error)}",
            "choose a file that GeoCNN has saved, or correct it",
        ) from error


def write_layers(path: Path, spec: LayersSpec) -> None:
    """Write a list of layers; raises `CannotWrite`."""
    write_bytes(path, (spec.model_dump_json(indent=1, exclude_defaults=False) + "\n").encode())


def _reason(error: ValidationError) -> str:
    """Say in words what is wrong first: "layer 3, kernel: Input should be ..."."""
    first = error.errors()[0]
    parts: list[str] = []
    place = list(first["loc"])
    while len(place) > 1 and place[0] in _OUTER and isinstance(place[1], int):
        parts.append(f"layer {place[1] + 1}")
        place = place[2:]
    if place and isinstance(place[-1], str):
        parts += [str(part) for part in place if isinstance(part, str) and part.isidentifier()][-1:]
    said = first["msg"].removeprefix("Value error, ")
    return f"{', '.join(parts)}: {said}" if parts else said

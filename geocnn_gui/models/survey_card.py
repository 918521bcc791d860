"""What survey backbones know of themselves. Torch-free."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open

from geocnn_gui.errors import ModelMismatch
from geocnn_gui.models.architectures.unet_spec import UNetSpec
from geocnn_gui.models.spec_base import Spec
from geocnn_gui.models.weights import metadata_of

if TYPE_CHECKING:
    from pathlib import Path

KEY = "geocnn-backbone"
#: Steps of learning that take about two minutes on two cores.
STEPS = 400


class BackboneCard(Spec):
    """What a backbone knows of itself; saved as JSON in its file.

    `sources` are the names of the data that it learned, `identities` tell them from others of the
    same name (see `data.identity`), `steps` all steps that it has taken,
    those of the backbone that it began with (`began`) left out, `goal` how many it was to take;
    it has fewer where it was stopped. `loss` is the mean absolute
    error where data were hidden, in robust deviations, at the end.
    """

    version: Literal[1] = 1
    spec: UNetSpec = Field(default_factory=lambda: UNetSpec.model_validate({}))
    domain: Literal["seismic", "imagery"]
    bands: tuple[str, ...] = Field(min_length=1)
    sources: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    steps: int = 0
    goal: int = 0
    seconds: float = 0.0
    seed: int = 0
    loss: float | None = None
    began: str = ""
    licence: str = ""
    software: str = ""


def is_backbone(path: Path) -> bool:
    """Say whether a file is a backbone; False for what is none or cannot be read."""
    try:
        return KEY in metadata_of(path)
    except (ModelMismatch, OSError):
        return False


def read_backbone_card(path: Path) -> BackboneCard:
    """Read the card of a backbone without torch.

    Raises
    ------
    ModelMismatch
        When the file is no backbone, is damaged, or was written by a newer version.
    """
    data = metadata_of(path).get(KEY)
    if data is None:
        raise ModelMismatch(f"{path} is not a backbone", "choose a file that Learn has written")
    try:
        content = json.loads(data)
        if isinstance(content, dict) and content.get("version", 1) != 1:
            raise ModelMismatch(f"{path} was written by a newer GeoCNN", "update the program")
        return BackboneCard.model_validate_json(data)
    except (ValidationError, ValueError) as error:
        raise ModelMismatch(
            f"{path} is a backbone with a damaged description", "let it be learned again"
        ) from error


def whole_card(path: Path) -> BackboneCard | None:
    """Return the card of a backbone, None where there is none, or it is damaged or cut off."""
    with suppress(ModelMismatch, OSError, SafetensorError):
        card = read_backbone_card(path)
        with safe_open(path, framework="numpy"):
            return card
    return None

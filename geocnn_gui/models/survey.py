"""Survey backbones: U-Nets that learned data without labels, by filling in what was hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from geocnn_gui.errors import ModelMismatch
from geocnn_gui.files import write_bytes
from geocnn_gui.models.architectures.unet import UNet
from geocnn_gui.models.backbones import adapt_bands
from geocnn_gui.models.survey_card import KEY, BackboneCard, read_backbone_card

if TYPE_CHECKING:
    from pathlib import Path

    from geocnn_gui.data.source import Source


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network in eval mode on the CPU, with as many outputs as bands, and its card."""

    net: UNet
    card: BackboneCard

    @property
    def widths(self) -> tuple[int, ...]:
        """Return the channels of each level, the level of whole pixels first."""
        return tuple(self.card.spec.width * 2**n for n in range(self.card.spec.depth + 1))


def new_backbone(card: BackboneCard) -> Backbone:
    """Return a backbone with fresh, random weights."""
    return Backbone(UNet(card.spec, len(card.bands), len(card.bands)).eval(), card)


def fresh_backbone(source: Source) -> Backbone:
    """Return a backbone with random weights for the bands of a source, alike every time."""
    bands = tuple(band.name for band in source.bands)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return new_backbone(BackboneCard(domain=source.domain, bands=bands))


def save_backbone(path: Path, backbone: Backbone) -> None:
    """Write a backbone to one safetensors file; raises `CannotWrite`."""
    state = {k: v.detach().cpu().contiguous() for k, v in backbone.net.state_dict().items()}
    write_bytes(path, save(state, metadata={KEY: backbone.card.model_dump_json()}))


def load_backbone(path: Path) -> Backbone:
    """Load a backbone in eval mode on the CPU.

    Sizes are compared before anything of them is made, so that a small file cannot take much
    memory.

    Raises
    ------
    ModelMismatch
        As `read_backbone_card`, and when weights are missing, cut off, of other sizes or no
        numbers.
    """
    card = read_backbone_card(path)
    damaged = ModelMismatch(f"{path} is a damaged backbone", "let it be learned again")
    try:
        if _shapes_in(path) != _shapes_of(card):
            raise damaged
        state = load_file(path)
    except (SafetensorError, RuntimeError, OSError) as error:
        raise damaged from error
    if not all(bool(value.isfinite().all()) for value in state.values()):
        raise damaged
    backbone = new_backbone(card)
    backbone.net.load_state_dict(state)
    return backbone


def _shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    with safe_open(path, framework="pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def _shapes_of(card: BackboneCard) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        net = UNet(card.spec, len(card.bands), len(card.bands))
    return {name: tuple(value.shape) for name, value in net.state_dict().items()}


def for_bands(backbone: Backbone, bands: tuple[str, ...]) -> Backbone:
    """Return a backbone that reads other bands: the same one where there are as many.

    The first kernels are adapted as those of pretrained encoders are; what fills in the bands is
    fresh.
    """
    if len(bands) == len(backbone.card.bands):
        return backbone
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = new_backbone(backbone.card.model_copy(update={"bands": bands}))
    state, own = backbone.net.state_dict(), made.net.state_dict()
    first = next(name for name, value in own.items() if value.ndim > 2)
    state[first] = adapt_bands(state[first], len(bands))
    head = {name: own[name] for name in own if name.startswith("head.")}
    made.net.load_state_dict({**state, **head})
    return made

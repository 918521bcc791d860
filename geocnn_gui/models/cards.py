"""What each network is for, in words: torch-free cards that both shells show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class NetworkCard:
    """What a user reads before choosing a network.

    `task`: whether it names the middle of a patch or every pixel of a picture. `dims`: 1 for
    traces, 2 for pictures, 3 for volumes. `origin` and `year`: who published it, and when.
    `least_patch`: pixels across the smallest picture that it can be trained on.
    """

    name: str
    title: str
    purpose: str
    task: Literal["patches", "pixels"]
    dims: int
    origin: str
    year: int
    least_patch: int


_CARDS = (
    NetworkCard(
        "unet", "U-Net", "Names every pixel at once; learns horizons and facies from few labels.",
        "pixels", 2, "Ronneberger, Fischer and Brox", 2015, 128,
    ),
    NetworkCard(
        "cnn", "Patch CNN", "Names the middle of a small patch; quick, for texture and facies.",
        "patches", 2, "GeoCNN", 2026, 20,
    ),
    NetworkCard(
        "unet-resnet18", "U-Net on ResNet-18",
        "Names every pixel, with an encoder that knows photographs; for few labels.",
        "pixels", 2, "Ronneberger and others; He and others", 2015, 128,
    ),
    NetworkCard(
        "resnet18", "ResNet-18", "Names the middle of a patch; may begin with ImageNet weights.",
        "patches", 2, "He, Zhang, Ren and Sun", 2016, 32,
    ),
)  # fmt: skip
#: Name on the command line -> card, in the order of the Model panel.
CARDS: dict[str, NetworkCard] = {card.name: card for card in _CARDS}


def card_of(name: str) -> NetworkCard:
    """Return the card of the network called `name`; raises `KeyError`."""
    return CARDS[name]

"""What each network is for, in words: torch-free cards that both shells show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class NetworkCard:
    """What a user reads before choosing a network.

    `task`: whether it names the middle of a patch or every pixel of a picture. `dims`: 1 for
    traces, 2 for pictures, 3 for volumes. `origin` and `year`: who published it, and when.
    `least_patch`: pixels across the smallest picture that it can look at, by its defaults.
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
        "pixels", 2, "Ronneberger, Fischer and Brox", 2015, 16,
    ),
    NetworkCard(
        "cnn", "Patch CNN", "Names the middle of a small patch; quick, for texture and facies.",
        "patches", 2, "GeoCNN", 2026, 20,
    ),
    NetworkCard(
        "unet-resnet18", "U-Net on ResNet-18",
        "Names every pixel, with an encoder that knows photographs; for few labels.",
        "pixels", 2, "Ronneberger and others; He and others", 2015, 32,
    ),
    NetworkCard(
        "resnet18", "ResNet-18", "Names the middle of a patch; may begin with ImageNet weights.",
        "patches", 2, "He, Zhang, Ren and Sun", 2016, 32,
    ),
    NetworkCard(
        "unet-1d", "U-Net on traces",
        "Names every sample of a trace from that trace alone: arrivals, well logs, single channels.",
        "pixels", 1, "Ronneberger, Fischer and Brox", 2015, 16,
    ),
    NetworkCard(
        "unet-3d", "U-Net on volumes",
        "Names every cell from all around it: faults and bodies that lines cut badly. Needs a cube.",
        "pixels", 3, "Çiçek and others", 2016, 16,
    ),
    NetworkCard(
        "unet-encoder", "U-Net on an encoder",
        "Names every pixel, with a pretrained encoder of your choice; for few labels.",
        "pixels", 2, "Ronneberger, Fischer and Brox", 2015, 32,
    ),
    NetworkCard(
        "unet++", "U-Net++", "A U-Net with nested skips: sharper borders of thin bodies, slower.",
        "pixels", 2, "Zhou and others", 2018, 32,
    ),
    NetworkCard(
        "fpn", "FPN", "Adds up what is seen at all sizes: small and large bodies in one map; quick.",
        "pixels", 2, "Lin and others", 2017, 32,
    ),
    NetworkCard(
        "deeplabv3+", "DeepLabV3+",
        "Sees far by kernels with gaps: large bodies and land cover with smooth borders.",
        "pixels", 2, "Chen and others", 2018, 32,
    ),
    NetworkCard(
        "lenet5", "LeNet-5", "The first of its kind, tiny: to learn how such a network works.",
        "patches", 2, "LeCun, Bottou, Bengio and Haffner", 1998, 20,
    ),
    NetworkCard(
        "alexnet", "AlexNet", "Names the middle of a patch by large dense layers; of history.",
        "patches", 2, "Krizhevsky, Sutskever and Hinton", 2012, 64,
    ),
    NetworkCard(
        "vgg16", "VGG-16", "Plain 3x3 convolutions, much copied; large, slow, needs many labels.",
        "patches", 2, "Simonyan and Zisserman", 2014, 32,
    ),
    NetworkCard(
        "googlenet", "GoogLeNet", "Looks at several sizes at once in inception blocks; few parameters.",
        "patches", 2, "Szegedy and others", 2014, 32,
    ),
    NetworkCard(
        "inception-v3", "Inception v3",
        "Inception blocks of split kernels; for textures that need a larger patch.",
        "patches", 2, "Szegedy and others", 2015, 76,
    ),
    NetworkCard(
        "resnet34", "ResNet-34", "Twice as deep as ResNet-18; for some more labels and variety.",
        "patches", 2, "He, Zhang, Ren and Sun", 2016, 32,
    ),
    NetworkCard(
        "resnet50", "ResNet-50", "Deep and wide; for many labels and much variety.",
        "patches", 2, "He, Zhang, Ren and Sun", 2016, 32,
    ),
    NetworkCard(
        "efficientnet-b0", "EfficientNet-B0",
        "Accurate for its few parameters; a good first choice for satellite patches.",
        "patches", 2, "Tan and Le", 2019, 32,
    ),
    NetworkCard(
        "mobilenet-v3", "MobileNet v3",
        "The large version; quick on a laptop without a graphics card.",
        "patches", 2, "Howard and others", 2019, 32,
    ),
    NetworkCard(
        "convnext-tiny", "ConvNeXt-tiny",
        "A modern network of large kernels, accurate from pretrained weights; slow.",
        "patches", 2, "Liu and others", 2022, 32,
    ),
    NetworkCard(
        "layers", "Own layers", "Your own list of layers; begins as the textbook's net on patches.",
        "patches", 2, "GeoCNN", 2026, 4,
    ),
)  # fmt: skip
#: Name on the command line -> card, in the order of the Model panel.
CARDS: dict[str, NetworkCard] = {card.name: card for card in _CARDS}


def least_of(spec: object, name: str) -> int:
    """Return the pixels across the smallest picture that a network can look at.

    A U-Net halves it as many times as it is deep, and may have been made deeper or flatter.
    """
    depth = getattr(spec, "depth", 0)
    return 2**depth if depth and not hasattr(spec, "patch") else CARDS[name].least_patch


def card_of(name: str) -> NetworkCard:
    """Return the card of the network called `name`; raises `KeyError`."""
    return CARDS[name]

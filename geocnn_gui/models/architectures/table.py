"""Facts of published networks, torch-free: how large they are, their stages, their weights."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

_WIDTHS = (64, 64, 128, 256, 512)


@dataclass(frozen=True, slots=True)
class Part:
    """A stage of a network: `paths` are modules in torchvision's net that belong to it."""

    name: str
    title: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Backbone:
    """What is known of a network of torchvision before torch is there.

    `maker`: the function in `torchvision.models`. `fixed`: numbers learnt by all but the first
    layer's kernels and the head; `per_band`: by the kernels of one band. `first`, `head`: where
    the first and the last layer are; `features` go into the head. `parts`: its stages from the
    data upwards, of which the first `early` are its early half. `extra`: beginnings of names in
    weights files that do not belong to the encoder. `deviation`: of the pictures it was trained
    on, where that is not 1. `convolutions`: 3x3 ones in each stage after the stem of a ResNet.
    `taps`: the last feature of each halving, of which a decoder takes `channels`, and what
    `fixed` is as far as the last of them.
    """

    name: str
    title: str
    maker: str
    file: str
    megabytes: int
    fixed: int
    per_band: int
    first: str
    head: str
    features: int
    parts: tuple[Part, ...]
    early: int
    extra: tuple[str, ...]
    deviation: float = 1.0
    convolutions: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    taps: tuple[int, ...] = ()
    pyramid: int = 0

    def trunk(self, bands: int) -> int:
        """Count what it learns without its head."""
        return self.fixed + bands * self.per_band

    def pyramid_size(self, bands: int) -> int:
        """Count what it learns as the encoder of a segmentation network."""
        return (self.pyramid or self.fixed) + bands * self.per_band


def _cuts(*starts: int, titles: tuple[str, ...] = ()) -> tuple[Part, ...]:
    """Return stages of a net whose `features` are cut before each of `starts` but the first."""
    said = titles or ("Stem", *(f"Stage {number}" for number in range(1, len(starts) - 1)))
    return tuple(
        Part(_name(title), title, tuple(f"features.{n}" for n in range(*span)))
        for title, span in zip(said, pairwise(starts), strict=True)
    )


def _name(title: str) -> str:
    return title.lower().replace(" ", "")


def _resnet(name: str, file: str, megabytes: int, fixed: int, counts: tuple[int, ...]) -> Backbone:
    wide = 4 if name == "resnet50" else 1
    stages = [Part(f"stage{n}", f"Stage {n}", (f"layer{n}",)) for n in range(1, 5)]
    return Backbone(
        name, f"ResNet-{name.removeprefix('resnet')}", name, file, megabytes, fixed, 3136,
        "conv1", "fc", 512 * wide, (Part("stem", "Stem", ("conv1", "bn1")), *stages), 3,
        ("fc.", "classifier."), convolutions=counts,
        channels=(_WIDTHS[0], *(wide * width for width in _WIDTHS[1:])),
    )  # fmt: skip


_DENSE = Part("dense", "Dense layers", ("classifier",))
_GOOGLENET = (
    Part("stem", "Stem", ("conv1", "conv2", "conv3")),
    Part("inception3", "Inception 3", ("inception3a", "inception3b")),
    Part("inception4", "Inception 4", tuple(f"inception4{letter}" for letter in "abcde")),
    Part("inception5", "Inception 5", ("inception5a", "inception5b")),
)
_INCEPTION = (
    Part("stem", "Stem", ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1",
                          "Conv2d_4a_3x3")),
    Part("mixed5", "Mixed 5", tuple(f"Mixed_5{letter}" for letter in "bcd")),
    Part("mixed6", "Mixed 6", tuple(f"Mixed_6{letter}" for letter in "abcde")),
    Part("mixed7", "Mixed 7", tuple(f"Mixed_7{letter}" for letter in "abc")),
)  # fmt: skip
_CONVNEXT = (
    *_cuts(0, 1, 2, 4, 6),
    Part("stage4", "Stage 4", ("features.6", "features.7", "classifier")),
)
_BLOCKS = ("Block 1", "Block 2", "Block 3", "Block 4", "Block 5")
_LAYERS = tuple(f"Layer {number}" for number in range(1, 6))

_ALL = (
    Backbone(
        "alexnet", "AlexNet", "alexnet", "alexnet-owt-7be5be79.pth", 244, 56_980_608, 7744,
        "features.0", "classifier.6", 4096, (*_cuts(0, 3, 6, 8, 10, 13, titles=_LAYERS), _DENSE),
        3, ("classifier.6.",),
    ),
    Backbone(
        "vgg16", "VGG-16", "vgg16", "vgg16-397923af.pth", 553, 134_258_816, 576,
        "features.0", "classifier.6", 4096, (*_cuts(0, 5, 10, 17, 24, 31, titles=_BLOCKS), _DENSE),
        3, ("classifier.6.",),
    ),
    Backbone(
        "googlenet", "GoogLeNet", "googlenet", "googlenet-1378be20.pth", 52, 5_590_496, 3136,
        "conv1.conv", "fc", 1024, _GOOGLENET, 2, ("fc.", "aux1.", "aux2."), 0.45,
    ),
    Backbone(
        "inception-v3", "Inception v3", "inception_v3", "inception_v3_google-0cc3c7bd.pth", 109,
        21_784_704, 288, "Conv2d_1a_3x3.conv", "fc", 2048, _INCEPTION, 2, ("fc.", "AuxLogits."),
        0.45,
    ),
    _resnet("resnet18", "resnet18-f37072fd.pth", 45, 11_167_104, (4, 4, 4, 4)),
    _resnet("resnet34", "resnet34-b627a593.pth", 88, 21_275_264, (6, 8, 12, 6)),
    _resnet("resnet50", "resnet50-0676ba61.pth", 103, 23_498_624, (3, 4, 6, 3)),
    Backbone(
        "efficientnet-b0", "EfficientNet-B0", "efficientnet_b0",
        "efficientnet_b0_rwightman-7f5810bc.pth", 22, 4_006_684, 288, "features.0.0",
        "classifier.1", 1280, _cuts(0, 1, 3, 4, 6, 9), 3, ("classifier.",),
        channels=(16, 24, 40, 112, 320), taps=(1, 2, 3, 5, 7), pyramid=3_594_524,
    ),
    Backbone(
        "mobilenet-v3", "MobileNet v3 large", "mobilenet_v3_large",
        "mobilenet_v3_large-8738ca79.pth", 22, 4_201_600, 144, "features.0.0", "classifier.3",
        1280, (*_cuts(0, 2, 4, 7, 13, 17), _DENSE), 3, ("classifier.3.",),
        channels=(16, 24, 40, 112, 160), taps=(1, 3, 6, 12, 15), pyramid=2_816_000,
    ),
    Backbone(
        "convnext-tiny", "ConvNeXt-tiny", "convnext_tiny", "convnext_tiny-983f1562.pth", 115,
        27_815_520, 1536, "features.0.0", "classifier.2", 768, _CONVNEXT, 3,
        ("classifier.2.",),
    ),
)  # fmt: skip
#: Name -> facts; names are those of the command line, and of the encoders that one may choose.
BACKBONES: dict[str, Backbone] = {each.name: each for each in _ALL}

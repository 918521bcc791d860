"""Examples of lists of layers, to begin with: by name on the command line and in the window."""

from __future__ import annotations

from geocnn_gui.models.layers.spec import (
    Activation,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Inception,
    Layer,
    LayersSpec,
    Normalisation,
    Pool,
    Residual,
    TransposedConvolution,
)

_RELU = Activation()


def _normalised(channels: int, *, kernel: int = 3, stride: int = 1) -> tuple[Layer, ...]:
    """Return a convolution with its batch normalisation; the bias would be taken off again."""
    return (
        Convolution(channels=channels, kernel=kernel, stride=stride, bias=False),
        Normalisation(),
    )


def _residual(channels: int, stride: int = 1) -> tuple[Layer, ...]:
    inner = (*_normalised(channels, stride=stride), _RELU, *_normalised(channels))
    return Residual(layers=inner), _RELU


def _inception(*channels: int) -> Inception:
    """Return branches of 1x1, 3x3, 5x5 and pooling, as GoogLeNet has them."""
    one, before_three, three, before_five, five, pooled = channels
    mix = {n: Convolution(channels=n, kernel=1) for n in channels}
    return Inception(
        branches=(
            (mix[one], _RELU),
            (mix[before_three], _RELU, Convolution(channels=three), _RELU),
            (mix[before_five], _RELU, Convolution(channels=five, kernel=5), _RELU),
            (Pool(window=3, stride=1, padding="same"), mix[pooled], _RELU),
        )
    )


def _textbook_traces() -> LayersSpec:
    layers = (
        Convolution(channels=8, kernel=5), _RELU, Pool(), Flatten(), Dense(units=16), _RELU,
    )  # fmt: skip
    return LayersSpec(dims=1, patch=64, layers=layers)


def _sliding() -> LayersSpec:
    """Return a network without padding, which slides over pictures."""
    layers = (
        Convolution(channels=16, kernel=5, padding="valid"), _RELU, Pool(),
        Convolution(channels=32, padding="valid"), _RELU, Pool(),
        Convolution(channels=64, padding="valid"), _RELU,
        Flatten(), Dense(units=128), _RELU, Dropout(rate=0.2),
    )  # fmt: skip
    return LayersSpec(layers=layers)


def _lenet() -> LayersSpec:
    """Return LeNet-5 (LeCun and others 1998), with tanh and mean pooling."""
    tanh, pool = Activation(function="tanh"), Pool(take="average")
    layers = (
        Convolution(channels=6, kernel=5, padding="valid"), tanh, pool,
        Convolution(channels=16, kernel=5, padding="valid"), tanh, pool,
        Flatten(), Dense(units=120), tanh, Dense(units=84), tanh,
    )  # fmt: skip
    return LayersSpec(layers=layers)


def _vgg() -> LayersSpec:
    """Return a small network after VGG (Simonyan and Zisserman 2015)."""
    layers: list[Layer] = []
    for channels in (16, 32, 64):
        conv = Convolution(channels=channels)
        layers += [conv, _RELU, conv, _RELU, Pool()]
    layers += [Flatten(), Dense(units=128), _RELU, Dropout()]
    return LayersSpec(layers=tuple(layers), initial="kaiming")


def _resnet() -> LayersSpec:
    """Return a small network after ResNet (He and others 2016)."""
    layers: list[Layer] = [*_normalised(16), _RELU]
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        layers += _residual(channels, stride)
    return LayersSpec(layers=(*layers, GlobalPool()), initial="kaiming")


def _googlenet() -> LayersSpec:
    """Return a small network after GoogLeNet (Szegedy and others 2015)."""
    layers = (
        Convolution(channels=16), _RELU, Pool(), _inception(16, 24, 32, 4, 8, 8), Pool(),
        _inception(32, 32, 48, 8, 24, 16), GlobalPool(), Dropout(rate=0.4),
    )  # fmt: skip
    return LayersSpec(layers=layers, initial="kaiming")


def _pixels() -> LayersSpec:
    """Return a network that halves the picture twice and names every pixel."""
    down = (*_normalised(16), _RELU, Pool(), *_normalised(32), _RELU, Pool())
    up = (
        *_normalised(64), _RELU, TransposedConvolution(channels=32), _RELU,
        TransposedConvolution(channels=16), _RELU, *_normalised(16), _RELU,
    )  # fmt: skip
    return LayersSpec(patch=64, layers=(*down, *up), initial="kaiming")


#: Name -> network.
PRESETS: dict[str, LayersSpec] = {
    "textbook-patches": LayersSpec(),
    "textbook-traces": _textbook_traces(),
    "sliding": _sliding(),
    "lenet-like": _lenet(),
    "vgg-like": _vgg(),
    "residual": _resnet(),
    "inception": _googlenet(),
    "every-pixel": _pixels(),
}
#: Name -> what it shows, in a few words.
PURPOSES: dict[str, str] = {
    "textbook-patches": "Two convolutions and two dense layers name a patch of 32 x 32",
    "textbook-traces": "One convolution and two dense layers name 64 samples of a trace",
    "sliding": "Without padding it slides over a picture, quickly and exactly",
    "lenet-like": "Tanh and mean pooling, as digits were read in 1998",
    "vgg-like": "Pairs of 3x3 convolutions before each pooling",
    "residual": "Blocks that add to what comes in, so that depth does not hurt",
    "inception": "Branches of 1x1, 3x3 and 5x5 side by side",
    "every-pixel": "Down twice and up again: names every pixel at once",
}

"""A network as a list of layers: frozen, torch-free, saved as JSON.

Sizes (kernel, stride, padding, dilation, window) are one number for every axis, or a number for
each. What cannot be built is still a list of layers, so that it can be edited: `shapes.table`
says what is wrong, and `net.LayersNet` refuses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from geocnn_gui.models.spec_base import ADVANCED, Spec

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a file may hold: layers in all, and blocks within blocks.
MOST_LAYERS, DEEPEST = 400, 3
#: Values of one band that a network looks at, and numbers that it may learn.
MOST_VALUES, MOST_PARAMETERS = 2**22, 200_000_000

_HIDDEN: dict[str, Any] = {"hidden": True}
_Length = Annotated[int, Field(ge=1, le=256)]
_Step = Annotated[int, Field(ge=1, le=64)]
_Margin = Annotated[int, Field(ge=0, le=256)]
Lengths = _Length | Annotated[tuple[_Length, ...], Field(min_length=1, max_length=3)]
Steps = _Step | Annotated[tuple[_Step, ...], Field(min_length=1, max_length=3)]
Margins = _Margin | Annotated[tuple[_Margin, ...], Field(min_length=1, max_length=3)]
Pooling = Literal["max", "average", "minimum", "l2"]
Channels = Annotated[int, Field(ge=1, le=8192)]


class Convolution(Spec):
    """Kernels that slide over the data, each giving a channel of its own.

    Padding with zeros: "valid" none; "same" so that a stride of 1 keeps the size and a stride of
    s gives ceil(size / s); "full" so that a kernel that overlaps by one value counts; or a number
    of zeros on both sides. Of an even kernel's odd padding the larger half comes after the data,
    and kernels stand at 0, s, 2 s ... whatever the size, where Keras moves them with the size.
    """

    layer: Literal["convolution"] = Field(
        default="convolution", title="Convolution", json_schema_extra=_HIDDEN
    )
    channels: Channels = Field(default=16, title="Kernels", description="Channels that it gives.")
    kernel: Lengths = Field(
        default=3, title="Kernel", description="Values across; 1 mixes the channels alone."
    )
    stride: Steps = Field(
        default=1, title="Stride", description="Values from one place to the next."
    )
    padding: Literal["valid", "same", "full"] | Margins = Field(
        default="same", title="Padding",
        description="Zeros around the data: valid (none), same, full, or how many.",
    )  # fmt: skip
    dilation: Steps = Field(
        default=1, title="Dilation", description="Values from one weight to the next.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    groups: Channels = Field(
        default=1, title="Groups", description="Parts that the channels are kept apart in.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    bias: bool = Field(
        default=True, title="Bias", description="Adds a number to each channel.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip


class TransposedConvolution(Spec):
    """Spreads each value with a kernel: the size times the stride with "same" padding.

    "valid" gives (size - 1) stride + dilation (kernel - 1) + 1; "same" cuts that to size x stride
    (or fills it up with zeros), the larger half after the data; a number is cut off both sides.
    """

    layer: Literal["transposed-convolution"] = Field(
        default="transposed-convolution", title="Transposed convolution", json_schema_extra=_HIDDEN
    )
    channels: Channels = Field(default=16, title="Kernels", description="Channels that it gives.")
    kernel: Lengths = Field(default=2, title="Kernel", description="Values across.")
    stride: Steps = Field(
        default=2, title="Stride", description="Values that one value becomes, along each axis."
    )
    padding: Literal["valid", "same"] | Margins = Field(
        default="same", title="Padding",
        description="What is cut off: nothing (valid), down to size x stride (same), or how many.",
    )  # fmt: skip
    dilation: Steps = Field(
        default=1, title="Dilation", description="Values from one weight to the next.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    groups: Channels = Field(
        default=1, title="Groups", description="Parts that the channels are kept apart in.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    bias: bool = Field(
        default=True, title="Bias", description="Adds a number to each channel.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip


class Pool(Spec):
    """Takes one value of each window: the largest, mean or smallest, or the root of the squares' sum.

    Padding counts as no data: it is never the largest or the smallest, and no part of a mean.
    """

    layer: Literal["pool"] = Field(default="pool", title="Pooling", json_schema_extra=_HIDDEN)
    take: Pooling = Field(
        default="max", title="Take", description="What a window becomes; l2 is its norm."
    )
    window: Lengths = Field(default=2, title="Window", description="Values across.")
    stride: Steps | None = Field(
        default=None, title="Stride",
        description="Values from one window to the next; none: the window's own size.",
    )  # fmt: skip
    padding: Literal["valid", "same"] | Margins = Field(
        default="valid", title="Padding",
        description="Places without data around it: valid (none), same, or how many.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip


class GlobalPool(Spec):
    """Takes one value of each whole channel."""

    layer: Literal["global-pool"] = Field(
        default="global-pool", title="Global pooling", json_schema_extra=_HIDDEN
    )
    take: Pooling = Field(
        default="average", title="Take", description="What a channel becomes; l2 is its norm."
    )


class Activation(Spec):
    """Bends each value: without it, layers in a row are no more than one."""

    layer: Literal["activation"] = Field(
        default="activation", title="Activation", json_schema_extra=_HIDDEN
    )
    function: Literal["relu", "leaky-relu", "sigmoid", "tanh", "gelu"] = Field(
        default="relu", title="Function", description="How values are bent."
    )
    slope: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.01, title="Slope", description="Of leaky ReLU below zero.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip


class Normalisation(Spec):
    """Brings channels to mean 0 and spread 1, then scales them; stands before the activation.

    "batch" takes the statistics of the batch, and running ones when predicting; "group" and
    "instance" those of each sample, by groups of channels and by each channel.
    """

    layer: Literal["normalisation"] = Field(
        default="normalisation", title="Normalisation", json_schema_extra=_HIDDEN
    )
    over: Literal["batch", "group", "instance"] = Field(
        default="batch", title="Over", description="What is brought to mean 0 and spread 1."
    )
    groups: Channels = Field(
        default=8, title="Groups", description="Of channels, for group normalisation.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip


class Dropout(Spec):
    """Hides values at random while training, so that none is relied upon alone."""

    layer: Literal["dropout"] = Field(default="dropout", title="Dropout", json_schema_extra=_HIDDEN)
    rate: Annotated[float, Field(ge=0, le=0.95)] = Field(
        default=0.5, title="Rate", description="Share of values hidden while training."
    )


class Flatten(Spec):
    """Puts all values in one row, channel after channel, for dense layers."""

    layer: Literal["flatten"] = Field(default="flatten", title="Flatten", json_schema_extra=_HIDDEN)


class Dense(Spec):
    """Every input has a weight for every output."""

    layer: Literal["dense"] = Field(default="dense", title="Dense", json_schema_extra=_HIDDEN)
    units: Annotated[int, Field(ge=1, le=65536)] = Field(
        default=64, title="Outputs", description="Numbers that it gives."
    )


class Residual(Spec):
    """Adds what comes in to what its layers make of it (He and others 2016).

    Where sizes differ, what comes in passes a 1x1 convolution with the stride that fits.
    """

    layer: Literal["residual"] = Field(
        default="residual", title="Residual block", json_schema_extra=_HIDDEN
    )
    layers: tuple[Layer, ...] = Field(
        default=(), title="Layers", description="What is added.", max_length=MOST_LAYERS,
        json_schema_extra=_HIDDEN,
    )  # fmt: skip


class Inception(Spec):
    """Branches side by side, put together channel after channel (Szegedy and others 2015)."""

    layer: Literal["inception"] = Field(
        default="inception", title="Inception block", json_schema_extra=_HIDDEN
    )
    branches: tuple[tuple[Layer, ...], ...] = Field(
        default=((),), title="Branches", description="Layers of each branch.",
        min_length=1, max_length=16, json_schema_extra=_HIDDEN,
    )  # fmt: skip


Layer = Annotated[
    Convolution | TransposedConvolution | Pool | GlobalPool | Activation | Normalisation
    | Dropout | Flatten | Dense | Residual | Inception,
    Field(discriminator="layer"),
]  # fmt: skip
Residual.model_rebuild()
Inception.model_rebuild()

#: Name in a file -> layer, in the order in which an editor offers them.
LAYERS: dict[str, type[Spec]] = {
    "convolution": Convolution,
    "activation": Activation,
    "pool": Pool,
    "normalisation": Normalisation,
    "dropout": Dropout,
    "global-pool": GlobalPool,
    "flatten": Flatten,
    "dense": Dense,
    "transposed-convolution": TransposedConvolution,
    "residual": Residual,
    "inception": Inception,
}

#: The textbook network on patches, less its head: 26,051 parameters with one band and 3 classes.
_FIRST: tuple[Layer, ...] = (
    Convolution(channels=8, kernel=5),
    Activation(),
    Pool(),
    Convolution(channels=16, kernel=3),
    Activation(),
    Pool(),
    Flatten(),
    Dense(units=24),
    Activation(),
)


class LayersSpec(Spec):
    """A network of your own layers, which names middles of patches or every pixel.

    The head, a dense layer or a 1x1 convolution to the classes, follows the layers by itself.
    A list that leaves a single place of a patch names its middle, one that keeps the size every
    pixel.
    """

    kind: Literal["layers"] = Field(
        default="layers", title="Own layers", json_schema_extra={"hidden": True}
    )
    dims: Annotated[int, Field(ge=1, le=3)] = Field(
        default=2, title="Dimensions",
        description="1 sees traces one by one, 2 pictures, 3 volumes.",
    )  # fmt: skip
    patch: Annotated[int, Field(ge=4, le=4096)] = Field(
        default=32, title="Patch", description="Samples across what it looks at while training."
    )
    layers: Annotated[tuple[Layer, ...], Field(max_length=MOST_LAYERS)] = Field(
        default=_FIRST, title="Layers", description="From the data upwards.",
        json_schema_extra={
            "hidden": True,
            "accepts": "a file of layers (.json) or the name of an example, as geocnn models lists",
            "stands": "textbook-patches",
        },
    )  # fmt: skip
    head: Literal["softmax", "linear", "relu", "sigmoid", "tanh"] = Field(
        default="softmax", title="Head",
        description="Softmax gives shares of classes; the others a continuous value.",
    )  # fmt: skip
    initial: Literal["torch", "kaiming", "xavier", "normal"] = Field(
        default="torch", title="Initial weights",
        description="Normal: spread 0.1, cut at 0.2, with biases of one.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip
    step: Annotated[int, Field(ge=1, le=64)] = Field(
        default=8, title="Step",
        description="Pixels between the places it is asked about where it cannot slide.",
        json_schema_extra=ADVANCED,
    )  # fmt: skip

    @model_validator(mode="after")
    def _is_bounded(self) -> LayersSpec:
        if self.patch**self.dims > MOST_VALUES:
            raise ValueError(f"a patch of {self.patch} in {self.dims} dimensions is too large")
        depths = [depth for _, depth in walk(self.layers)]
        if len(depths) > MOST_LAYERS:
            raise ValueError(f"has {len(depths)} layers, more than {MOST_LAYERS}")
        if max(depths, default=0) > DEEPEST:
            raise ValueError(f"has blocks within blocks deeper than {DEEPEST}")
        return self

    def parameters(self, bands: int, classes: int) -> int:
        """Return how many numbers the network learns; layers that cannot be built count none."""
        from geocnn_gui.models.layers.shapes import table

        rows = table(self, bands, classes, self.patch)
        return sum(row.parameters for row in rows if row.is_leaf)


def walk(layers: tuple[Any, ...], depth: int = 0) -> Iterator[tuple[Any, int]]:
    """Yield each layer, those within blocks too, with the number of blocks that it lies in."""
    for layer in layers:
        yield layer, depth
        inner = (layer.layers,) if isinstance(layer, Residual) else getattr(layer, "branches", ())
        for part in inner:
            yield from walk(part, depth + 1)

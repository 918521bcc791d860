"""The networks behind the specs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.models.architectures.classifiers import Classifier
from geocnn_gui.models.architectures.segmentation import EncoderNet
from geocnn_gui.models.architectures.sliding import LeNet, PatchCnn
from geocnn_gui.models.architectures.spec import (
    ClassifierSpec,
    EncoderSpec,
    LeNetSpec,
    PretrainedSpec,
    ResUNetSpec,
)
from geocnn_gui.models.architectures.unet import UNet
from geocnn_gui.models.architectures.unet_spec import UNetShape
from geocnn_gui.models.backbones import PretrainedNet, load_pretrained
from geocnn_gui.models.base import SegmentationNet  # noqa: TC001  others take it from here
from geocnn_gui.models.layers.net import LayersNet
from geocnn_gui.models.pretrained import fetch_weights
from geocnn_gui.models.spec import CnnSpec, LayersSpec, ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from geocnn_gui.events import Event


#: Spec class, or what several have in common -> network class; the one place to add a network.
BUILDERS: dict[type, Callable[..., SegmentationNet]] = {
    UNetShape: UNet,
    CnnSpec: PatchCnn,
    LeNetSpec: LeNet,
    ClassifierSpec: Classifier,
    EncoderSpec: EncoderNet,
    ResUNetSpec: EncoderNet,
    LayersSpec: LayersNet,
}


def build(spec: ModelSpec, bands: int, classes: int) -> SegmentationNet:
    """Build the network of `spec` for `bands` inputs and `classes` outputs, randomly initialised."""
    known = next(kind for kind in type(spec).mro() if kind in BUILDERS)
    return BUILDERS[known](spec, bands, classes)


def build_for_training(spec: ModelSpec, bands: int, classes: int) -> SegmentationNet:
    """Build the network of `spec` as a training begins with it: with pretrained weights if asked.

    Raises
    ------
    ModelMismatch
        When the weights cannot be had or do not fit.
    """
    net = build(spec, bands, classes)
    if isinstance(net, PretrainedNet) and isinstance(spec, PretrainedSpec):
        load_pretrained(net, spec)
    return net


def prepare_weights(spec: ModelSpec) -> Iterator[Event]:
    """Bring the pretrained weights of `spec` here and see that they fit, before anything is done.

    Raises
    ------
    ModelMismatch, CannotWrite
        As `pretrained.fetch_weights` and `build_for_training`.
    """
    yield from fetch_weights(spec)
    if isinstance(spec, PretrainedSpec) and spec.pretrained:
        build_for_training(spec, 3, 2)

"""Which way data go through a network: sample by sample, volume by volume, or tile by tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.inference.check import check_tiling
from geocnn_gui.inference.predict import predict
from geocnn_gui.inference.samples import predict_samples
from geocnn_gui.inference.volumes import check_volumes, predict_volumes

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from geocnn_gui.data.source import Section, Source
    from geocnn_gui.events import Event
    from geocnn_gui.inference.device import Device
    from geocnn_gui.inference.spec import PredictionSpec
    from geocnn_gui.inference.store import PredictionStore
    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.models.weights import ModelCard


def predict_any(
    net: SegmentationNet,
    card: ModelCard,
    source: Source,
    out: PredictionStore,
    *,
    device: Device,
    sections: Sequence[Section] | None = None,
    spec: PredictionSpec | None = None,
) -> Generator[Event]:
    """Predict `sections` (default: the whole source) into `out` in the way that suits the network."""
    if source.samples is not None:
        return predict_samples(net, card, source, out, device=device, spec=spec)
    run = predict if net.dims < 3 else predict_volumes
    return run(net, card, source, out, device=device, sections=sections, spec=spec)


def check_any(
    net: SegmentationNet,
    card: ModelCard,
    source: Source,
    section: Section | None,
    *,
    device: Device,
    spec: PredictionSpec | None,
) -> Iterator[Event]:
    """Compare tiles of a section, or volumes of a cube, with one pass over the same cells."""
    if net.dims < 3:
        return check_tiling(net, card, source, section, device=device, spec=spec)
    return check_volumes(net, card, source, device=device, spec=spec)

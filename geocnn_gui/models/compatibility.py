"""Compare what a model remembers of its training data with the data it meets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.errors import ModelMismatch
from geocnn_gui.models.sample_form import way_to_read, why_not_read
from geocnn_gui.models.volumes import sees_volumes

if TYPE_CHECKING:
    from geocnn_gui.data.source import Source
    from geocnn_gui.models.weights import ModelCard

#: Spacings that differ by less than this share are called equal.
_TOLERANCE = 0.1


def differences(card: ModelCard, source: Source) -> list[str]:
    """Say in sentences where `source` differs from what the model was trained on.

    Raises
    ------
    ModelMismatch
        When the network cannot read the data: another number of bands, or no volumes.
    """
    if sees_volumes(card.spec) and not source.section_axes:
        raise ModelMismatch(
            f"The model reads volumes, which {source.name} does not have",
            "open a cube, or choose a model on pictures",
        )
    if reason := why_not_read(card.spec, source):
        raise ModelMismatch(reason, way_to_read(card.spec).replace("network", "model"))
    if len(card.bands) != len(source.bands):
        raise ModelMismatch(
            f"The model reads {len(card.bands)} band(s) but {source.name} has {len(source.bands)}",
            "choose data with the same bands or train a model on this file",
        )
    sentences = []
    if card.domain != source.domain:
        sentences.append(
            f"The model was trained on {card.domain}, {source.name} is {source.domain}."
        )
    names = tuple(band.name for band in source.bands)
    if card.domain == "imagery" and names != card.bands:
        sentences.append(
            f"Bands are named {', '.join(names)}; the model was trained on {', '.join(card.bands)}."
        )
    ours, theirs = source.spacing, card.spacing
    if ours.sample_unit == theirs.sample_unit:
        unit = f" {ours.sample_unit}".rstrip()
        sentences += _compare("Sample interval", ours.sample_interval, theirs.sample_interval, unit)
    elif theirs.sample_unit and ours.sample_unit:
        sentences.append(
            f"Samples are in {ours.sample_unit}; the model was trained on {theirs.sample_unit}."
        )
    sentences += _compare("Trace spacing", ours.trace_spacing, theirs.trace_spacing, " m")
    sentences += _compare("Pixel size", ours.pixel_size, theirs.pixel_size, " m")
    return sentences


def _compare(what: str, ours: float | None, theirs: float | None, unit: str) -> list[str]:
    if ours is None or theirs is None or abs(ours - theirs) <= _TOLERANCE * abs(theirs):
        return []
    return [f"{what} is {ours:g}{unit}; the model was trained at {theirs:g}{unit}."]

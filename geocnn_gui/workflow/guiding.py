"""Say where to label next, and which labels look wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.data.statistics import require_live
from geocnn_gui.errors import BadRequest, NotEnoughLabels
from geocnn_gui.labels.files import read_label_file

__all__ = ["next_places", "suspect_labels"]

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from geocnn_gui.data.source import Section
    from geocnn_gui.events import Event
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.live.features import Features
    from geocnn_gui.live.next import Place
    from geocnn_gui.live.suspects import Suspects
    from geocnn_gui.training.sections import Pair
    from geocnn_gui.workflow.destination import DeviceWish


def next_places(
    pair: Pair,
    classes: Classes,
    backbone: Path | None,
    *,
    section: Section | None = None,
    prediction: Path | None = None,
    device: DeviceWish = "auto",
) -> Generator[Event, None, tuple[Place, ...]]:
    """Fit a live head and rank the places where a label would tell most; see `live.next`.

    `backbone` None is one with fresh weights; `section` is where a cube is looked at first, by
    default where most labels are; `prediction` is a class map on the grid of the source.

    Raises
    ------
    BadRequest, ModelMismatch, NoLiveData, LabelsMismatch
        When source, backbone or prediction do not suit, or nothing is live.
    NotEnoughLabels
        With fewer than two classes labelled.
    """
    features = _features(pair, backbone, device)
    from geocnn_gui.live.loop import Live
    from geocnn_gui.live.next import FileMap, Ground, next_places
    from geocnn_gui.training.sections import labelled_sections

    source = pair.source
    if section is None:
        section = next(iter(labelled_sections(source, pair.labels)), source.first_section())
    height, width = source.picture_shape(section)
    live = Live(features)
    head = live.learn(
        pair.labels, classes, near=(section, slice(0, height), slice(0, width))
    )  # fmt: skip
    if head is None or live.cells is None:
        raise NotEnoughLabels(
            f"The labels of {source.name} hold fewer than two classes on live data",
            "label at least two classes",
        )
    theirs = None
    if prediction is not None:
        file = read_label_file(prediction, source)
        theirs = FileMap(file.classes, file.snapshot)
    ground = Ground(features, pair.labels, head, live.cells, classes, section, theirs)
    return (yield from next_places(ground))


def suspect_labels(
    pair: Pair, classes: Classes, backbone: Path | None, *, device: DeviceWish = "auto"
) -> Generator[Event, None, Suspects]:
    """Find labels that heads which never saw their stroke deny; see `live.suspects`.

    Raises
    ------
    BadRequest, ModelMismatch, NoLiveData
        When source or backbone do not suit, or nothing is live.
    NotEnoughLabels
        With fewer than two classes, or no class with two strokes apart.
    """
    features = _features(pair, backbone, device)
    from geocnn_gui.live.suspects import find_suspects

    return (yield from find_suspects(features, pair.labels, classes))


def _features(pair: Pair, backbone: Path | None, device: DeviceWish) -> Features:
    if pair.source.samples is not None:
        raise BadRequest(
            f"{pair.source.name} is a set of samples", "choose a line, a cube or a raster"
        )
    require_live(pair.source)
    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.live.features import Features
    from geocnn_gui.live.mapping import suited_backbone

    return Features(
        suited_backbone(backbone, pair.source), pair.source, device=choose_device(device)
    )

"""Let a backbone learn data without labels, and draw maps with a live head on it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from geocnn_gui import resources
from geocnn_gui.data.statistics import require_live
from geocnn_gui.errors import UnreadableFile
from geocnn_gui.inference.map_files import (
    WORK_LOCK,
    empty_folder,
    make_folder,
    naming,
    outputs_beside,
    working_folder,
    write_maps,
)
from geocnn_gui.live.spec import MapWish
from geocnn_gui.live.standing import HeldOut
from geocnn_gui.project.lock import alone, training_alone
from geocnn_gui.workflow.destination import DeviceWish, check_destination

__all__ = ["HeldOut", "MapWish", "bundled_backbone", "learn", "live_to_file", "score_live"]

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from geocnn_gui.data.source import Domain, Source
    from geocnn_gui.events import Event
    from geocnn_gui.models.unit_scores import UnitScores


def score_live(
    held: HeldOut, *, backbone: Path | None, device: DeviceWish = "auto"
) -> Generator[Event, None, UnitScores | None]:
    """Score the live head on what a training holds out; see `live.compare.score_head`.

    Without a backbone it looks with fresh weights.

    Raises
    ------
    ModelMismatch, NotEnoughLabels
        When the file is no whole backbone, or the labels do not suffice.
    """
    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.live.compare import score_head
    from geocnn_gui.models.survey import load_backbone

    known = None if backbone is None else load_backbone(backbone)
    return (yield from score_head(held, known, device=choose_device(device)))


def bundled_backbone(domain: Domain) -> Path:
    """Return the backbone that comes with the program; raises `UnreadableFile` where it is gone."""
    path = resources.backbone(domain)
    if path is None:
        raise UnreadableFile(
            f"The backbone for {domain} that comes with the program is missing",
            "install the program again, or go on without it",
        )
    return path


def learn(
    sources: Sequence[Source],
    *,
    out: Path,
    steps: int,
    seed: int = 0,
    start: Path | None = None,
    licence: str = "",
    device: DeviceWish = "auto",
) -> Generator[Event]:
    """Learn sources without labels into a backbone at `out`; see `live.learn.learn_backbone`.

    Raises
    ------
    BadRequest, ModelMismatch, NoLiveData, CannotWrite, NotEnoughMemory
        When sources or backbone do not suit, nothing is live, the disk or the memory is full, or
        another process learns into `out`.
    """
    check_destination(out, inputs=tuple(s.path for s in sources if s.path is not None))
    for source in sources:
        require_live(source)

    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.live.learn import Wish, learn_backbone

    wish = Wish(sources, steps=steps, seed=seed, start=start, licence=licence)
    chosen = choose_device(device)
    with training_alone(out):
        yield from learn_backbone(wish, out=out, device=chosen)


def live_to_file(
    wish: MapWish,
    out: Path,
    confidence: Path | None = None,
    *,
    probabilities: Path | None = None,
    device: DeviceWish = "auto",
) -> Generator[Event]:
    """Fit a live head and write what it says to `out`; see `live.mapping.draw_map`.

    The files are those that `predict_to_file` writes. Nothing stands under a final name before
    all is drawn, and nothing stays of a task that was stopped.

    Raises
    ------
    BadRequest, ModelMismatch, NoLiveData, NotEnoughLabels, CannotWrite
        As `draw_map`; when a name does not suit, or another process writes there.
    """
    beside = outputs_beside(wish.source, out, confidence, probabilities)
    for path in (out, *beside.values()):
        check_destination(path, inputs=wish.inputs)
    for source in {id(s): s for s in (wish.source, *(p.source for p in wish.pairs))}.values():
        require_live(source)

    from geocnn_gui.inference.device import choose_device
    from geocnn_gui.live.mapping import draw_map

    chosen = choose_device(device)
    with alone(working_folder(out) / WORK_LOCK, f"{out} is being drawn"):
        folder = make_folder(out, resume=False)
        try:
            with naming(out):
                yield from draw_map(
                    wish, folder, device=chosen, probabilities=probabilities is not None
                )
            yield from write_maps(folder, wish.source, out, beside)
        finally:
            with suppress(OSError):  # the lock is given back last
                empty_folder(folder)

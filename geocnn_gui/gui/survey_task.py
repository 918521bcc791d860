"""What a learning of the project's data does: gather sources, learn what is left; no Qt here."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from geocnn_gui.data.source import Source
from geocnn_gui.errors import GeoCNNError, writing
from geocnn_gui.gui.opening import open_entry
from geocnn_gui.models.survey_card import STEPS, BackboneCard, whole_card
from geocnn_gui.project.project import SourceEntry
from geocnn_gui.training.checkpoint import identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geocnn_gui.events import Event

_NICE = 10


@dataclass(frozen=True, slots=True)
class Ground:
    """What is learned: the source in view and those of the project that are like it, into `out`.

    `begin` is the backbone to begin with where `out` does not exist; `longer` steps are added to
    what there is.
    """

    source: Source
    others: tuple[SourceEntry, ...]
    out: Path
    begin: Path | None
    steps: int = STEPS
    longer: int = 0


def learn_survey(ground: Ground) -> Iterator[Event]:
    """Learn what is left of the data, with low priority; nothing is yielded where nothing is.

    Raises
    ------
    UnreadableFile, CannotWrite, NotEnoughMemory
        As `learn_backbone` does.
    """
    be_polite()
    with ExitStack() as stack:
        sources = [ground.source, *_alike(ground, stack)]
        card = whole_card(ground.out)
        left = steps_left(card, [identity(s) for s in sources], ground.steps) + ground.longer
        if not left:
            return
        from geocnn_gui.inference.device import choose_device
        from geocnn_gui.live.learn import Wish, learn_backbone

        with writing(ground.out):
            ground.out.parent.mkdir(exist_ok=True)
        start = ground.out if card is not None else ground.begin
        yield from learn_backbone(
            Wish(sources, steps=left, start=start), out=ground.out, device=choose_device()
        )


def steps_left(card: BackboneCard | None, identities: Sequence[str], steps: int) -> int:
    """Return how many steps a learning of sources still takes; as many anew for a new source."""
    if card is None or not set(identities) <= set(card.identities):
        return steps
    return max(0, card.goal - card.steps)


def _alike(ground: Ground, stack: ExitStack) -> list[Source]:
    """Open the other sources of the project that are like the one in view."""
    ours, found = ground.source, []
    for entry in ground.others:
        try:
            source = stack.enter_context(open_entry(replace(entry, target=None)))
        except GeoCNNError:
            continue  # opening it tells why
        same = (source.domain, len(source.bands)) == (ours.domain, len(ours.bands))
        if same and source.samples is None:
            found.append(source)
    return found


def be_polite() -> None:
    """Let this thread, and those that it starts, wait for all others where the system can."""
    if sys.platform == "linux":  # elsewhere it would be the whole process
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)

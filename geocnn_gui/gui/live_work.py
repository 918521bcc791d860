"""What Live does away from the window's thread: features, heads and tiles; no Qt here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geocnn_gui.data.source import Window
from geocnn_gui.errors import ModelMismatch
from geocnn_gui.gui.run_tasks import InView, gather
from geocnn_gui.labels.classes import Classes
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.live.map import LiveMap
from geocnn_gui.models.survey_card import BackboneCard
from geocnn_gui.project.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from geocnn_gui.data.source import Source
    from geocnn_gui.labels.book import LabelBook
    from geocnn_gui.live.features import Features
    from geocnn_gui.live.head import Head
    from geocnn_gui.live.loop import Live
    from geocnn_gui.models.survey import Backbone

#: Bytes of features that are kept of each other source of the project.
_ROOM_BESIDE = 2**28
#: With less room than this for features Live is of no use.
_LEAST_ROOM = 2**25


class Overtaken(Exception):
    """Newer strokes wait: what was begun is not needed any more."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What Live works on: the source in view, and the project whose other labels count too.

    `backbones` are the files to try, the best one first.
    """

    view: InView
    project: Project
    backbones: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be drawn: `rows` x `columns` of the section of `onto`, by labels as they are.

    `mark` tells labels and classes from others.
    """

    labels: LabelSnapshot
    classes: Classes
    mark: int
    onto: LiveMap
    rows: slice
    columns: slice


@dataclass(frozen=True, slots=True)
class InUseNow:
    """The backbone that is worked with: its file (None for a fresh one), its card and the loop."""

    file: Path | None
    card: BackboneCard
    core: Any  # a Live: torch is not imported for a type


@dataclass(frozen=True, slots=True)
class Fitted:
    """A `Head` was fitted to the labels, None while they hold fewer than two classes."""

    head: Any


@dataclass(frozen=True, slots=True)
class Drawn:
    """Windows of the map that are new; `rest` at the end says whether cells in view are left out."""

    windows: Sequence[Window] = ()
    ended: bool = False
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence for the user."""

    text: str


News = InUseNow | Fitted | Drawn | Told


class LiveWork:
    """The work on one source; all of it is called on one thread.

    `overtaken` says whether what is being done should make way for something newer.
    """

    def __init__(self, ground: Ground, overtaken: Callable[[], bool]) -> None:
        self.ground = ground
        self.core: Live | None = None
        self._overtaken = overtaken
        self._stack = ExitStack()
        self._anew = False
        self._others: list[tuple[Source, LabelBook]] | None = None
        self._watched: list[Features] = []
        self._room: int | None = None
        self._fitted: int | None = None
        self._drawn: set[tuple[int, int]] = set()
        self._drawn_by: tuple[LiveMap | None, Head | None] = None, None

    def refresh(self, wish: Wish) -> Iterator[News]:
        """Fit the head where labels are new, and draw what is not drawn by it yet.

        Ends between tiles when overtaken, but never without a tile. Raises what reading the
        source and torch raise; `shrink` makes room where memory was short.
        """
        if self.core is None or self._anew:
            yield from self._begin()
        core = self.core
        assert core is not None
        if self._fitted != wish.mark:
            self._fit(core, wish)
            yield Fitted(core.head)
        if core.head is not None:
            yield from self._draw(core, core.head, wish)

    def renew(self, backbones: tuple[Path, ...]) -> None:
        """Begin anew with another backbone; what is drawn stays until it is drawn again.

        Until then the loop that there is answers what is asked.
        """
        self.ground = Ground(self.ground.view, self.ground.project, backbones)
        self._anew = True

    def look_around(self) -> None:
        """Begin anew with the sources that the project has now."""
        self._stack.close()
        self._others, self._anew = None, True

    def shrink(self) -> bool:
        """Keep fewer features, after memory was short; False where that is not possible."""
        room = self.core.features.room if self.core is not None else 2**30
        self._drop_core()
        self._room = min(room, 2**30) // 4
        from geocnn_gui.inference.memory import let_go

        let_go()
        return self._room >= _LEAST_ROOM

    def close(self) -> None:
        """Let go of the features and of the sources that were opened for it."""
        self._drop_core()
        self._stack.close()

    def _drop_core(self) -> None:
        """Let go of the features, also of those that somebody still looks at."""
        for features in self._watched:
            features.let_go()
        self.core, self._watched = None, []

    # -- beginning -------------------------------------------------------------------------------

    def _begin(self) -> Iterator[News]:
        from geocnn_gui.inference.device import choose_device
        from geocnn_gui.live.features import Features
        from geocnn_gui.live.loop import Live

        if self._others is None:
            yield from self._open_others()
        file, backbone, notes = self._load()
        yield from notes
        self._drop_core()
        device, view = choose_device(), self.ground.view
        core = Live(Features(backbone, view.source, device=device, room=self._room))
        self._watched = [core.features]
        for source, _ in self._others or ():
            beside = Features(backbone, source, device=device, room=_ROOM_BESIDE)
            core.add(beside)
            self._watched.append(beside)
        _warm_up(core.features.channels)
        self.core, self._fitted, self._anew = core, None, False
        self._drawn_by = None, None
        yield InUseNow(file, backbone.card, core)

    def _open_others(self) -> Iterator[News]:
        """Open the labelled sources of the project that are like the one in view."""
        project, view = self.ground.project, self.ground.view
        found, notes = gather(project, view, self._stack)
        self._others = [
            (pair.source, project.labels(entry.id, pair.source.shape))
            for entry, pair in found
            if entry.id != view.entry.id
        ]
        for note in notes:
            yield Told(note.text.replace("Training goes on", "Live goes on"))

    def _load(self) -> tuple[Path | None, Backbone, list[Told]]:
        """Return the first backbone that can be read; a fresh one where there is none."""
        from geocnn_gui.models.survey import fresh_backbone, load_backbone

        source, notes = self.ground.view.source, []
        for path in self.ground.backbones:
            try:
                backbone = load_backbone(path)
            except (ModelMismatch, OSError) as error:
                notes.append(Told(f"Live goes on with another backbone. {error}"))
                continue
            if backbone.card.domain == source.domain:
                return path, backbone, notes
        return None, fresh_backbone(source), notes

    # -- fitting and drawing -----------------------------------------------------------------------

    def _fit(self, core: Live, wish: Wish) -> None:
        def make_way() -> None:
            if self._overtaken():
                raise Overtaken

        beside = [book.store.snapshot() for _, book in self._others or ()]
        near = wish.onto.section, wish.rows, wish.columns
        for features in self._watched:
            features.before_tile = make_way
        try:
            core.learn(wish.labels, wish.classes, beside=beside, near=near)
        finally:
            for features in self._watched:
                features.before_tile = _nothing
        self._fitted = wish.mark

    def _draw(self, core: Live, head: Head, wish: Wish) -> Iterator[Drawn]:
        from geocnn_gui.live.features import TILE
        from geocnn_gui.live.loop import MOST_TILES, named

        if self._drawn_by[0] is not wish.onto or self._drawn_by[1] is not head:
            self._drawn_by, self._drawn = (wish.onto, head), set()
        section = wish.onto.section
        wanted = core.features.numbers(section, wish.rows, wish.columns)
        for number in wanted[:MOST_TILES]:
            if number in self._drawn:
                continue
            tile = core.features.tile(section, *number)
            window = wish.onto.put(tile.rows, tile.columns, *named(head, tile))
            self._drawn.add(number)
            yield Drawn((window,))
            if self._overtaken():
                return
        if len(self._drawn) > 4 * MOST_TILES:  # a wide walk over a large picture
            self._drawn &= set(wanted[:MOST_TILES])
        stale = wish.onto.forget({(row * TILE, column * TILE) for row, column in self._drawn})
        yield Drawn(stale, ended=True, rest=len(wanted) > MOST_TILES)


def _warm_up(channels: int) -> None:
    """Fit a head to nothing: what torch loads for the first one is not waited for after a stroke."""
    import torch

    from geocnn_gui.live.head import fit_head

    fit_head(torch.eye(2, channels), np.array([1, 2], np.uint8))


def _nothing() -> None:
    """Do nothing."""

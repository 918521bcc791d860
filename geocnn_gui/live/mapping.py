"""From labels to a whole map: the live head is fitted once, and all of a source drawn with it."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.identity import identity_of
from geocnn_gui.errors import BadRequest, ModelMismatch, NotEnoughLabels
from geocnn_gui.events import Event, Note, Progress, TileDone
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.live.features import Features
from geocnn_gui.live.loop import Live
from geocnn_gui.models.ground import TRAINED, Ground, GroundCard
from geocnn_gui.models.survey import fresh_backbone, load_backbone
from geocnn_gui.scoring.seen import SEEN_FILE, Seen, SeenCard

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from geocnn_gui.data.source import Section, Source
    from geocnn_gui.inference.device import Device
    from geocnn_gui.live.features import Tile
    from geocnn_gui.live.head import Head
    from geocnn_gui.live.spec import MapWish
    from geocnn_gui.models.survey import Backbone

#: How common classes are is seen in so many tiles, spread over what is drawn.
_LOOKED_AT = 16


def draw_map(
    wish: MapWish, folder: Path, *, device: Device, probabilities: bool = False
) -> Generator[Event]:
    """Fit a head to the labels and store what it says of the source in `folder`.

    The store is that of a prediction, with what the head has seen beside it. Yields `TileDone`
    and `Progress` after each tile; closing the generator leaves an incomplete store.

    Raises
    ------
    BadRequest, ModelMismatch
        When sources differ in kind or bands, are sample sets, or the backbone does not suit.
    NotEnoughLabels, CannotWrite
        With fewer than two classes labelled, or when the disk is full.
    """
    for pair in wish.pairs:
        _require_alike(pair.source, wish.source)
    backbone = suited_backbone(wish.backbone, wish.source)
    name = "fresh weights" if wish.backbone is None else wish.backbone.name
    yield Note(f"Looking with {name} on {device.description}.")
    live = Live(Features(backbone, wish.source, device=device))
    yield from _fit(live, wish, device)
    head = live.head
    if head is None:
        names = ", ".join(p.source.name for p in wish.pairs)
        raise NotEnoughLabels(
            f"The labels of {names} hold fewer than two classes on live data",
            "label at least two classes",
        )
    seen = _seen(wish, head, name)
    classes = tuple(c for c in wish.classes if c.id in head.ids)
    store = PredictionStore.create(
        folder, wish.source, classes,
        model=f"{seen.card.model} {seen.card.model_sha256[:16]}", probabilities=probabilities,
    )  # fmt: skip
    try:
        seen.save(folder / SEEN_FILE)
        yield from _draw(head, live.features, wish.wanted, store)
    finally:
        store.close()


def _require_alike(labelled: Source, drawn: Source) -> None:
    for source in (labelled, drawn):
        if source.samples is not None:
            raise BadRequest(
                f"{source.name} is a set of samples", "choose a line, a cube or a raster"
            )
    kinds = [f"{s.domain} of {len(s.bands)} band(s)" for s in (labelled, drawn)]
    if kinds[0] != kinds[1]:
        raise BadRequest(
            f"{labelled.name} and {drawn.name} are not alike: {kinds[0]} and {kinds[1]}",
            "give files of the same kind and bands",
        )


def suited_backbone(path: Path | None, source: Source) -> Backbone:
    """Load a backbone for a source, or make a fresh one; raises `ModelMismatch`."""
    if path is None:
        return fresh_backbone(source)
    backbone = load_backbone(path)
    if backbone.card.domain != source.domain:
        raise ModelMismatch(
            f"{path} has learned {backbone.card.domain}, and {source.name} is {source.domain}",
            "choose another backbone, or say what the file holds",
        )
    return backbone


def _fit(live: Live, wish: MapWish, device: Device) -> Generator[Event]:
    known = [c.id for c in wish.classes]
    for pair in wish.pairs:
        own = pair.source is wish.source
        book = live.add(
            live.features if own else Features(live.features.backbone, pair.source, device=device)
        )
        for _ in book.look(pair.labels, known=known):
            yield Progress(0, 0, f"Looking at the labels of {pair.source.name}")
        if not own:
            book.features.let_go()  # the cells are in the book, and others need the room
    for section, row, column in _spread(live.features, wish.wanted):
        live.features.tile(section, row, column)
        yield Progress(0, 0, f"Looking at {wish.source.name}")
    nothing = LabelSnapshot(wish.source.shape)
    live.learn(nothing, wish.classes, beside=[pair.labels for pair in wish.pairs])


def _tiles(features: Features, sections: Sequence[Section]) -> Iterator[tuple[Section, int, int]]:
    for section in sections:
        height, width = features.source.picture_shape(section)
        for at in sorted(features.numbers(section, slice(0, height), slice(0, width))):
            yield section, *at


def _spread(features: Features, sections: Sequence[Section]) -> list[tuple[Section, int, int]]:
    """Return some tiles, evenly spread over sections."""
    step = -(-len(sections) // _LOOKED_AT)
    tiles = list(_tiles(features, sections[step // 2 :: step]))
    step = -(-len(tiles) // _LOOKED_AT)
    return tiles[step // 2 :: step]


def _seen(wish: MapWish, head: Head, name: str) -> Seen:
    """Return what a head has seen of the source that it draws: the cells that are labelled."""
    digest = hashlib.sha256(repr(head.ids).encode())
    for part in (head.weights, head.bias, head.mean, head.scale, head.shares):
        digest.update(part.contiguous().numpy().tobytes())
    cells = LabelSnapshot(wish.source.shape)
    grounds = []
    for pair in wish.pairs:
        parts = ((w, pair.labels.read(w) > 0, TRAINED) for w in pair.labels.labelled_windows())
        ground = Ground.mark(pair.source, pair.labels, parts)
        grounds.append(ground.card)
        if pair.source is wish.source or _same_data(pair.source, wish.source):
            cells = ground.seen
    return Seen(_seen_card(wish, f"live head on {name}", digest.hexdigest(), grounds, cells), cells)


def _same_data(one: Source, other: Source) -> bool:
    return one.shape == other.shape and identity_of(one) == identity_of(other)


def _seen_card(
    wish: MapWish, model: str, digest: str, grounds: list[GroundCard], cells: LabelSnapshot
) -> SeenCard:
    return SeenCard(
        model=model, model_sha256=digest, source=wish.source.name,
        identity=identity_of(wish.source), known=True,
        labels_digests=tuple(g.labels_digest for g in grounds), trained_on=tuple(grounds),
        trained_cells=cells.counts.get(TRAINED, 0),
    )  # fmt: skip


def _draw(
    head: Head, features: Features, sections: Sequence[Section], store: PredictionStore
) -> Generator[Event]:
    total = sum(1 for _ in _tiles(features, sections))
    started = time.monotonic()
    for done, (section, row, column) in enumerate(_tiles(features, sections), 1):
        tile = features.tile(section, row, column)
        yield _write(head, features.source, section, tile, store)
        left = (time.monotonic() - started) / done * (total - done)
        yield Progress(done, total, "Drawing", left)
    store.finish(complete=True)


def _write(
    head: Head, source: Source, section: Section, tile: Tile, store: PredictionStore
) -> TileDone:
    shares = head.over(tile).numpy()
    named = np.array(head.ids, np.uint8)[shares.argmax(axis=0)]
    plane = source.plane(section)
    window = plane.window(tile.rows, tile.columns)
    each = plane.array(shares) if store.has_probabilities else None
    classes = np.where(tile.live, named, 0).astype(np.uint8)
    store.write(window, plane.array(classes), plane.array(shares.max(axis=0)), each)
    return TileDone(window.offset, window.size)

"""The live head on what a training holds out: fitted to the rest, scored as networks are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from geocnn_gui.data.source import Section
from geocnn_gui.events import Event, Progress
from geocnn_gui.labels.store import LabelStore
from geocnn_gui.live.cells import CellBook
from geocnn_gui.live.features import Features
from geocnn_gui.live.head import fit_head
from geocnn_gui.live.loop import named
from geocnn_gui.models.networks import build
from geocnn_gui.models.survey import fresh_backbone
from geocnn_gui.scoring.intervals import UnitCounter, pooled
from geocnn_gui.training.folds import Folds
from geocnn_gui.training.holdout import held_parts
from geocnn_gui.training.pictures import open_pictures

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from geocnn_gui.data.source import Source, Window
    from geocnn_gui.inference.device import Device
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.live.head import Head
    from geocnn_gui.live.standing import HeldOut
    from geocnn_gui.models.survey import Backbone
    from geocnn_gui.models.unit_scores import UnitScores
    from geocnn_gui.scoring.regions import PlaneSplit
    from geocnn_gui.scoring.split_plan import SplitPlan
    from geocnn_gui.training.pictures import Pictures
    from geocnn_gui.training.sampling import LabelledPicture
    from geocnn_gui.training.sections import Pair

#: Features are kept of each source up to so many bytes.
_ROOM = 2**28
#: So many tiles that a head has drawn are kept, for the windows that share them.
_DRAWN = 64

Part = tuple[slice, slice]


def score_head(
    held: HeldOut, backbone: Backbone | None, *, device: Device
) -> Generator[Event, None, UnitScores | None]:
    """Fit a live head for each fold of a training's split, and score it on what the fold holds out.

    It is fitted as Live fits it, to the labels outside the held-out ground, its buffer and the
    test set, on features of the backbone, or of one with fresh weights. Returns what was predicted unit by unit, of all folds; None where nothing can be
    held out. Raises as `open_pictures` does.
    """
    pictures = yield from open_pictures(held.pairs, held.classes)
    source = held.pairs[0].source
    net = build(held.model_spec, len(source.bands), len(pictures.classes))  # bounds what is scored
    folds = Folds(pictures, held.split, net.halo)
    court = _Court(held.pairs, pictures, backbone or fresh_backbone(source), device)
    found = []
    for fold in folds.counted:
        text = f"Scoring Live, fold {len(found) + 1} of {len(folds.counted)}"
        yield Progress(0, 0, text)
        head = court.fit(fold.plan, fold.number)
        pictures.split_by(fold.splits())
        counter = UnitCounter(len(pictures.classes))
        for picture, rows, columns in held_parts(net, pictures.all):
            court.count(head, picture, (rows, columns), counter)
            yield Progress(0, 0, text)
        found.append(counter.scores(fold.plan.unit, [unit.id for unit in fold.plan.units]))
    return pooled(found) if found else None


class _Court:
    """Fits heads to what a fold leaves, and counts what they say of what it holds out."""

    def __init__(
        self, pairs: Sequence[Pair], pictures: Pictures, backbone: Backbone, device: Device
    ) -> None:
        self._pairs, self._known = pairs, [c.id for c in pictures.classes]
        self._drawn: dict[object, tuple[slice, slice, np.ndarray]] = {}
        self._features = [
            Features(backbone, pair.source, device=device, room=_ROOM) for pair in pairs
        ]
        self._of = {
            id(picture): self._features[number]
            for picture, number in zip(pictures.all, pictures.of_source, strict=True)
        }

    def fit(self, plan: SplitPlan, fold: int) -> Head:
        """Return the head of a fold, fitted as `loop.Live` fits it."""
        self._drawn.clear()
        parts = []
        for number, (pair, features) in enumerate(zip(self._pairs, self._features, strict=True)):
            left = _left(pair, number, plan, fold)
            parts.append(CellBook(features).gather(left, known=self._known))
        samples = [tile.sample for each in self._features for tile in each.kept()]
        ids = np.concatenate([part.ids for part in parts])
        return fit_head(
            torch.cat([part.features for part in parts]), ids, others=torch.cat(samples),
            emphasis=self._features[0].emphasis,
        )  # fmt: skip

    def count(self, head: Head, picture: LabelledPicture, part: Part, counter: UnitCounter) -> None:
        """Count what a head says of the held-out cells of a part of a picture."""
        assert picture.split is not None
        units = picture.split.unit_mask(*part)
        numbers = np.where(units > 0, picture.class_numbers(*part), 0)
        counter.add(units, numbers, picture.lookup[self._named(head, picture, part)])

    def _named(self, head: Head, picture: LabelledPicture, part: Part) -> np.ndarray:
        """Return the classes uint8 (rows, columns) that a head names in a part of a picture."""
        features, section = self._of[id(picture)], picture.section
        found = np.zeros([span.stop - span.start for span in part], np.uint8)
        for row, column in features.numbers(section, *part):
            rows, columns, classes = self._tile(head, features, (section, row, column))
            outer, inner = _common(part, (rows, columns))
            found[outer] = classes[inner]
        return found

    def _tile(
        self, head: Head, features: Features, key: tuple[Section, int, int]
    ) -> tuple[slice, slice, np.ndarray]:
        """Return where a tile lies and the classes named in it; the latest are kept."""
        known = (id(features), key)
        if known not in self._drawn:
            if len(self._drawn) >= _DRAWN:
                self._drawn.clear()
            tile = features.tile(*key)
            self._drawn[known] = tile.rows, tile.columns, named(head, tile)[0]
        return self._drawn[known]


def _common(part: Part, tile: Part) -> tuple[Part, Part]:
    """Return the cells that a part and a tile share, counted in the one and in the other."""
    outer, inner = [], []
    for a, b in zip(part, tile, strict=True):
        low, high = max(a.start, b.start), min(a.stop, b.stop)
        outer.append(slice(low - a.start, high - a.start))
        inner.append(slice(low - b.start, high - b.start))
    return (outer[0], outer[1]), (inner[0], inner[1])


def _left(pair: Pair, number: int, plan: SplitPlan, fold: int) -> LabelSnapshot:
    """Return the labels of source `number` that a fold may learn from."""
    source, labels = pair.source, pair.labels
    left = LabelStore(source.shape, labels)
    splits: dict[Section, PlaneSplit] = {}
    for window in labels.labelled_windows():
        for section in _sections(source, window, labels.read(window)):
            plane = source.plane(section)
            if section not in splits:
                shape = source.picture_shape(section)
                splits[section] = plan.on(number, plane, shape, fold=fold)
            cells = plane.cells(window)
            assert cells is not None
            part, near = plane.window(*cells), plane.array(splits[section].near_mask(*cells))
            left.write(part, np.where(near.reshape(part.size), 0, labels.read(part)))
    return left.snapshot()


def _sections(source: Source, window: Window, values: np.ndarray) -> list[Section]:
    """Return the sections of one axis that hold all labels of a window; of a picture its only one."""
    if not source.section_axes:
        return [Section()]
    axis = source.section_axes[0]
    others = tuple(i for i in range(values.ndim) if i != axis)
    return [Section(axis, int(i) + window.offset[axis])
            for i in np.flatnonzero(values.any(axis=others))]  # fmt: skip

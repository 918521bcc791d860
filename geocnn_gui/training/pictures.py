"""The labelled pictures of a training, and the plan of what is held out of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.errors import BadRequest, NotEnoughLabels
from geocnn_gui.events import Progress
from geocnn_gui.labels.classes import Classes
from geocnn_gui.scoring.buffer import Sample, correlation_length, sample_windows
from geocnn_gui.scoring.split import LabelledPlane
from geocnn_gui.scoring.split_plan import plan_split
from geocnn_gui.training.samples import picture_of
from geocnn_gui.training.sampling import LabelledPicture
from geocnn_gui.training.sections import Pair, labelled_sections
from geocnn_gui.training.seen import Seen
from geocnn_gui.training.volumes import join

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from geocnn_gui.data.source import Source
    from geocnn_gui.data.statistics import BandStatistics
    from geocnn_gui.scoring.regions import PlaneSplit
    from geocnn_gui.scoring.split_plan import SplitPlan
    from geocnn_gui.scoring.split_spec import SplitSpec


@dataclass(frozen=True)
class Pictures:
    """All pictures with labels, of which source (from 0) each is, and the cells each source gives.

    `classes` are those that carry labels.
    """

    all: list[LabelledPicture]
    of_source: list[int]
    seen: list[Seen]
    classes: Classes

    @property
    def planes(self) -> list[LabelledPlane]:
        """Return where the labels of each picture lie."""
        return [
            LabelledPlane(number, p.plane, p.shape, p.cells, p.samples, p.records)
            for number, p in zip(self.of_source, self.all, strict=True)
        ]

    def split_by(self, splits: Sequence[PlaneSplit]) -> None:
        """Let every picture hold out what its split says."""
        for picture, split in zip(self.all, splits, strict=True):
            picture.split = split

    def own(self, source: int, splits: Sequence[PlaneSplit]) -> list[PlaneSplit]:
        """Return those of the splits that belong to pictures of a source."""
        return [s for number, s in zip(self.of_source, splits, strict=True) if number == source]

    def plan(self, spec: SplitSpec, reach: int) -> SplitPlan:
        """Plan what is held out; see `scoring.split_plan.plan_split`."""
        planes, names = self.planes, [c.name for c in self.classes]
        measured = spec.buffer == "auto" and not all(p.samples for p in planes)
        lengths = correlation_length(self._label_samples(planes)) if measured else None
        return plan_split(planes, spec, names, reach, lengths=lengths, choice=spec.choice)

    def _label_samples(self, planes: list[LabelledPlane]) -> list[Sample]:
        """Return windows of labels, a band for each class."""
        found, numbers = [], np.arange(1, len(self.classes) + 1)[:, None, None]
        for i, rows, columns in sample_windows(planes):
            labels = self.all[i].class_numbers(rows, columns)
            bands = (labels == numbers).astype(np.float32)
            found.append(Sample(planes[i].plane, bands, labels > 0))
        return found


def open_pictures(
    pairs: Sequence[Pair],
    classes: Classes,
    statistics: Callable[[Source], tuple[BandStatistics, ...]] = lambda _: (),
    *,
    volumes: bool = False,
) -> Generator[Progress, None, Pictures]:
    """Find the labelled pictures of all sources and their labelled, live cells.

    Without `statistics` their values cannot be read. With `volumes` they are sections of cubes
    that are seen with what lies around.

    Raises
    ------
    BadRequest, NotEnoughLabels
        Without any pair, with fewer than two classes labelled, or where one of them is on no
        live sample.
    """
    if not pairs:
        raise BadRequest("There is nothing to train on", "open a file and paint some labels")
    classes = labelled_classes(pairs, classes)
    lookup = np.zeros(256, np.uint8)
    for class_number, label_class in enumerate(classes, 1):
        lookup[label_class.id] = class_number
    found = Pictures([], [], [Seen(pair.source.shape) for pair in pairs], classes)
    for number, (pair, seen) in enumerate(zip(pairs, found.seen, strict=True)):
        for section in pair.sections or labelled_sections(pair.source, pair.labels):
            own = statistics(pair.source)
            picture = picture_of(pair.source, section, pair.labels, own, lookup, volumes=volumes)
            for part, numbers in picture.find_cells():
                seen.add(picture.plane, part, numbers > 0)
                yield Progress(0, 0, f"Reading the labels of {pair.source.name}")
            found.all.append(picture)
            found.of_source.append(number)
            seen.planes.append(picture.plane)
        join([p for p, owner in zip(found.all, found.of_source, strict=True) if owner == number])
    _require_every_class(found)
    return found


def count_labels(pairs: Sequence[Pair]) -> dict[int, int]:
    """Return the labelled cells of each class id."""
    total: dict[int, int] = {}
    for pair in pairs:
        for number, count in pair.labels.counts.items():
            total[number] = total.get(number, 0) + count
    return total


def labelled_classes(pairs: Sequence[Pair], classes: Classes) -> Classes:
    """Return the classes that carry labels, in id order; raises `NotEnoughLabels` below two."""
    counts = count_labels(pairs)
    found = tuple(sorted((c for c in classes if counts.get(c.id)), key=lambda c: c.id))
    if len(found) < 2:
        names = ", ".join(pair.source.name for pair in pairs)
        has = f"only the class {found[0].name}" if found else "no class"
        raise NotEnoughLabels(
            f"The labels of {names} hold {has}", "label at least two classes, then train"
        )
    return found


def _require_every_class(pictures: Pictures) -> None:
    found = np.zeros(len(pictures.classes), np.int64)
    for picture in pictures.all:
        found += np.bincount(picture.cells.classes, minlength=len(found))
    missing = [c.name for c, n in zip(pictures.classes, found, strict=True) if n == 0]
    if missing:
        raise NotEnoughLabels(
            f"{', '.join(missing)}: no label on live samples of the sections to train on",
            "paint some there or leave the class out",
        )

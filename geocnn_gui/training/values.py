"""Learning a continuous value: pictures with a target, its standardisation, the held-out score."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from geocnn_gui.data.source import Section
from geocnn_gui.errors import BadRequest, NotEnoughLabels
from geocnn_gui.events import Note, Progress
from geocnn_gui.labels.store import LabelStore
from geocnn_gui.labels.targets import TargetValues
from geocnn_gui.models.sample_form import mean_output
from geocnn_gui.models.target import Target, middle_and_scale
from geocnn_gui.scoring.buffer import Sample, sample_windows
from geocnn_gui.scoring.values import UnitSums, figures
from geocnn_gui.training.holdout import held_logits
from geocnn_gui.training.pictures import Pictures
from geocnn_gui.training.samples import SamplePicture
from geocnn_gui.training.sampling import LabelledPicture
from geocnn_gui.training.sections import labelled_sections
from geocnn_gui.training.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from torch import Tensor

    from geocnn_gui.data.source import Plane, Source
    from geocnn_gui.data.statistics import BandStatistics
    from geocnn_gui.events import EpochDone
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.scoring.split import LabelledPlane
    from geocnn_gui.scoring.split_plan import SplitPlan
    from geocnn_gui.scoring.split_spec import SplitSpec
    from geocnn_gui.scoring.values import ValueIntervals
    from geocnn_gui.training.loop import Fit, Leg
    from geocnn_gui.training.room import Room
    from geocnn_gui.training.sections import Pair

_MOST_SECTIONS = 64
_BLOCK_CELLS = 2**22
#: Windows of the target from which its middle and spread are measured.
_WINDOWS = 24
#: Held-out errors within this share of the lowest are called equal; the latest epoch is taken.
_EQUAL = 0.01
_LOOKUP = np.array([0] + [1] * 255, np.uint8)
#: So many files are held out by file where that is left to choose.
_FILES = 3


@dataclass
class TargetPicture(LabelledPicture):
    """A section whose cells carry a continuous value; its labels say which cells are learned.

    Its "labels" in patches are float32: the target in standard deviations from its middle, NaN
    where nothing is learned.
    """

    nowhere: ClassVar[float] = np.nan

    target: TargetValues = field(kw_only=True)
    learned: Target = field(default=Target(name="value"), kw_only=True)
    _whole: np.ndarray | None = field(default=None, kw_only=True)

    def truth(self, rows: slice, columns: slice) -> np.ndarray:
        """Return standardised values float32 (rows, columns), NaN where none is to be learned."""
        if self.kept and self._whole is None:
            self._whole = self._read(slice(0, self.shape[0]), slice(0, self.shape[1]))
        if self._whole is not None:
            return self._whole[rows, columns]
        return self._read(rows, columns)

    def _read(self, rows: slice, columns: slice) -> np.ndarray:
        values = self.target.picture(self.plane, rows, columns)
        values = (values - np.float32(self.learned.mean)) / np.float32(self.learned.scale)
        return np.where(self.class_numbers(rows, columns) > 0, values, np.float32(np.nan))

    def training_labels(self, rows: slice, columns: slice) -> np.ndarray:
        """Return `truth` without what is held out or too near to that."""
        values = self.truth(rows, columns)
        if self.split is None:
            return values
        return np.where(self.split.near_mask(rows, columns), np.float32(np.nan), values)


class SampleTargetPicture(SamplePicture, TargetPicture):
    """A sample set of which each sample carries a continuous value."""

    def answers(self, net: SegmentationNet, values: Tensor) -> Tensor:
        """Return the standardised value (n, 1) of samples as the network reads them."""
        return mean_output(net, values)


@dataclass(frozen=True)
class TargetPictures(Pictures):
    """All pictures with a target; `learned` says how it is standardised."""

    learned: Target = field(default=Target(name="value"), kw_only=True)

    def plan(self, spec: SplitSpec, reach: int) -> SplitPlan:
        """Plan what is held out: cells with a value count as labels of one class.

        Patches of them say nothing of the ground, so that `auto` takes blocks, or sections of a
        cube and files where there are several.
        """
        several = len(set(self.of_source)) >= _FILES
        flat = self.all[0].section.axis is None and not self.all[0].samples
        if spec.unit == "auto" and not several and flat:
            plan = super().plan(spec.model_copy(update={"unit": "block"}), reach)
            return replace(plan, spec=spec, reason="the target lies in one picture or few files")
        return super().plan(spec, reach)

    def _label_samples(self, planes: list[LabelledPlane]) -> list[Sample]:
        return [Sample(p, values[None], live) for p, values, live in _windows(self.all, planes)]


def open_target_pictures(
    pairs: Sequence[Pair],
    statistics: Callable[[Source], tuple[BandStatistics, ...]] = lambda _: (),
    *,
    head: str = "linear",
) -> Generator[Progress, None, TargetPictures]:
    """Find the pictures of all sources that have a target and measure that for a network's head.

    Raises
    ------
    BadRequest
        Where only some of the sources have a target, its units differ, it is the same
        everywhere, or the head cannot reach it.
    NotEnoughLabels
        Where no live cell has a value.
    """
    name, unit = _quantity(pairs)
    found = TargetPictures(
        [], [], [Seen(pair.source.shape) for pair in pairs],
        (Target(name=name, unit=unit).as_class,),
    )  # fmt: skip
    for number, (pair, seen) in enumerate(zip(pairs, found.seen, strict=True)):
        assert pair.target is not None
        sections = sections_to_learn(pair)
        cells = yield from _cells(pair, pair.target, sections)
        for section in sections:
            own = statistics(pair.source)
            kind = TargetPicture if pair.source.samples is None else SampleTargetPicture
            picture = kind(pair.source, section, cells, own, _LOOKUP, target=pair.target)
            for part, numbers in picture.find_cells():
                seen.add(picture.plane, part, numbers > 0)
                yield Progress(0, 0, f"Reading the target of {pair.source.name}")
            found.all.append(picture)
            found.of_source.append(number)
            seen.planes.append(picture.plane)
    if not any(len(p.cells.rows) for p in found.all):
        raise NotEnoughLabels(
            f"{name} has no value on live samples of the sections to train on",
            "choose a target that covers the data",
        )
    ends = (0.0, 0.0) if head == "linear" else (yield from _ends(found.all))
    learned = _measured(found, name, unit, head=head, ends=ends)
    for picture in found.all:
        assert isinstance(picture, TargetPicture)
        picture.learned = learned
    return replace(found, learned=learned)


def _quantity(pairs: Sequence[Pair]) -> tuple[str, str]:
    """Return name and unit of what is learned; raises `BadRequest` where targets differ."""
    if not pairs:
        raise BadRequest("There is nothing to train on", "open a file and choose its target")
    without = [pair.source.name for pair in pairs if pair.target is None]
    if without:
        raise BadRequest(f"{', '.join(without)}: no target", "give a target for every data file")
    targets = [pair.target for pair in pairs if pair.target is not None]
    units = {target.unit for target in targets if target.unit}
    if len(units) > 1:
        raise BadRequest(
            f"The targets are in {' and '.join(sorted(units))}", "convert them to one unit"
        )
    return targets[0].name, units.pop() if units else ""


def sections_to_learn(pair: Pair) -> tuple[Section, ...]:
    """Return the sections given, else those with labels, else up to 64 along the first axis."""
    if pair.sections is not None:
        return pair.sections
    if not pair.source.section_axes:
        return (Section(),)
    if pair.labels.counts:
        return labelled_sections(pair.source, pair.labels)
    size = pair.source.shape[0]
    places = np.unique(np.linspace(0, size - 1, min(size, _MOST_SECTIONS)).round().astype(int))
    return tuple(Section(0, int(i)) for i in places)


def _cells(
    pair: Pair, target: TargetValues, sections: tuple[Section, ...]
) -> Generator[Progress, None, LabelSnapshot]:
    """Return 1 where there is a value to learn."""
    store, painted = LabelStore(pair.source.shape), bool(pair.labels.counts)
    for section in sections:
        plane, shape = pair.source.plane(section), pair.source.picture_shape(section)
        step = max(1, _BLOCK_CELLS // shape[1])
        for row in range(0, shape[0], step):
            part = slice(row, min(row + step, shape[0])), slice(0, shape[1])
            window = plane.window(*part)
            known = np.isfinite(target.read(window))
            if painted:
                known &= pair.labels.read(window) > 0
            store.write(window, known)
            yield Progress(0, 0, f"Reading the target of {pair.source.name}")
    return store.snapshot()


def _windows(
    pictures: list[LabelledPicture], planes: list[LabelledPlane], *, count: int = 12
) -> Iterator[tuple[Plane, np.ndarray, np.ndarray]]:
    """Yield windows of the target around cells to learn: plane, values with 0 for none, known."""
    for i, rows, columns in sample_windows(planes, count=count):
        picture = pictures[i]
        assert isinstance(picture, TargetPicture)
        values = picture.truth(rows, columns)
        yield planes[i].plane, np.nan_to_num(values), np.isfinite(values)


def _ends(pictures: list[LabelledPicture]) -> Generator[Progress, None, tuple[float, float]]:
    """Return the lowest and highest value of the target on what is to be learned."""
    low, high = np.inf, -np.inf
    for picture in pictures:
        assert isinstance(picture, TargetPicture)
        for part, numbers in picture.find_cells():
            values = picture.target.picture(picture.plane, *part)[numbers > 0]
            low, high = min(low, values.min(initial=np.inf)), max(high, values.max(initial=-np.inf))
            yield Progress(0, 0, f"Measuring the target of {picture.source.name}")
    return float(low), float(high)


def _measured(
    pictures: TargetPictures, name: str, unit: str, *, head: str, ends: tuple[float, float]
) -> Target:
    """Measure the target on what is to be learned, as the network's head asks for."""
    windows = _windows(pictures.all, pictures.planes, count=_WINDOWS)
    values = np.concatenate([v[known] for _, v, known in windows]).astype(np.float64)
    middle, scale = middle_and_scale(values, head, ends)
    if not scale:
        raise BadRequest(
            f"{name} is {values[0]:g} everywhere: there is nothing to learn",
            "choose another target",
        )
    if head == "relu" and ends[0] < 0:
        raise BadRequest(
            f"The head relu gives no value below 0, and {name} goes down to {ends[0]:.4g}",
            "take the head linear",
        )
    span = None if head == "linear" else ends
    return Target(name=name, unit=unit, mean=middle, scale=scale, span=span)


# ---- Score -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ValueScore:
    """The mean squared error on held-out cells, in squared deviations, and its sums by unit."""

    loss: float
    units: UnitSums


def score_values(
    net: SegmentationNet, pictures: list[LabelledPicture], room: Room
) -> Generator[Note | None, None, ValueScore]:
    """Return the score on what the pictures' splits hold out; yields as `score_holdout` does."""
    sums = UnitSums()
    for item in held_logits(net, pictures, room):
        if isinstance(item, Note):
            yield item
            continue
        picture, part, logits = item
        assert isinstance(picture, TargetPicture)
        assert picture.split is not None
        sums.add(picture.split.unit_mask(*part), picture.truth(*part), logits[0].numpy())
        yield
    total = sums.total
    return ValueScore(float(total[2] / max(total[0], 1)), sums)


def take_score(
    done: EpochDone, leg: Leg, score: ValueScore, target: Target, *, kept: tuple[Fit, SegmentationNet]
) -> EpochDone:  # fmt: skip
    """Keep the weights where their error is the lowest or near it; return the epoch's score."""
    result, net = kept
    _, rmse, r2, _ = figures(score.units.total).tolist()
    lowest = rmse if result.lowest is None else min(result.lowest, rmse)
    result.lowest = lowest
    if rmse <= lowest * (1 + _EQUAL):
        result.best_epoch = done.epoch
        result.best_values = score.units.scores(leg.kind, leg.units)
        result.best_state = copy.deepcopy(net.state_dict())
    return replace(
        done, holdout_loss=score.loss, holdout_rmse=rmse * target.scale,
        holdout_r2=r2 if np.isfinite(r2) else None,
    )  # fmt: skip


def facts_of(found: ValueIntervals) -> tuple[dict[str, float | None], dict[str, object]]:
    """Return the figures of a score by name, and their intervals."""
    each = {name: getattr(found, name) for name in ("mae", "rmse", "r2", "psnr")}
    return {k: v.value for k, v in each.items()}, {k: v.ends for k, v in each.items()}


def in_words(found: ValueIntervals, target: Target) -> str:
    """Return "RMSE 0.61 m, 0.52 to 0.69 over 14 blocks; MAE 0.4 m; R2 0.9"."""
    if found.rmse.value is None:
        return "unknown"
    unit = f" {target.unit}" if target.unit else ""
    ends = found.rmse.ends
    spread = "" if ends is None else f", {ends[0]:.4g} to {ends[1]:.4g}"
    many = f" over {found.units} {found.kind}{'' if found.units == 1 else 's'}"
    text = f"RMSE {found.rmse.value:.4g}{unit}{spread}{many}; MAE {found.mae.value or 0:.4g}{unit}"
    return text if found.r2.value is None else f"{text}; R2 {found.r2.value:.3f}"

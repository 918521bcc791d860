"""A whole training: labels in, model file out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui import __version__
from geocnn_gui.data.statistics import BandStatistics, estimate_statistics, require_live
from geocnn_gui.errors import BadRequest, NotEnoughLabels
from geocnn_gui.events import EpochDone, Event, Note, Progress, Saved
from geocnn_gui.inference.device import Device, probe_fast_cpu
from geocnn_gui.labels.classes import Classes
from geocnn_gui.models.ground import Ground, GroundCard
from geocnn_gui.models.networks import build
from geocnn_gui.models.scaling import Scaling, default_mode
from geocnn_gui.models.spec import ModelSpec
from geocnn_gui.models.weights import CardSpacing, ModelCard, TrainingSummary, save_model
from geocnn_gui.scoring.split import LabelledPlane, choose_blocks
from geocnn_gui.training.checkpoint import (
    Checkpoint,
    CheckpointCard,
    DeviceMark,
    Keeper,
    mark,
    read_checkpoint,
    require_same_data,
)
from geocnn_gui.training.loop import Fit, Fitting, Task, fit
from geocnn_gui.training.sampling import LabelledPicture, keep_small
from geocnn_gui.training.sections import Pair, labelled_sections
from geocnn_gui.training.seen import Seen
from geocnn_gui.training.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.training.checkpoint import Stage

#: Labels this close to a held-out block are not trained on.
_BUFFER = 8


@dataclass(frozen=True)
class Order:
    """A training as it was asked for: what to learn from, how, where the model goes.

    `checkpoint` is where its state is kept until it has finished (None: nowhere), `start` what
    was kept of it before.
    """

    pairs: Sequence[Pair]
    model_spec: ModelSpec
    training: TrainingSpec
    classes: Classes
    out: Path
    device: Device
    checkpoint: Path | None = None
    start: Checkpoint | None = None


def train(order: Order) -> Iterator[Event]:
    """Train a network on the labels of `order.pairs` and save it to `order.out`.

    First a part of the labels is held out: that run gives the score and the number of steps.
    Then a fresh network is fitted to all labels for as many steps and saved, unless the spec
    keeps the scored one. Closing the generator stops within one batch, saves the best weights so
    far and keeps the checkpoint of the last epoch.

    Raises
    ------
    NotEnoughLabels
        With fewer than two classes labelled on live samples.
    NoLiveData, CannotWrite, BadRequest, UnreadableFile
        When a source is all masked or gone, `out` cannot be written, sources do not go together
        or are not those that `start` began with, or `start` is damaged.
    """
    run = _Run(order)
    try:
        yield from run.steps()
    finally:
        run.save_best()
    if run.saved:
        yield Saved(order.out, "model")


def resume(
    checkpoint: Path, pairs: Sequence[Pair], *, out: Path, device: Device
) -> Iterator[Event]:
    """Go on with the training that `checkpoint` keeps, to the same end; raises as `train`."""
    start = read_checkpoint(checkpoint)
    card = start.card
    order = Order(pairs, card.model, card.training, card.classes, out, device, checkpoint, start)
    yield from train(order)


class _Run:
    """State of one training from its labels to its file."""

    def __init__(self, order: Order) -> None:
        self._order, self._start = order, order.start
        self._pairs, self._training = order.pairs, order.training
        self._classes, self._device = order.classes, order.device
        self._held, self._refit = Fit(), Fit()
        self._began = time.monotonic()
        self._share = 0.0
        self._pictures: list[LabelledPicture] = []
        self._keeper = Keeper(order.checkpoint)
        self._log: list[EpochDone] = []
        self.saved = False

    def steps(self) -> Iterator[Event]:
        _check(self._pairs)
        self._marks = tuple(mark(pair) for pair in self._pairs)
        if self._start is None:
            self._scaling = _scaling(self._pairs, self._training)
        else:
            self._take_up(self._start)
            yield Note(f"Training goes on after {self._start.card.reached}.")
        self._classes = _labelled_classes(self._pairs, self._classes)
        yield from self._open_pictures()
        task = self._task()
        yield Note(f"Training on {task.device.description}.")
        epochs, scored = self._training.epochs, self._hold_out()
        refit = self._training.refit or not scored
        if scored:
            yield Note(f"{self._share:.0%} of the labels are held out, in blocks, for the score.")
            if not self._held.finished:
                yield from self._fit(task, "holdout", epochs, self._held, alone=not refit)
            yield from self._tell_score(refit=refit)
            epochs = self._held.best_epoch
            for picture in self._pictures:
                picture.split = None
        else:
            yield Note("Labels lie too close together to hold any out: no score.", warning=True)
        if refit:
            yield from self._fit(task, "refit", epochs, self._refit, alone=not scored)

    def _fit(
        self, task: Task, stage: Stage, epochs: int, result: Fit, *, alone: bool
    ) -> Iterator[Event]:
        start = self._start
        here = start if start is not None and start.card.stage == stage else None
        yield from fit(task, stage=stage, epochs=epochs, result=result, alone=alone, start=here)

    def _take_up(self, start: Checkpoint) -> None:
        """Go back to what a checkpoint says."""
        card = start.card
        require_same_data(card, self._marks)
        self._scaling, self._log = card.scaling, list(card.log)
        self._began -= card.seconds
        self._held = Fit.of(card.held, start.part("held"))
        refitted = start.part("averaged.module") if card.stage == "refit" else {}
        self._refit = Fit.of(card.refit, refitted)

    def _keep(self, fitting: Fitting, done: EpochDone) -> Note | None:
        """Keep the state after an epoch."""
        self._log.append(done)
        device = fitting.device
        card = CheckpointCard(
            model=self._order.model_spec, training=self._training, classes=self._order.classes,
            sources=self._marks, scaling=self._scaling,
            device=DeviceMark(
                kind=device.kind, channels_last=device.channels_last, bf16=device.bf16
            ),
            seconds=self._seconds(), stage="refit" if done.stage == "refit" else "holdout", epoch=done.epoch, epochs=done.epochs,
            held=self._held.card, refit=self._refit.card, fitting=fitting.card,
            log=tuple(self._log),
        )  # fmt: skip
        best = {f"held.{name}": value for name, value in self._held.best_state.items()}
        return self._keeper.keep(card, {**fitting.tensors(), **best})

    def _tell_score(self, *, refit: bool) -> Iterator[Event]:
        held = self._held
        after = "now a fresh network is fitted to all labels for as long." if refit else (
            "this network is kept.")  # fmt: skip
        yield Note(f"Held-out mean IoU {held.best_iou:.2f} after {held.best_epoch} epochs; {after}")
        if unscored := self._unscored():
            yield Note(
                f"{unscored}: labelled in too few places to hold any out; the score does not "
                "cover it.", warning=True,
            )  # fmt: skip

    def _task(self) -> Task:
        source = self._pairs[0].source
        bands, classes = len(source.bands), len(self._classes)
        return Task(
            pictures=self._pictures, model_spec=self._order.model_spec, training=self._training,
            domain=source.domain, bands=bands, classes=classes, buffer=_BUFFER,
            device=self._fast_device(bands, classes), keep=self._keep,
        )  # fmt: skip

    def _fast_device(self, bands: int, classes: int) -> Device:
        """Return the device with the fast paths that pay, or those that it began with."""
        if self._start is not None and self._start.card.device.kind == self._device.kind:
            then = self._start.card.device
            return replace(self._device, channels_last=then.channels_last, bf16=then.bf16)
        probe = build(self._order.model_spec, bands, classes)
        shape = (min(self._training.batch, 4), bands, probe.patch, probe.patch)
        return probe_fast_cpu(probe, shape, device=self._device, backward=True)

    def _open_pictures(self) -> Iterator[Event]:
        """Set the labelled pictures, of which source each is, and which cells they see."""
        lookup = np.zeros(256, np.uint8)
        for class_number, label_class in enumerate(self._classes, 1):
            lookup[label_class.id] = class_number
        self._pictures, self._of_source = [], []
        self._seen = [Seen(pair.source.shape) for pair in self._pairs]
        for number, (pair, seen) in enumerate(zip(self._pairs, self._seen, strict=True)):
            statistics = self._scaling.for_source(pair.source)
            for section in pair.sections or labelled_sections(pair.source, pair.labels):
                picture = LabelledPicture(pair.source, section, pair.labels, statistics, lookup)
                for part, numbers in picture.find_cells():
                    seen.add(picture.plane, part, numbers > 0)
                    yield Progress(0, 0, f"Reading the labels of {pair.source.name}")
                self._pictures.append(picture)
                self._of_source.append(number)
                seen.planes.append(picture.plane)
        keep_small(self._pictures)
        self._check_classes()

    def _check_classes(self) -> None:
        found = np.zeros(len(self._classes), np.int64)
        for picture in self._pictures:
            found += np.bincount(picture.cells.classes, minlength=len(found))
        missing = [c.name for c, n in zip(self._classes, found, strict=True) if n == 0]
        if missing:
            raise NotEnoughLabels(
                f"{', '.join(missing)}: no label on live samples of the sections to train on",
                "paint some there or leave the class out",
            )

    def _hold_out(self) -> bool:
        planes = [
            LabelledPlane(number, p.plane, p.shape, p.cells)
            for number, p in zip(self._of_source, self._pictures, strict=True)
        ]
        splits = choose_blocks(
            planes, classes=len(self._classes), share=self._training.holdout, buffer=_BUFFER,
            seed=self._training.seed,
        )  # fmt: skip
        if splits is None:
            return False
        held = total = 0
        for number, picture, split in zip(self._of_source, self._pictures, splits, strict=True):
            picture.split, cells = split, picture.cells
            self._seen[number].splits.append(split)
            held += int(split.is_held(cells.rows, cells.columns).sum())
            total += len(cells.rows)
        self._share = held / total
        return True

    def _unscored(self) -> str:
        """Name the classes of which no label was scored."""
        confusion = self._held.best_confusion
        if confusion is None:
            return ""
        truth = confusion.sum(1)
        return ", ".join(c.name for c, n in zip(self._classes, truth, strict=True) if n == 0)

    def save_best(self) -> None:
        """Save the finished network, or the best so far of a training that was stopped."""
        self._keeper.flush()
        finished = self._finished
        best = self._refit if self._refit.finished or not self._held.best_state else self._held
        if not best.best_state or self.saved:
            return
        source = self._pairs[0].source
        net = build(self._order.model_spec, len(source.bands), len(self._classes))
        net.load_state_dict(best.best_state)
        save_model(self._order.out, net, self._card(best, finished=finished), self._grounds(best))
        self.saved = True
        if finished:
            self._keeper.remove()

    @property
    def _finished(self) -> bool:
        return self._refit.finished or (self._held.finished and not self._training.refit)

    def _grounds(self, best: Fit) -> tuple[Ground, ...]:
        """Return which cells of every source were trained on and which held out."""
        buffer = 0 if best is self._refit else _BUFFER
        return tuple(
            Ground(
                GroundCard(name=m.name, identity=m.identity, shape=m.shape, labels_digest=m.labels_digest),
                seen.ground(buffer=buffer),
            )
            for m, seen in zip(self._marks, self._seen, strict=True)
        )  # fmt: skip

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 1)

    def _card(self, best: Fit, *, finished: bool) -> ModelCard:
        source = self._pairs[0].source
        axes = [p.section.axis for p in self._pictures if p.section.axis is not None]
        return ModelCard(
            spec=self._order.model_spec, classes=self._classes,
            bands=tuple(band.name for band in source.bands), domain=source.domain,
            scaling=self._scaling,
            spacing=CardSpacing(
                sample_interval=source.spacing.sample_interval,
                sample_unit=source.spacing.sample_unit,
                trace_spacing=source.spacing.trace_spacing, pixel_size=source.spacing.pixel_size,
            ),
            section_axes=tuple(sorted(set(axes), key=lambda a: -axes.count(a))),
            training=self._summary(best, finished=finished),
        )  # fmt: skip

    def _summary(self, best: Fit, *, finished: bool) -> TrainingSummary:
        held = self._held
        return TrainingSummary(
            data=tuple(pair.source.name for pair in self._pairs),
            labels_digest=tuple(mark.labels_digest for mark in self._marks),
            labelled_cells=_count_labels(self._pairs), seed=self._training.seed,
            steps=best.best_epoch * self._training.steps_per_epoch,
            seconds=self._seconds(), device=self._device.description,
            stopped_early=not finished, refit=self._refit.finished,
            holdout_iou=held.best_iou, holdout_share=self._share,
            holdout_class_iou=_class_iou(held.best_confusion, self._classes),
            software=f"GeoCNN {__version__}",
        )  # fmt: skip


def _check(pairs: Sequence[Pair]) -> None:
    if not pairs:
        raise BadRequest("There is nothing to train on", "open a file and paint some labels")
    first = pairs[0].source
    for pair in pairs:
        require_live(pair.source)
        if len(pair.source.bands) != len(first.bands) or pair.source.domain != first.domain:
            raise BadRequest(
                f"{pair.source.name} and {first.name} differ in kind or bands",
                "train on sources of one kind with the same bands",
            )


def _count_labels(pairs: Sequence[Pair]) -> dict[int, int]:
    total: dict[int, int] = {}
    for pair in pairs:
        for number, count in pair.labels.counts.items():
            total[number] = total.get(number, 0) + count
    return total


def _labelled_classes(pairs: Sequence[Pair], classes: Classes) -> Classes:
    """Return the classes that carry labels, in id order."""
    counts = _count_labels(pairs)
    found = tuple(sorted((c for c in classes if counts.get(c.id)), key=lambda c: c.id))
    if len(found) < 2:
        names = ", ".join(pair.source.name for pair in pairs)
        has = f"only the class {found[0].name}" if found else "no class"
        raise NotEnoughLabels(
            f"The labels of {names} hold {has}", "label at least two classes, then train"
        )
    return found


def _scaling(pairs: Sequence[Pair], training: TrainingSpec) -> Scaling:
    per_source = [estimate_statistics(pair.source) for pair in pairs]
    mode = training.scaling
    if mode == "auto":
        mode = default_mode(pairs[0].source.domain)
    statistics = tuple(_pool(bands) for bands in zip(*per_source, strict=True))
    return Scaling(mode=mode, statistics=statistics)


def _pool(bands: tuple[BandStatistics, ...]) -> BandStatistics:
    """Average one band's statistics over sources of equal weight."""
    return BandStatistics(
        median=float(np.mean([b.median for b in bands])),
        scale=float(np.mean([b.scale for b in bands])),
        low=min(b.low for b in bands), high=max(b.high for b in bands),
        minimum=min(b.minimum for b in bands), maximum=max(b.maximum for b in bands),
        exact=all(b.exact for b in bands),
    )  # fmt: skip


def _class_iou(confusion: np.ndarray | None, classes: Classes) -> dict[int, float]:
    if confusion is None:
        return {}
    union = confusion.sum(0) + confusion.sum(1) - np.diag(confusion)
    return {c.id: float(confusion[i, i] / union[i]) for i, c in enumerate(classes) if union[i] > 0}

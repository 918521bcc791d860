"""A whole training: labels in, model file out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geocnn_gui import __version__
from geocnn_gui.events import EpochDone, Event, Note, Progress, Saved
from geocnn_gui.inference.device import Device, training_device
from geocnn_gui.labels.classes import Classes
from geocnn_gui.models.ground import Ground, GroundCard
from geocnn_gui.models.layers.heads import head_of
from geocnn_gui.models.networks import build
from geocnn_gui.models.spec import ModelSpec
from geocnn_gui.models.volumes import sees_volumes
from geocnn_gui.models.weights import CardSpacing, ModelCard, TrainingSummary, save_model
from geocnn_gui.scoring.intervals import score_intervals
from geocnn_gui.scoring.values import value_intervals
from geocnn_gui.training.beginning import Beginning, beginning_of
from geocnn_gui.training.checkpoint import (
    Checkpoint,
    CheckpointCard,
    DeviceMark,
    Keeper,
    mark,
    read_checkpoint,
    require_same_data,
)
from geocnn_gui.training.folds import Fold, Folds, in_words, test_splits
from geocnn_gui.training.holdout import score_holdout
from geocnn_gui.training.inputs import check_pairs, scaling_of
from geocnn_gui.training.loop import Fit, Fitting, Leg, Task, fit
from geocnn_gui.training.outputs import check_outputs, learns_values, spec_to_learn
from geocnn_gui.training.pictures import count_labels, open_pictures
from geocnn_gui.training.room import Room
from geocnn_gui.training.samples import sample_notes
from geocnn_gui.training.sampling import keep_small, patches_at_once
from geocnn_gui.training.sections import Pair
from geocnn_gui.training.spec import TrainingSpec
from geocnn_gui.training.telling import drawn, tell_balance, tell_never_predicted, tell_start
from geocnn_gui.training.thin_classes import (
    ThinClass,
    find_thin,
    pool_thin,
    score_thin,
    tell_thin,
)
from geocnn_gui.training.values import facts_of, open_target_pictures, score_values
from geocnn_gui.training.values import in_words as value_words
from geocnn_gui.training.volumes import require_every_place, require_volumes

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.models.target import Target
    from geocnn_gui.scoring.intervals import ScoreIntervals
    from geocnn_gui.scoring.thin import ThinCount
    from geocnn_gui.scoring.values import ValueIntervals
    from geocnn_gui.training.checkpoint import Stage


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

    First a part of the labels is held out: that run gives the score and the number of steps;
    with several folds there is a run for each, one after another. Then a fresh network is fitted to all labels for as many steps and saved, unless the spec
    keeps the scored one; what is saved is scored on the test set, if there is one. Closing the generator stops within one batch, saves the best weights so
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


def prepare(order: Order) -> Generator[Event, None, Task]:
    """Open what `order` names as `train` does; return all that a fit needs. Nothing is kept."""
    run = _Run(order)
    task = yield from run.begin()
    yield Progress(0, 0, "Choosing what is held out")
    run.without_test()
    return replace(task, keep=lambda *_: None)


class _Run:
    """State of one training from its labels to its file."""

    def __init__(self, order: Order) -> None:
        self._order, self._start = order, order.start
        self._pairs, self._training = order.pairs, order.training
        self._classes, self._device = order.classes, order.device
        self._spec = spec_to_learn(order.model_spec, order.pairs)
        self._refit = Fit()
        self._folds: Folds | None = None
        self._test: ScoreIntervals | None = None
        self._test_values: ValueIntervals | None = None
        self._target: Target | None = None
        self._thin: list[ThinClass] = []
        self._narrow: list[int] | None = None
        self._began = time.monotonic()
        self._keeper = Keeper(order.checkpoint)
        self._log: list[EpochDone] = []
        self._beginning, self.saved = Beginning(), False

    def steps(self) -> Iterator[Event]:
        task = yield from self.begin()
        self._folds = yield from self._hold_out()
        refit = self._training.refit or len(self._folds.counted) != 1
        yield from self._run_folds(task, self._folds, legs=len(self._folds.all) + refit)
        yield from self._tell_classes(self._folds)
        if refit:
            yield from self._fit_all(task, self._folds)
        if self._folds.plan.tests:
            yield from self._score_test()

    def begin(self) -> Generator[Event, None, Task]:
        """Open the labelled pictures and make room; return what all fits share."""
        check_pairs(self._pairs)
        require_volumes(self._pairs, self._spec)
        yield from check_outputs(self._pairs, self._order.model_spec, self._training)
        self._marks = tuple(mark(pair) for pair in self._pairs)
        if self._start is None:
            self._scaling = scaling_of(self._pairs, self._training)
        else:
            self._take_up(self._start)
            yield Note(f"Training goes on after {self._start.card.reached}.")
        view = self._scaling.view
        self._pairs = [replace(pair, source=view(pair.source)) for pair in self._pairs]
        if learns_values(self._pairs):
            self._pictures = yield from open_target_pictures(
                self._pairs, self._scaling.for_source, head=head_of(self._spec)
            )
            self._target = self._pictures.learned
        else:
            self._pictures = yield from open_pictures(
                self._pairs, self._classes, self._scaling.for_source,
                volumes=sees_volumes(self._spec),
            )  # fmt: skip
        keep_small(self._pictures.all)
        self._classes = self._pictures.classes
        task = self._task()
        if self._training.start and self._start is None:
            yield from tell_start(
                self._training, self._probe, scaling=self._scaling, pairs=self._pairs
            )
            self._beginning = beginning_of(self._training)
        yield Note(f"Training on {self._room.device.description}.")
        for text in sample_notes(self._pictures.all, self._probe.form):
            yield Note(text)
        yield self._room.plan(self._probe, len(self._pairs[0].source.bands))
        return task

    def without_test(self) -> None:
        """Leave out of the pictures what a training never sees."""
        folds = Folds(self._pictures, self._training.split, self._probe.halo)
        self._pictures.split_by(folds.plan.refit())

    def _hold_out(self) -> Generator[Event, None, Folds]:
        """Plan what is held out, say it, and take up what was reached before."""
        yield Progress(0, 0, "Choosing what is held out")
        folds = Folds(self._pictures, self._training.split, self._probe.halo)
        for plan in (folds.leaky_plan, folds.plan):
            for text in plan.words if plan else ():
                yield Note(text)
            for text in plan.warnings if plan else ():
                yield Note(text, warning=True)
        if not folds.counted:
            yield Note("Labels lie too close together to hold any out: no score.", warning=True)
        if self._start is not None:
            for fold, card in zip(folds.all, self._start.card.held, strict=False):
                newest = card is self._start.card.held[-1]
                fold.fit = Fit.of(card, self._start.part("held") if newest else {})
        return folds

    def _run_folds(self, task: Task, folds: Folds, *, legs: int) -> Iterator[Event]:
        for fold in folds.all:
            if not fold.fit.finished:
                self._pictures.split_by(fold.splits())
                leg = folds.leg(fold, self._training.epochs, legs)
                yield from fit(task, leg, result=fold.fit, start=self._start_of(fold))
            yield from self._score_thin(fold)
        yield from self._tell_score(folds, refit=legs > len(folds.all))

    def _score_thin(self, fold: Fold) -> Iterator[Event]:
        """Count at every threshold how the thin classes came off in a held-out run."""
        if self._target is not None or fold.leaky or fold.fit.thin is not None:
            return
        if not fold.fit.best_state:
            return
        if self._narrow is None:
            self._narrow = yield from find_thin(self._pictures.all)
        found: tuple[ThinCount, ...] = ()
        if self._narrow:
            net = self._network(fold.fit)
            self._room.device.place(net)
            self._pictures.split_by(fold.splits())
            scoring = score_thin(net.eval(), self._pictures.all, self._room, self._narrow)
            found = yield from scoring
        fold.fit.thin = found

    def _tell_classes(self, folds: Folds) -> Iterator[Event]:
        """Say how classes came off in the held-out runs, thin ones at their best threshold."""
        if self._target is not None:
            return
        counts = [f.fit.best_confusion for f in folds.counted if f.fit.best_confusion is not None]
        if counts and (note := tell_never_predicted(self._classes, np.sum(counts, axis=0))):
            yield note
        self._thin = pool_thin([fold.fit.thin or () for fold in folds.counted])
        yield from tell_thin(self._classes, self._thin)

    def _fit_all(self, task: Task, folds: Folds) -> Iterator[Event]:
        """Fit a fresh network to all labels but those of the test set."""
        self._pictures.split_by(folds.plan.refit())
        legs, epochs = len(folds.all), self._training.epochs
        leg = Leg("refit", folds.epochs if folds.counted else epochs, legs, legs + 1)
        start = self._start
        here = start if start is not None and start.card.stage == "refit" else None
        yield from fit(task, leg, result=self._refit, start=here)

    def _start_of(self, fold: Fold) -> Checkpoint | None:
        """Return the checkpoint where it was made during this very run."""
        start, folds = self._start, self._folds
        if start is None or folds is None or start.card.stage != "holdout":
            return None
        return start if folds.all.index(fold) == len(start.card.held) - 1 else None

    def _score_test(self) -> Iterator[Event]:
        """Score the network that will be saved on the test set, once."""
        assert self._folds is not None
        net, plan = self._network(self._best), self._folds.plan
        self._room.device.place(net)
        net.eval()
        self._pictures.split_by(test_splits(plan))
        ids = [unit.id for unit in plan.units]
        if self._target is not None:
            yield from self._score_test_values(net, self._target, ids)
            return
        scoring = score_holdout(net, self._pictures.all, self._room, len(self._classes))
        score = yield from drawn(scoring, "Scoring the test set")
        self._test = score_intervals(score.units.scores(plan.unit, ids))
        yield Note(f"Test set, never trained on: mean IoU {in_words(self._test)}.")

    def _score_test_values(
        self, net: SegmentationNet, target: Target, ids: Sequence[str]
    ) -> Iterator[Event]:
        assert self._folds is not None
        scoring = score_values(net, self._pictures.all, self._room)
        score = yield from drawn(scoring, "Scoring the test set")
        scores = score.units.scores(self._folds.plan.unit, ids)
        self._test_values = value_intervals(scores, scale=target.scale)
        yield Note(f"Test set, never trained on: {value_words(self._test_values, target)}.")

    def _take_up(self, start: Checkpoint) -> None:
        """Go back to what a checkpoint says."""
        card = start.card
        require_same_data(card, self._marks)
        self._scaling, self._log, self._beginning = card.scaling, list(card.log), card.beginning
        self._began -= card.seconds
        refitted = start.part("averaged.module") if card.stage == "refit" else {}
        self._refit = Fit.of(card.refit, refitted)

    def _keep(self, fitting: Fitting, done: EpochDone) -> Note | None:
        """Keep the state after an epoch."""
        self._log.append(done)
        device, folds = fitting.device, self._folds
        assert folds is not None
        stage: Stage = "refit" if done.stage == "refit" else "holdout"
        begun = [fold for fold in folds.all if fold.fit.steps]
        card = CheckpointCard(
            model=self._order.model_spec, training=self._training, classes=self._order.classes,
            sources=self._marks, scaling=self._scaling,
            device=DeviceMark(
                kind=device.kind, channels_last=device.channels_last, bf16=device.bf16,
                patches=self._room.patches,
            ),
            seconds=self._seconds(), stage=stage, epoch=done.epoch, epochs=done.epochs,
            held=tuple(fold.fit.card for fold in begun), folds=len(folds.all),
            refit=self._refit.card, fitting=fitting.card,
            log=tuple(self._log), beginning=self._beginning,
        )  # fmt: skip
        state = begun[-1].fit.best_state if begun else {}
        best = {f"held.{name}": value for name, value in state.items()}
        return self._keeper.keep(card, {**fitting.tensors(), **best}) or self._balance(fitting)

    def _balance(self, fitting: Fitting) -> Note | None:
        """Say after the first epoch of all what balancing the classes came to."""
        if not self._training.balance or len(self._log) > 1 or self._target is not None:
            return None
        weights = [each.numpy() for each in fitting.weights]
        sampler = fitting.sampler
        return tell_balance(self._classes, sampler.counts, sampler.shares, weights)

    def _tell_score(self, folds: Folds, *, refit: bool) -> Iterator[Event]:
        after = "now a fresh network is fitted to all labels for as long." if refit else (
            "this network is kept.")  # fmt: skip
        if self._target is not None:
            if (values := folds.values) is not None:
                found = value_intervals(values, scale=self._target.scale)
                said = value_words(found, self._target)
                yield Note(f"Held out: {said}, after {folds.epochs} epochs; {after}")
            return
        scores = folds.scores
        if folds.leaky_iou is not None:
            yield Note(
                f"On single pixels mean IoU {folds.leaky_iou:.2f}: leaky, for comparison only.",
                warning=True,
            )
        if scores is None:
            return
        yield Note(
            f"Held-out mean IoU {in_words(score_intervals(scores))}, "
            f"after {folds.epochs} epochs; {after}"
        )

    def _task(self) -> Task:
        source = self._pairs[0].source
        bands, classes = len(source.bands), len(self._classes)
        self._room = self._make_room(bands, classes)
        return Task(
            pictures=self._pictures.all, model_spec=self._spec, training=self._training,
            domain=source.domain, bands=bands, classes=classes,
            room=self._room, keep=self._keep, target=self._target,
        )  # fmt: skip

    def _make_room(self, bands: int, classes: int) -> Room:
        """Return the device with its fast paths, or those that the training began with."""
        self._probe = build(self._spec, bands, classes)
        require_every_place(self._probe)
        batch, exact = self._training.batch, self._training.precision == "float32"
        if not batch:
            batch = patches_at_once(self._pictures.all, self._probe.form)
        if self._start is not None and self._start.card.device.kind == self._device.kind:
            then = self._start.card.device
            device = replace(self._device, channels_last=then.channels_last, bf16=then.bf16)
            return Room(device, batch, patches=then.patches, exact=exact)
        device = training_device(self._device)
        if self._target is not None:  # three digits of bfloat16 would do for classes only
            device = replace(device, bf16=False)
        if self._training.precision != "auto":
            device = replace(device, bf16=not exact)
        return Room(device, batch, exact=exact)

    def save_best(self) -> None:
        """Save the finished network, or the best so far of a training that was stopped."""
        self._keeper.flush()
        best = self._best
        if not best.best_state or self.saved:
            return
        finished, net = self._finished, self._network(best)
        save_model(self._order.out, net, self._card(best, finished=finished), self._grounds(best))
        self.saved = True
        if finished:
            self._keeper.remove()

    def _network(self, fitted: Fit) -> SegmentationNet:
        net = build(self._spec, len(self._pairs[0].source.bands), len(self._classes))
        net.load_state_dict(fitted.best_state)
        return net

    @property
    def _best(self) -> Fit:
        """Return the fit to all labels once it has ended, else the newest held-out run."""
        newest = self._folds.newest if self._folds is not None else None
        return self._refit if self._refit.finished or newest is None else newest.fit

    @property
    def _finished(self) -> bool:
        folds = self._folds
        if folds is None or not folds.finished:
            return False
        tested = bool(self._test or self._test_values) or not folds.plan.tests
        alone = len(folds.counted) == 1 and not self._training.refit
        return tested and (self._refit.finished or alone)

    def _grounds(self, best: Fit) -> tuple[Ground, ...]:
        """Return which cells of every source were trained on and which held out."""
        folds = self._folds
        assert folds is not None
        if best is self._refit:
            fitted, held = folds.plan.refit(), [fold.splits() for fold in folds.counted]
        else:
            assert folds.newest is not None
            fitted = folds.newest.splits()
            held = [fitted]
        own = self._pictures.own
        return tuple(
            Ground(
                GroundCard(name=m.name, identity=m.identity, shape=m.shape, labels_digest=m.labels_digest),
                seen.ground(own(n, fitted), [own(n, each) for each in held]),
            )
            for n, (m, seen) in enumerate(zip(self._marks, self._pictures.seen, strict=True))
        )  # fmt: skip

    def _cells(self) -> dict[int, int]:
        """Count the labelled cells of each class, or those with a value to learn."""
        if self._target is None:
            return count_labels(self._pairs)
        own = {
            number: p.labels
            for number, p in zip(self._pictures.of_source, self._pictures.all, strict=True)
        }
        return {1: sum(labels.counts.get(1, 0) for labels in own.values())}

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 1)

    def _card(self, best: Fit, *, finished: bool) -> ModelCard:
        source = self._pairs[0].source
        axes = [p.section.axis for p in self._pictures.all if p.section.axis is not None]
        return ModelCard(
            spec=self._spec, target=self._target,
            classes=() if self._target is not None else self._classes,
            bands=tuple(band.name for band in source.bands), domain=source.domain,
            scaling=self._scaling,
            spacing=CardSpacing(
                sample_interval=source.spacing.sample_interval,
                sample_unit=source.spacing.sample_unit,
                trace_spacing=source.spacing.trace_spacing, pixel_size=source.spacing.pixel_size,
            ),
            section_axes=tuple(sorted(set(axes), key=lambda a: -axes.count(a))),
            training=self._summary(best, finished=finished),
            thin=tuple(self._classes[t.number].id for t in self._thin),
            thresholds={self._classes[t.number].id: t.best.threshold for t in self._thin if t.best},
        )  # fmt: skip

    def _summary(self, best: Fit, *, finished: bool) -> TrainingSummary:
        folds, test = self._folds, self._test
        assert folds is not None
        tested: dict[str, Any] = {} if test is None else {
            "test_iou": test.mean_iou.value, "test_interval": test.mean_iou.ends,
            "test_units": test.units,
        }  # fmt: skip
        if (values := self._test_values) is not None:
            tested = dict(
                zip(("test_values", "test_values_interval"), facts_of(values), strict=True)
            )
            tested["test_units"] = values.units
        scored: dict[str, Any] = (
            folds.facts([c.id for c in self._classes])
            if self._target is None else folds.value_facts(self._target.scale)
        )  # fmt: skip
        return TrainingSummary(
            data=tuple(pair.source.name for pair in self._pairs),
            labels_digest=tuple(mark.labels_digest for mark in self._marks),
            labelled_cells=self._cells(), seed=self._training.seed,
            steps=best.best_epoch * self._training.steps,
            seconds=self._seconds(), device=self._device.description,
            stopped_early=not finished, refit=self._refit.finished,
            holdout_f1_tolerant={
                self._classes[t.number].id: t.best.f1 if t.best else 0.0 for t in self._thin
            },
            software=f"GeoCNN {__version__}", **self._beginning.facts(self._training), **scored,
            **tested,
        )  # fmt: skip

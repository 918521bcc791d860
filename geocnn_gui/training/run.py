"""A whole training: labels in, model file out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui import __version__
from geocnn_gui.data.statistics import BandStatistics, estimate_statistics, require_live
from geocnn_gui.errors import BadRequest, NotEnoughLabels
from geocnn_gui.events import Event, Note, Progress, Saved
from geocnn_gui.inference.device import probe_fast_cpu
from geocnn_gui.models.networks import build
from geocnn_gui.models.scaling import Scaling, default_mode
from geocnn_gui.models.weights import CardSpacing, ModelCard, TrainingSummary, save_model
from geocnn_gui.scoring.split import LabelledPlane, choose_blocks
from geocnn_gui.training.loop import Fit, Task, fit
from geocnn_gui.training.sampling import LabelledPicture, keep_small
from geocnn_gui.training.sections import Pair, labelled_sections

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from geocnn_gui.inference.device import Device
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.training.spec import TrainingSpec

#: Labels this close to a held-out block are not trained on.
_BUFFER = 8


def train(
    pairs: Sequence[Pair],
    model_spec: ModelSpec,
    training: TrainingSpec,
    classes: Classes,
    *,
    out: Path,
    device: Device,
) -> Iterator[Event]:
    """Train a network on the labels of `pairs` and save it to `out`.

    First a part of the labels is held out: that run gives the score and the number of steps.
    Then a fresh network is fitted to all labels for as many steps and saved. Closing the
    generator stops within one batch and saves the best weights so far.

    Raises
    ------
    NotEnoughLabels
        With fewer than two classes labelled on live samples.
    NoLiveData, CannotWrite, BadRequest
        When a source is all masked, `out` cannot be written, or sources do not go together.
    """
    run = _Run(pairs, model_spec, training, classes, out, device)
    try:
        yield from run.steps()
    finally:
        run.save_best()
    if run.saved:
        yield Saved(out, "model")


class _Run:
    """State of one training from its labels to its file."""

    def __init__(
        self, pairs: Sequence[Pair], model_spec: ModelSpec, training: TrainingSpec,
        classes: Classes, out: Path, device: Device,
    ) -> None:  # fmt: skip
        self._pairs, self._spec, self._training = pairs, model_spec, training
        self._classes, self._out, self._device = classes, out, device
        self._held, self._refit = Fit(), Fit()
        self._started = time.monotonic()
        self._share = 0.0
        self._pictures: list[LabelledPicture] = []
        self.saved = False

    def steps(self) -> Iterator[Event]:
        _check(self._pairs)
        self._scaling = _scaling(self._pairs, self._training)
        self._classes = _labelled_classes(self._pairs, self._classes)
        yield from self._open_pictures()
        task = self._task()
        yield Note(f"Training on {task.device.description}.")
        epochs = self._training.epochs
        scored = self._hold_out()
        if scored:
            yield Note(f"{self._share:.0%} of the labels are held out, in blocks, for the score.")
            yield from fit(task, stage="holdout", epochs=epochs, result=self._held)
            epochs = self._held.best_epoch
            yield Note(
                f"Held-out mean IoU {self._held.best_iou:.2f} after {epochs} epochs; "
                "now a fresh network is fitted to all labels for as long."
            )
            if unscored := self._unscored():
                yield Note(
                    f"{unscored}: labelled in too few places to hold any out; the score does not "
                    "cover it.", warning=True,
                )  # fmt: skip
            for picture in self._pictures:
                picture.split = None
        else:
            yield Note("Labels lie too close together to hold any out: no score.", warning=True)
        yield from fit(task, stage="refit", epochs=epochs, result=self._refit, alone=not scored)

    def _task(self) -> Task:
        source = self._pairs[0].source
        bands, classes = len(source.bands), len(self._classes)
        probe = build(self._spec, bands, classes)
        shape = (min(self._training.batch, 4), bands, probe.patch, probe.patch)
        return Task(
            pictures=self._pictures, model_spec=self._spec, training=self._training,
            domain=source.domain, bands=bands,
            classes=classes, buffer=_BUFFER,
            device=probe_fast_cpu(probe, shape, device=self._device, backward=True),
        )  # fmt: skip

    def _open_pictures(self) -> Iterator[Event]:
        """Set the labelled pictures and of which source each is."""
        lookup = np.zeros(256, np.uint8)
        for number, label_class in enumerate(self._classes, 1):
            lookup[label_class.id] = number
        self._pictures, self._of_source = [], []
        for source_number, pair in enumerate(self._pairs):
            statistics = self._scaling.for_source(pair.source)
            for section in pair.sections or labelled_sections(pair.source, pair.labels):
                picture = LabelledPicture(pair.source, section, pair.labels, statistics, lookup)
                for _ in picture.find_cells():
                    yield Progress(0, 0, f"Reading the labels of {pair.source.name}")
                self._pictures.append(picture)
                self._of_source.append(source_number)
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
        for picture, split in zip(self._pictures, splits, strict=True):
            picture.split, cells = split, picture.cells
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
        """Save the refitted network, or the best so far of a training that was stopped."""
        finished = self._refit.finished
        best = self._refit if finished or not self._held.best_state else self._held
        if not best.best_state or self.saved:
            return
        source = self._pairs[0].source
        net = build(self._spec, len(source.bands), len(self._classes))
        net.load_state_dict(best.best_state)
        save_model(self._out, net, self._card(best, finished=finished))
        self.saved = True

    def _card(self, best: Fit, *, finished: bool) -> ModelCard:
        source = self._pairs[0].source
        axes = [p.section.axis for p in self._pictures if p.section.axis is not None]
        return ModelCard(
            spec=self._spec, classes=self._classes,
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
            labels_digest=tuple(pair.labels.digest for pair in self._pairs),
            labelled_cells=_count_labels(self._pairs), seed=self._training.seed,
            steps=best.best_epoch * self._training.steps_per_epoch,
            seconds=round(time.monotonic() - self._started, 1),
            device=self._device.description, stopped_early=not finished, refit=finished,
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

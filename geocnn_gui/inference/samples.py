"""Predict the class or value of every sample of a set, batch by batch, into a store on disk."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from geocnn_gui.data.source import Section, Window
from geocnn_gui.errors import UnreadableFile
from geocnn_gui.events import Event, Note, Progress, TileDone
from geocnn_gui.inference.folding import folded
from geocnn_gui.inference.journal import Record
from geocnn_gui.inference.memory import NotEnoughMemory, is_out_of_memory, let_go
from geocnn_gui.inference.naming import Naming, tell_naming
from geocnn_gui.inference.predict import settings_of
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.models.sample_form import form_note, log_shares, mean_output, sample_input

if TYPE_CHECKING:
    from collections.abc import Generator

    from geocnn_gui.data.source import Source
    from geocnn_gui.inference.device import Device
    from geocnn_gui.inference.store import PredictionStore
    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.models.weights import ModelCard

#: At most so many cells of samples, and so many samples, go through a network at once.
_CELLS, _MOST = 500_000, 64
_WHOLE = Section()


def predict_samples(
    net: SegmentationNet,
    card: ModelCard,
    source: Source,
    out: PredictionStore,
    *,
    device: Device,
    spec: PredictionSpec | None = None,
) -> Generator[Event]:
    """Predict every sample of `source` into `out`, those that are there already left alone.

    Damaged samples stay 0. Yields `TileDone` and `Progress` after every batch; closing the
    generator leaves what is done.

    Raises
    ------
    NotEnoughMemory, CannotWrite
        When a single sample does not fit, or the disk is full; what is done is kept.
    """
    spec, samples = spec or PredictionSpec(), source.samples
    assert samples is not None
    net = folded(net).eval()
    device.place(net)
    settings = settings_of(source, spec)
    record = out.record(settings)
    if record is None:
        rows, columns = net.form
        batch = max(1, min(_MOST, _CELLS // (rows * columns)))
        record = Record(settings, {"samples": batch})
    step = int(record.plan["samples"])
    batches = -(-len(samples) // step)
    record.ask([_WHOLE], batches, whole=True)
    if record.count == record.total:
        yield Note("All of it is predicted already, by this model and in this manner.")
    for text in (form_note(samples, net.form), (tell_naming(card, spec) or Note("")).text):
        if text:
            yield Note(text)
    journal = out.begin(settings, record, tiling="samples")
    predictor = _Predictor(net, card, source, device, spec)
    try:
        missing = [n for n in range(batches) if not record.is_done(_WHOLE, n)]
        start = time.monotonic()
        for done, number in enumerate(missing, 1):
            columns = slice(number * step, min((number + 1) * step, len(samples)))
            yield from predictor.write(columns, out)
            journal.add([(_WHOLE, number)])
            yield TileDone((0, columns.start), (1, columns.stop - columns.start))
            left = (time.monotonic() - start) / done * (len(missing) - done)
            at = batches - len(missing) + done
            yield Progress(
                at, batches, f"Predicting, sample {columns.stop} of {len(samples)}", left
            )
    finally:
        journal.sync()
        out.finish(complete=record.count == record.total)


class _Predictor:
    """A network at work on batches of samples, in smaller ones where memory does not suffice."""

    def __init__(
        self, net: SegmentationNet, card: ModelCard, source: Source, device: Device,
        spec: PredictionSpec,
    ) -> None:  # fmt: skip
        self._net, self._source, self._device = net, source, device
        self._statistics = card.scaling.for_source(source)
        self._target, self._naming = card.target, Naming.of(card, spec)
        self._outputs = len(card.named)
        self._flips, self._together = spec.flips, _MOST

    def write(self, columns: slice, out: PredictionStore) -> Generator[Note]:
        """Predict a run of samples and write it."""
        inputs = [self._read(index) for index in range(columns.start, columns.stop)]
        alive = [i for i, each in enumerate(inputs) if each is not None]
        shares = torch.zeros(self._outputs, 1, len(inputs))
        at = 0
        while at < len(alive):
            part = alive[at : at + self._together]
            values = np.stack([each for i in part if (each := inputs[i]) is not None])
            try:
                shares[:, 0, part] = self._shares(values)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                yield self._smaller(error)
                continue
            at += len(part)
        live = np.zeros((1, len(inputs)), bool)
        live[0, alive] = True
        window = Window((0, columns.start), (1, len(inputs)))
        if self._target is not None:
            values = shares[0].numpy() * np.float32(self._target.scale)
            values += np.float32(self._target.mean)
            out.write_values(window, np.where(live, values, np.float32(np.nan)))
            return
        named, confidence = self._naming.name(shares)
        each = shares.numpy() if out.has_probabilities else None
        out.write(window, np.where(live, named, 0), confidence, each)

    def _read(self, index: int) -> np.ndarray | None:
        assert self._source.samples is not None
        try:
            return sample_input(self._source.samples, index, self._net.form, self._statistics)
        except UnreadableFile:
            return None

    def _shares(self, values: np.ndarray) -> torch.Tensor:
        """Return probabilities (classes, n), or standardised values (1, n)."""
        inputs = torch.from_numpy(values).to(
            self._device.torch_name, memory_format=self._device.memory_format
        )
        run = partial(_probabilities if self._target is None else mean_output, self._net)
        with torch.inference_mode():
            shares = run(inputs)
            if self._flips:
                shares = (shares + run(inputs.flip(3))) / 2
        return shares.float().cpu().T

    def _smaller(self, error: Exception) -> Note:
        let_go()
        if self._together == 1:
            raise NotEnoughMemory(
                "The memory does not suffice for a single sample with this network",
                "close other programs, or use a narrower network; what is done is kept",
            ) from error
        self._together //= 2
        return Note(f"Out of memory: going on with {self._together} at once.", warning=True)


def _probabilities(net: SegmentationNet, inputs: torch.Tensor) -> torch.Tensor:
    return log_shares(net, inputs).exp()

"""Let a backbone learn data without labels: it fills in blocks that were hidden from it.

Masked autoencoding as He and others (2022), with the convolutions of a U-Net.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from geocnn_gui import __version__
from geocnn_gui.data.source import Source
from geocnn_gui.errors import BadRequest, ModelMismatch
from geocnn_gui.events import Event, Note, Progress, Saved
from geocnn_gui.inference.device import training_device
from geocnn_gui.inference.memory import is_out_of_memory, let_go
from geocnn_gui.live.patches import PATCH, Patches
from geocnn_gui.models.survey import (
    Backbone,
    BackboneCard,
    for_bands,
    load_backbone,
    new_backbone,
    save_backbone,
)
from geocnn_gui.models.survey_card import STEPS, whole_card
from geocnn_gui.training.checkpoint import identity

if TYPE_CHECKING:
    from collections.abc import Generator

    from geocnn_gui.inference.device import Device

BATCH = 16
_RATE, _DECAY = 2e-3, 0.01
#: Side of the blocks that are hidden, and the share of them.
_HIDE, _HIDDEN = 8, 0.5
#: What it has learned is written after so many steps, for those that use it meanwhile.
SAVE_EVERY = 100
#: Losses are averaged over about so many steps.
_MEMORY = 20


@dataclass(frozen=True, slots=True)
class Wish:
    """What to learn from and how: `steps`, `seed`, and the backbone file to begin with, if any.

    What that says of its licence goes before `licence`, that of the sources.
    """

    sources: Sequence[Source]
    steps: int = STEPS
    seed: int = 0
    start: Path | None = None
    licence: str = ""
    batch: int = BATCH


def learn_backbone(wish: Wish, *, out: Path, device: Device) -> Generator[Event]:
    """Learn sources of the same kind and bands into a backbone at `out`.

    It is written every `SAVE_EVERY` steps, at the end, and when the task is closed; each time
    with `Saved(out, "backbone")`, but for the last. Another backbone at `out` is replaced before
    the end only by one of more steps.

    Raises
    ------
    BadRequest
        Without sources, with sample sets, or where kinds or bands differ.
    ModelMismatch, UnreadableFile
        When the backbone to begin with cannot be read, or a file has gone.
    CannotWrite, NotEnoughMemory
        When `out` cannot be written, or not even one patch fits.
    """
    first = _same_kind(wish.sources)
    backbone = _begin(wish, first, out)
    yield Note(f"Learning {', '.join(s.name for s in wish.sources)} on {device.description}.")
    run, before = _Learning(wish, backbone, training_device(device)), whole_card(out)
    stands = 0 if before is None else before.steps
    try:
        while run.done < wish.steps:
            yield from run.step()
            if run.done % SAVE_EVERY == 0 and run.done < wish.steps and run.steps > stands:
                save_backbone(out, run.backbone())
                yield Saved(out, "backbone")
            yield run.progress()
        save_backbone(out, run.backbone())
        yield Saved(out, "backbone")
    except GeneratorExit:
        if run.done % SAVE_EVERY and run.steps > stands:
            save_backbone(out, run.backbone())
        raise


def _same_kind(sources: Sequence[Source]) -> Source:
    if not sources:
        raise BadRequest("There is nothing to learn", "open a file")
    first = sources[0]
    for source in sources:
        if source.samples is not None:
            raise BadRequest(
                f"{source.name} is a set of samples", "choose a line, a cube or a raster"
            )
        if (source.domain, len(source.bands)) != (first.domain, len(first.bands)):
            raise BadRequest(
                f"{source.name} and {first.name} are not alike: {_kind(source)} and {_kind(first)}",
                "let each be learned by itself",
            )
    return first


def _kind(source: Source) -> str:
    bands = len(source.bands)
    return f"{source.domain} of {bands} band{'' if bands == 1 else 's'}"


def _begin(wish: Wish, source: Source, out: Path) -> Backbone:
    """Return what to begin with; one that is to be written over goes on where it is."""
    bands, licence = tuple(band.name for band in source.bands), wish.licence
    if wish.start is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(wish.seed)
            backbone = new_backbone(BackboneCard(domain=source.domain, bands=bands))
        began, steps = "", 0
    else:
        backbone = for_bands(load_backbone(wish.start), bands)
        if backbone.card.domain != source.domain:
            raise ModelMismatch(
                f"{wish.start} has learned {backbone.card.domain}, not {source.domain}",
                "begin with another backbone or with fresh weights",
            )
        again = out.exists() and wish.start.samefile(out)
        began = backbone.card.began if again else wish.start.stem
        steps = backbone.card.steps if again else 0
        if licence not in backbone.card.licence:
            licence = f"{backbone.card.licence} {licence}".strip()
        else:
            licence = backbone.card.licence
    card = backbone.card.model_copy(update={
        "bands": bands, "domain": source.domain, "seed": wish.seed, "began": began, "steps": steps,
        "goal": steps + wish.steps,
        "sources": tuple(s.name for s in wish.sources), "licence": licence, "seconds": 0.0,
        "identities": tuple(identity(s) for s in wish.sources),
    })  # fmt: skip
    return replace(backbone, card=card)


class _Learning:
    """A backbone on its way: its optimiser, how far it is, how well it fills in."""

    def __init__(self, wish: Wish, backbone: Backbone, device: Device) -> None:
        self._wish, self._card, self._net, self._device = wish, backbone.card, backbone.net, device
        seed = wish.seed + backbone.card.steps  # what goes on sees other patches than before
        self._patches = Patches(wish.sources, seed)
        self._random = torch.Generator().manual_seed(seed)
        self._net.train()
        self._net.dropout.eval()  # what is hidden is enough, and its chance is not the seed's
        device.place(self._net)
        self._optimizer = torch.optim.AdamW(self._net.parameters(), _RATE, weight_decay=_DECAY)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, _RATE, total_steps=max(2, wish.steps)
        )
        self.done, self._parts, self._spent = 0, 1, 0.0
        self._loss: float | None = None

    def step(self) -> Generator[Note]:
        """Take a step; a note says where memory makes it take its patches in parts."""
        started = time.monotonic()
        values, live = self._patches.draw(self._wish.batch)
        grid = (len(values), 1, PATCH // _HIDE, PATCH // _HIDE)
        hidden = torch.rand(grid, generator=self._random) < _HIDDEN
        hidden = functional.interpolate(hidden.float(), scale_factor=_HIDE)
        while True:
            try:
                loss = self._gradients(torch.from_numpy(values), torch.from_numpy(live), hidden)
                break
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or self._parts >= len(values):
                    raise
            self._optimizer.zero_grad(set_to_none=True)
            let_go()
            self._parts *= 2
            yield Note(f"Memory is short: learning takes {len(values) // self._parts} at once.")
        self._optimizer.step()
        self._schedule.step()
        self.done += 1
        share = max(1 / _MEMORY, 1 / self.done)
        self._loss = loss if self._loss is None else self._loss + share * (loss - self._loss)
        self._spent += time.monotonic() - started

    def _gradients(self, values: Tensor, live: Tensor, hidden: Tensor) -> float:
        """Find the gradients of the mean absolute error on hidden, live cells; return the error."""
        self._optimizer.zero_grad(set_to_none=True)
        counted = hidden * live
        whole = float(counted.sum()) * values.shape[1] or 1.0
        total = 0.0
        for part in torch.arange(len(values)).chunk(self._parts):
            goal, weight = (self._placed(x[part]) for x in (values, counted))
            shown = goal * (1 - self._placed(hidden[part]))
            kind = self._device.kind
            with torch.autocast(kind, torch.bfloat16, enabled=self._device.bf16):
                filled = self._net(shown)
            loss = ((filled.float() - goal).abs() * weight).sum() / whole
            loss.backward()
            total += loss.item()
        return total

    def _placed(self, values: Tensor) -> Tensor:
        device = self._device
        return values.to(device.torch_name, memory_format=device.memory_format)

    def progress(self) -> Progress:
        """Say how far it is, and how well it fills in."""
        left = self._spent / self.done * (self._wish.steps - self.done)
        text = f"Learning without labels, error {self._loss:.3f}"
        return Progress(self.done, self._wish.steps, text, left)

    @property
    def steps(self) -> int:
        """Return all steps, those before this task too."""
        return self._card.steps + self.done

    def backbone(self) -> Backbone:
        """Return what it is now, in eval mode on the CPU."""
        net = copy.deepcopy(self._net).to("cpu").eval()
        card = self._card.model_copy(update={
            "steps": self.steps, "seconds": round(self._spent, 1),
            "loss": None if self._loss is None else round(self._loss, 4),
            "software": f"GeoCNN {__version__}",
        })  # fmt: skip
        return Backbone(net, card)

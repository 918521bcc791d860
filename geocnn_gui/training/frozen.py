"""Features of frozen stages, computed once for each patch and kept: only the rest is trained."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from geocnn_gui.inference.memory import free_memory
from geocnn_gui.models.base import PatchNet
from geocnn_gui.models.spec import PretrainedSpec
from geocnn_gui.training.augment import CHANGES, augment, room_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from geocnn_gui.inference.device import Device
    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.training.loop import Task

#: Where a patch lies: number of its picture, row, column.
Place = tuple[int, int, int]
#: Bytes of features that are kept, and the share of the free memory that they may take.
_MOST_BYTES, _SHARE = 4_000_000_000, 0.25
#: Of pictures with more labelled cells than this not all are looked at, or few would come twice.
_MOST_CELLS = 4096
#: Patches that go through the frozen stages together.
_CHUNK = 16


class _Stop(Exception):
    """Ends a pass where the frozen part ends."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = features


class FrozenPart:
    """The frozen stages of a patch classifier: what they give, and the rest of it on that."""

    def __init__(self, net: SegmentationNet, modules: Sequence[nn.Module]) -> None:
        self._net, self._modules = net, list(modules)
        for module in self._modules:
            module.eval()  # as they stay in a training; a fresh network is not yet so

    @torch.no_grad()
    def features(self, patches: Tensor) -> Tensor:
        """Map patches (n, bands, patch, patch) to what the frozen stages give."""

        def stop(module: nn.Module, inputs: object, output: Tensor) -> None:
            raise _Stop(output)

        handle = self._modules[-1].register_forward_hook(stop)
        try:
            self._net.training_logits(patches)
        except _Stop as stopped:
            return stopped.features[: len(patches)]
        finally:
            handle.remove()
        raise AssertionError("the frozen part was not reached")

    def logits(self, features: Tensor, bands: int) -> Tensor:
        """Map features to the logits (n, classes, 1, 1) that the patches behind them give."""
        patches = features.new_zeros(len(features), bands, *self._net.form)
        with self._left_out(features):
            return self._net.training_logits(patches)

    @contextmanager
    def _left_out(self, features: Tensor) -> Iterator[None]:
        """Let frozen modules pass on what they get, and the last one give the features."""

        def give(values: Tensor) -> Tensor:
            return features.expand(len(values), *features.shape[1:]).clone()

        for module in self._modules:
            module.forward = give if module is self._modules[-1] else _same
        try:
            yield
        finally:
            for module in self._modules:
                del module.forward


def _same(values: Tensor) -> Tensor:
    return values


def frozen_part(net: SegmentationNet, spec: ModelSpec) -> FrozenPart | None:
    """Return the frozen part of a patch classifier; None where there is none."""
    if not isinstance(spec, PretrainedSpec) or not isinstance(net, PatchNet):
        return None
    known = {stage.name: stage.modules for stage in net.stages()}
    names = spec.stage_names()[: spec.frozen_stages]
    modules = [module for name in names for module in known.get(name, ())]
    return FrozenPart(net, modules) if modules else None


class KeptFeatures:
    """Features of patches by their place, in main memory.

    Patches are computed in chunks of neighbours in the list of all `places`, so that features
    are the same whenever it is their turn.
    """

    def __init__(self, task: Task, net: SegmentationNet, part: FrozenPart, device: Device) -> None:
        self._task, self._net, self._part = task, net, part
        spec = task.training
        self._copies = spec.frozen_copies if spec.augment else 1
        self._changed = self._copies > 1
        self._kept: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
        self._places: list[Place] = []
        self._numbers: dict[Place, int] = {}
        self.most = self._how_many(device)

    @property
    def places(self) -> list[Place]:
        """Return all places that features may be asked for."""
        return self._places

    @places.setter
    def places(self, places: list[Place]) -> None:
        self._places = places
        self._numbers = {place: number for number, place in enumerate(places)}

    def _how_many(self, device: Device) -> int:
        """Return how many cells can be kept, of all classes together."""
        empty = torch.zeros(1, self._task.bands, *self._net.form)
        size = self._run(empty, device).nbytes * self._copies
        room = max(1, int(min(_MOST_BYTES, _SHARE * free_memory()) // size))
        small = all(picture.samples for picture in self._task.pictures)
        return room if small else min(room, _MOST_CELLS)

    def words(self, cells: int) -> str:
        """Say what is kept of so many labelled cells."""
        changes = (
            f"{self._copies} changed copies of each" if self._changed else "augmentation is off"
        )
        few = f", {len(self._places):,} of {cells:,} labelled cells"
        few = few if cells > len(self._places) else ""
        return f"Features of the frozen stages are computed once and kept{few}; {changes}."

    def batch(
        self, places: Sequence[Place], random: torch.Generator, device: Device
    ) -> tuple[Tensor, Tensor]:
        """Return features float (n, ...) and the labels of the middles, in main memory."""
        copies = [0] * len(places)
        if self._changed:
            copies = torch.randint(self._copies, (len(places),), generator=random).tolist()
        found = []
        for place, copy in zip(places, copies, strict=True):
            chunk, at = divmod(self._numbers[place], _CHUNK)
            features, labels = self._chunk(chunk, copy, device)
            found.append((features[at], labels[at]))
        return torch.stack([f for f, _ in found]), torch.stack([label for _, label in found])

    def logits(self, features: Tensor) -> Tensor:
        """Return the logits (n, classes, 1, 1) of what `batch` gave."""
        return self._part.logits(features, self._task.bands)

    def _chunk(self, chunk: int, copy: int, device: Device) -> tuple[Tensor, Tensor]:
        if (chunk, copy) not in self._kept:
            places = self._places[chunk * _CHUNK : (chunk + 1) * _CHUNK]
            patches = [self._patch(place, copy) for place in places]
            values = torch.cat([each for each, _ in patches])
            labels = self._net.training_labels(torch.cat([each for _, each in patches]))
            self._kept[chunk, copy] = self._run(values, device).cpu(), labels
        return self._kept[chunk, copy]

    def _patch(self, place: Place, copy: int) -> tuple[Tensor, Tensor]:
        task, form = self._task, self._net.form
        number, row, column = place
        wide = room_for(form) if self._changed else form
        values, labels = task.pictures[number].patch(row, column, wide)
        both = torch.from_numpy(values)[None], torch.from_numpy(labels)[None]
        if not self._changed:
            return both
        seed = np.random.SeedSequence([task.training.seed, *place, copy])
        random = torch.Generator().manual_seed(int(seed.generate_state(1)[0]))
        return augment(*both, form, changes=CHANGES[task.domain], random=random)

    def _run(self, values: Tensor, device: Device) -> Tensor:
        values = values.to(device.torch_name, memory_format=device.memory_format)
        with torch.autocast(device.kind, torch.bfloat16, enabled=device.bf16):
            return self._part.features(values)


def kept_features(task: Task, net: SegmentationNet, device: Device) -> KeptFeatures | None:
    """Return where features are kept, if the spec asks for it and something is frozen."""
    if not task.training.frozen_copies or task.target is not None:
        return None
    part = frozen_part(net, task.model_spec)
    return KeptFeatures(task, net, part, device) if part is not None else None

"""One step of a training, done again with less at once where memory did not suffice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from geocnn_gui.inference.memory import is_out_of_memory, let_go
from geocnn_gui.training.augment import CHANGES, augment, augment_volumes, room_for, turned
from geocnn_gui.training.losses import fixed_weights, loss_of, share_of
from geocnn_gui.training.recipe import after_step, changed_in_parts

if TYPE_CHECKING:
    from collections.abc import Generator

    from geocnn_gui.events import Note
    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.training.loop import Fitting, Task


def take_step(task: Task, fitting: Fitting) -> Generator[Note, None, float]:
    """Take one step and return its loss; yields a note each time that memory did not suffice.

    The step is then done again with the same patches and the same random numbers, with less at
    once as `Room` says. The weights change only when all of it has gone well.

    Raises
    ------
    NotEnoughMemory
        When not even a single patch fits; the weights are those of the step before.
    """
    before: _Before | None = None
    while True:
        try:
            before = before or _Before(fitting)
            loss = _find_gradients(task, fitting)
            fitting.optimizer.step()
            break
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            note = task.room.less_for_steps(error)
        # Only here the traceback has let go of what the step had computed.
        if before is not None:
            before.bring_back(fitting)
        fitting.move(task.room.device)
        yield note
    after_step(fitting.schedule)
    fitting.averaged.update_parameters(fitting.net)
    return loss


class _Before:
    """What a step changes before its end: random numbers, and the buffers of batch norm.

    Weights and what the optimiser remembers of them too, where it changes them piece by piece.
    """

    def __init__(self, fitting: Fitting) -> None:
        self._sampler = fitting.sampler.state
        self._augment = fitting.random.get_state()
        self._torch = torch.get_rng_state()
        cuda = fitting.device.kind == "cuda"
        self._cuda = torch.cuda.get_rng_state(fitting.device.torch_name) if cuda else None
        pairs = fitting.averaged.pairs(fitting.net)
        buffers = [now for _, now in pairs if not isinstance(now, nn.Parameter)]
        changed = [*buffers, *changed_in_parts(fitting.optimizer)]
        self._changed = [(tensor, tensor.detach().clone()) for tensor in changed]

    def bring_back(self, fitting: Fitting) -> None:
        """Go back to before the step."""
        fitting.optimizer.zero_grad(set_to_none=True)
        let_go()
        fitting.sampler.state = self._sampler
        fitting.random.set_state(self._augment)
        torch.set_rng_state(self._torch)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda, fitting.device.torch_name)
        with torch.no_grad():
            for tensor, value in self._changed:
                tensor.copy_(value)


def _find_gradients(task: Task, fitting: Fitting) -> float:
    """Draw a batch, set the gradients of its mean loss, clipped, and return the loss."""
    net, device, most = fitting.net, fitting.device, task.room.patches
    fitting.optimizer.zero_grad(set_to_none=True)
    values, labels = _draw(task, fitting)
    fixed = None
    if task.training.loss == "weighted" and task.target is None:
        fixed = fixed_weights(torch.from_numpy(fitting.sampler.shares))
    share = share_of(labels, task.classes, balance=task.training.balance, weights=fixed)
    fitting.weights.append(share.weights)
    total = 0.0
    for start in range(0, len(values), most):
        part = values[start : start + most]
        layout = device.memory_format if part.ndim == 4 else torch.preserve_format
        part = part.to(device.torch_name, memory_format=layout)
        truth = labels[start : start + most].to(device.torch_name)
        with torch.autocast(device.kind, torch.bfloat16, enabled=device.bf16):
            logits = (fitting.kept.logits if fitting.kept else net.training_logits)(part)
        loss = loss_of(logits.float(), truth, share, task.training)
        loss.backward()
        total += float(loss.detach())
    if task.training.clip:
        nn.utils.clip_grad_norm_(fitting.learning, task.training.clip)
    return total


def _draw(task: Task, fitting: Fitting) -> tuple[Tensor, Tensor]:
    """Return patches float32 (batch, bands, *net.form) and the labels of their logits.

    Both in main memory; features of patches where those of frozen stages are kept.
    """
    kept, sampler, net = fitting.kept, fitting.sampler, fitting.net
    if kept is not None:
        batch = task.training.batch
        places = sampler.places(batch, jitter=(0, 0)) if batch else sampler.every_place(net.form)
        return kept.batch(places, fitting.random, fitting.device)
    values, labels = _changed(task, fitting)
    return values, net.training_labels(labels)


def _changed(task: Task, fitting: Fitting) -> tuple[Tensor, Tensor]:
    """Return patches and their labels (batch, *net.form), changed if the spec says so."""
    spec, form = task.training, fitting.net.form
    if len(form) > 2 and spec.augment:
        both = _drawn(task, fitting, form)
        return augment_volumes(*both, changes=CHANGES[task.domain], random=fitting.random)
    if task.target is not None:
        both = _drawn(task, fitting, form)
        return turned(*both, domain=task.domain, random=fitting.random) if spec.augment else both
    if not spec.augment:
        return _drawn(task, fitting, form)
    values, labels = _drawn(task, fitting, room_for(form))
    return augment(values, labels, form, changes=CHANGES[task.domain], random=fitting.random)


def _drawn(task: Task, fitting: Fitting, form: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return a batch as it lies in the data; all at once it is the same each time, and kept."""
    batch, sampler = task.training.batch, fitting.sampler
    if batch:
        drawn = sampler.draw(batch, form, jitter=jitter_of(fitting.net))
        return torch.from_numpy(drawn[0]), torch.from_numpy(drawn[1])
    if fitting.whole is None:
        values, numbers = sampler.whole(form)
        fitting.whole = torch.from_numpy(values), torch.from_numpy(numbers)
    return fitting.whole


def jitter_of(net: SegmentationNet) -> tuple[int, int]:
    """Return how far down and along the middle of a patch may lie from its label."""
    rows, columns = (min(net.jitter, (n - 1) // 2) for n in net.form[-2:])
    return rows, columns

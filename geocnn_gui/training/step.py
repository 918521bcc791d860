"""One step of a training, done again with less at once where memory did not suffice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from geocnn_gui.inference.memory import is_out_of_memory, let_go
from geocnn_gui.training.augment import CHANGES, augment, room_for

if TYPE_CHECKING:
    from collections.abc import Generator

    from geocnn_gui.events import Note
    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.training.loop import Fitting, Task

_SMOOTHING = 0.05
MOST_WEIGHT = 10.0


def take_step(task: Task, fitting: Fitting) -> Generator[Note, None, float]:
    """Take one step and return its loss; yields a note each time that memory did not suffice.

    The step is then done again with the same patches and the same random numbers, with less at
    once as `Room` says. The weights change only when all of it has gone well.

    Raises
    ------
    NotEnoughMemory
        When not even a single patch fits; the weights are those of the step before.
    """
    before = _Before(fitting)
    while True:
        try:
            loss = _find_gradients(task, fitting)
            fitting.optimizer.step()  # fused: it takes no memory beside its means
            break
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            note = task.room.less_for_steps(error)
        # Only here the traceback has let go of what the step had computed.
        before.bring_back(fitting)
        fitting.move(task.room.device)
        yield note
    fitting.schedule.step()
    fitting.averaged.update_parameters(fitting.net)
    return loss


class _Before:
    """What a step changes before its end: random numbers, and the buffers of batch norm."""

    def __init__(self, fitting: Fitting) -> None:
        self._sampler = fitting.sampler.state
        self._augment = fitting.random.get_state()
        self._torch = torch.get_rng_state()
        cuda = fitting.device.kind == "cuda"
        self._cuda = torch.cuda.get_rng_state(fitting.device.torch_name) if cuda else None
        self._buffers = [buffer.clone() for buffer in fitting.net.buffers()]

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
            for buffer, value in zip(fitting.net.buffers(), self._buffers, strict=True):
                buffer.copy_(value)
        # Running means that were being made when memory ended are made anew.
        for weight, state in list(fitting.optimizer.state.items()):
            if "exp_avg_sq" not in state:
                del fitting.optimizer.state[weight]


def _find_gradients(task: Task, fitting: Fitting) -> float:
    """Draw a batch, set the gradients of its mean loss, clipped, and return the loss."""
    net, device, most = fitting.net, fitting.device, task.room.patches
    fitting.optimizer.zero_grad(set_to_none=True)
    values, labels = _draw(task, fitting)
    share = share_of(net.training_labels(labels), task.classes, balance=task.training.balance)
    fitting.weights.append(share.weights)
    total = 0.0
    for start in range(0, len(values), most):
        part = values[start : start + most]
        part = part.to(device.torch_name, memory_format=device.memory_format)
        truth = labels[start : start + most].to(device.torch_name, torch.long)
        with torch.autocast(device.kind, torch.bfloat16, enabled=device.bf16):
            logits = net.training_logits(part)
        loss = loss_of(logits.float(), net.training_labels(truth), share)
        loss.backward()
        total += float(loss.detach())
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    return total


def _draw(task: Task, fitting: Fitting) -> tuple[Tensor, Tensor]:
    """Return patches float32 (batch, bands, *net.form) and their labels, in main memory."""
    spec, net = task.training, fitting.net
    form = net.form
    cut = room_for(form) if spec.augment else form
    drawn, numbers = fitting.sampler.draw(spec.batch, cut, jitter=jitter_of(net))
    values, labels = torch.from_numpy(drawn), torch.from_numpy(numbers)
    if spec.augment:
        changes = CHANGES[task.domain]
        values, labels = augment(values, labels, form, changes=changes, random=fitting.random)
    return values, labels


def jitter_of(net: SegmentationNet) -> tuple[int, int]:
    """Return how far along each axis the middle of a patch may lie from its label."""
    rows, columns = (min(net.jitter, (n - 1) // 2) for n in net.form)
    return rows, columns


@dataclass(frozen=True, slots=True)
class Share:
    """How a batch weighs its cells: `weights` float32 (classes,), and the sum of all of them.

    Part by part, losses divided by the sum of the whole batch add up to the whole batch's mean.
    """

    weights: Tensor
    total: float


def share_of(labels: Tensor, classes: int, *, balance: bool) -> Share:
    """Return how the cells of a batch weigh, from its class numbers (0: unlabelled).

    With `balance` every class in the batch weighs the same, up to a factor of `MOST_WEIGHT`
    against its share: thin classes (faults) would be passed over otherwise.
    """
    counts = torch.bincount(labels.flatten().long(), minlength=classes + 1)[1:].float()
    weights = torch.ones(classes)
    if balance:
        weights = (counts.sum() / (counts + 1) / classes).clamp(1 / MOST_WEIGHT, MOST_WEIGHT)
    return Share(weights, float((weights * counts).sum()))


def loss_of(logits: Tensor, labels: Tensor, share: Share) -> Tensor:
    """Return the part of the batch's mean cross-entropy that these cells give.

    Label 0 is unlabelled and enters nothing.
    """
    if not share.total:
        return logits.sum() * 0
    options: dict[str, Any] = {"ignore_index": -1, "label_smoothing": _SMOOTHING}
    loss = nn.functional.cross_entropy(
        logits, labels - 1, share.weights.to(logits.device), reduction="sum", **options
    )
    return loss / share.total

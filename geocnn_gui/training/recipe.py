"""How weights follow the gradients: optimisers and schedules of the learning rate, by name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import lr_scheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from geocnn_gui.training.spec import TrainingSpec

#: What an optimiser remembers of every weight, beside its count of steps.
_MEANS = {
    "adamw": ("exp_avg", "exp_avg_sq"), "adam": ("exp_avg", "exp_avg_sq"), "sgd": (),
    "momentum": ("momentum_buffer",), "adagrad": ("sum",), "rmsprop": ("square_avg",),
}  # fmt: skip
_COUNTED = ("adamw", "adam", "adagrad", "rmsprop")
#: What of a schedule changes from step to step.
_STATE = ("last_epoch", "_step_count", "_last_lr", "best", "num_bad_epochs", "cooldown_counter")
#: Epochs without a lower loss after which a rate on a plateau falls to a tenth.
_PLATEAU = 5


def make_optimizer(spec: TrainingSpec, groups: list[dict[str, Any]]) -> Optimizer:
    """Return the optimiser of `spec`, with all that it will remember, so that steps need no more.

    Where torch has a fused form it is taken: weights are changed in place, so that memory cannot
    end halfway through them. Numbers as published: momentum of Polyak 1964; AdaGrad of Duchi and
    others 2011; RMSProp of Hinton 2012, with decay 0.9 where torch has 0.99; Adam of Kingma and
    Ba 2015; AdamW of Loshchilov and Hutter 2019.
    """
    make: dict[str, Callable[..., Optimizer]] = {
        "adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD,
        "momentum": torch.optim.SGD, "adagrad": torch.optim.Adagrad, "rmsprop": torch.optim.RMSprop,
    }  # fmt: skip
    options: dict[str, dict[str, Any]] = {
        "adamw": {"fused": True},
        "adam": {"betas": (0.9, 0.999), "eps": 1e-8, "fused": True},
        "sgd": {"fused": True},
        "momentum": {"momentum": spec.momentum, "fused": True},
        "adagrad": {"eps": 1e-8, "fused": True},
        "rmsprop": {"alpha": 0.9, "eps": 1e-8, "foreach": False},
    }
    name = spec.optimizer
    made = make[name](groups, lr=spec.rate, weight_decay=spec.decay, **options[name])
    for weight in _weights(made):
        state = made.state[weight]
        if name in _COUNTED and "step" not in state:
            where = weight.device if name != "rmsprop" else "cpu"
            state["step"] = torch.zeros((), dtype=torch.float32, device=where)
        for mean in _MEANS[name]:
            if mean not in state:
                state[mean] = torch.zeros_like(weight, memory_format=torch.preserve_format)
    return made


def changed_in_parts(optimizer: Optimizer) -> Iterator[Tensor]:
    """Yield what a step may leave half changed where memory ends within it; nothing if fused."""
    if all(group.get("fused") for group in optimizer.param_groups):
        return
    for weight in _weights(optimizer):
        yield weight
        yield from (value for value in optimizer.state[weight].values())


def _weights(optimizer: Optimizer) -> Iterator[Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]


def make_schedule(spec: TrainingSpec, optimizer: Optimizer, steps: int) -> LRScheduler:
    """Return the schedule of `spec` for a training of so many steps.

    One cycle: Smith 2018, up over 15 % of the steps, then down to nothing. Steps: a tenth after a
    half and after three quarters (He and others 2016). Cosine: Loshchilov and Hutter 2017 without
    restarts. Plateau: a tenth after five epochs without a lower training loss.
    """
    if spec.schedule == "one-cycle":
        return lr_scheduler.OneCycleLR(
            optimizer, [group["lr"] for group in optimizer.param_groups],
            total_steps=steps + 1, pct_start=0.15, final_div_factor=100,
            cycle_momentum=spec.optimizer == "adamw",
        )  # fmt: skip
    if spec.schedule == "plateau":
        return lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=_PLATEAU, eps=0)
    factors: dict[str, Callable[[int], float]] = {
        "constant": lambda _: 1.0,
        "step": lambda step: 0.1 ** ((2 * step >= steps) + (4 * step >= 3 * steps)),
        "cosine": lambda step: (1 + math.cos(math.pi * min(step / steps, 1))) / 2,
    }
    return lr_scheduler.LambdaLR(optimizer, factors[spec.schedule])


def after_step(schedule: LRScheduler) -> None:
    """Let the rate follow the steps, where it does."""
    if not isinstance(schedule, lr_scheduler.ReduceLROnPlateau):
        schedule.step()


def after_epoch(schedule: LRScheduler, loss: float) -> None:
    """Let the rate follow the mean training loss of an epoch, where it does."""
    if isinstance(schedule, lr_scheduler.ReduceLROnPlateau):
        schedule.step(loss)


def schedule_state(schedule: LRScheduler) -> dict[str, Any]:
    """Return what of a schedule a checkpoint keeps, as plain numbers."""
    state = schedule.state_dict()
    return {key: state[key] for key in _STATE if key in state}


def restore_schedule(schedule: LRScheduler, state: dict[str, Any]) -> None:
    """Go back to a kept state; raises `KeyError` where it is of another schedule."""
    if set(state) != set(schedule_state(schedule)):
        raise KeyError("schedule")
    schedule.load_state_dict({**schedule.state_dict(), **state})

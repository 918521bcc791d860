"""The running average of a network's weights; what is frozen needs none."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from torch.optim.swa_utils import AveragedModel

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Weights are averaged over about this many last steps: a steadier network than the last one.
_EMA_STEPS = 50


class Average(AveragedModel):
    """A network beside the one that learns, with the average of its weights, or its newest ones."""

    def __init__(self, net: nn.Module, *, smooth: bool) -> None:
        super().__init__(net, avg_fn=_average if smooth else _follow, use_buffers=True)
        self._pairs: list[tuple[Tensor, Tensor]] = []

    def pairs(self, net: nn.Module) -> list[tuple[Tensor, Tensor]]:
        """Return what may change of `net`, weights and buffers, each after its average."""
        if not self._pairs:
            fixed = fixed_tensors(net)
            ours = chain(self.module.parameters(), self.module.buffers())
            theirs = chain(net.named_parameters(), net.named_buffers())
            self._pairs = [
                (mean.detach(), now)
                for mean, (name, now) in zip(ours, theirs, strict=True)
                if name not in fixed
            ]
        return self._pairs

    def moved(self) -> None:
        """Forget which tensors there are: the networks have gone to another device."""
        self._pairs = []

    def update_parameters(self, model: nn.Module) -> None:
        """Follow a step of `model`."""
        steps, mix = int(self.n_averaged), self.avg_fn
        assert mix is not None
        for mean, now in self.pairs(model):
            new = now.detach()
            mean.copy_(mix(mean, new, steps) if steps else new)
        self.n_averaged += 1


def _average(averaged: Tensor, current: Tensor, steps: Tensor | int) -> Tensor:
    """Move the average towards the current weights; early on faster, to leave the start behind."""
    share = max(1 / _EMA_STEPS, 9 / (10 + int(steps)))
    if averaged.is_floating_point():
        return averaged.lerp_(current, share)  # in place: memory cannot end halfway
    return averaged + ((current - averaged) * share).to(averaged.dtype)


def _follow(averaged: Tensor, current: Tensor, steps: Tensor | int) -> Tensor:
    """Take the current weights in the place of an average."""
    return current


def fixed_tensors(net: nn.Module) -> set[str]:
    """Return the names of the parameters and buffers of frozen modules."""
    found = set()
    for name, module in net.named_modules():
        weights = dict(module.named_parameters(recurse=False))
        if weights and not any(weight.requires_grad for weight in weights.values()):
            buffers = dict(module.named_buffers(recurse=False))
            found |= {f"{name}.{own}".removeprefix(".") for own in (*weights, *buffers)}
    return found


def state_of(net: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the weights; frozen ones, which never change, are shared."""
    fixed = fixed_tensors(net)
    return {
        name: tensor if name in fixed else tensor.clone()
        for name, tensor in net.state_dict().items()
    }

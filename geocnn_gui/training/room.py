"""What of a training fits into memory: less at once after every time that it was too much."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from geocnn_gui.events import Note
from geocnn_gui.inference.device import choose_device, has_bf16
from geocnn_gui.inference.memory import NotEnoughMemory, free_memory, in_words

if TYPE_CHECKING:
    from geocnn_gui.inference.device import Device
    from geocnn_gui.models.base import SegmentationNet

#: Share of the free memory that a training plans with: the rest is for others.
_SHARE = {"cpu": 0.5, "cuda": 0.8}
#: What a step takes beside the features kept for its gradients: those gradients themselves.
_SPARE = 2.0
#: Bytes that a step on volumes plans with at most; a whole batch of them would fill any machine.
_VOLUMES = 4e9
_WAY_OUT = "close other programs, choose a smaller model, or train on a machine with more memory"


class Room:
    """How much goes through a network at once, and where; both stages of a training share it.

    `device` is where it runs. `patches` of a step go through together; where they are fewer than
    a batch, gradients add up to those of the whole batch. `cells` is the most of one scoring
    pass, None while no pass was too much. `exact`: it stays in float32.
    """

    def __init__(
        self, device: Device, batch: int, *, patches: int = 0, exact: bool = False
    ) -> None:
        self.device = device
        self.exact = exact
        self.batch = batch
        self.patches = min(patches, batch) or batch
        self.cells: int | None = None

    @property
    def whole(self) -> bool:
        """Say whether a batch goes through in one."""
        return self.patches >= self.batch

    def plan(self, net: SegmentationNet, bands: int) -> Note:
        """Fit the first step into the memory that is free, and say so."""
        free = _free(self.device)
        most = free * _SHARE[self.device.kind]
        most = min(most, _VOLUMES) if net.dims > 2 else most
        patch = bytes_of_patch(net, bands)
        while self.patches > 1 and self.patches * patch > most:
            self._halve()
        step = in_words(self.patches * patch)
        if self.whole:
            return Note(f"A step takes about {step}; {in_words(free)} of memory are free.")
        return Note(f"{in_words(free)} of memory are free: {self._in_parts()}, about {step} each.")

    def less_for_steps(self, cause: BaseException) -> Note:
        """Take less for a step from now on; raises `NotEnoughMemory` where there is no less."""
        if self.patches > 1:
            self._halve()
            return Note(f"Out of memory: the step is done again, {self._in_parts()}.")
        return self.elsewhere("A training step of a single patch", cause)

    def less_for_scores(self, cells: int, side: int, cause: BaseException) -> Note:
        """Score fewer than `cells` in a pass, not below `side` squared; raises as above."""
        if cells > side**2:
            self.cells = max(side**2, cells // 2)
            return Note("Out of memory: held-out ground is scored in smaller pieces.")
        return self.elsewhere("The smallest piece of held-out ground", cause)

    def _halve(self) -> None:
        self.patches = -(-self.patches // 2)

    def _in_parts(self) -> str:
        each = "1 patch" if self.patches == 1 else f"{self.patches} patches"
        return (
            f"batches of {self.batch} go through in parts of {each} and their gradients add up to "
            "those of the whole (batch norm sees the parts)"
        )

    def elsewhere(self, what: str, cause: BaseException) -> Note:
        """Take bfloat16, then the processor, instead; raises `NotEnoughMemory` after that."""
        device = self.device
        if not self.exact and not device.bf16 and has_bf16(device):
            self.device = replace(device, bf16=True)
            return Note("Out of memory: it goes on in bfloat16, which takes half.")
        if device.kind == "cuda":
            self.device = replace(choose_device("cpu"), channels_last=device.channels_last)
            self.patches, self.cells = self.batch, None
            return Note(
                f"Out of memory on {device.description}: it goes on on {self.device.description}, "
                "more slowly.", warning=True,
            )  # fmt: skip
        raise NotEnoughMemory(f"{what} does not fit into memory", _WAY_OUT) from cause


def _free(device: Device) -> int:
    if device.kind == "cuda":
        return torch.cuda.mem_get_info(device.torch_name)[0]
    return free_memory()


def bytes_of_patch(net: SegmentationNet, bands: int) -> float:
    """Return about what a step takes per patch, in bytes, from what one pass keeps for gradients.

    `net` stays as it is, the random numbers too.
    """
    kept: dict[int, int] = {}
    alive: list[torch.Tensor] = []  # else an address might be given out again

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if tensor.grad_fn is not None or not tensor.requires_grad:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    was, patch = net.training, torch.zeros(1, bands, *net.form)
    with (
        torch.random.fork_rng(devices=[]),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        net.eval()
        net.training_logits(patch)
        net.train(was)
    return _SPARE * (sum(kept.values()) + patch.nbytes)

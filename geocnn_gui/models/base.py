"""What the networks have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a network, to draw and to freeze: its name, its title, and what is in it."""

    name: str
    title: str
    modules: tuple[nn.Module, ...]


class SegmentationNet(nn.Module):
    """What every network offers: logits for each pixel of a picture.

    `halo`: pixels around a block on the stride grid that can change its logits (a multiple of
    the stride). `stride`: heights and widths given to `forward` are multiples of it.
    `core`: side of the part of a picture that one pass predicts, which a Stop has to wait for.
    `patch`: side of the pictures it is trained on. `jitter`: how far from its middle the label
    that a training patch was drawn for may lie.
    `dims`: 2 for pictures; 1 where traces (columns of a picture) are seen one by one; 3 for
    volumes, which `forward` takes as (n, bands, depth, h, w). `finite`: whether nothing beyond the
    halo reaches a block; else tiles differ from the whole, and are blended.
    """

    halo: int
    stride: int
    patch: int
    core: int = 512
    jitter: int = 0
    dims: int = 2
    finite: bool = True

    @property
    def form(self) -> tuple[int, ...]:
        """Return rows and columns of the pictures that it is trained on; of volumes depth first."""
        if self.dims > 2:
            return (self.patch,) * 3
        return self.patch, self.patch if self.dims > 1 else 1

    def stages(self) -> tuple[Stage, ...]:
        """Return its parts from the data upwards; here one for each child."""
        return tuple(
            Stage(name, name.replace("_", " ").capitalize(), (part,))
            for name, part in self.named_children()
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Map float (n, bands, h, w) to logits (n, classes, h, w)."""
        raise NotImplementedError

    def logits_in(self, pictures: Tensor, rows: slice, columns: slice) -> Tensor:
        """Return the part of the logits of pictures that `rows` and `columns` name."""
        return self(pictures)[:, :, rows, columns]

    def training_logits(self, patches: Tensor) -> Tensor:
        """Return the logits that enter the loss, (n, classes, h, w)."""
        return self(patches)

    def parameter_groups(self, rate: float) -> list[dict[str, Any]]:
        """Return what an optimiser takes: parameters that learn, each group with its peak rate."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr": rate}]

    def training_labels(self, labels: Tensor) -> Tensor:
        """Return the part of labels (n, side, side) that belongs to `training_logits`."""
        return labels


class PatchNet(SegmentationNet):
    """What names the middle of a patch: only the label there enters the loss."""

    def training_labels(self, labels: Tensor) -> Tensor:
        """Return the labels of the middles, (n, 1, 1)."""
        middle = self.patch // 2
        return labels[:, middle : middle + 1, middle : middle + 1]

"""Changes to patches that keep their meaning, by domain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from geocnn_gui.data.source import Domain


@dataclass(frozen=True, slots=True)
class Changes:
    """How far the patches of a domain may be changed.

    `upright`: samples stay down and traces right, so only left-right flips are allowed;
    otherwise all eight flips and quarter turns. `stretch`: log-range of the scale of either axis.
    `shear`: columns a row may move (a change of dip). `gain`, `shift`, `noise`: log-range of a
    factor, range of an offset, largest standard deviation; in scaled units.
    """

    upright: bool
    stretch: float
    shear: float
    gain: float
    shift: float
    noise: float


#: What is allowed where: a section upside down is no section; a map may lie any way round.
CHANGES: dict[Domain, Changes] = {
    "seismic": Changes(upright=True, stretch=0.25, shear=0.15, gain=0.3, shift=0.0, noise=0.15),
    "imagery": Changes(upright=False, stretch=0.1, shear=0.0, gain=0.05, shift=0.05, noise=0.05),
}
#: A trace moves by up to this share of its length, and loses each band with this probability.
_SHIFT, _DROP = 0.05, 0.1
#: Patches are cut this much wider than the network's, so that stretching does not run dry.
MARGIN = 1.25


def room_for(form: tuple[int, ...]) -> tuple[int, int]:
    """Return how large a patch is cut that is then changed and cut to `form`."""
    rows, columns = (n if n == 1 else -(-int(n * MARGIN) // 2) * 2 for n in form)
    return rows, columns


def augment(
    values: Tensor,
    labels: Tensor,
    form: tuple[int, ...],
    *,
    changes: Changes,
    random: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Change a batch and cut it to `form`, rows and columns.

    `values` float (n, bands, h, w) and `labels` int (n, h, w), `room_for(form)` large; cells
    without data stay 0 and unlabelled cells stay unlabelled (nearest neighbour). What is not
    square is never turned; a single column (a trace) is stretched along itself, shifted by up to
    `_SHIFT` of its length, and may lose some of its bands, never all.
    """
    n, turned_too = len(values), not changes.upright and form[0] == form[1]
    grid = _grid(_matrices(n, changes, random, turned=turned_too), values.shape[-2:], form)
    if form[1] == 1:
        height = values.shape[-2]
        grid[..., 1] += _uniform((n, 1, 1), 2 * _SHIFT * form[0] / height, random)
    values = functional.grid_sample(values, grid, "bilinear", "zeros", align_corners=False)
    turned = functional.grid_sample(
        labels[:, None].float(), grid, "nearest", "zeros", align_corners=False
    )
    dead = values == 0
    values = _louder(values, changes, random)
    if form[1] == 1 and values.shape[1] > 1:
        dead = dead | _dropped(n, values.shape[1], random)
    return values.masked_fill(dead, 0), turned[:, 0].long()


def augment_volumes(
    values: Tensor, labels: Tensor, *, changes: Changes, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Flip volumes along depth and columns, samples staying down, and change gain and noise.

    `values` float (n, bands, depth, rows, columns), `labels` int (n, depth, rows, columns).
    """
    flips = torch.rand((len(values), 2), generator=random) < 0.5
    dead, labels = values == 0, labels.to(torch.long, copy=True)
    values = _louder(values, changes, random).masked_fill(dead, 0)
    for number, flip in enumerate(flips.tolist()):
        axes = [axis for axis, wanted in zip((-3, -1), flip, strict=True) if wanted]
        values[number] = values[number].flip(axes)
        labels[number] = labels[number].flip(axes)
    return values, labels


def _louder(values: Tensor, changes: Changes, random: torch.Generator) -> Tensor:
    """Change gain and offset of values (n, bands, ...) and add noise."""
    n, bands, *size = values.shape
    ones = (1,) * len(size)
    factor = torch.exp(_uniform((n, 1, *ones), changes.gain, random))
    values = values * factor + _uniform((n, bands, *ones), changes.shift, random)
    strength = torch.rand((n, 1, *ones), generator=random) * changes.noise
    return values + strength * torch.randn(values.shape, generator=random)


def _dropped(n: int, bands: int, random: torch.Generator) -> Tensor:
    """Return which bands of each trace are lost, bool (n, bands, 1, 1); one always stays."""
    lost = torch.rand((n, bands), generator=random) < _DROP
    lost[torch.arange(n), torch.randint(bands, (n,), generator=random)] = False
    return lost[..., None, None]


def turned(
    values: Tensor, truth: Tensor, *, domain: Domain, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Flip a batch with its continuous target, and turn it where the domain allows.

    `values` float (n, bands, h, w), `truth` float (n, h, w). Nothing else keeps the meaning of
    every target: stretching changes what depends on frequency, gain what is an amplitude. Cells
    move whole, so that no value is smoothed.
    """
    both = torch.cat([values, truth[:, None]], 1)
    around = not CHANGES[domain].upright and both.shape[-1] == both.shape[-2]
    flips = torch.rand(len(both), generator=random) < 0.5
    turns = torch.randint(4, (len(both),), generator=random) if around else flips.long() * 0
    moved = [
        torch.rot90(each.flip(-1) if flip else each, int(turn), (-2, -1))
        for each, flip, turn in zip(both, flips, turns, strict=True)
    ]
    both = torch.stack(moved)
    return both[:, :-1].contiguous(), both[:, -1].contiguous()


def _uniform(shape: tuple[int, ...], half: float, random: torch.Generator) -> Tensor:
    return (2 * torch.rand(shape, generator=random) - 1) * half


def _matrices(n: int, changes: Changes, random: torch.Generator, *, turned: bool) -> Tensor:
    """Return (n, 2, 2) maps from target to source offsets, rows of x (columns) and y (rows)."""
    matrices = torch.zeros(n, 2, 2)
    stretch = torch.exp(_uniform((n, 2), changes.stretch, random))
    matrices[:, 0, 0], matrices[:, 1, 1] = stretch[:, 0], stretch[:, 1]
    matrices[:, 1, 0] = _uniform((n,), changes.shear, random)  # traces move up or down: dip
    flip = torch.where(torch.rand(n, generator=random) < 0.5, -1.0, 1.0)
    matrices[:, :, 0] *= flip[:, None]
    if turned:
        turns = torch.randint(4, (n,), generator=random) * (math.pi / 2)
        cos, sin = torch.cos(turns).round(), torch.sin(turns).round()
        turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
        matrices = matrices @ turn
    return matrices


def _grid(matrices: Tensor, shape: torch.Size, form: tuple[int, ...]) -> Tensor:
    """Return the sampling grid (n, rows, columns, 2) in grid_sample's units of [-1, 1]."""
    offsets = [torch.arange(size) - (size - 1) / 2 for size in form]
    y, x = torch.meshgrid(*offsets, indexing="ij")
    target = torch.stack([x, y], -1)  # (rows, columns, 2)
    source = torch.einsum("nij,hwj->nhwi", matrices, target)
    half = torch.tensor([shape[1] / 2, shape[0] / 2])
    return source / half

"""Sections of cubes as networks on volumes learn from them: with the sections around."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from geocnn_gui.errors import BadRequest
from geocnn_gui.inference.tiles import pad_to_stride
from geocnn_gui.models.volumes import (
    Cube,
    require_cube,
    sees_volumes,
    to_volume,
    volume_axes,
    window_of,
)
from geocnn_gui.training.held import windows_with_cells
from geocnn_gui.training.sampling import LabelledPicture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from geocnn_gui.data.source import Window
    from geocnn_gui.inference.device import Device
    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.models.spec import ModelSpec
    from geocnn_gui.models.volumes import Box
    from geocnn_gui.training.held import HeldWindow
    from geocnn_gui.training.sections import Pair

#: Values of cubes kept in memory, each source for itself; of larger ones parts are read as needed.
_KEPT_VALUES = 64_000_000
#: A cell of a volume counts as so many of a picture when it is scored: kernels are deeper.
_WORK = 2


class VolumePicture(LabelledPicture):
    """A labelled section of a cube; a patch of it is a volume with the section in the middle.

    `around` are all labelled sections of the cube, this one too: their labels are learned
    wherever a volume holds them. `cube` is what all of them are read from. See `join`.
    """

    cube: Cube
    around: Sequence[VolumePicture]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.axes = volume_axes(self.source, self.section)

    def patch(self, row: int, column: int, form: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return values (bands, *form) and class numbers (*form) around a cell of the section.

        `form` is depth, rows, columns. Beyond the cube values are reflected and labels are 0.
        """
        place = self._place(row, column)
        spans, pads = [], []
        for axis, side in zip(self.axes, form, strict=True):
            start, size = place[axis] - side // 2, self.source.shape[axis]
            spans.append(slice(max(start, 0), min(start + side, size)))
            pads.append((max(-start, 0), max(start + side - size, 0)))
        window = window_of(self.axes, spans)
        values, live = self.cube.read(window)
        values = to_volume(values, self.axes)
        numbers = to_volume(self._labels(window, live), self.axes)
        return np.pad(values, [(0, 0), *pads], mode="symmetric"), np.pad(numbers, pads)

    def held_windows(self, net: SegmentationNet) -> Iterator[HeldWindow]:
        """Yield rows and columns that hold what is held out, and the cells of their volumes."""
        for part in windows_with_cells(self, side=net.patch):
            box = self._box(net, part)
            yield *part, _WORK * int(np.prod([span.stop - span.start for span in box]))

    def logits(self, net: SegmentationNet, part: tuple[slice, slice], device: Device) -> Tensor:
        """Return logits float32 (classes, rows, columns) of a part, seen in the volume around it."""
        box = self._box(net, part)
        values = pad_to_stride(self.cube.volume(self.axes, box)[0], net.stride)
        volume = torch.from_numpy(np.ascontiguousarray(values))[None].to(device.torch_name)
        with (
            torch.inference_mode(),
            torch.autocast(device.kind, torch.bfloat16, enabled=device.bf16),
        ):
            logits = net(volume)[0]
        place: list[slice] = [slice(0, 0)] * 3
        for axis, span in zip(self._of_section(), (self._own, *part), strict=True):
            number = self.axes.index(axis)
            start = box[number].start
            place[number] = slice(span.start - start, span.stop - start)
        cut = logits[(slice(None), *place)].float().cpu()
        order = (self.axes.index(axis) for axis in self._of_section())
        return cut.permute(0, *(1 + number for number in order))[:, 0].contiguous()

    @property
    def _own(self) -> slice:
        return slice(self.section.index, self.section.index + 1)

    def _of_section(self) -> tuple[int, int, int]:
        """Return the axes of the cube: the section's own, its rows, its columns."""
        assert self.section.axis is not None
        return self.section.axis, self.plane.row_axis, self.plane.column_axis

    def _place(self, row: int, column: int) -> dict[int, int]:
        """Return the cell of the cube that a cell of the section is, by axis."""
        return dict(zip(self._of_section(), (self.section.index, row, column), strict=True))

    def _box(self, net: SegmentationNet, part: tuple[slice, slice]) -> Box:
        """Return the volume in which a part of the section is seen; it ends where the cube does.

        Across the section it is as deep as those of the training; along it a quarter of that is
        added on each side.
        """
        near = -(-net.patch // 4)
        parts = dict(zip(self._of_section(), (self._own, *part), strict=True))
        spans = []
        for axis in self.axes:
            size, span = self.source.shape[axis], parts[axis]
            if axis == self.section.axis:
                start = int(np.clip(span.start - net.patch // 2, 0, max(0, size - net.patch)))
                spans.append(slice(start, min(size, start + net.patch)))
            else:
                spans.append(slice(max(0, span.start - near), min(size, span.stop + near)))
        return spans[0], spans[1], spans[2]

    def _labels(self, window: Window, live: np.ndarray) -> np.ndarray:
        """Return class numbers uint8 (*window.size) to learn, 0 where there are none.

        Of every labelled section what its split leaves: none held out or too near to that.
        """
        free = np.zeros(window.size, bool)
        for picture in self.around:
            part = picture.plane.cells(window)
            if part is None:
                continue
            near = np.zeros([span.stop - span.start for span in part], bool)
            if picture.split is not None:
                near = picture.split.near_mask(*part)
            within = picture.plane.window(*part).relative_to(window.offset)
            free[within.slices] |= picture.plane.array(~near)
        return np.where(free & live, self.lookup[self.labels.read(window)], 0)


def join(pictures: Sequence[LabelledPicture]) -> None:
    """Let the sections of one cube know of each other, and read it together."""
    volumes = [picture for picture in pictures if isinstance(picture, VolumePicture)]
    for picture in volumes:
        first = volumes[0]
        if picture is first:
            first.cube = Cube(first.source, first.statistics, _KEPT_VALUES)
        picture.cube, picture.around = first.cube, volumes


def require_volumes(pairs: Sequence[Pair], spec: ModelSpec) -> None:
    """Raise `BadRequest` where a network on volumes has none, or is to learn values."""
    if not sees_volumes(spec):
        return
    for pair in pairs:
        require_cube(pair.source)
        if pair.target is not None:
            raise BadRequest(
                "Networks on volumes learn classes and no continuous values",
                "choose a network on pictures, or leave the target out",
            )


def require_every_place(net: SegmentationNet) -> None:
    """Raise `BadRequest` where a network of volumes names only their middles."""
    if net.dims > 2 and net.training_labels(torch.zeros(1, *net.form)).numel() == 1:
        raise BadRequest(
            "These layers name only the middle of a volume: for every cell of a cube that takes "
            "far too long",
            "choose layers that keep the size: padding same, no strides, nothing flat or dense",
        )

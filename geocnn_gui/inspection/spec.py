"""Torch-free: places, and what may be asked of a network there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from geocnn_gui.data.source import Section
from geocnn_gui.errors import BadRequest

if TYPE_CHECKING:
    from pathlib import Path


Method = Literal["grad-cam", "integrated", "occlusion"]
METHODS: dict[Method, str] = {
    "grad-cam": "Grad-CAM",
    "integrated": "Integrated gradients",
    "occlusion": "Occlusion",
}
#: Windows that an effective receptive field is the mean of.
WINDOWS = 16


@dataclass(frozen=True, slots=True)
class Place:
    """A cell (row, column) of a section's picture."""

    section: Section
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Wish:
    """What to look at: a layer by name ("": the deepest convolution), an output (None: the likeliest).

    `size`: side of the window, None as the network needs it. `methods`: how to attribute.
    `windows`: how many the effective receptive field is the mean of; 0 leaves it out.
    """

    layer: str = ""
    output: str | int | None = None
    size: int | None = None
    methods: tuple[Method, ...] = ("grad-cam", "integrated")
    windows: int = WINDOWS


Page = Literal["maps", "kernels", "why", "reach", "slide"]


@dataclass(frozen=True, slots=True)
class Question:
    """What a window wants to see of a place: a page, and what it shows.

    `layer` by name ("": the first), `channel` one of its maps or kernels; `output`: the class
    that is explained (None: the likeliest), by `method`; `of_layer`: receptive fields of the
    layer instead of the answer; `flipped`: kernels as convolution lays them, `band`: which of
    their inputs is shown.
    """

    place: Place
    page: Page = "maps"
    layer: str = ""
    channel: int = 0
    output: int | None = None
    method: Method = "grad-cam"
    of_layer: bool = False
    flipped: bool = False
    band: int = 0


def check_report_name(out: Path) -> None:
    """Refuse a name whose format is not known, before anything is computed.

    Raises
    ------
    BadRequest
        When it ends in neither .npz nor .png.
    """
    if out.suffix.lower() not in (".npz", ".png"):
        raise BadRequest(f"{out} is neither .npz nor .png", "choose one of these names")

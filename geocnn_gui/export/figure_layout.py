"""Give the parts of a figure their places, in inches, so that its width is exactly as asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

from geocnn_gui.export.figure_axes import set_tick_counts

_PAD, _GAP, _BAR = 0.06, 0.1, 0.11
#: Height over width of a section, and the most of a map, before it is drawn narrower.
_SECTION, _TALLEST = 0.55, 1.35
_LEAST = 0.4
#: Ticks depend on the size and the size on the ticks' texts: so often both are found anew.
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Parts:
    """What is laid out; `ratio` is the picture's height over its width, None where it is free."""

    figure: Figure
    axes: Axes
    bar: Axes | None
    legend: Legend | None
    title: Text | None
    ratio: float | None


@dataclass(frozen=True, slots=True)
class _Margins:
    """What lies around the picture, in inches; `bar` is what the colour bar's texts take."""

    left: float
    right: float
    bottom: float
    top: float
    bar: float
    legend: float


def lay_out(parts: Parts, width: float, height: float | None) -> None:
    """Place everything in a figure `width` inches wide; None leaves the height to the picture."""
    pictures = [*parts.axes.images]
    for picture in pictures:
        picture.set_visible(False)  # only texts need measuring
    box = (0.6, 0.6, width - 1.2, (width - 1.2) * _SECTION)
    for _ in range(_ROUNDS):
        _place(parts, box, width, height or box[3] + 1.2)
        margins = _measured(parts)
        box, needed = _box(parts.ratio, margins, width, height)
        _place(parts, box, width, needed)
        _place_legend(parts, box, width, needed)
    for picture in pictures:
        picture.set_visible(True)


def _box(
    ratio: float | None, margins: _Margins, width: float, height: float | None
) -> tuple[tuple[float, float, float, float], float]:
    """Return the picture's (left, bottom, width, height) and the figure's height."""
    beside = margins.left + max(margins.right, margins.bar) + 2 * _PAD
    below = margins.bottom + margins.legend + _PAD
    around = below + margins.top + _PAD
    across = max(width - beside, _LEAST)
    down = across * (ratio or _SECTION) if height is None else max(height - around, _LEAST)
    if ratio is not None:
        down = min(down, across * ratio, across * _TALLEST)
    used = min(across, down / ratio) if ratio is not None else across
    left = margins.left + _PAD + (across - used) / 2
    return (left, below, used, down), height or down + around


def _place(
    parts: Parts, box: tuple[float, float, float, float], width: float, height: float
) -> None:
    parts.figure.set_size_inches(width, height)
    left, bottom, across, down = box
    parts.axes.set_position((left / width, bottom / height, across / width, down / height))
    set_tick_counts(parts.axes, across, down)
    if parts.bar is not None:
        tall = down if down < 1.5 else max(1.5, down * 0.75)
        start = left + across + _GAP
        low = bottom + (down - tall) / 2
        parts.bar.set_position((start / width, low / height, _BAR / width, tall / height))
    parts.figure.draw_without_rendering()


def _beyond(parts: Parts) -> float:
    """Return how far the last number of the lower axis stands out to the right."""
    low, high = sorted(parts.axes.get_xlim())
    axis = parts.axes.xaxis
    numbers = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=False)
    ends = [_extent(parts, text).x1 for place, text in numbers if low <= place <= high]
    return max(0.0, max(ends, default=0.0) - _extent(parts, parts.axes).x1)


def _measured(parts: Parts) -> _Margins:
    picture = _extent(parts, parts.axes)
    below, beside = (
        _extent(parts, axis) or picture for axis in (parts.axes.xaxis, parts.axes.yaxis)
    )
    top = _extent(parts, parts.title).y1 - picture.y1 if parts.title is not None else 0.0
    bar = 0.0
    if parts.bar is not None:
        bar = _GAP + _BAR + _around(parts, parts.bar)
    legend = _extent(parts, parts.legend).height + _GAP if parts.legend is not None else 0.0
    return _Margins(
        max(0.0, picture.x0 - beside.x0), _beyond(parts),
        max(0.0, picture.y0 - min(below.y0, beside.y0)), max(0.0, top, beside.y1 - picture.y1),
        bar, legend,
    )  # fmt: skip


def _around(parts: Parts, bar: Axes) -> float:
    texts = bar.yaxis.get_tightbbox(_renderer(parts))
    return (texts.x1 - bar.get_window_extent().x1) / parts.figure.dpi if texts else 0.0


def _place_legend(
    parts: Parts, box: tuple[float, float, float, float], width: float, height: float
) -> None:
    """Put the legend under the middle of the picture, within the figure."""
    if parts.legend is None:
        return
    half = _extent(parts, parts.legend).width / 2
    middle = min(max(box[0] + box[2] / 2, half + _PAD), max(width - half - _PAD, half + _PAD))
    parts.legend.set_bbox_to_anchor((middle / width, _PAD / height))


def _extent(parts: Parts, artist: Any) -> Any:
    """Return where an artist is drawn, in inches; None for an axis without texts."""
    if hasattr(artist, "get_majorticklocs"):
        box = artist.get_tightbbox(_renderer(parts))
    else:
        box = artist.get_window_extent(_renderer(parts))
    return None if box is None else box.transformed(parts.figure.dpi_scale_trans.inverted())


def _renderer(parts: Parts) -> Any:
    return parts.figure.canvas.get_renderer()  # pyright: ignore[reportAttributeAccessIssue]

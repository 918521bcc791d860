"""Axes of a figure in the source's own coordinates, with ticks, scale bar and north arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axis import Axis as Drawn
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import Formatter, MaxNLocator
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar
from rasterio import Affine
from rasterio.crs import CRS

from geocnn_gui.export.cell_area import CellArea

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from geocnn_gui.data.source import Axis
    from geocnn_gui.export.figure_layers import Layers

_TEXT, _SMALL = 8.0, 7.0
_THIN_SPACE = "\N{THIN SPACE}"
#: A picture so many times as high as it is wide has no room for a scale bar.
_NARROW = 4
_NAMED = {"row": "Row", "column": "Column"}


def extent_of(layers: Layers) -> tuple[float, float, float, float]:
    """Return the left, right, bottom and top edges in the axes' coordinates."""
    down, across = layers.axes
    return (
        across.at(layers.columns.start - 0.5), across.at(layers.columns.stop - 0.5),
        down.at(layers.rows.stop - 0.5), down.at(layers.rows.start - 0.5),
    )  # fmt: skip


def ratio_of(layers: Layers) -> float | None:
    """Return the picture's height over its width; None where the axes have no common measure."""
    down, across = layers.axes
    if down.vertical or (layers.source.domain == "seismic" and down.unit != across.unit):
        return None
    left, right, bottom, top = extent_of(layers)
    ratio = abs(top - bottom) / abs(right - left)
    if down.unit == "degree":
        ratio /= max(np.cos(np.radians((bottom + top) / 2)), 0.05)
    return float(ratio)


def dress(axes: Axes, layers: Layers) -> None:
    """Label the axes; maps get north up where they can, a scale bar, and an arrow elsewhere."""
    down, across = layers.axes
    left, right, bottom, top = extent_of(layers)
    if _is_map(layers) and not _is_rotated(layers):
        axes.set_xlim(min(left, right), max(left, right))
        axes.set_ylim(min(bottom, top), max(bottom, top))
    for drawn, axis in ((axes.xaxis, across), (axes.yaxis, down)):
        drawn.set_major_formatter(_Numbers(axis))
        drawn.set_major_locator(_locator(axis, 5))
    axes.set_xlabel(_title(across, layers), fontsize=_TEXT)
    axes.set_ylabel(_title(down, layers).partition(",")[0], fontsize=_TEXT)
    axes.tick_params(labelsize=_SMALL, width=0.5, length=2.5)
    if _turned(down):
        axes.tick_params(axis="y", labelrotation=90)
    for spine in axes.spines.values():
        spine.set_linewidth(0.5)
    _add_scale_bar(axes, layers)
    if _is_rotated(layers):
        _add_north_arrow(axes, layers)


def _is_map(layers: Layers) -> bool:
    return layers.source.transform is not None and layers.source.domain == "imagery"


def _is_rotated(layers: Layers) -> bool:
    """Say whether rows are no parallels of the map's axes, so that ticks count cells."""
    return _is_map(layers) and layers.axes[0].unit == "px"


def _title(axis: Axis, layers: Layers) -> str:
    if axis.unit == "degree":
        return "Latitude" if axis.name == "row" else "Longitude"
    if axis.unit == "px":
        return _NAMED.get(axis.name, axis.title)
    if axis.name == "column" and layers.source.crs and _is_map(layers):
        return f"{axis.title}, {_crs_name(layers.source.crs)}"
    return axis.title


def _crs_name(wkt: str) -> str:
    name = CRS.from_wkt(wkt).to_dict(projjson=True).get("name", "")
    return "" if name.lower() in ("unknown", "unnamed") else name


def set_tick_counts(axes: Axes, width: float, height: float) -> None:
    """Give each axis as many ticks as there is room for on `width` and `height` inches."""
    for drawn, room in ((axes.xaxis, width), (axes.yaxis, height)):
        numbers = drawn.get_major_formatter()
        if isinstance(numbers, _Numbers):
            upright = drawn is axes.yaxis and not _turned(numbers.of)
            each = 0.35 if upright else 0.2 + 0.055 * len(numbers(numbers.of.at(numbers.of.size)))
            drawn.set_major_locator(_locator(numbers.of, max(1, int(room / each))))
    for label in axes.get_yticklabels():
        label.set_verticalalignment("center")


def _locator(axis: Axis, count: int) -> MaxNLocator:
    whole = axis.unit in ("", "px") and axis.step == int(axis.step)
    return MaxNLocator(min(count, 9), steps=[1, 2, 5, 10], integer=whole, min_n_ticks=1)


def _turned(axis: Axis) -> bool:
    """Say whether the numbers beside the picture are long, and written upwards."""
    return axis.unit in ("m", "ft", "degree") and not axis.vertical


class _Numbers(Formatter):
    """Writes a number with the decimals that the ticks' distance needs."""

    def __init__(self, of: Axis) -> None:
        self.of = of

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the text of a tick at `x`."""
        del pos
        places = self.axis.get_majorticklocs() if isinstance(self.axis, Drawn) else ()
        step = float(np.min(np.diff(places))) if len(places) > 1 else 1.0
        digits = max(0, -int(np.floor(np.log10(abs(step)) + 1e-9)))
        if self.of.unit == "degree":
            return _degrees(x, digits, "NS" if self.of.name == "row" else "EW")
        text = f"{x + 0.0:,.{digits}f}".replace("-", "\N{MINUS SIGN}")
        return text.replace(",", _THIN_SPACE if self.of.unit and abs(x) >= 10_000 else "")


def _degrees(value: float, digits: int, sides: str) -> str:
    if sides == "EW":
        value = (value + 180) % 360 - 180
    side = "" if abs(value) < 1e-9 else sides[int(value < 0)]
    return f"{abs(value):.{digits}f}°{side}"


def _metres_per_unit(layers: Layers) -> float | None:
    """Return what one unit across measures in metres on the ground, None where unknown."""
    source, (_, across) = layers.source, layers.axes
    if _is_map(layers) and source.transform is not None:
        measure = CellArea.of(Affine(*source.transform), source.crs)
        row = (layers.rows.start + layers.rows.stop) / 2
        column = (layers.columns.start + layers.columns.stop) / 2
        width = measure.width(row, column)
        return width / abs(across.step) if width else None
    along = layers.plane.column_axis == len(source.axes) - 2  # spacing is that of this axis
    if along and across.unit == "" and source.spacing.trace_spacing and source.domain == "seismic":
        return source.spacing.trace_spacing / abs(across.step)
    return None


def _add_scale_bar(axes: Axes, layers: Layers) -> None:
    per_unit = _metres_per_unit(layers)
    if not per_unit or (ratio_of(layers) or 0) > _NARROW:
        return
    left, right, *_ = extent_of(layers)
    metres = _nice(abs(right - left) * per_unit / 4)
    text = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    bar = AnchoredSizeBar(
        axes.transData, metres / per_unit, text, "lower left", pad=0.35, borderpad=0.6, sep=3,
        size_vertical=0, fontproperties=FontProperties(size=_SMALL),
    )  # fmt: skip
    for line in bar.size_bar.get_children():
        line.set(linewidth=1.6)
    bar.patch.set(alpha=0.8, linewidth=0, facecolor="white")
    axes.add_artist(bar)


def _nice(most: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is at most `most`."""
    power = 10.0 ** np.floor(np.log10(most))
    return float(next(m * power for m in (5, 2, 1) if m * power <= most * (1 + 1e-9)))


def _add_north_arrow(axes: Axes, layers: Layers) -> None:
    """Point to where the map's northing grows."""
    a, b, _, d, e, _ = layers.source.transform or (1, 0, 0, 0, -1, 0)
    column, row = -b, a  # what changes the northing alone
    if d * column + e * row < 0:
        column, row = -column, -row
    length = np.hypot(column, row)
    x, y = column / length, -row / length  # rows are drawn downwards
    axes.annotate(
        "N", xy=(0.92 + 0.05 * x, 0.9 + 0.05 * y), xytext=(0.92 - 0.05 * x, 0.9 - 0.05 * y),
        xycoords="axes fraction", textcoords="axes fraction", ha="center", va="center",
        fontsize=_TEXT, arrowprops={"arrowstyle": "-|>", "color": "black", "linewidth": 1.0},
        bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "alpha": 0.8, "linewidth": 0},
    )  # fmt: skip

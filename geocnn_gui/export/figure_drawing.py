"""Draw the layers of a figure with matplotlib's objects, without its global state."""

from __future__ import annotations

import re
import textwrap
import threading
import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from geocnn_gui import __version__
from geocnn_gui.data.colour_maps import CONFIDENCE_MAP, DIVERGING_MAP, colour_table, rgb
from geocnn_gui.export.figure_axes import dress, extent_of, ratio_of
from geocnn_gui.export.figure_layout import Parts, lay_out
from geocnn_gui.labels.classes import by_id

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

    from geocnn_gui.data.source import Picture
    from geocnn_gui.export.figure import FigureSpec
    from geocnn_gui.export.figure_layers import Layers
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.models.target import Target

_INCH = 25.4
_TEXT, _SMALL = 8.0, 7.0
#: Texts are measured at a moderate resolution, whatever the figure is saved at.
_LAYOUT_DPI = 150
#: Width of a letter of the title, on the average.
_LETTER_MM = 1.9
_UNKNOWN = (128, 128, 128)
#: Formats take their font settings from matplotlib's global table, one figure at a time.
_saving = threading.Lock()
_SETTINGS: dict[Any, Any] = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "GeoCNN"}


def draw(spec: FigureSpec, layers: Layers, classes: Classes) -> tuple[Figure, str]:
    """Return the figure, laid out, and the letters that its font does not have.

    Its height fits what is in it where `spec` gives none.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        figure = _figure(spec, layers, classes)
    found = [re.search(r"Glyph (\d+)", str(one.message)) for one in said]
    return figure, " ".join(sorted({chr(int(one[1])) for one in found if one}))


def _figure(spec: FigureSpec, layers: Layers, classes: Classes) -> Figure:
    width = spec.width_mm / _INCH
    figure = Figure(figsize=(width, width), dpi=_LAYOUT_DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_pictures(axes, spec, layers, classes)
    dress(axes, layers)
    title = layers.title if spec.title is None else spec.title
    above = None
    if title:
        lines = textwrap.fill(title, max(20, int((spec.width_mm - 20) / _LETTER_MM)))
        above = axes.set_title(_plain(lines), fontsize=_TEXT + 1, loc="left", pad=5)
    parts = Parts(
        figure, axes, _add_colour_bar(figure, spec, layers),
        _add_legend(figure, spec, layers, classes), above, ratio_of(layers),
    )  # fmt: skip
    lay_out(parts, width, spec.height_mm / _INCH if spec.height_mm else None)
    return figure


def rendered(figure: Figure, spec: FigureSpec, suffix: str, title: str) -> bytes:
    """Return the figure as a file of the format ".png", ".pdf" or ".svg", without a date."""
    program = f"GeoCNN {__version__}"
    said: dict[str, dict[str, Any]] = {
        ".png": {"Software": program, "Title": title},
        ".pdf": {"Creator": program, "Title": title, "CreationDate": None},
        ".svg": {"Creator": program, "Title": title, "Date": None},
    }
    file = BytesIO()  # the PDF writer stumbles over a full disk
    with _saving, mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # was noticed while drawing
        figure.savefig(
            file, format=suffix[1:], dpi=spec.dpi, metadata=said[suffix],
            transparent=spec.background == "transparent",
        )  # fmt: skip
    return file.getvalue()


def _draw_pictures(axes: Axes, spec: FigureSpec, layers: Layers, classes: Classes) -> None:
    """Draw the data, smoothed where cells are smaller than pixels, and what lies over them."""
    place: dict[str, Any] = {"extent": extent_of(layers), "aspect": "auto"}
    if len(layers.bands) == 1:
        values, limits = _values(layers)
        colours = ListedColormap(colour_table(spec.colour_map) / 255)
        axes.imshow(
            values, cmap=colours, norm=Normalize(*limits), interpolation="auto",
            interpolation_stage="data", **place,
        )  # fmt: skip
    else:
        axes.imshow(_colour_image(layers), interpolation="auto", **place)
    for image in (
        _overlay_image(spec, layers, classes),
        _id_image(layers.labels, classes, spec.labels_opacity),
    ):
        if image is not None:
            axes.imshow(image, interpolation="nearest", **place)


def _values(layers: Layers) -> tuple[np.ma.MaskedArray, tuple[float, float]]:
    """Return the values of the only band within the limits, masked where not live."""
    picture, limits = layers.picture, layers.stretch.limits[0]
    values = np.clip(picture.values[layers.bands[0]], *limits)
    return np.ma.masked_array(values, ~picture.live), limits


def _colour_image(layers: Layers) -> np.ndarray:
    """Return RGBA uint8 of three bands; clear where nothing is live."""
    picture = layers.picture
    colours = [
        _levels(picture, band, limits)
        for band, limits in zip(layers.bands, layers.stretch.limits, strict=True)
    ]
    rest = np.where(picture.live[..., None], np.dstack(colours), 255)
    return np.dstack([rest, np.where(picture.live, 255, 0)]).astype(np.uint8)


def _levels(picture: Picture, band: int, limits: tuple[float, float]) -> np.ndarray:
    low, high = limits
    scaled = (picture.values[band] - low) * (255 / (high - low))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def _overlay_image(spec: FigureSpec, layers: Layers, classes: Classes) -> np.ndarray | None:
    if layers.values is not None and layers.target is not None:
        return _value_image(layers.values, layers.target, spec.overlay_opacity)
    if layers.confidence is None or layers.ids is None:
        return _id_image(layers.ids, classes, spec.overlay_opacity)
    levels = np.rint(np.clip(layers.confidence, 0, 1) * 255).astype(np.uint8)
    alpha = np.where(layers.ids > 0, round(255 * spec.overlay_opacity), 0).astype(np.uint8)
    return np.dstack([colour_table(CONFIDENCE_MAP)[levels], alpha])


def _value_image(values: np.ndarray, target: Target, opacity: float) -> np.ndarray:
    """Return RGBA uint8 of values between the target's limits; clear where there is none."""
    low, high = target.limits
    levels = np.rint(np.clip((np.nan_to_num(values) - low) / (high - low), 0, 1) * 255)
    alpha = np.where(np.isfinite(values), round(255 * opacity), 0).astype(np.uint8)
    return np.dstack([colour_table(_map_of(target))[levels.astype(np.uint8)], alpha])


def _map_of(target: Target) -> str:
    return DIVERGING_MAP if target.centred else CONFIDENCE_MAP


def _id_image(ids: np.ndarray | None, classes: Classes, opacity: float) -> np.ndarray | None:
    """Return RGBA uint8 of class ids; 0 is clear, an id without a class grey."""
    if ids is None:
        return None
    table = np.full((256, 4), (*_UNKNOWN, round(255 * opacity)), np.uint8)
    table[0, 3] = 0
    for one in classes:
        table[one.id, :3] = rgb(one.color)
    return table[ids]


def _add_colour_bar(figure: Figure, spec: FigureSpec, layers: Layers) -> Axes | None:
    """Add a bar for predicted values, confidence, or the values of a single band."""
    if layers.target is not None:
        text = layers.target.title[:1].upper() + layers.target.title[1:]
        table, limits, ends = _map_of(layers.target), layers.target.limits, "both"
    elif layers.confidence is not None:
        table, limits, text, ends = CONFIDENCE_MAP, (0.0, 1.0), "Confidence", "neither"
    elif len(layers.bands) == 1:
        band = layers.source.bands[layers.bands[0]]
        text = band.name[:1].upper() + band.name[1:] + (f" ({band.unit})" if band.unit else "")
        table, limits, ends = spec.colour_map, layers.stretch.limits[0], "both"
    else:
        return None
    scale = ScalarMappable(Normalize(*limits), ListedColormap(colour_table(table) / 255))
    room = figure.add_axes((0.9, 0.2, 0.02, 0.6))
    bar = figure.colorbar(scale, cax=room, extend=ends, extendfrac=0.04)
    bar.set_label(_plain(text), fontsize=_TEXT)
    room.tick_params(labelsize=_SMALL, width=0.5, length=2.5)
    for spine in room.spines.values():
        spine.set_linewidth(0.5)
    return room


def _add_legend(
    figure: Figure, spec: FigureSpec, layers: Layers, classes: Classes
) -> Legend | None:
    """Add the classes that can be seen, below the picture."""
    shown = {
        "Prediction": layers.ids if layers.confidence is None else None,
        "Labels": layers.labels,
    }
    shown = {name: ids for name, ids in shown.items() if ids is not None}
    present = np.unique(np.concatenate([np.unique(ids) for ids in shown.values()] or [[0]]))
    opacity = spec.overlay_opacity if "Prediction" in shown else spec.labels_opacity
    patches = [_patch(int(i), classes, opacity) for i in present if i]
    if not patches:
        return None
    letters = max(len(str(p.get_label())) for p in patches) + 5
    room = spec.width_mm / 1.5  # letters of that size on a line
    legend = figure.legend(
        handles=patches, loc="lower center", borderpad=0, borderaxespad=0, ncols=max(1, min(len(patches), int(room / letters))),
        fontsize=_TEXT, frameon=False, handlelength=1.4, handleheight=0.9, columnspacing=1.6,
        title=" and ".join(shown).capitalize(),
    )  # fmt: skip
    legend.get_title().set_fontsize(_TEXT)
    return legend


def _patch(number: int, classes: Classes, opacity: float) -> Patch:
    one = by_id(classes, number)
    colour = one.color if one else "#808080"
    name = one.name if one else f"Class {number}"
    return Patch(
        facecolor=to_rgba(colour, max(opacity, 0.15)), edgecolor=colour, linewidth=0.6,
        label=_plain(name),
    )  # fmt: skip


def _plain(text: str) -> str:
    """Return a text in which a dollar is a dollar and not the start of a formula."""
    return text.replace("$", r"\$")

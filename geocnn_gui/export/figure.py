"""Draw a section with its prediction as a figure for a report: PNG, PDF or SVG."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from geocnn_gui.data.colour_maps import COLOUR_MAPS
from geocnn_gui.data.source import Section
from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Event, Note, Progress, Saved
from geocnn_gui.files import write_bytes
from geocnn_gui.models.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.source import Source
    from geocnn_gui.export.layers import Prediction
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.store import LabelSnapshot

SUFFIXES = (".png", ".pdf", ".svg")
MILLIMETRES = 25.4
#: Most pixels of a figure; Agg holds them in memory, and so does who opens the file.
_MOST_PIXELS = 100_000_000
_Opacity = Annotated[float, Field(ge=0, le=1)]
_Cells = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]]


class FigureSpec(Spec):
    """What a figure shows and how large it is; None stands for what the window shows first."""

    section: Section | None = Field(
        default=None, title="Section", description="Axis and index; none for a 2-D source."
    )
    rows: _Cells | None = Field(
        default=None, title="Rows", description="First row and the one beyond the last."
    )
    columns: _Cells | None = Field(
        default=None, title="Columns", description="First column and the one beyond the last."
    )
    bands: tuple[int, ...] | None = Field(
        default=None, title="Bands", description="One band, or three for red, green and blue."
    )
    colour_map: str = Field(
        default="grey", title="Colours", description="Name of the colour map of a single band."
    )
    low: float | None = Field(
        default=None, title="Low", description="Value of the first colour; by the data where empty."
    )
    high: float | None = Field(
        default=None, title="High", description="Value of the last colour; by the data where empty."
    )
    gain: Annotated[float, Field(gt=0)] = Field(
        default=1.0, title="Gain", description="Above 1 the colours span fewer values."
    )
    overlay: Literal["none", "classes", "confidence"] = Field(
        default="classes", title="Overlay", description="What is drawn of the prediction."
    )
    overlay_opacity: _Opacity = Field(
        default=0.5, title="Overlay opacity", description="From 0, clear, to 1."
    )
    labels: bool = Field(
        default=False, title="Labels", description="Whether painted labels are drawn."
    )
    labels_opacity: _Opacity = Field(
        default=0.8, title="Labels opacity", description="From 0, clear, to 1."
    )
    title: str | None = Field(
        default=None, title="Title", description="Line above; the source and section by default."
    )
    width_mm: Annotated[float, Field(ge=50, le=1000)] = Field(
        default=170.0, title="Width", description="In millimetres, all included."
    )
    height_mm: Annotated[float, Field(ge=40, le=1000)] | None = Field(
        default=None, title="Height", description="In millimetres; as fits the picture by default."
    )
    dpi: Annotated[int, Field(ge=50, le=1200)] = Field(
        default=300,
        title="Resolution",
        description="Pixels per inch, of pictures in PDF and SVG too.",
    )
    background: Literal["white", "transparent"] = Field(
        default="white", title="Background", description="What lies around the picture."
    )  # fmt: skip


def export_figure(
    spec: FigureSpec,
    source: Source,
    prediction: Prediction | None,
    classes: Classes,
    out: Path,
    *,
    labels: LabelSnapshot | None = None,
) -> Iterator[Event]:
    """Draw the view that `spec` describes; the last event is `Saved(out, "figure")`.

    The same input gives the same bytes. No more of a large source is read than can be seen at
    the printed size.

    Raises
    ------
    BadRequest
        When the name ends in none of .png, .pdf and .svg, the spec does not fit the source, or
        the figure would have too many pixels.
    CannotWrite
        When the disk is full or the folder cannot be written to; an older file stays.
    """
    check_figure(spec, source, out)
    # The first use on a machine collects its fonts for some seconds and would warn of it.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    from geocnn_gui.export.figure_drawing import draw, rendered
    from geocnn_gui.export.figure_layers import layers_of

    text = f"Drawing {out.name}"
    layers = layers_of(spec, source, prediction, labels)
    for done in range(layers.steps):
        yield Progress(done, layers.steps + 2, text)
        layers.read_next()
    yield Progress(layers.steps, layers.steps + 2, text)
    figure, missing = draw(spec, layers, classes)
    _require_moderate((figure.get_figwidth(), figure.get_figheight()), spec.dpi)
    yield Progress(layers.steps + 1, layers.steps + 2, text)
    data = rendered(figure, spec, out.suffix.lower(), layers.title)
    yield Progress(layers.steps + 2, layers.steps + 2, text)
    write_bytes(out, data)
    if missing:
        yield Note(f"{out.name} lacks letters that the font does not have: {missing}.")
    yield Saved(out, "figure")


def check_figure(spec: FigureSpec, source: Source, out: Path) -> None:
    """Raise `BadRequest` where a figure of `source` cannot be drawn as `spec` says."""
    if out.suffix.lower() not in SUFFIXES:
        raise BadRequest(
            f"{out} has no ending that names a format for figures",
            "choose a name that ends in .png, .pdf or .svg",
        )
    if out.exists() and not out.is_file():
        raise BadRequest(f"{out} is not a file", "choose another name")
    if source.path is not None and out.exists() and out.samefile(source.path):
        raise BadRequest(f"{out} is the data file itself", "choose another name")
    if spec.colour_map not in COLOUR_MAPS:
        raise BadRequest(
            f"{spec.colour_map} is no colour map", f"choose one of {', '.join(COLOUR_MAPS)}"
        )
    if spec.bands is not None and (
        len(spec.bands) not in (1, 3) or not set(spec.bands) <= set(range(len(source.bands)))
    ):
        raise BadRequest(f"{source.name} has no such bands", "choose one of its bands, or three")
    _check_cells(spec, source)
    _require_moderate((spec.width_mm / MILLIMETRES, (spec.height_mm or 0) / MILLIMETRES), spec.dpi)


def _check_cells(spec: FigureSpec, source: Source) -> None:
    section = spec.section or source.first_section()
    known = section.axis in (source.section_axes or (None,))
    if not known or not 0 <= section.index < (source.shape[section.axis or 0]):
        raise BadRequest(f"{source.name} has no such section", "choose another one")
    for part, size in zip((spec.rows, spec.columns), source.picture_shape(section), strict=True):
        if part is not None and not part[0] < part[1] <= size:
            raise BadRequest(
                f"{source.name} has no cells {part[0]} to {part[1]} there",
                f"choose a window within 0 to {size}",
            )


def _require_moderate(inches: tuple[float, float], dpi: int) -> None:
    pixels = inches[0] * dpi * inches[1] * dpi
    if pixels > _MOST_PIXELS or max(inches) * dpi >= 2**16:
        raise BadRequest(
            f"The figure would have {pixels / 1e6:.0f} million pixels",
            "choose a smaller size or fewer pixels per inch",
        )

"""Draw a section with its prediction as a figure for a report: PNG, PDF or SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from geocnn_gui import __version__
from geocnn_gui.data.source import Section
from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Event, Progress, Saved
from geocnn_gui.files import replacing
from geocnn_gui.models.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from geocnn_gui.data.source import Source
    from geocnn_gui.export.layers import Prediction
    from geocnn_gui.labels.classes import Classes
    from geocnn_gui.labels.store import LabelStore

SUFFIXES = (".png", ".pdf", ".svg")
_STEPS = 3
_INCH = 25.4


class FigureSpec(Spec):
    """What a figure shows and how large it is; `rows`, `columns` are (start, stop) or None for all."""

    section: Section | None = None
    rows: tuple[int, int] | None = None
    columns: tuple[int, int] | None = None
    bands: tuple[int, ...] | None = None
    colour_map: str = "grey"
    low: float | None = None
    high: float | None = None
    gain: Annotated[float, Field(gt=0)] = 1.0
    overlay: Literal["none", "classes", "confidence"] = "classes"
    overlay_opacity: Annotated[float, Field(ge=0, le=1)] = 0.5
    labels: bool = False
    labels_opacity: Annotated[float, Field(ge=0, le=1)] = 0.8
    title: str = ""
    width_mm: Annotated[float, Field(ge=40, le=1000)] = 170.0
    dpi: Annotated[int, Field(ge=50, le=1200)] = 300


def export_figure(
    spec: FigureSpec,
    source: Source,
    prediction: Prediction | None,
    classes: Classes,
    out: Path,
    *,
    labels: LabelStore | None = None,
) -> Iterator[Event]:
    """Draw the view that `spec` describes; the last event is `Saved(out, "figure")`.

    Raises
    ------
    BadRequest
        When the name ends in none of .png, .pdf and .svg, or the section is not in the source.
    CannotWrite
        When the disk is full or the folder cannot be written to; an older file stays.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise BadRequest(f"{out} is no figure", "choose a name that ends in .png, .pdf or .svg")
    text = f"Drawing {out.name}"
    yield Progress(0, _STEPS, text)
    with replacing(out) as temporary:
        figure = _figure(spec, source, prediction, classes)
        yield Progress(2, _STEPS, text)
        figure.savefig(temporary, dpi=spec.dpi, metadata={})
        yield Progress(3, _STEPS, text)
    yield Saved(out, "figure")


def _figure(
    spec: FigureSpec, source: Source, prediction: Prediction | None, classes: Classes
) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    section = spec.section or source.first_section()
    shape = source.picture_shape(section)
    rows, columns = (
        slice(*(part or (0, size)))
        for part, size in zip((spec.rows, spec.columns), shape, strict=True)
    )
    picture = source.read_preview(section, rows, columns, (2000, 2000))
    width = spec.width_mm / _INCH
    figure = Figure(figsize=(width, width * 0.7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(picture.values[0], cmap="gray", aspect="auto")
    axes.set_title(spec.title or f"{source.name} {__version__}")
    if prediction is not None and spec.overlay == "classes":
        plane = source.plane(section)
        ids = plane.picture(prediction.read_classes(plane.window(rows, columns)))
        axes.imshow(np.ma.masked_equal(ids, 0), aspect="auto", alpha=spec.overlay_opacity)
    return figure

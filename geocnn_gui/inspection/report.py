"""All that can be seen of a place at once, as arrays and as a picture."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geocnn_gui.events import Progress, Saved
from geocnn_gui.files import write_bytes
from geocnn_gui.inspection.attribution import Attribution, attribute, best_layer
from geocnn_gui.inspection.fields import Field, effective_field, theoretical_field, windows
from geocnn_gui.inspection.layers import Layer, feature_maps, has_layer, kernels, layers_of
from geocnn_gui.inspection.spec import METHODS, check_report_name
from geocnn_gui.inspection.subject import Look, Output, Subject

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from matplotlib.figure import Figure

    from geocnn_gui.data.source import Source
    from geocnn_gui.events import Event
    from geocnn_gui.inspection.spec import Place, Wish

#: Of a layer the picture shows so many maps and kernels at most.
_DRAWN = 24
_ACROSS = 6


@dataclass(frozen=True, slots=True)
class Report:
    """What was seen of one place."""

    look: Look
    layers: tuple[Layer, ...]
    layer: str
    outputs: tuple[Output, ...]
    output: int
    maps: np.ndarray
    kernels: np.ndarray | None
    attributions: tuple[Attribution, ...]
    theoretical: Field
    effective: Field | None
    of_layer: Field

    def facts(self) -> dict[str, Any]:
        """Return what it says in words and figures, for JSON."""
        place, look = self.look.place, self.look
        return {
            "row": place.row, "column": place.column, "section": place.section.index,
            "window": {"rows": [look.rows.start, look.rows.stop],
                       "columns": [look.columns.start, look.columns.stop]},
            "outputs": [{"name": o.name, "logit": o.logit, "value": o.value, "unit": o.unit}
                        for o in self.outputs],
            "target": self.outputs[self.output].name,
            "layer": self.layer,
            "layers": [{"name": n.name, "kind": n.kind, "channels": n.channels,
                        "size": list(n.size), "kernel": list(n.kernel)} for n in self.layers],
            "receptive_field": _box(self.theoretical),
            "layer_receptive_field": _box(self.of_layer),
            "effective_field": None if self.effective is None else _box(self.effective),
            "integrated_gap": next((a.gap for a in self.attributions if a.gap is not None), None),
        }  # fmt: skip

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything as arrays by name."""
        found = {
            "input": self.look.picture, "at": np.array(self.look.at),
            "rows": np.array([self.look.rows.start, self.look.rows.stop]),
            "columns": np.array([self.look.columns.start, self.look.columns.stop]),
            "names": np.array([o.name for o in self.outputs]),
            "values": np.array([o.value for o in self.outputs]),
            "logits": np.array([o.logit for o in self.outputs]),
            "layer": np.array(self.layer), "maps": self.maps,
            "receptive_field": _corners(self.theoretical),
        }  # fmt: skip
        if self.kernels is not None:
            found["kernels"] = self.kernels
        for each in self.attributions:
            found[each.method.replace("-", "_")] = each.values
        if self.effective is not None:
            found["effective_field"] = self.effective.weights
            found["effective_box"] = _corners(self.effective)
        return found


def inspect(
    model: Path, source: Source, place: Place, wish: Wish, *, out: Path | None = None
) -> Generator[Event, None, Report]:
    """Look inside a model at a place, write what is seen to `out` (.npz or .png), and return it.

    Raises
    ------
    ModelMismatch, NoLiveData, BadRequest, CannotWrite
        When the model does not fit, there is no such place, layer or class, or the disk is full.
    """
    report = yield from make_report(Subject.open(model, source), place, wish)
    if out is not None:
        save_report(report, out)
        yield Saved(out, "inspection")
    return report


def make_report(subject: Subject, place: Place, wish: Wish) -> Generator[Event, None, Report]:
    """Look at a place in every way that is wished for; return a `Report`.

    Raises
    ------
    BadRequest, NoLiveData
        When there is no such place, layer or class, or no live window around.
    """
    steps = 5 + len(wish.methods) + wish.windows
    yield Progress(0, steps, "Reading")
    look = subject.look(place, size=wish.size)
    layers = layers_of(subject, look)
    layer = wish.layer or best_layer(subject, look)
    has_layer(layers, layer)
    output = subject.output_number(wish.output, look)
    yield Progress(1, steps, "Feature maps")
    maps = feature_maps(subject, look, layer)
    kernel = next(each.kernel for each in layers if each.name == layer)
    attributions = []
    for number, method in enumerate(wish.methods):
        yield Progress(2 + number, steps, METHODS[method])
        cam = layer if maps[0].size > 1 else ""
        attributions.append(attribute(subject, look, method, output=output, layer=cam))
    done = 2 + len(wish.methods)
    yield Progress(done, steps, "Receptive fields")
    theoretical = theoretical_field(subject, look)
    of_layer = theoretical_field(subject, look, layer)
    yield Progress(done + 1, steps, "Receptive fields")
    looks = []
    for look_there in windows(subject, place.section, wish.windows) if wish.windows else ():
        looks.append(look_there)
        yield Progress(done + 1 + len(looks), steps, "Effective receptive field")
    return Report(
        look, layers, layer, subject.outputs(look), output, maps,
        kernels(subject, look, layer) if kernel else None, tuple(attributions), theoretical,
        effective_field(subject, looks, output=output) if looks else None, of_layer,
    )  # fmt: skip


def save_report(report: Report, out: Path) -> None:
    """Write a report as arrays (.npz) or as a picture (.png); raises `BadRequest`, `CannotWrite`."""
    check_report_name(out)
    buffer = io.BytesIO()
    if out.suffix.lower() == ".npz":
        np.savez_compressed(buffer, allow_pickle=False, **report.arrays())
    else:
        draw(report).savefig(buffer, format="png", dpi=120)
    write_bytes(out, buffer.getvalue())


def draw(report: Report) -> Figure:
    """Draw a report: data, attributions, receptive field, feature maps, kernels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    maps = report.maps[:_DRAWN]
    kernels = () if report.kernels is None else report.kernels[:_DRAWN, 0]
    kernels = [k if k.ndim == 2 else k[len(k) // 2] for k in kernels]
    tops = 2 + len(report.attributions)
    rows = [max(tops, 1), *(_ACROSS for _ in range(-(-len(maps) // _ACROSS))),
            *(_ACROSS for _ in range(-(-len(kernels) // _ACROSS)))]  # fmt: skip
    heights = [2.2] + [1.0] * (len(rows) - 1)
    figure = Figure(figsize=(9, 1.3 * sum(heights) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    parts = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_top(parts[0].subplots(1, tops, squeeze=False)[0], report)
    pictures = [(m, f"{report.layer} {i}", "grey") for i, m in enumerate(maps)]
    pictures += [(None, "", "")] * (-len(pictures) % _ACROSS)
    pictures += [(k, f"kernel {i}", "signed") for i, k in enumerate(kernels)]
    for row, part in enumerate(parts[1:]):
        line = pictures[row * _ACROSS : (row + 1) * _ACROSS]
        for axes, (picture, title, kind) in zip(
            part.subplots(1, _ACROSS), line + [(None, "", "")] * (_ACROSS - len(line)), strict=True
        ):
            _draw_small(axes, picture, title, kind)
    return figure


def _draw_top(places: Any, report: Report) -> None:
    look, data = report.look, report.look.picture[0]
    places[0].imshow(data, cmap="gray", aspect="auto")
    best = report.outputs[report.output]
    figure = f"{best.value:.3g} {best.unit}".strip()
    places[0].set_title(f"row {look.place.row}, column {look.place.column}: {best.name} {figure}",
                        fontsize=7)  # fmt: skip
    for axes, each in zip(places[1:], report.attributions, strict=False):
        limit = float(np.abs(each.values).max()) or 1.0
        axes.imshow(data, cmap="gray", aspect="auto")
        axes.imshow(each.values, cmap="RdBu_r", vmin=-limit, vmax=limit, alpha=0.6, aspect="auto")
        axes.set_title(METHODS[each.method], fontsize=7)
    _draw_fields(places[-1], report)
    for axes in places:
        axes.plot(look.at[1], look.at[0], "+", color="#d60000", markersize=7)
        axes.tick_params(labelsize=6)


def _draw_fields(axes: Any, report: Report) -> None:
    from matplotlib.patches import Rectangle

    look = report.look
    axes.imshow(look.picture[0], cmap="gray", aspect="auto")
    if report.effective is not None:
        weights = report.effective.weights
        shown = np.ma.masked_less(weights, 0.02)
        axes.imshow(shown, cmap="viridis", alpha=0.7, aspect="auto")
    for field, colour in ((report.theoretical, "#d60000"), (report.effective, "#f0a000")):
        if field is not None:
            corner = (field.columns.start + look.at[1] - 0.5, field.rows.start + look.at[0] - 0.5)
            box = Rectangle(corner, field.size[1], field.size[0], fill=False, edgecolor=colour)
            axes.add_patch(box)
    size = " x ".join(map(str, report.theoretical.size))
    axes.set_title(f"Receptive field {size}", fontsize=7)


def _draw_small(axes: Any, picture: np.ndarray | None, title: str, kind: str) -> None:
    axes.axis("off")
    if picture is None:
        return
    if kind == "signed":
        limit = float(np.abs(picture).max()) or 1.0
        axes.imshow(picture, cmap="RdBu_r", vmin=-limit, vmax=limit)
    else:
        axes.imshow(picture, cmap="gray", aspect="auto")
    axes.set_title(title, fontsize=5)


def _box(field: Field) -> dict[str, Any]:
    return {"rows": [field.rows.start, field.rows.stop],
            "columns": [field.columns.start, field.columns.stop],
            "cells": field.cells, "cut": field.cut}  # fmt: skip


def _corners(field: Field) -> np.ndarray:
    return np.array([field.rows.start, field.rows.stop, field.columns.start, field.columns.stop])

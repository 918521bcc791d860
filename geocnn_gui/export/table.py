"""The one entry to every writer: which formats there are, for what, and why not where not."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import Any, Literal

from geocnn_gui.data.source import Section, Source
from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Event, Progress, Saved
from geocnn_gui.export.class_map import ClassMap, OneProbability, ValueMap
from geocnn_gui.export.figure import FigureSpec
from geocnn_gui.export.layers import Layer, Prediction, What, target_of
from geocnn_gui.export.segy import Samples
from geocnn_gui.files import replacing
from geocnn_gui.labels.classes import Classes
from geocnn_gui.labels.store import LabelSnapshot

#: What can be exported; "probability" is that of one class.
Kind = Literal[
    "classes",
    "confidence",
    "probabilities",
    "probability",
    "values",
    "polygons",
    "figure",
    "labels",
    "model",
]
_CHUNK = 2**24


def _segy(source: Source) -> str:
    kept = source.format.startswith("SEG-Y")
    return "" if kept else f"{source.name} is no SEG-Y file, so there are no headers to keep"


def _flat(source: Source) -> str:
    if source.samples is not None:
        return f"{source.name} is a sample set and no map"
    flat = len(source.shape) == 2
    return "" if flat else f"{source.name} is a cube and would have to be a picture"


def _set(source: Source) -> str:
    return "" if source.samples is not None else f"{source.name} is no sample set"


def _always(source: Source) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Format:
    """A file format: its endings, the usual one first, and in a line what it is good for.

    `why_not` answers with the fact where a source cannot be written so, "" where it can. Writers
    are "module:function", called with (layer, source, out).
    """

    name: str
    suffixes: tuple[str, ...]
    use: str
    why_not: Callable[[Source], str] = _always
    writer: str = ""

    @property
    def filter(self) -> str:
        """Return how a file dialog names the format."""
        return f"{self.name} ({' '.join('*' + suffix for suffix in self.suffixes)})"


_SEGY = Format(
    "SEG-Y", (".sgy", ".segy"), "OpendTect, Petrel: your headers, new samples",
    _segy, "geocnn_gui.export.segy:export_segy",
)  # fmt: skip
_TIFF = Format(
    "GeoTIFF", (".tif", ".tiff"), "QGIS: on the map, with names and colours",
    _flat, "geocnn_gui.export.raster:export_raster",
)  # fmt: skip
_ARRAY = Format(
    "NumPy", (".npy",), "Python: a plain array, in the data's order",
    _always, "geocnn_gui.export.array:export_array",
)  # fmt: skip
_TABLE = Format(
    "Table", (".csv",), "Spreadsheets: a row for each sample",
    _set, "geocnn_gui.export.sample_table:export_table",
)  # fmt: skip
_MAPS = (_SEGY, _TIFF, _TABLE, _ARRAY)
#: Kind -> formats, the most natural first.
FORMATS: dict[Kind, tuple[Format, ...]] = {
    "classes": _MAPS,
    "confidence": _MAPS,
    "probabilities": (_TIFF, _ARRAY),
    "probability": (_SEGY, _ARRAY),
    "values": _MAPS,
    "polygons": (
        Format("GeoPackage", (".gpkg",), "QGIS, ArcGIS: with style, class and area"),
        Format("GeoJSON", (".geojson",), "The web: longitude and latitude"),
        Format("Shapefile", (".shp",), "Older programs: several files as one"),
    ),
    "figure": (
        Format("PNG", (".png",), "Reports, slides: pixels, 300 an inch"),
        Format("PDF", (".pdf",), "Print: text and lines stay sharp"),
        Format("SVG", (".svg",), "Drawing programs: text can be changed"),
    ),
    "labels": (
        Format("GeoTIFF", (".tif", ".tiff"), "QGIS: what was painted, with names", _flat),
        Format("PNG", (".png",), "Paint programs: one colour a class", _flat),
        Format("NumPy", (".npy",), "Python, and training on the command line"),
    ),
    "model": (Format("GeoCNN model", (".safetensors",), "Predicting elsewhere"),),
}
_NOUNS: dict[Kind, str] = {
    "classes": "class map", "confidence": "confidence", "probabilities": "probabilities",
    "probability": "probability", "values": "values", "polygons": "polygons", "figure": "figure",
    "labels": "labels", "model": "model",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted: a kind and a file, whose ending says the format.

    `section` is needed for the polygons of a cube. `class_id` says of which class the
    probability is. `samples` are those of a SEG-Y file.
    """

    kind: Kind
    out: Path
    section: Section | None = None
    class_id: int = 0
    samples: Samples = "source"
    figure: FigureSpec | None = None


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to export; `others` are data files that no export may replace.

    `named` are the classes that the ids of `labels` stand for, where they differ from `classes`.
    """

    source: Source
    prediction: Prediction | None = None
    classes: Classes = ()
    labels: LabelSnapshot | None = None
    model: Path | None = None
    others: tuple[Path, ...] = ()
    named: Classes = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files that are read, and other data."""
        maps = self.prediction.files if isinstance(self.prediction, ClassMap | ValueMap) else ()
        known = (self.source.path, self.model, *maps, *self.others)
        return tuple(path for path in known if path is not None)


def kind_for(out: Path) -> Kind:
    """Return what a file of that name holds where nothing else is said."""
    suffix = out.suffix.lower()
    kinds: tuple[Kind, ...] = ("polygons", "figure", "model")
    for kind in kinds:
        if any(suffix in each.suffixes for each in FORMATS[kind]):
            return kind
    return "classes"


def formats_for(kind: Kind, source: Source) -> tuple[Format, ...]:
    """Return the formats in which `kind` of a source can be written, the most natural first."""
    return tuple(each for each in FORMATS[kind] if not each.why_not(source))


def why_none(kind: Kind, material: Material, section: Section | None = None) -> str:
    """Say in a sentence why `kind` cannot be exported; "" where it can."""
    try:
        _check_material(kind, material, section)
    except BadRequest as error:
        return str(error)
    return ""


def _check_material(kind: Kind, material: Material, section: Section | None) -> None:
    source, prediction = material.source, material.prediction
    if kind == "labels" and (material.labels is None or not material.labels.counts):
        raise BadRequest(f"{source.name} has no labels", "paint some first")
    if kind == "model" and material.model is None:
        raise BadRequest("There is no model", "train one first, or choose a run that has one")
    if kind in ("figure", "labels", "model"):
        return
    if prediction is None:
        raise BadRequest("There is no prediction to write", "predict first")
    if kind == "values" or target_of(prediction) is not None:
        Layer(prediction, "values" if kind == "values" else "classes", material.classes)
    if kind in ("probabilities", "probability"):
        Layer(prediction, "probabilities", material.classes)
    if kind == "confidence" and isinstance(prediction, ClassMap) and not prediction.has_confidence:
        raise BadRequest("A class map has no confidence", "give a file of it")
    if kind == "polygons" and len(source.shape) == 3 and (section or Section()).axis is None:
        raise BadRequest(f"{source.name} is a cube and has no single map", "choose a section")


def check_output(source: Source, out: Path, kind: Kind = "classes") -> None:
    """Raise `BadRequest` where `kind` of `source` cannot be written to `out`."""
    _format(source, out, kind)


def _format(source: Source, out: Path, kind: Kind) -> Format:
    suffix = out.suffix.lower()
    endings = _or([each.suffixes[0] for each in formats_for(kind, source)])
    way_out = f"choose a name that ends in {endings}"
    row = next((each for each in FORMATS[kind] if suffix in each.suffixes), None)
    if row is None:
        known = any(suffix in each.suffixes for rows in FORMATS.values() for each in rows)
        fact = f"holds no {_NOUNS[kind]}" if known else "has no ending that names a known format"
        raise BadRequest(f"{out} {fact}", way_out)
    if out.exists() and not out.is_file():
        raise BadRequest(f"{out} is not a file", "choose another name")
    if source.path is not None and out.exists() and out.samefile(source.path):
        raise BadRequest(f"{out} is the data file itself", "choose another name")
    if why := row.why_not(source):
        raise BadRequest(why, way_out)
    return row


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def check(order: Order, material: Material) -> None:
    """Raise `BadRequest` where an order cannot be carried out."""
    row = _format(material.source, order.out, order.kind)
    _check_material(order.kind, material, order.section)
    if order.samples != "source" and row is not _SEGY:
        raise BadRequest(f"{order.out} is no SEG-Y file", "leave the choice of samples out")


def export(order: Order, material: Material) -> Iterator[Event]:
    """Write what is ordered; the last event is `Saved(order.out, ...)`.

    A `Saved(path, "companion")` before it names each file written beside it.

    Raises
    ------
    BadRequest
        When the order does not suit the source, or what it needs is not there.
    CannotWrite
        When the disk is full or the folder cannot be written to; an older file stays.
    LabelsMismatch
        When a class map holds other values than classes.
    """
    check(order, material)
    if isinstance(material.prediction, ClassMap):
        classes = yield from material.prediction.find_classes()
        material = replace(material, classes=classes)
    before = _stamps(order.out)
    last: Saved | None = None
    for event in _WRITE.get(order.kind, _write_map)(order, material):
        if isinstance(event, Saved):
            last = event
        else:
            yield event
    for path, stamp in _stamps(order.out).items():
        if before.get(path) != stamp:
            yield Saved(path, "companion")
    if last is not None:
        yield last


def _stamps(out: Path) -> dict[Path, tuple[int, int]]:
    """Return what changes when a file beside `out` that goes with it is replaced."""
    stamps = {}
    for path in sorted(out.parent.glob(f"{escape(out.stem)}.*")):
        if path != out and path.is_file():
            facts = path.stat()
            stamps[path] = facts.st_ino, facts.st_mtime_ns
    return stamps


def _write_map(order: Order, material: Material) -> Iterator[Event]:
    prediction, what = material.prediction, order.kind
    assert prediction is not None
    if what == "probability":
        prediction = OneProbability.of(prediction, material.classes, order.class_id)
    row = _format(material.source, order.out, order.kind)
    options: dict[str, Any] = {"samples": order.samples} if row is _SEGY else {}
    if row is _TABLE:
        options = {"labels": material.labels, "named": material.named or material.classes}
    yield from _run(row, Layer(prediction, _LAYERS[what], material.classes), material.source,
                    order.out, **options)  # fmt: skip
    yield Saved(order.out, "prediction" if what in ("classes", "values") else what)


def _run(row: Format, layer: Layer, source: Source, out: Path, **options: Any) -> Iterator[Event]:
    module, _, name = row.writer.partition(":")
    yield from getattr(importlib.import_module(module), name)(layer, source, out, **options)


def _write_polygons(order: Order, material: Material) -> Iterator[Event]:
    from geocnn_gui.export.vectors import export_vectors

    assert material.prediction is not None
    yield from export_vectors(
        material.prediction, material.source, material.classes, order.out,
        section=order.section or Section(),
    )  # fmt: skip


def _write_figure(order: Order, material: Material) -> Iterator[Event]:
    from geocnn_gui.export.figure import FigureSpec, export_figure

    spec = order.figure or FigureSpec(section=order.section)
    yield from export_figure(
        spec, material.source, material.prediction, material.classes, order.out,
        labels=material.labels,
    )  # fmt: skip


def _write_labels(order: Order, material: Material) -> Iterator[Event]:
    from geocnn_gui.labels.files import save_labels

    assert material.labels is not None
    yield Progress(0, 0, f"Writing {order.out.name}")
    save_labels(order.out, material.labels, material.source, material.classes)
    yield Saved(order.out, "labels")


def _write_model(order: Order, material: Material) -> Iterator[Event]:
    assert material.model is not None
    size, done = material.model.stat().st_size, 0
    with replacing(order.out) as path, material.model.open("rb") as old, path.open("wb") as new:
        while chunk := old.read(_CHUNK):
            done += new.write(chunk)
            yield Progress(done, size, f"Writing {order.out.name}")
    yield Saved(order.out, "model")


_LAYERS: dict[Kind, What] = {
    "classes": "classes", "confidence": "confidence", "probabilities": "probabilities",
    "probability": "confidence", "values": "values",
}  # fmt: skip
_WRITE: dict[Kind, Callable[[Order, Material], Iterator[Event]]] = {
    "polygons": _write_polygons, "figure": _write_figure, "labels": _write_labels,
    "model": _write_model,
}  # fmt: skip


def export_prediction(
    prediction: Prediction, source: Source, classes: Classes, out: Path, what: What = "classes"
) -> Iterator[Event]:
    """Write one of the arrays of a prediction in the format that `out` names.

    The last event is `Saved(out, ...)`: "prediction", "confidence" ... Raises
    as `export`.
    """
    row = _format(source, out, what)
    yield from _run(row, Layer(prediction, what, classes), source, out)
    yield Saved(out, "prediction" if what in ("classes", "values") else what)

"""What lies beside a GeoTIFF: GDAL's notes (`.aux.xml`) and a style for QGIS (`.qml`)."""

from __future__ import annotations

import hashlib
import math
import unicodedata
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

from geocnn_gui import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from geocnn_gui.export.tally import Tally
    from geocnn_gui.labels.classes import Classes

#: Columns of the attribute table: name, type (0 whole number, 2 text) and GDAL's usage number.
_FIELDS = (
    ("Value", 0, 5), ("Count", 0, 1), ("Class", 2, 2), ("Red", 0, 6), ("Green", 0, 7),
    ("Blue", 0, 8), ("Alpha", 0, 9),
)  # fmt: skip
#: Confidence from 0 to 1, evenly spaced: the colours it has in the window.
_CONFIDENCE_COLORS = (
    "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30",
    "#fde725",
)  # fmt: skip
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_OURS = "GeoCNN wrote this style"
_LONGEST_STYLE = 1 << 20
#: Files that QGIS draws by the style of their name.
_STYLED = (".tif", ".tiff", ".shp", ".geojson")


def notes_path(out: Path) -> Path:
    """Return where GDAL looks for its notes on a raster: `map.tif` has `map.tif.aux.xml`."""
    return out.with_name(f"{out.name}.aux.xml")


def style_path(out: Path) -> Path:
    """Return where QGIS looks for the style of a raster: `a.b.tif` has `a.b.qml`."""
    return out.with_suffix(".qml")


def stale_paths(out: Path) -> tuple[Path, ...]:
    """Return files that other programs leave beside a raster and that a new one makes untrue."""
    endings = (".ovr", ".msk", ".msk.ovr", ".vat.dbf", ".vat.cpg")
    return tuple(out.with_name(out.name + ending) for ending in endings)


def clean(name: str) -> str:
    """Return a name as every format takes it: no control characters, one line, never empty."""
    kept = (" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in name)
    legal = "".join(c for c in kept if c not in "\ufffe\uffff")
    return " ".join(legal.split()) or "unnamed"


def class_notes(classes: Classes, counts: np.ndarray, tally: Tally) -> bytes:
    """Return `.aux.xml` of a class map: names by value, the attribute table, statistics.

    `counts` (256) are the cells of each value.
    """
    root, band = _notes_root(1)
    names = {c.id: clean(c.name) for c in classes}
    categories = ElementTree.SubElement(band, "CategoryNames")
    for value in range(max(names, default=0) + 1):
        text = "nodata" if value == 0 else names.get(value, "")
        ElementTree.SubElement(categories, "Category").text = text
    table = ElementTree.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for index, (name, kind, usage) in enumerate(_FIELDS):
        field = ElementTree.SubElement(table, "FieldDefn", index=str(index))
        for key, value in (("Name", name), ("Type", kind), ("Usage", usage)):
            ElementTree.SubElement(field, key).text = str(value)
    for index, one in enumerate(sorted(classes, key=lambda c: c.id)):
        row = ElementTree.SubElement(table, "Row", index=str(index))
        rgb = bytes.fromhex(one.color[1:])
        for value in (one.id, int(counts[one.id]), names[one.id], *rgb, 255):
            ElementTree.SubElement(row, "F").text = str(value)
    _add_statistics(band, tally)
    return _to_bytes(root)


def float_notes(tallies: Sequence[Tally]) -> bytes:
    """Return `.aux.xml` of float bands: statistics, for other programs to stretch by."""
    root, first = _notes_root(1)
    for number, tally in enumerate(tallies, 1):
        band = first if number == 1 else _band(root, number)
        _add_statistics(band, tally)
    return _to_bytes(root)


def _notes_root(number: int) -> tuple[ElementTree.Element, ElementTree.Element]:
    root = ElementTree.Element("PAMDataset")
    return root, _band(root, number)


def _band(root: ElementTree.Element, number: int) -> ElementTree.Element:
    return ElementTree.SubElement(root, "PAMRasterBand", band=str(number))


def _add_statistics(band: ElementTree.Element, tally: Tally) -> None:
    """Add what GDAL would compute; nothing for a band without a single value."""
    if not tally.count:
        return
    metadata = ElementTree.SubElement(band, "Metadata")
    values = {
        "MAXIMUM": tally.high, "MEAN": tally.mean, "MINIMUM": tally.low,
        "STDDEV": tally.deviation, "VALID_PERCENT": 100 * tally.count / tally.cells,
    }  # fmt: skip
    for key, value in values.items():
        item = ElementTree.SubElement(metadata, "MDI", key=f"STATISTICS_{key}")
        item.text = f"{value:.9g}"


def class_style(classes: Classes) -> bytes:
    """Return `.qml` that draws every class in its colour, with its name in the legend."""
    root, renderer = _style_root("paletted", band=1)
    palette = ElementTree.SubElement(renderer, "colorPalette")
    for one in sorted(classes, key=lambda c: c.id):
        ElementTree.SubElement(
            palette, "paletteEntry", value=str(one.id), color=one.color, alpha="255",
            label=clean(one.name),
        )  # fmt: skip
    return style_bytes(root)


def confidence_style(band: int) -> bytes:
    """Return `.qml` that draws one band from 0 to 1 in the colours of confidence."""
    return _ramp_style(band, 0, 1)


def value_style(tally: Tally) -> bytes:
    """Return `.qml` that draws values within two and a half deviations of their mean."""
    if not tally.count:
        return _ramp_style(1, 0, 1)
    wide = 2.5 * tally.deviation or 1.0
    return _ramp_style(1, max(tally.low, tally.mean - wide), min(tally.high, tally.mean + wide))


def _ramp_style(band: int, low: float, high: float) -> bytes:
    root, renderer = _style_root("singlebandpseudocolor", band=band)
    low, high = (float(f"{value:.6g}") for value in (low, high))
    renderer.set("classificationMin", f"{low:g}")
    renderer.set("classificationMax", f"{high:g}")
    shader = ElementTree.SubElement(
        ElementTree.SubElement(renderer, "rastershader"), "colorrampshader", minimumValue=f"{low:g}",
        maximumValue=f"{high:g}", colorRampType="INTERPOLATED", classificationMode="1", clip="0",
    )  # fmt: skip
    for number, color in enumerate(_CONFIDENCE_COLORS):
        value = low + (high - low) * number / (len(_CONFIDENCE_COLORS) - 1)
        ElementTree.SubElement(
            shader,
            "item",
            value=f"{value:g}",
            label=_label(value, high - low),
            color=color,
            alpha="255",
        )
    return style_bytes(root)


def _label(value: float, span: float) -> str:
    """Return a number with two decimals, or as many as show a hundredth of the span."""
    digits = 2 if not span or 1 <= span < 100 else max(0, 2 - math.floor(math.log10(span)))
    return f"{value:.{digits}f}"


def _style_root(renderer: str, *, band: int) -> tuple[ElementTree.Element, ElementTree.Element]:
    root = ElementTree.Element(
        "qgis", version="3.22", styleCategories="AllStyleCategories|Symbology"
    )
    pipe = ElementTree.SubElement(root, "pipe")
    drawn = ElementTree.SubElement(
        pipe, "rasterrenderer", type=renderer, band=str(band), opacity="1", alphaBand="-1",
        nodataColor="",
    )  # fmt: skip
    ElementTree.SubElement(drawn, "rasterTransparency")
    limits = ElementTree.SubElement(drawn, "minMaxOrigin")
    ElementTree.SubElement(limits, "limits").text = "None"  # ours, not those of what is in view
    ElementTree.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    ElementTree.SubElement(pipe, "rasterresampler", maxOversampling="2")
    ElementTree.SubElement(root, "blendMode").text = "0"
    return root, drawn


def style_bytes(root: ElementTree.Element) -> bytes:
    """Return the style, and in front of it a line by which it is known again while unchanged."""
    body = _to_bytes(root)
    line = f"<!-- {_OURS}, version {__version__}, content {_digest(body)} -->\n"
    return _DOCTYPE.encode() + line.encode() + body


def kept(out: Path) -> str:
    """Say that the style beside a file is the user's own, or that of another file of its name."""
    path = style_path(out)
    style = path.name
    if _body(path) is not None:
        others = [out.with_suffix(suffix) for suffix in _STYLED if suffix != out.suffix.lower()]
        owner = next((each.name for each in others if each.exists()), "another file")
        return (
            f"{style} belongs to {owner} and is kept. QGIS knows no second style of that name, so "
            f"{out.name} has none: another name for it gets one."
        )
    return f"{style} is kept, for GeoCNN did not write it so: QGIS may draw {out.name} by it."


def is_foreign(style: Path, *, renderer: str = "rasterrenderer") -> bool:
    """Say whether a style stands there that this program did not write, or not so.

    A style with another `renderer` is foreign too: it belongs to polygons, or a map, of that name.
    """
    if not style.exists():
        return False
    body = _body(style)
    return body is None or f"<{renderer} ".encode() not in body


def _body(style: Path) -> bytes | None:
    """Return what this program wrote into a style, None where that is not it."""
    try:
        with style.open("rb") as file:
            data = file.read(_LONGEST_STYLE)
    except OSError:
        return None
    head, found, body = data.removeprefix(_DOCTYPE.encode()).partition(b" -->\n")
    ours = _OURS.encode() in head and head.endswith(_digest(body).encode())
    return body if found and ours else None


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


def _to_bytes(root: ElementTree.Element) -> bytes:
    ElementTree.indent(root, " ")
    return ElementTree.tostring(root, encoding="utf-8") + b"\n"

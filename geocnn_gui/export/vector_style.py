"""How QGIS draws exported polygons: a category per class, in its colour, by its name."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from geocnn_gui.export.styles import clean, style_bytes

if TYPE_CHECKING:
    from geocnn_gui.labels.classes import Classes

#: The element by which a style of polygons is known.
RENDERER = "renderer-v2"


def class_qml(classes: Classes) -> bytes:
    """Return a QGIS style (.qml) that colours polygons by their field `class_id`."""
    root = ET.Element("qgis", version="3.34", styleCategories="Symbology")
    renderer = ET.SubElement(
        root, RENDERER, type="categorizedSymbol", attr="class_id",
        enableorderby="0", forceraster="0", symbollevels="0",
    )  # fmt: skip
    categories, symbols = ET.SubElement(renderer, "categories"), ET.SubElement(renderer, "symbols")
    for at, one in enumerate(classes):
        ET.SubElement(
            categories, "category", value=str(one.id), symbol=str(at), label=clean(one.name),
            render="true", type="long",
        )  # fmt: skip
        _fill(symbols, str(at), one.color)
    ET.SubElement(root, "blendMode").text = "0"
    return style_bytes(root)


def _fill(symbols: ET.Element, name: str, color: str) -> None:
    """Add a fill whose thin outline has its own colour, so that no seams show between cells."""
    symbol = ET.SubElement(symbols, "symbol", name=name, type="fill", alpha="1", force_rhr="0")
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill"}, enabled="1", locked="0")
    layer.set("pass", "0")
    red, green, blue = bytes.fromhex(color[1:])
    rgba = f"{red},{green},{blue},255"
    values = {
        "color": rgba, "style": "solid", "outline_color": rgba, "outline_style": "solid",
        "outline_width": "0.1", "outline_width_unit": "MM", "joinstyle": "miter",
    }  # fmt: skip
    options = ET.SubElement(layer, "Option", type="Map")
    for key, value in values.items():
        ET.SubElement(options, "Option", type="QString", name=key, value=value)
        ET.SubElement(layer, "prop", k=key, v=value)  # QGIS before 3.26

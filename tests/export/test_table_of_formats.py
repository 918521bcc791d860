"""What can be exported how, and why not; and what killed processes leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from export_scenes import ValueArray

from geocnn_gui.data.source import Section, open_source
from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Saved
from geocnn_gui.export.extent import extent_of
from geocnn_gui.export.table import (
    FORMATS,
    Material,
    Order,
    check_output,
    export,
    formats_for,
    kind_for,
    why_none,
)
from geocnn_gui.files import _beside, replacing
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.store import LabelSnapshot

CLASSES = (
    LabelClass(id=1, name="Salt", color="#d55e00"), LabelClass(id=4, name="Gas", color="#56b4e9"),
)  # fmt: skip
SOURCES = {"line": "npra_line_cut.sgy", "cube": "f3_cube_cut.sgy", "scene": "landsat_cut.tif"}


@pytest.mark.parametrize("kind", [k for k in FORMATS if k != "model"])
@pytest.mark.parametrize("source_name", SOURCES)
def test_that_every_format_offered_can_be_written(kind, source_name, files, predict, tmp_path):
    with open_source(files / SOURCES[source_name]) as source:
        labels = LabelSnapshot.from_array(np.ones(source.shape, np.uint8))
        prediction = ValueArray(source.shape) if kind == "values" else predict(source)
        material = Material(source, prediction, CLASSES, labels)
        section = Section(0, 1) if source_name == "cube" else None
        assert why_none(kind, material, section) == ""
        offered = formats_for(kind, source)
        for row in offered:
            out = tmp_path / f"out{row.suffixes[0]}"
            order = Order(kind, out, section, class_id=4)
            events = list(export(order, material))
            assert isinstance(events[-1], Saved)
            assert events[-1].path == out
            assert out.stat().st_size > 0
            beside = {e.path for e in events[:-1] if isinstance(e, Saved)}
            assert beside == {p for p in tmp_path.iterdir() if p.stem.split(".")[0] == "out"} - {
                out
            }
            for path in tmp_path.iterdir():
                path.unlink()
        for row in set(FORMATS[kind]) - set(offered):
            with pytest.raises(BadRequest, match="choose a name that ends in"):
                check_output(source, tmp_path / f"out{row.suffixes[0]}", kind)


def test_that_what_is_missing_is_said(files, predict):
    with open_source(files / "f3_cube_cut.sgy") as source:
        bare, full = Material(source), Material(source, predict(source), CLASSES)
        assert why_none("classes", bare) == "There is no prediction to write; predict first."
        assert why_none("labels", full).endswith("has no labels; paint some first.")
        assert "train one first" in why_none("model", full)
        assert "no single map; choose a section" in why_none("polygons", full)
        assert why_none("polygons", full, Section(2, 3)) == ""
        assert why_none("figure", bare) == ""


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.gpkg", "polygons"), ("a.SHP", "polygons"), ("a.pdf", "figure"), ("a.tif", "classes"),
     ("a.safetensors", "model"), ("a", "classes")],
)  # fmt: skip
def test_that_a_name_speaks_of_its_kind(name, kind):
    assert kind_for(Path(name)) == kind


def test_that_what_is_not_predicted_is_counted(files, predict):
    with open_source(files / "f3_cube_cut.sgy") as source:
        prediction = predict(source)
        assert extent_of(prediction, source) == ""
        count = source.shape[1]
        prediction.ids[:, 3:] = 0
        said = f"3 of {count} crosslines are predicted; all else will be 0."
        assert extent_of(prediction, source) == said
    with open_source(files / "npra_line_cut.sgy") as source:
        prediction = predict(source)
        prediction.complete = False
        assert "was stopped" in extent_of(prediction, source)


def test_that_leftovers_of_dead_processes_go_and_others_stay(tmp_path):
    out = tmp_path / "a[1].sgy"
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    mine = str(os.getpid())
    left = Path(str(_beside(out, "part")).replace(mine, str(dead.pid)))
    aside = Path(str(_beside(out, "old0")).replace(mine, str(dead.pid)))
    alive = Path(str(_beside(out, "part")).replace(mine, str(os.getppid())))
    other = tmp_path / f".b.{dead.pid}-000000.part.sgy"
    for path in (left, aside, alive, other):
        path.write_bytes(b"half")
    with replacing(out) as temporary:
        temporary.write_bytes(b"whole")
    assert sorted(tmp_path.iterdir()) == sorted([out, alive, other])

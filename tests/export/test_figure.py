from __future__ import annotations

import errno
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
from export_scenes import ArrayPrediction
from PIL import Image

from geocnn_gui import files as writing
from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Section, open_source
from geocnn_gui.errors import BadRequest, CannotWrite
from geocnn_gui.events import Note, Progress, Saved
from geocnn_gui.export.figure import FigureSpec, export_figure
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.store import LabelSnapshot

CLASSES = (
    LabelClass(id=1, name='Salt & "Gips"', color="#d55e00"),
    LabelClass(id=4, name="Übergang $5$", color="#56b4e9"),
    LabelClass(id=200, name="Nowhere", color="#009e73"),
)
UTM = rasterio.CRS.from_epsg(32615).to_wkt()
NORTH_UP = (30.0, 0.0, 462405.0, 0.0, -30.0, 1741815.0)


def scene(array, *, transform=NORTH_UP, crs=UTM, axes=None) -> ArraySource:
    rows, columns = array.shape
    a, _, c, _, e, f = transform or (1, 0, 0, 0, 1, 0)
    axes = axes or (
        Axis("row", "m", f + e / 2, e, rows), Axis("column", "m", c + a / 2, a, columns)
    )  # fmt: skip
    source = ArraySource(
        array[None], kind="raster", axes=axes, bands=(Band("red band"),), domain="imagery",
        name="scene",
    )  # fmt: skip
    source.transform, source.crs = transform, crs
    return source


@pytest.fixture
def line(files):
    with open_source(files / "npra_line_cut.sgy") as source:
        yield source


def run(source, out, *, prediction=None, labels=None, **spec):
    spec = FigureSpec(**{"dpi": 60, "width_mm": 120, **spec})
    return list(export_figure(spec, source, prediction, CLASSES, out, labels=labels))


def texts(path) -> list[str]:
    found = ET.parse(path).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(one.itertext()) for one in found]


@pytest.mark.parametrize(("width", "dpi"), [(85, 100), (170, 50), (120, 300)])
def test_that_a_png_is_as_wide_as_asked(width, dpi, line, tmp_path):
    run(line, tmp_path / "a.png", width_mm=width, dpi=dpi)
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == pytest.approx(width / 25.4 * dpi, abs=1)
        assert image.info["dpi"][0] == pytest.approx(dpi, abs=0.1)
        assert image.info["Software"].startswith("GeoCNN")


def test_that_a_height_is_kept(line, tmp_path):
    run(line, tmp_path / "a.png", width_mm=127, height_mm=63.5, dpi=100)
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (500, 250)


def test_that_a_pdf_has_its_size_and_true_fonts(line, tmp_path):
    run(line, tmp_path / "a.pdf", width_mm=127, height_mm=63.5)
    data = (tmp_path / "a.pdf").read_bytes()
    box = re.search(rb"/MediaBox \[ *0 0 ([\d.]+) ([\d.]+)", data)
    assert box is not None
    assert [float(b) for b in box.groups()] == [360, 180]
    assert b"/FontFile2" in data
    assert b"/Type3" not in data
    assert b"CreationDate" not in data


def test_that_a_line_has_its_axes_its_legend_and_its_title(line, tmp_path):
    prediction = ArrayPrediction(line.shape)
    events = run(line, tmp_path / "a.svg", prediction=prediction)
    found = texts(tmp_path / "a.svg")
    assert {"CDP", "Two-way time (ms)", "Amplitude", line.name, "Prediction"} <= set(found)
    assert 'Salt & "Gips"' in found
    assert "Übergang $5$" in found
    assert "Nowhere" not in found
    assert events[-1] == Saved(tmp_path / "a.svg", "figure")
    steps = [e for e in events if isinstance(e, Progress)]
    assert [e.done for e in steps] == list(range(steps[0].total + 1))


def test_that_sections_of_a_cube_are_named(files, tmp_path):
    with open_source(files / "f3_cube_cut.sgy") as source:
        for axis in range(3):
            run(source, tmp_path / f"{axis}.svg", section=Section(axis, 2))
        axes = [source.axes[i].at(2) for i in range(3)]
    names = [texts(tmp_path / f"{axis}.svg") for axis in range(3)]
    assert any(f"inline {axes[0]:g}" in one for one in names[0])
    assert any(f"crossline {axes[1]:g}" in one for one in names[1])
    assert any(f"two-way time {axes[2]:g} ms" in one for one in names[2])
    assert {"Inline", "Crossline"} <= set(names[2])


def test_that_confidence_gets_a_bar_in_place_of_a_legend(line, tmp_path):
    run(line, tmp_path / "a.svg", prediction=ArrayPrediction(line.shape), overlay="confidence")
    found = texts(tmp_path / "a.svg")
    assert "Confidence" in found
    assert "Prediction" not in found


def test_that_a_map_has_coordinates_and_a_scale_bar(tmp_path):
    run(scene(np.arange(4000, dtype=np.uint16).reshape(40, 100)), tmp_path / "a.svg", title="")
    found = texts(tmp_path / "a.svg")
    assert "Easting (m), WGS 84 / UTM zone 15N" in found
    assert "Northing (m)" in found
    assert "500 m" in found
    assert any(re.fullmatch(r"46\d\N{THIN SPACE}\d00", text) for text in found)
    assert "scene" not in found


def test_that_the_scale_bar_of_degrees_is_that_of_their_latitude(tmp_path):
    """At 60 degrees a degree of longitude is some 56 km, so 1 degree wide gives 10 km."""
    transform = (0.01, 0, 10, 0, -0.01, 60.25)
    axes = (Axis("row", "degree", 60.245, -0.01, 50), Axis("column", "degree", 10.005, 0.01, 100))
    degrees = rasterio.CRS.from_epsg(4326).to_wkt()
    source = scene(np.ones((50, 100), np.uint8), transform=transform, crs=degrees, axes=axes)
    run(source, tmp_path / "a.svg")
    found = texts(tmp_path / "a.svg")
    assert {"Longitude", "Latitude", "10 km"} <= set(found)
    assert any(text.endswith("°E") for text in found)
    assert any(text.endswith("°N") for text in found)


@pytest.mark.parametrize("step", [-30.0, 30.0])
def test_that_north_is_up(step, tmp_path):
    values = np.zeros((40, 40), np.uint8)
    values[:20] = 255  # the north of a map with rows southwards
    source = scene(values if step < 0 else values[::-1], transform=(30, 0, 0, 0, step, 1200))
    run(source, tmp_path / "a.png", low=0, high=255, overlay="none", title="")
    with Image.open(tmp_path / "a.png") as image:
        grey = np.asarray(image.convert("L"), float)
    middle = grey[:, grey.shape[1] // 3]
    dark = np.flatnonzero(middle < 20)
    assert np.median(dark) > grey.shape[0] * 0.5


def test_that_a_rotated_map_counts_cells_and_points_north(tmp_path):
    axes = (Axis("row", "px", 0, 1, 30), Axis("column", "px", 0, 1, 40))
    source = scene(
        np.ones((30, 40), np.uint8), transform=(21.2, 21.2, 5e5, 21.2, -21.2, 1.7e6), axes=axes
    )
    run(source, tmp_path / "a.svg")
    assert {"N", "Row", "Column"} <= set(texts(tmp_path / "a.svg"))


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_that_the_same_input_gives_the_same_bytes_on_any_thread(suffix, line, tmp_path):
    prediction = ArrayPrediction(line.shape)
    outs = [tmp_path / f"{i}.{suffix}" for i in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda out: run(line, out, prediction=prediction), outs))
    assert len({out.read_bytes() for out in outs}) == 1


def test_that_painted_labels_are_drawn_however_thin(tmp_path):
    ids = np.zeros((3000, 3000), np.uint8)
    ids[:, 1501] = 200
    source = scene(np.ones((3000, 3000), np.uint8), transform=None, crs=None)
    spec = FigureSpec(dpi=50, width_mm=60, labels=True)
    snapshot = LabelSnapshot.from_array(ids)
    list(export_figure(spec, source, None, CLASSES, tmp_path / "a.svg", labels=snapshot))
    assert {"Labels", "Nowhere"} <= set(texts(tmp_path / "a.svg"))


def test_that_a_window_is_cut_out(line, tmp_path):
    run(line, tmp_path / "a.svg", rows=(10, 20), columns=(0, 5))
    times = [t for t in texts(tmp_path / "a.svg") if t.isdigit()]
    top, bottom = line.axes[1].at(9), line.axes[1].at(20)
    assert any(top <= float(t) <= bottom for t in times)


def test_that_a_raster_larger_than_memory_is_drawn(tmp_path):
    """100 billion cells: no more may be touched than can be seen."""
    big = np.broadcast_to(np.float32(1), (300_000, 350_000))

    class Everywhere:
        shape = big.shape

        def read_classes(self, window):
            assert window.cells < 10_000_000
            return np.ones(window.size, np.uint8)

    run(scene(big), tmp_path / "a.png", prediction=Everywhere(), dpi=50)
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_that_letters_the_font_lacks_are_said(line, tmp_path):
    events = run(line, tmp_path / "a.png", title="\N{CJK UNIFIED IDEOGRAPH-5730} map")
    assert [e.text for e in events if isinstance(e, Note)] == [
        "a.png lacks letters that the font does not have: \N{CJK UNIFIED IDEOGRAPH-5730}."
    ]


@pytest.mark.parametrize(
    ("spec", "name", "words"),
    [
        ({}, "a.jpg", r"\.png, \.pdf or \.svg"),
        ({"section": Section(0, 3)}, "a.png", "no such section"),
        ({"bands": (3,)}, "a.png", "no such bands"),
        ({"bands": (0, 0)}, "a.png", "no such bands"),
        ({"rows": (5, 5)}, "a.png", "no cells 5 to 5"),
        ({"columns": (0, 10**6)}, "a.png", "choose a window within"),
        ({"colour_map": "jet"}, "a.png", "jet is no colour map"),
        ({"width_mm": 1000, "height_mm": 1000, "dpi": 1200}, "a.png", "million pixels"),
        ({"width_mm": 800, "dpi": 1200}, "a.png", "million pixels"),
    ],
)
def test_that_what_cannot_be_drawn_is_refused_with_a_way_out(spec, name, words, line, tmp_path):
    with pytest.raises(BadRequest, match=words):
        run(line, tmp_path / name, **spec)
    assert not list(tmp_path.iterdir())


def test_that_stopping_at_any_step_leaves_the_older_file(line, tmp_path):
    out = tmp_path / "a.png"
    out.write_bytes(b"older")
    prediction = ArrayPrediction(line.shape)
    for stop in range(1, 6):
        task = export_figure(FigureSpec(dpi=50), line, prediction, CLASSES, out)
        for _ in range(stop):
            next(task)
        task.close()
        assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
        assert out.read_bytes() == b"older"


def test_that_a_full_disk_leaves_the_older_file(line, tmp_path, monkeypatch):
    out = tmp_path / "a.png"
    out.write_bytes(b"older")

    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", fail)
    with pytest.raises(CannotWrite, match="disk is full"):
        run(line, out)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert out.read_bytes() == b"older"


def test_that_the_spec_loads_no_matplotlib_and_a_figure_no_pyplot(files, tmp_path):
    code = f"""
import sys
from pathlib import Path
from geocnn_gui.export.figure import FigureSpec, export_figure
assert not {{"matplotlib", "torch"}} & set(sys.modules)
from geocnn_gui.data.source import open_source
with open_source({str(files / "npra_line_cut.sgy")!r}) as source:
    list(export_figure(FigureSpec(dpi=50), source, None, (), Path({str(tmp_path / "a.png")!r})))
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_that_the_spec_survives_json():
    spec = FigureSpec(section=Section(1, 5), rows=(1, 9), bands=(0, 1, 2), title="x")
    assert FigureSpec.model_validate_json(spec.model_dump_json()) == spec
    assert all(f.title and f.description for f in FigureSpec.model_fields.values())

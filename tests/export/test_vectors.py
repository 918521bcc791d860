from __future__ import annotations

import json
import sqlite3

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio import Affine
from rasterio.features import rasterize, shapes

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Section, Window, open_source
from geocnn_gui.errors import BadRequest, CannotWrite
from geocnn_gui.events import Note, Progress, Saved
from geocnn_gui.export import vector_files, vectors
from geocnn_gui.export.cell_area import CellArea
from geocnn_gui.export.polygons import Tracer
from geocnn_gui.export.styles import class_style, is_foreign, kept
from geocnn_gui.export.vectors import export_vectors
from geocnn_gui.labels.classes import LabelClass

CLASSES = (
    LabelClass(id=1, name='Salt & "Gips"', color="#d55e00"),
    LabelClass(id=4, name="Übergang", color="#56b4e9"),
    LabelClass(id=200, name="Sand", color="#009e73"),
)
NORTH_UP = (30.0, 0.0, 462405.0, 0.0, -30.0, 1741815.0)
TRANSFORMS = {
    "north up": NORTH_UP,
    "south up": (30.0, 0.0, 462405.0, 0.0, 30.0, 1734315.0),
    "rotated": (21.2, 21.2, 500000.0, 21.2, -21.2, 1700000.0),
}
UTM = rasterio.CRS.from_epsg(32615).to_wkt()


class Ids:
    """A prediction of given ids in memory."""

    def __init__(self, ids, confidence=None):
        self.ids, self.shape = ids, ids.shape
        self.confidence = np.full(ids.shape, 0.5, np.float32) if confidence is None else confidence

    def read_classes(self, window: Window):
        return self.ids[window.slices].copy()

    def read_confidence(self, window: Window):
        return self.confidence[window.slices].copy()


def scene(shape, *, transform=NORTH_UP, crs=UTM) -> ArraySource:
    axes = (Axis("row", "px", 0, 1, shape[0]), Axis("column", "px", 0, 1, shape[1]))
    source = ArraySource(
        np.zeros((1, *shape), np.uint8), kind="raster", axes=axes, bands=(Band("b"),),
        domain="imagery", name="scene",
    )  # fmt: skip
    source.transform, source.crs = transform, crs
    return source


def read(path):
    layer = "classes" if path.suffix == ".gpkg" else None
    meta, _, shapes_, values = pyogrio.raw.read(path, layer=layer)
    return meta, shapely.from_wkb(shapes_), dict(zip(meta["fields"], values, strict=True))


def run(prediction, source, out, **options):
    return list(export_vectors(prediction, source, CLASSES, out, **options))


def noisy(shape, seed=0):
    return np.random.default_rng(seed).choice(np.array([0, 1, 4, 200], np.uint8), shape)


def traced(ids, strip):
    """Return (id, polygon) of every region, traced in strips of so many rows."""
    tracer, found = Tracer(ids.shape[1]), []
    blocks = [ids[at : at + strip] for at in range(0, len(ids), strip)]
    parts = [tracer.add(b, np.ones(b.shape, np.float32), np.ones((1, 1))) for b in blocks]
    for regions in (*parts, tracer.finish()):
        batch = vectors._batch(regions, 1)
        assert shapely.is_valid(batch.polygons).all()
        np.testing.assert_array_equal(shapely.area(batch.polygons), batch.cells)
        np.testing.assert_array_equal(batch.area, batch.cells)
        np.testing.assert_array_equal(batch.confidence, 1)
        found += [
            (int(i), p.normalize().wkt) for i, p in zip(batch.ids, batch.polygons, strict=True)
        ]
    return sorted(found)


def single_pass(ids):
    found = shapes(ids, ids > 0, 4)
    return sorted((int(v), shapely.geometry.shape(s).normalize().wkt) for s, v in found)


# ---- Polygons ----------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2)),
    st.integers(1, 13),
)
def test_that_strips_leave_no_trace_in_the_polygons(ids, strip):
    assert traced(ids, strip) == single_pass(ids)


@pytest.mark.parametrize(
    "ids",
    [
        np.ones((1, 1), np.uint8),
        np.zeros((4, 5), np.uint8),
        (np.indices((9, 11)).sum(0) % 2 + 1).astype(np.uint8),  # a checkerboard
        np.eye(8, dtype=np.uint8),  # touches at corners only
        np.pad(np.zeros((1, 1), np.uint8), 2, constant_values=254),  # a hole
        np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], np.uint8),  # a hole that meets the outside
        np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]], np.uint8),  # two meet
        np.array([[1, 0, 1], [1, 0, 1], [1, 1, 1]], np.uint8),  # joined in the last strip
    ],
)
@pytest.mark.parametrize("strip", [1, 2, 20])
def test_that_odd_maps_give_valid_polygons(ids, strip):
    assert traced(ids, strip) == single_pass(ids)


@pytest.mark.parametrize("suffix", ["gpkg", "shp"])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_that_the_polygons_drawn_as_cells_give_the_class_map_again(
    name, suffix, tmp_path, monkeypatch
):
    monkeypatch.setattr(vectors, "_STRIP_CELLS", 120)
    monkeypatch.setattr(vectors, "_BATCH", 50)
    ids, out = noisy((37, 41)), tmp_path / f"map.{suffix}"
    events = run(Ids(ids), scene(ids.shape, transform=TRANSFORMS[name]), out)
    meta, polygons, values = read(out)
    assert rasterio.CRS.from_user_input(meta["crs"]).to_epsg() == 32615
    drawn = rasterize(
        zip(polygons, values["class_id"], strict=True), ids.shape,
        transform=Affine(*TRANSFORMS[name]), dtype=np.int32,
    )  # fmt: skip
    np.testing.assert_array_equal(drawn, ids)
    steps = [e for e in events if isinstance(e, Progress)]
    assert sorted({e.done for e in steps}) == list(range(1, steps[0].total + 1))
    assert steps == sorted(steps, key=lambda e: e.done)
    assert steps[0].total > 10
    assert events[-1] == Saved(out, "polygons")


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp"])
def test_that_each_polygon_says_what_it_is(suffix, tmp_path):
    ids = np.array([[1, 1, 0], [4, 4, 200]], np.uint8)
    confidence = np.array([[0.5, 1, 0], [0.25, 0.75, 0.1]], np.float32)
    run(Ids(ids, confidence), scene(ids.shape), tmp_path / f"map.{suffix}")
    _, polygons, values = read(tmp_path / f"map.{suffix}")
    order = np.argsort(values["class_id"])
    assert values["class_id"][order].tolist() == [1, 4, 200]
    assert values["class_name"][order].tolist() == ['Salt & "Gips"', "Übergang", "Sand"]
    assert values["color"][order].tolist() == ["#d55e00", "#56b4e9", "#009e73"]
    assert set(values["kind"]) == {"prediction"}
    np.testing.assert_allclose(values["confidence"][order], [0.75, 0.5, 0.1], atol=1e-6)
    assert values["cells"][order].tolist() == [2, 2, 1]
    assert values["area_m2"][order].tolist() == [1800, 1800, 900]
    assert len(polygons) == 3


def test_that_small_polygons_are_left_out_where_asked_for(tmp_path):
    ids = np.array([[1, 1, 4], [1, 1, 1]], np.uint8)
    run(Ids(ids), scene(ids.shape), tmp_path / "map.gpkg", minimum_cells=2)
    assert read(tmp_path / "map.gpkg")[2]["class_id"].tolist() == [1]


def test_that_a_map_without_a_class_gives_an_empty_layer(tmp_path):
    for suffix in ("gpkg", "geojson", "shp"):
        out = tmp_path / f"map.{suffix}"
        run(Ids(np.zeros((3, 4), np.uint8)), scene((3, 4)), out)
        assert len(read(out)[1]) == 0


# ---- Areas -------------------------------------------------------------------------------------


@pytest.mark.parametrize("latitude", [0, 30, 45, 60, 89])
def test_that_areas_in_degrees_are_those_of_the_ellipsoid(latitude, tmp_path):
    """Against Simpson's rule over the meridian's and the parallel's radii of curvature."""
    degrees = rasterio.CRS.from_epsg(4326).to_wkt()
    source = scene((1, 1), transform=(1, 0, 10, 0, -1, latitude + 1), crs=degrees)
    run(Ids(np.ones((1, 1), np.uint8)), source, tmp_path / "map.gpkg")
    (found,) = read(tmp_path / "map.gpkg")[2]["area_m2"]
    at = np.radians(np.linspace(latitude, latitude + 1, 101))
    major, squared = 6378137.0, 0.0066943799901413165
    bent = major**2 * (1 - squared) * np.cos(at) / (1 - squared * np.sin(at) ** 2) ** 2
    weights = np.array([1, *[4, 2] * 49, 4, 1]) * (at[1] - at[0]) / 3
    assert found == pytest.approx(np.radians(1) * (bent * weights).sum(), rel=1e-9)


def test_that_all_degrees_together_are_the_earth():
    area = CellArea.of(Affine(1, 0, -180, 0, -1, 90), rasterio.CRS.from_epsg(4326).to_wkt())
    assert area.of_rows(0, 180, 360).sum() * 360 == pytest.approx(510_065_621_724_000, rel=1e-9)


@pytest.mark.parametrize(
    "crs",
    [
        "EPSG:3857",
        "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m "
        "+nadgrids=@null +wktext +no_defs",
    ],
)
def test_that_areas_in_web_mercator_are_those_on_the_ground(crs):
    wkt = rasterio.CRS.from_user_input(crs).to_wkt()
    area = CellArea.of(Affine(30, 0, 1e6, 0, -30, 8399737.9), wkt).of_rows(0, 1, 1)
    # At 60 degrees a metre of the map is half a metre of the sphere, near that of the ellipsoid.
    assert area[0, 0] == pytest.approx(225, rel=4e-3)


def test_that_areas_in_feet_are_said_in_square_metres():
    area = CellArea.of(Affine(10, 0, 6e6, 0, -10, 2e6), rasterio.CRS.from_epsg(2227).to_wkt())
    assert area.of_rows(0, 1, 1)[0, 0] == pytest.approx(100 * (1200 / 3937) ** 2)


def test_that_areas_over_the_date_line_and_of_rotated_degrees_are_right():
    degrees = rasterio.CRS.from_epsg(4326).to_wkt()
    plain = CellArea.of(Affine(0.1, 0, 10, 0, -0.1, 10), degrees).of_rows(0, 1, 1)
    over = CellArea.of(Affine(0.1, 0, 179.95, 0, -0.1, 10), degrees).of_rows(0, 1, 1)
    assert over == pytest.approx(plain)
    turned = CellArea.of(Affine(0, 0.1, 10, -0.1, 0, 10), degrees).of_rows(0, 1, 1)
    assert turned == pytest.approx(plain)


# ---- Sections ----------------------------------------------------------------------------------


@pytest.fixture
def files(request):
    return request.path.parents[1] / "files"


def test_that_a_line_has_its_axes_for_coordinates(files, tmp_path):
    with open_source(files / "npra_line_cut.sgy") as source:
        ids = noisy(source.shape)
        events = run(Ids(ids), source, tmp_path / "line.gpkg")
        traces, times = source.axes
    notes = [e.text for e in events if isinstance(e, Note)]
    assert notes == [
        f"line.gpkg has no CRS: x is {traces.title}, y is {times.title}, negative downwards."
    ]
    meta, polygons, values = read(tmp_path / "line.gpkg")
    grid = Affine(
        traces.step, 0, traces.at(-0.5), 0, -times.step, -times.at(-0.5)
    )  # fmt: skip
    drawn = rasterize(zip(polygons, values["class_id"], strict=True), ids.T.shape, transform=grid)
    np.testing.assert_array_equal(drawn, ids.T)
    assert not meta["crs"] or "Undefined" in meta["crs"]
    cell = traces.step * times.step
    np.testing.assert_allclose(values["area_units"], values["cells"] * cell)


def test_that_a_section_of_a_cube_is_exported_and_the_cube_refused(files, tmp_path):
    with open_source(files / "f3_cube_cut.sgy") as source:
        ids = noisy(source.shape)
        section = Section(0, 3)
        run(Ids(ids), source, tmp_path / "inline.shp", section=section)
        with pytest.raises(BadRequest, match=r"is a cube .*; choose one of its sections\."):
            run(Ids(ids), source, tmp_path / "cube.shp")
        with pytest.raises(BadRequest, match="no such section"):
            run(Ids(ids), source, tmp_path / "cube.shp", section=Section(0, 999))
        inline = f"inline {source.axes[0].at(3):g}"
    _, _, values = read(tmp_path / "inline.shp")
    assert values["cells"].sum() == np.count_nonzero(ids[3])
    assert set(values["section"]) == {inline}
    assert not list(tmp_path.glob("cube*"))


# ---- Files -------------------------------------------------------------------------------------


def test_that_geojson_is_in_longitude_and_latitude_with_its_rings_the_right_way(tmp_path):
    ids = np.ones((700, 9), np.uint8)
    ids[2:4, 2:4] = 0
    source = scene(ids.shape)
    run(Ids(ids), source, tmp_path / "map.geojson")
    data = json.loads((tmp_path / "map.geojson").read_text(encoding="utf-8"))
    assert "crs" not in data
    outer, hole = data["features"][0]["geometry"]["coordinates"]
    assert shapely.is_ccw(shapely.linearrings(outer))
    assert not shapely.is_ccw(shapely.linearrings(hole))
    assert len(hole) == 5
    assert len(outer) > 2 * 700 // 64  # straight on the map is not straight in degrees
    inverse = rasterio.warp.transform("EPSG:4326", source.crs, *np.transpose(hole))
    cells = np.transpose(~Affine(*NORTH_UP) @ np.array(inverse))
    np.testing.assert_allclose(cells, np.rint(cells), atol=1e-3)


def test_that_geojson_over_the_date_line_is_cut_there(tmp_path):
    source = scene((2, 4), transform=(0.1, 0, 179.8, 0, -0.1, 10),
                   crs=rasterio.CRS.from_epsg(4326).to_wkt())  # fmt: skip
    run(Ids(np.ones((2, 4), np.uint8)), source, tmp_path / "map.geojson")
    (polygon,) = read(tmp_path / "map.geojson")[1]
    assert polygon.area == pytest.approx(0.08, rel=1e-6)
    west, _, east, _ = polygon.bounds
    assert (west, east) == (-180, 180)


@pytest.mark.parametrize(("epsg", "sign"), [(3413, 1), (3031, -1)])
def test_that_geojson_around_a_pole_reaches_it(tmp_path, epsg, sign):
    crs = rasterio.CRS.from_epsg(epsg).to_wkt()
    source = scene((100, 100), transform=(20000, 0, -1e6, 0, -20000, 1e6), crs=crs)
    ids = np.ones((100, 100), np.uint8)
    ids[40:60, 40:60], ids[:30, 10:50] = 4, 200
    ids[40:60, 50:60] = 2  # the pole lies on an edge
    ids[45:46, 42:43] = 1
    run(Ids(ids), source, tmp_path / "map.geojson")
    _, polygons, values = read(tmp_path / "map.geojson")
    west, south, east, north = shapely.total_bounds(polygons)
    assert (west, east) == (-180, 180)
    assert sign * (north if sign > 0 else south) == 90
    assert shapely.is_valid(polygons).all()
    band = shapely.box(-180, min(sign * 82.0, sign * 90.0), 180, max(sign * 82.0, sign * 90.0))
    assert shapely.area(shapely.intersection(polygons, band)).sum() == pytest.approx(360 * 8)
    at = rasterio.warp.transform(crs, "EPSG:4326", [-9e5, 1e5, -1e5], [-9e5, 5e4, 5e4])
    for x, y, expected in zip(*at, (1, 2, 4), strict=True):
        inside = shapely.contains_xy(polygons, x, y)
        assert values["class_id"][inside].tolist() == [expected]


def test_that_geojson_of_a_world_from_0_to_360_degrees_is_whole(tmp_path):
    source = scene((18, 36), transform=(10, 0, 0, 0, -10, 90),
                   crs=rasterio.CRS.from_epsg(4326).to_wkt())  # fmt: skip
    run(Ids(np.ones((18, 36), np.uint8)), source, tmp_path / "map.geojson")
    (polygon,) = read(tmp_path / "map.geojson")[1]
    assert polygon.bounds == (-180, -90, 180, 90)
    assert polygon.area == pytest.approx(360 * 180)


def test_that_a_map_beyond_the_edge_of_the_world_is_refused_as_geojson(tmp_path):
    crs = rasterio.CRS.from_string("+proj=ortho +lat_0=0 +lon_0=0 +datum=WGS84").to_wkt()
    source = scene((2, 2), transform=(1e7, 0, -1e7, 0, -1e7, 1e7), crs=crs)
    with pytest.raises(BadRequest, match=r"longitude and latitude .*\.gpkg"):
        run(Ids(np.ones((2, 2), np.uint8)), source, tmp_path / "map.geojson")
    assert not list(tmp_path.iterdir())


def test_that_a_missing_crs_is_said_and_geojson_keeps_plain_coordinates(tmp_path):
    ids = np.ones((2, 3), np.uint8)
    events = run(Ids(ids), scene((2, 3), transform=None, crs=None), tmp_path / "map.geojson")
    assert [e.text for e in events if isinstance(e, Note)] == [
        "map.geojson is written as plain coordinates without CRS because scene has none."
    ]
    _, polygons, values = read(tmp_path / "map.geojson")
    assert polygons[0].bounds == (0, -2, 3, 0)
    assert values["area_units"].tolist() == [6]


def test_that_a_geopackage_has_one_indexed_layer_and_its_style(tmp_path):
    run(Ids(noisy((9, 9))), scene((9, 9)), tmp_path / "map.gpkg")
    file = sqlite3.connect(tmp_path / "map.gpkg")
    tables = dict(file.execute("SELECT table_name, data_type FROM gpkg_contents").fetchall())
    assert tables == {"classes": "features", "layer_styles": "attributes"}
    assert file.execute("SELECT count(*) FROM rtree_classes_geom").fetchone()[0] > 10
    row = "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML FROM layer_styles"
    table, column, default, qml = file.execute(row).fetchone()
    file.close()
    assert (table, column, default) == ("classes", "geom", 1)
    assert 'type="categorizedSymbol" attr="class_id"' in qml
    assert 'label="Salt &amp; &quot;Gips&quot;"' in qml


def test_that_a_shapefile_is_a_whole_set_without_members_of_an_older_one(tmp_path):
    for suffix in (".qix", ".prj", ".shp"):
        (tmp_path / f"map{suffix}").write_bytes(b"older")
    run(Ids(noisy((9, 9))), scene((9, 9), crs=None), tmp_path / "map.shp")
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {f"map.{s}" for s in ("shp", "shx", "dbf", "cpg", "qml")}
    assert (tmp_path / "map.cpg").read_text() == "UTF-8"


@pytest.mark.parametrize("suffix", ["geojson", "shp"])
def test_that_a_style_of_the_users_or_of_a_raster_stays(suffix, tmp_path):
    ids, out, style = noisy((9, 9)), tmp_path / f"map.{suffix}", tmp_path / "map.qml"
    run(Ids(ids), scene(ids.shape), out)
    ours = style.read_bytes()
    assert Note(kept(out)) not in run(Ids(ids), scene(ids.shape), out)
    for other in (ours.replace(b"Sand", b"Mine"), class_style(CLASSES)):
        style.write_bytes(other)
        assert Note(kept(out)) in run(Ids(ids), scene(ids.shape), out)
        assert style.read_bytes() == other
    style.write_bytes(ours)
    assert is_foreign(style)  # to a raster of that name


def test_that_names_too_long_for_a_shapefile_are_cut_and_said(tmp_path):
    long = (LabelClass(id=1, name="\N{GRINNING FACE}" * 80, color="#d55e00"),)
    ids = np.ones((2, 2), np.uint8)
    events = list(export_vectors(Ids(ids), scene((2, 2)), long, tmp_path / "map.shp"))
    assert any("were cut" in e.text for e in events if isinstance(e, Note))
    assert read(tmp_path / "map.shp")[2]["class_name"][0] == "\N{GRINNING FACE}" * 63


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp"])
def test_that_stopping_at_any_step_leaves_the_older_file(suffix, tmp_path, monkeypatch):
    monkeypatch.setattr(vectors, "_STRIP_CELLS", 60)
    monkeypatch.setattr(vectors, "_BATCH", 1)
    out = tmp_path / f"map.{suffix}"
    out.write_bytes(b"older")
    ids = noisy((20, 20))
    for stop in range(1, 8):
        task = export_vectors(Ids(ids), scene(ids.shape), CLASSES, out)
        for _ in range(stop):
            next(task)
        task.close()
        assert [p.name for p in tmp_path.iterdir()] == [out.name]
        assert out.read_bytes() == b"older"


def test_that_the_style_of_a_raster_of_that_name_is_said_to_be_its_own(tmp_path):
    out = tmp_path / "map.geojson"
    out.with_suffix(".tif").touch()
    out.with_suffix(".qml").write_bytes(class_style(CLASSES))
    (said,) = [e.text for e in run(Ids(noisy((9, 9))), scene((9, 9)), out) if isinstance(e, Note)]
    assert said.startswith("map.qml belongs to map.tif and is kept.")
    assert "map.geojson has none: another name for it gets one" in said
    assert out.with_suffix(".qml").read_bytes() == class_style(CLASSES)


@pytest.mark.parametrize("suffix", ["gpkg", "shp"])
@pytest.mark.parametrize("fault", ["room", "gdal", "silent"])
def test_that_a_full_disk_leaves_the_older_file(suffix, fault, tmp_path, monkeypatch):
    out = tmp_path / f"map.{suffix}"
    out.write_bytes(b"older")
    write = pyogrio.raw.write

    def fail(*_, **__):
        raise pyogrio.errors.FeatureError("disk full")

    def lose(path, shapes_, data, *rest, **options):
        return write(path, shapes_[:-1], [part[:-1] for part in data], *rest, **options)

    if fault == "room":
        usage = vector_files.shutil.disk_usage(tmp_path)._replace(free=10)
        monkeypatch.setattr(vector_files.shutil, "disk_usage", lambda _: usage)
    else:
        monkeypatch.setattr(pyogrio.raw, "write", fail if fault == "gdal" else lose)
    with pytest.raises(CannotWrite, match="disk"):
        run(Ids(noisy((9, 9))), scene((9, 9)), out)
    assert [p.name for p in tmp_path.iterdir()] == [out.name]
    assert out.read_bytes() == b"older"


def test_that_a_shapefile_beyond_its_limit_is_refused_with_a_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(vector_files, "_SHAPE_BYTES", 1000)
    with pytest.raises(BadRequest, match=r"2 GB .*\.gpkg"):
        run(Ids(noisy((9, 9))), scene((9, 9)), tmp_path / "map.shp")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["map.kml", "map"])
def test_that_an_unknown_ending_is_refused(name, tmp_path):
    with pytest.raises(BadRequest, match=r"\.gpkg, \.geojson or \.shp"):
        run(Ids(noisy((3, 3))), scene((3, 3)), tmp_path / name)

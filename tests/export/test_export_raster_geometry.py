"""A raster exported lies where its source lies, and its overviews hold what it holds."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import rasterio
from export_scenes import ArrayPrediction, scene
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.errors import NotGeoreferencedWarning

from geocnn_gui.data.source import open_source
from geocnn_gui.events import Note
from geocnn_gui.export import overviews
from geocnn_gui.export.table import export_prediction

SIZES = st.floats(1e-5, 1e4).flatmap(lambda size: st.sampled_from([size, -size]))
PLACES = st.floats(-1e7, 1e7)


@settings(deadline=None, max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    affine=st.tuples(SIZES, st.just(0.0) | SIZES, PLACES, st.just(0.0) | SIZES, SIZES, PLACES),
    epsg=st.sampled_from([None, 4326, 32615, 3857, 2193]),
)
def test_that_any_affine_and_crs_come_back(shape, affine, epsg, tmp_path_factory):
    a, b, _, d, e, _ = affine
    assume(abs(a * e - b * d) > 1e-3 * (abs(a * e) + abs(b * d)))
    folder = tmp_path_factory.mktemp("map")
    crs = None if epsg is None else rasterio.CRS.from_epsg(epsg)
    source = scene(shape, transform=affine, crs=crs and crs.to_wkt())
    prediction = ArrayPrediction(shape)
    for _ in export_prediction(prediction, source, (), folder / "map.tif"):
        pass
    with rasterio.open(folder / "map.tif") as file:
        assert file.transform[:6] == pytest.approx(affine, rel=1e-12)
        assert file.crs == crs
        np.testing.assert_array_equal(file.read(1), prediction.ids)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize("place", ["nowhere", "degrees", "south up", "control points"])
def test_that_the_place_of_a_file_comes_back(place, dtype, export, predict, tmp_path):
    points = [
        GroundControlPoint(row, column, 10 + column / 10, 50 - row / 10 + column / 99)
        for row, column in ((0, 0), (0, 9), (7, 0), (7, 9))
    ]
    crs = rasterio.CRS.from_epsg(4326)
    places = {
        "nowhere": {}, "degrees": {"crs": crs, "transform": rasterio.Affine(0.1, 0, 10, 0, -0.1, 50)},
        "south up": {"crs": crs, "transform": rasterio.Affine(0.1, 0, 10, 0, 0.1, 40)},
        "control points": {"crs": crs, "gcps": points},
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            tmp_path / "in.tif", "w", driver="GTiff", height=8, width=10, count=1, dtype=dtype,
            **places[place],
        ) as file:  # fmt: skip
            file.write(np.arange(80).reshape(8, 10).astype(dtype), 1)
        with open_source(tmp_path / "in.tif") as source:
            prediction = predict(source)
            events = export(prediction, source, tmp_path / "map.tif")
        with rasterio.open(tmp_path / "in.tif") as old, rasterio.open(tmp_path / "map.tif") as new:
            assert (new.transform, new.crs) == (old.transform, old.crs)
            assert [p.asdict() for p in new.gcps[0]] == [p.asdict() for p in old.gcps[0]]
            assert new.gcps[1] == old.gcps[1]
            np.testing.assert_array_equal(new.read(1), prediction.ids)
    assert any(isinstance(e, Note) for e in events) == (place == "nowhere")


@pytest.mark.parametrize("what", ["classes", "confidence", "probabilities"])
@pytest.mark.parametrize("shape", [(2049, 64), (1, 4100), (2100, 1030)])
def test_that_overviews_hold_no_value_that_the_raster_does_not(
    shape, what, predict, export, tmp_path
):
    source = scene(shape, transform=(30.0, 0.0, 0.0, 0.0, -30.0, 0.0))
    prediction = predict(source)
    prediction.ids[: shape[0] // 2, : shape[1] // 2] = 1
    events = export(prediction, source, tmp_path / "map.tif", what)
    with rasterio.open(tmp_path / "map.tif") as file:
        factors = file.overviews(1)
        values = file.read()
    assert factors == [2**n for n in range(1, len(overviews.level_shapes(shape)) + 1)]
    for level, factor in enumerate(factors):
        with rasterio.open(tmp_path / "map.tif", overview_level=level) as file:
            smaller = file.read()
        assert smaller.shape[1:] == tuple(-(-n // factor) for n in shape)
        if what == "classes":
            assert set(np.unique(smaller)) <= set(np.unique(values))
            inner = tuple(slice(0, n // 2 // factor) for n in shape)
            assert (smaller[(0, *inner)] == 1).all()
        elif what == "probabilities":
            assert np.nanmax(np.abs(smaller[:-1].sum(axis=0) - 1)) < 1e-5
        else:
            assert smaller[smaller > 0].min() >= values[values > 0].min()
    steps = [e for e in events if type(e).__name__ == "Progress"]
    assert steps[-1].done == steps[-1].total
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("big", ["YES", "NO"])
@pytest.mark.parametrize(("bands", "dtype"), [(1, "uint8"), (3, "float32")])
def test_that_overviews_are_chained_in_either_form_of_tiff(big, bands, dtype, tmp_path):
    random = np.random.default_rng(0)
    profile = {
        "driver": "GTiff", "height": 2100, "width": 1100, "count": bands, "dtype": dtype,
        "tiled": True, "blockxsize": 512, "blockysize": 512, "interleave": "band",
        "compress": "deflate", "bigtiff": big, "transform": rasterio.Affine(2, 0, 0, 0, -2, 0),
    }  # fmt: skip
    values = random.integers(0, 4, (bands, 2100, 1100)).astype(dtype)
    with rasterio.open(tmp_path / "map.tif", "w", **profile) as file:
        if dtype == "uint8":
            file.write_colormap(1, {1: (9, 8, 7, 255)})
        file.write(values)
    for _ in overviews.add_overviews(tmp_path / "map.tif", profile, overviews.mode_of_four):
        pass
    assert (tmp_path / "map.tif").read_bytes()[2] == (43 if big == "YES" else 42)
    expected = values
    for level in range(3):
        odd = [(0, -n % 2) for n in expected.shape[1:]]
        expected = overviews.mode_of_four(np.pad(expected, [(0, 0), *odd], mode="edge"))
        with rasterio.open(tmp_path / "map.tif", overview_level=level) as file:
            np.testing.assert_array_equal(file.read(), expected)
    with rasterio.open(tmp_path / "map.tif") as file:
        np.testing.assert_array_equal(file.read(), values)
    assert [p.name for p in tmp_path.iterdir()] == ["map.tif"]


def test_that_the_mode_prefers_what_is_there_most():
    cells = np.array([[[1, 2, 5, 6], [2, 2, 7, 7], [3, 4, 0, 0], [8, 9, 0, 1]]], np.uint8)
    np.testing.assert_array_equal(overviews.mode_of_four(cells), [[[2, 7], [3, 0]]])

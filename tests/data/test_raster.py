from __future__ import annotations

import os
import threading

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling

from geocnn_gui.data.source import Section, Window, open_source
from geocnn_gui.errors import UnreadableFile

WHOLE = Section()


def numbers(bands=3, height=20, width=30, dtype="int16", seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 100, (bands, height, width)).astype(dtype)


def whole_picture(source):
    rows, columns = source.shape
    return source.read_picture(WHOLE, slice(0, rows), slice(0, columns))


def whole_live(source):
    return source.live(Window.whole(source.shape))


# -- values and facts --------------------------------------------------------------------------


def test_that_a_real_stack_opens_with_its_facts(files):
    with open_source(files / "landsat_cut.tif") as source:
        assert (source.kind, source.domain, source.format) == ("raster", "imagery", "GeoTIFF")
        assert source.shape == (40, 36)
        assert len(source.bands) == 8
        assert source.bands[5].name == "band 7 reflectance"
        assert "UTM zone 15N" in source.crs
        assert source.nodata == -9999
        assert source.dtype == np.int16
        assert [a.unit for a in source.axes] == ["m", "m"]
        assert [a.step for a in source.axes] == [-30, 30]
        assert source.spacing.pixel_size == 30
        with rasterio.open(files / "landsat_cut.tif") as file:
            np.testing.assert_array_equal(
                source.read(Window((3, 5), (7, 9))), file.read()[:, 3:10, 5:14]
            )
            assert source.map_position(WHOLE, 3, 5) == file.xy(3, 5)
            assert source.axes[0].at(3) == file.xy(3, 5)[1]
            assert source.axes[1].at(5) == file.xy(3, 5)[0]


def test_that_the_shared_images_open(real_data):
    for path in [
        *sorted((real_data / "imagery" / "landsat").glob("*.gtif")),
        *sorted((real_data / "imagery" / "eurosat").glob("*/*.jpg"))[::100],
        *sorted((real_data / "segy").glob("*.png")),
    ]:
        with open_source(path) as source:
            assert whole_picture(source).values.shape == (len(source.bands), *source.shape)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]
)
def test_that_every_type_reads_as_it_is(make_raster, dtype):
    values = numbers(dtype=dtype)
    with open_source(make_raster(values)) as source:
        assert source.dtype == values.dtype
        np.testing.assert_array_equal(source.read(Window((2, 3), (5, 6))), values[:, 2:7, 3:9])
        picture = source.read_picture(WHOLE, slice(2, 7), slice(3, 9))
        assert picture.values.dtype == np.float32
        np.testing.assert_array_equal(picture.values, values[:, 2:7, 3:9])
        assert picture.live.all()


def test_that_two_hundred_bands_are_no_problem(make_raster):
    values = numbers(bands=200)
    with open_source(make_raster(values)) as source:
        assert len(source.bands) == 200
        np.testing.assert_array_equal(whole_picture(source).values, values)


def test_that_scale_and_offset_tags_are_applied_and_nodata_is_compared_before(make_raster):
    values = numbers(bands=2)
    values[:, 4, 5] = -7

    def tag(dataset):
        dataset.scales, dataset.offsets = (0.5, 2.0), (10.0, -1.0)

    with open_source(make_raster(values, after=tag, nodata=-7)) as source:
        picture = whole_picture(source)
        expected = values * np.array([0.5, 2]).reshape(2, 1, 1) + np.array([10, -1]).reshape(
            2, 1, 1
        )
        expected[:, 4, 5] = 0
        np.testing.assert_allclose(picture.values, expected)
        assert np.argwhere(~picture.live).tolist() == [[4, 5]]
        assert source.read(Window((4, 5), (1, 1))).ravel().tolist() == [-7, -7]


def test_that_bands_are_named_by_the_file_and_coloured_by_its_metadata(make_raster):
    def describe(dataset):
        dataset.descriptions = ("Blue", "Green", "Red", "Red edge", None)
        dataset.units = ("DN", "DN", "DN", "DN", "K")

    with open_source(make_raster(numbers(bands=5), after=describe)) as source:
        assert [b.name for b in source.bands] == ["Blue", "Green", "Red", "Red edge", "Band 5"]
        assert [b.colour for b in source.bands] == ["blue", "green", "red", None, None]
        assert source.bands[4].unit == "K"
    path = make_raster(numbers(dtype="uint8"), "rgb.tif", photometric="RGB")
    with open_source(path) as source:
        assert [b.colour for b in source.bands] == ["red", "green", "blue"]
        assert [b.name for b in source.bands] == ["Red", "Green", "Blue"]


def test_that_a_palette_image_is_its_class_numbers(make_raster):
    def palette(dataset):
        dataset.write_colormap(1, {1: (255, 0, 0, 255), 2: (0, 255, 0, 255)})

    values = numbers(bands=1, dtype="uint8")
    path = make_raster(values, after=palette, photometric="palette")
    with open_source(path) as source:
        np.testing.assert_array_equal(source.read(Window.whole(source.shape)), values)
        assert any("palette" in note for note in source.notes)


@pytest.mark.parametrize("driver", ["PNG", "JPEG"])
def test_that_plain_images_open_in_pixels_without_a_warning(make_raster, driver):
    values = np.full((3, 20, 30), 90, np.uint8)
    path = make_raster(values, f"plain.{driver.lower()}", driver=driver, transform=None)
    with open_source(path) as source:
        assert source.format == driver
        assert [(a.name, a.unit, a.first, a.step) for a in source.axes] == [
            ("row", "px", 0, 1),
            ("column", "px", 0, 1),
        ]
        assert source.crs is None
        assert source.transform is None
        assert source.map_position(WHOLE, 1, 1) is None
        np.testing.assert_allclose(whole_picture(source).values, values, atol=2)


# -- places ------------------------------------------------------------------------------------


def test_that_a_south_up_raster_keeps_its_rows_and_the_sign_of_its_step(make_raster):
    values = numbers()
    transform = rasterio.Affine(5, 0, 1000, 0, 5, 2000)
    with open_source(make_raster(values, transform=transform, crs="EPSG:32631")) as source:
        assert (source.axes[0].first, source.axes[0].step) == (2002.5, 5)
        np.testing.assert_array_equal(whole_picture(source).values, values)
        assert source.map_position(WHOLE, 0, 0) == (1002.5, 2002.5)
        assert source.transform == (5, 0, 1000, 0, 5, 2000)


def test_that_a_rotated_raster_is_shown_in_pixels_and_placed_by_its_affine(make_raster):
    cos, sin = 4 * np.cos(0.5), 4 * np.sin(0.5)
    transform = rasterio.Affine(cos, sin, 500, sin, -cos, 700)
    with open_source(make_raster(numbers(), transform=transform, crs="EPSG:32631")) as source:
        assert [a.unit for a in source.axes] == ["px", "px"]
        assert source.spacing.pixel_size == pytest.approx(4)
        assert source.map_position(WHOLE, 6, 9) == pytest.approx(
            (500 + 9.5 * cos + 6.5 * sin, 700 + 9.5 * sin - 6.5 * cos)
        )
        assert source.transform == pytest.approx(transform[:6])


@pytest.mark.parametrize(
    ("crs", "step", "unit", "metres"),
    [
        ("EPSG:32631", 10, "m", 10),
        ("EPSG:2263", 3, "ft", 3 * 0.3048006),
        ("EPSG:4326", 0.001, "degree", 0.001 * 111_320 * np.sqrt(np.cos(np.radians(60)))),
        (None, 10, "", None),
    ],
)
def test_that_the_pixel_size_is_in_metres(make_raster, crs, step, unit, metres):
    transform = rasterio.Affine(step, 0, 20, 0, -step, 60)
    with open_source(make_raster(numbers(), transform=transform, crs=crs)) as source:
        assert [a.unit for a in source.axes] == [unit, unit]
        assert source.spacing.pixel_size == (metres and pytest.approx(metres, rel=0.01))


# -- live cells --------------------------------------------------------------------------------


NODATA = {
    "uint8": (0, 255),
    "int16": (0, -9999, 255),
    "uint16": (0, 255),
    "float32": (0, -9999, 255, float("nan")),
    "float64": (0, -9999, 255, float("nan")),
}


@pytest.mark.parametrize(("dtype", "nodata"), [(t, n) for t in NODATA for n in NODATA[t]])
def test_that_nodata_is_masked_in_every_type(make_raster, nodata, dtype):
    values = numbers(dtype=dtype)
    values[:, 3:5, 7] = nodata
    expected = np.ones((20, 30), bool)
    expected[3:5, 7] = False
    with open_source(make_raster(values, nodata=nodata)) as source:
        picture = whole_picture(source)
        np.testing.assert_array_equal(picture.live, expected)
        np.testing.assert_array_equal(whole_live(source), expected)
        assert not picture.values[:, ~expected].any()
        np.testing.assert_array_equal(picture.values[:, expected], values[:, expected])


def test_that_a_sentinel_in_one_band_masks_the_cell(make_raster):
    values = numbers(dtype="float32")
    values[1, 3, 4] = -9999
    values[2, 8, 9] = np.nan
    values[0, 1, 1] = np.inf
    with open_source(make_raster(values, nodata=-9999)) as source:
        assert np.argwhere(~whole_live(source)).tolist() == [[1, 1], [3, 4], [8, 9]]


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 0), ("uint8", 255), ("uint16", 0)])
def test_that_a_nodata_value_that_is_also_a_colour_masks_only_where_all_bands_hold_it(
    make_raster, dtype, nodata
):
    values = numbers(dtype=dtype)
    values[0, 3, 4] = nodata  # a pure colour
    values[:, 8, 9] = nodata
    with open_source(make_raster(values, nodata=nodata)) as source:
        assert np.argwhere(~whole_live(source)).tolist() == [[8, 9]]


def test_that_a_nodata_tag_with_few_digits_still_matches(make_raster):
    values = numbers(dtype="float32")
    values[:, 3, 4] = -3.4028235e38
    with open_source(make_raster(values, nodata=-3.4028e38)) as source:
        assert whole_live(source).all()  # that far off it is another number
    with open_source(make_raster(values, "close.tif", nodata=-3.402823e38)) as source:
        assert np.argwhere(~whole_live(source)).tolist() == [[3, 4]]


def test_that_alpha_is_mask_and_no_band(make_raster):
    values = numbers(bands=4, dtype="uint8")
    values[3] = 255
    values[3, 2, 3] = 0
    values[3, 2, 4] = 1
    for name, more in (
        ("a.tif", {"photometric": "RGB", "alpha": "YES"}),
        ("a.png", {"driver": "PNG"}),
    ):
        with open_source(make_raster(values, name, **more)) as source:
            assert len(source.bands) == 3
            assert source.read(Window.whole(source.shape)).shape == (3, 20, 30)
            assert np.argwhere(~whole_live(source)).tolist() == [[2, 3]]


def test_that_an_internal_mask_nodata_and_alpha_are_one_mask(make_raster):
    values = numbers(bands=2, dtype="float32")
    values[:, 0, 0] = np.nan

    def mask(dataset):
        live = np.full((20, 30), 255, np.uint8)
        live[5, 6] = 0
        dataset.write_mask(live)

    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = make_raster(values, after=mask)
    with open_source(path) as source:
        assert np.argwhere(~whole_live(source)).tolist() == [[0, 0], [5, 6]]
        preview = source.read_preview(WHOLE, slice(0, 20), slice(0, 30), (20, 30))
        np.testing.assert_array_equal(preview.live, whole_live(source))


# -- previews ----------------------------------------------------------------------------------


def ramp(height=1024, width=1536, dtype="uint16") -> np.ndarray:
    """Two bands that say where a cell is: its row, and its column."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows, columns]).astype(dtype)


@pytest.mark.parametrize("scattered", [False, True])
@pytest.mark.parametrize(
    "profile",
    [
        {},
        {"tiled": True, "blockxsize": 128, "blockysize": 128},
        {"tiled": True, "blockxsize": 128, "blockysize": 128, "interleave": "band"},
        {"compress": "deflate", "blockysize": 16},
    ],
    ids=["striped", "tiled", "planar", "deflate"],
)
def test_that_a_preview_shows_the_right_places(make_raster, monkeypatch, profile, scattered):
    if scattered:
        monkeypatch.setattr("geocnn_gui.data.raster._PREVIEW_BYTES", 4 << 20)
    with open_source(make_raster(ramp(), **profile)) as source:
        parts = slice(100, 900), slice(300, 1400)
        preview = source.read_preview(WHOLE, *parts, (60, 80))
        height, width = preview.live.shape
        assert (height, width) == (60, 80) or (scattered and height > 8 and width > 8)
        rows = 100 + (np.arange(height) + 0.5) * 800 / height
        columns = 300 + (np.arange(width) + 0.5) * 1100 / width
        np.testing.assert_allclose(preview.values[0], np.tile(rows[:, None], (1, width)), atol=1)
        np.testing.assert_allclose(preview.values[1], np.tile(columns, (height, 1)), atol=1)


@pytest.mark.parametrize("resampling", [Resampling.nearest, Resampling.average])
def test_that_a_preview_comes_from_the_overview(make_raster, resampling):
    def build(dataset):
        dataset.build_overviews([4, 8, 32], resampling)

    path = make_raster(ramp(), tiled=True, blockxsize=128, blockysize=128)
    with rasterio.open(path, "r+") as dataset:
        build(dataset)
    with open_source(path) as source:
        preview = source.read_preview(WHOLE, slice(0, 1024), slice(0, 1536), (80, 120))
        assert preview.live.shape == (80, 120)
        rows = (np.arange(80) + 0.5) * 1024 / 80
        np.testing.assert_allclose(preview.values[0][:, 0], rows, atol=8)


def test_that_a_preview_never_invents_values(make_raster):
    values = np.random.default_rng(0).choice([1, 9], (1, 600, 700)).astype(np.uint8)
    path = make_raster(values, tiled=True, blockxsize=64, blockysize=64)
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4, 8], Resampling.nearest)
    with open_source(path) as source:
        for shape in ((17, 19), (100, 90), (333, 500)):
            preview = source.read_preview(WHOLE, slice(3, 599), slice(1, 698), shape)
            assert set(np.unique(preview.values)) == {1, 9}


def test_that_a_preview_is_never_larger_than_the_part_itself(make_raster):
    values = numbers()
    with open_source(make_raster(values)) as source:
        preview = source.read_preview(WHOLE, slice(2, 9), slice(3, 8), (500, 500))
        np.testing.assert_array_equal(preview.values, values[:, 2:9, 3:8])
        wide = source.read_preview(WHOLE, slice(0, 20), slice(0, 30), (500, 10))
        assert wide.live.shape == (20, 10)


def test_that_a_costly_preview_is_coarser_instead(make_raster, monkeypatch):
    monkeypatch.setattr("geocnn_gui.data.raster._PREVIEW_BYTES", 40 * 64 * 64 * 4)
    path = make_raster(ramp(2048, 2048), tiled=True, blockxsize=64, blockysize=64)
    with open_source(path) as source:
        preview = source.read_preview(WHOLE, slice(0, 2048), slice(0, 2048), (500, 500))
        height, width = preview.live.shape
        assert height * width <= 40
        assert min(height, width) >= 4
        rows = (np.arange(height) + 0.5) * 2048 / height
        np.testing.assert_allclose(preview.values[0][:, 0], rows, atol=1)


# -- threads, closing, bad files ---------------------------------------------------------------


def test_that_many_threads_read_the_same_values(make_raster):
    values = ramp(512, 512)
    path = make_raster(values, tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    failures = []

    def work(source, seed):
        random = np.random.default_rng(seed)
        for _ in range(40):
            r, c = (int(n) for n in random.integers(0, 400, 2))
            got = source.read(Window((r, c), (100, 90)))
            if not np.array_equal(got, values[:, r : r + 100, c : c + 90]):
                failures.append((r, c))

    with open_source(path) as source:
        threads = [threading.Thread(target=work, args=(source, seed)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_that_closing_twice_is_fine(make_raster):
    source = open_source(make_raster(numbers()))
    source.close()
    source.close()


def sentence(call) -> str:
    with pytest.raises(UnreadableFile) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


@pytest.mark.parametrize("name", ["other.tif", "other.png", "other.jpg", "other", "other.xyz"])
@pytest.mark.parametrize("content", [b"hello " * 100, bytes(5000), b"II*\x00\x08\x00\x00\x00\xff"])
def test_that_other_files_are_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    text = sentence(lambda: open_source(path))
    assert str(path) in text
    assert "not a raster" in text or "damaged" in text


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize(
    "profile", [{}, {"tiled": True, "blockxsize": 64, "blockysize": 64}, {"compress": "deflate"}]
)
def test_that_a_truncated_geotiff_is_refused_when_opened(make_raster, profile, share):
    path = make_raster(
        np.random.default_rng(0).integers(0, 999, (2, 400, 400)).astype("int16"), **profile
    )
    os.truncate(path, int(path.stat().st_size * share))
    text = sentence(lambda: open_source(path))
    assert str(path) in text
    assert "copy or download it again" in text


@pytest.mark.parametrize("driver", ["PNG", "JPEG"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_that_a_truncated_image_is_refused_when_opened(make_raster, driver, share):
    values = np.random.default_rng(0).integers(0, 255, (3, 200, 200)).astype(np.uint8)
    path = make_raster(values, f"cut.{driver.lower()}", driver=driver, transform=None)
    os.truncate(path, int(path.stat().st_size * share))
    text = sentence(lambda: open_source(path))
    assert str(path) in text


def test_that_damage_in_the_middle_is_reported_when_read(make_raster):
    values = np.random.default_rng(0).integers(0, 999, (1, 400, 400)).astype("int16")
    path = make_raster(values, compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(3000))
    with open_source(path) as source:
        text = sentence(lambda: source.read(Window.whole(source.shape)))
    assert str(path) in text
    assert "damaged or cut short" in text


def test_that_complex_numbers_are_refused(make_raster):
    path = make_raster(numbers(dtype="complex64"))
    assert "complex numbers" in sentence(lambda: open_source(path))


def test_that_points_alone_are_noted(make_raster):
    points = [
        rasterio.control.GroundControlPoint(r, c, c * 2.0, r * 3.0) for r in (0, 9) for c in (0, 9)
    ]
    path = make_raster(numbers(), transform=None, gcps=points, crs="EPSG:32631")
    with open_source(path) as source:
        assert any("control points" in note for note in source.notes)
        assert source.axes[0].unit == "px"


def test_that_grey_with_alpha_is_one_band(make_raster):
    values = numbers(bands=2, dtype="uint16")
    values[1, 0, 0] = 0
    with open_source(make_raster(values, photometric="MINISBLACK", alpha="YES")) as source:
        assert len(source.bands) == 1
        assert np.argwhere(~whole_live(source)).tolist() == [[0, 0]]

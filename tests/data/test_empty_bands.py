from __future__ import annotations

import numpy as np
import pytest

from geocnn_gui.data.source import Section, Window, open_source
from geocnn_gui.data.statistics import require_live
from geocnn_gui.errors import NoLiveData

WHOLE = Section()


def numbers(dtype, height=20, width=30) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 100, (3, height, width)).astype(dtype)


def whole_picture(source):
    rows, columns = source.shape
    return source.read_picture(WHOLE, slice(0, rows), slice(0, columns))


def whole_live(source):
    return source.live(Window.whole(source.shape))


@pytest.mark.parametrize(
    ("dtype", "nothing", "nodata"), [("float32", np.nan, None), ("int16", -9999, -9999)]
)
def test_that_a_band_without_data_masks_nothing_and_reads_as_0(make_raster, dtype, nothing, nodata):
    values = numbers(dtype)
    values[2] = nothing
    values[0, 0, 0] = nothing

    def name(file):
        file.set_band_description(3, "nir")

    with open_source(make_raster(values, after=name, nodata=nodata)) as source:
        assert "Band 3 (nir) holds no data." in source.notes
        assert np.argwhere(~whole_live(source)).tolist() == [[0, 0]]
        require_live(source)
        picture = whole_picture(source)
        assert not picture.values[2].any()
        np.testing.assert_array_equal(picture.values[:2, 1:], values[:2, 1:])


def test_that_an_empty_band_of_a_large_raster_is_found_without_reading_it_all(make_raster):
    values = np.full((2, 2500, 3300), np.nan, np.float32)
    values[0, :700] = 3
    with open_source(make_raster(values, tiled=True, compress="deflate")) as source:
        assert "Band 2 holds no data." in source.notes
        assert whole_live(source).sum() == 700 * 3300
        preview = source.read_preview(WHOLE, slice(0, 2500), slice(0, 3300), (50, 66))
        assert np.isfinite(preview.values).all()


def test_that_a_band_with_a_single_value_is_not_empty(make_raster):
    values = numbers("float32", height=300, width=300)
    values[1] = np.nan
    values[1, 7, 5] = 1
    with open_source(make_raster(values)) as source:
        assert not any("no data" in note for note in source.notes)
        assert np.argwhere(whole_live(source)).tolist() == [[7, 5]]


def test_that_a_raster_of_nothing_but_empty_bands_has_no_live_data(make_raster):
    with open_source(make_raster(np.full((3, 20, 30), np.nan, np.float32))) as source:
        assert not any("no data" in note for note in source.notes)
        with pytest.raises(NoLiveData):
            require_live(source)


def test_that_an_empty_band_of_an_array_masks_nothing_and_reads_as_0(tmp_path):
    values = numbers("float32")
    values[1] = np.nan
    values[0, 0, 0] = np.nan
    np.save(tmp_path / "stack.npy", values)
    with open_source(tmp_path / "stack.npy") as source:
        assert "Band 2 holds no data." in source.notes
        assert np.argwhere(~whole_live(source)).tolist() == [[0, 0]]
        assert not whole_picture(source).values[1].any()
        preview = source.read_preview(WHOLE, slice(0, 20), slice(0, 30), (5, 6))
        assert np.isfinite(preview.values).all()

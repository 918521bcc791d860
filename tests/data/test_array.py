from __future__ import annotations

import numpy as np
import pytest

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Section, Window, open_source
from geocnn_gui.errors import UnreadableFile


def numbers(*shape: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(0).integers(1, 99, shape).astype(dtype)


def saved(tmp_path, array, name="a.npy"):
    path = tmp_path / name
    np.save(path, array)
    return path


@pytest.mark.parametrize(
    ("shape", "kind", "size", "bands"),
    [
        ((30, 40), "raster", (30, 40), 1),
        ((4, 30, 40), "raster", (30, 40), 4),
        ((30, 40, 3), "raster", (30, 40), 3),
        ((16, 30, 12), "raster", (30, 12), 16),
        ((20, 30, 40), "cube", (20, 30, 40), 1),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", ">f4", "bool"])
def test_that_an_array_opens_by_its_shape(tmp_path, shape, kind, size, bands, dtype):
    array = numbers(*shape, dtype=dtype)
    with open_source(saved(tmp_path, array)) as source:
        assert (source.kind, source.shape, len(source.bands)) == (kind, size, bands)
        assert source.format == "NPY"
        read = source.read(Window.whole(source.shape))
        expected = array[None] if array.ndim == 2 else array
        if shape == (30, 40, 3):
            expected = np.moveaxis(array, 2, 0)
        np.testing.assert_array_equal(read, expected)


def test_that_windows_and_previews_are_cuts(tmp_path):
    array = numbers(4, 30, 40)
    with open_source(saved(tmp_path, array)) as source:
        np.testing.assert_array_equal(source.read(Window((2, 3), (5, 6))), array[:, 2:7, 3:9])
        preview = source.read_preview(Section(), slice(2, 22), slice(5, 35), (5, 10))
        np.testing.assert_array_equal(preview.values, array[:, 2:22:4, 5:35:3])
    cube = numbers(20, 30, 40)
    with open_source(saved(tmp_path, cube)) as source:
        preview = source.read_preview(Section(1, 7), slice(0, 40), slice(0, 20), (10, 20))
        np.testing.assert_array_equal(preview.values[0], cube[:, 7, ::4].T)


def test_that_nan_and_infinity_are_not_live(tmp_path):
    array = numbers(2, 30, 40)
    array[0, 3, 4], array[1, 5, 6] = np.nan, np.inf
    with open_source(saved(tmp_path, array)) as source:
        assert np.argwhere(~source.live(Window.whole((30, 40)))).tolist() == [[3, 4], [5, 6]]
        picture = source.read_picture(Section(), slice(0, 30), slice(0, 40))
        assert np.isfinite(picture.values).all()


def test_that_nothing_is_read_before_it_is_asked_for(tmp_path):
    path = tmp_path / "big.npy"
    array = np.lib.format.open_memmap(path, "w+", "float32", (20_000, 200_000))  # sparse, 16 GB
    array[19_999, 199_999] = 7
    del array
    with open_source(path) as source:
        assert source.read(Window((19_998, 199_998), (2, 2)))[0].tolist() == [[0, 0], [0, 7]]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_that_the_only_usable_array_of_an_npz_is_opened(tmp_path, save):
    array, path = numbers(30, 40), tmp_path / "a.npz"
    save(path, names=np.array(["a", "b"]), pick=np.float32(3), data=array, times=np.arange(5))
    with open_source(path) as source:
        assert source.format == "NPZ"
        np.testing.assert_array_equal(source.read(Window.whole((30, 40)))[0], array)


def test_that_fortran_order_is_kept_in_an_npz(tmp_path):
    array, path = np.asfortranarray(numbers(30, 40)), tmp_path / "a.npz"
    np.savez(path, array)
    with open_source(path) as source:
        np.testing.assert_array_equal(source.read(Window.whole((30, 40)))[0], array)


def test_that_one_of_several_arrays_has_to_be_chosen(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, first=numbers(30, 40), second=numbers(3, 20, 21))
    with pytest.raises(UnreadableFile, match=r"first, second.*key=NAME"):
        open_source(path)
    with open_source(path, key="second") as source:
        assert source.shape == (20, 21)
    with pytest.raises(UnreadableFile, match="no array named third"):
        open_source(path, key="third")


def test_that_real_archives_open_or_say_what_to_choose(real_data):
    with open_source(next((real_data / "waveforms").glob("*.npz"))) as source:
        assert source.shape == (9001, 3)
    with open_source(real_data / "patches" / "f3_patches_800.npz") as source:
        # Of its two arrays weak_labels holds labels too: it says nothing of what to show.
        assert source.choices["key"] == "patches"
        assert source.choices["labels"] == "patch_class"
        assert [name for _, name in source.samples.classes] == ["chaotic", "other", "fault", "salt"]
        assert np.bincount(source.samples.labels).tolist() == [0, 200, 200, 200, 200]
    with pytest.raises(UnreadableFile, match="no array named third"):
        open_source(real_data / "patches" / "f3_patches_800.npz", key="third")


BAD = {
    "text.npy": b"not an array at all",
    "text.npz": b"not an archive at all",
    "cut.npy": None,
    "cut.npz": None,
}


@pytest.mark.parametrize("name", BAD)
def test_that_damaged_files_are_refused(tmp_path, name):
    path = tmp_path / name
    if BAD[name] is None:
        (np.save if name.endswith("npy") else np.savez)(path, numbers(30, 40))
        path.write_bytes(path.read_bytes()[:2000])
    else:
        path.write_bytes(BAD[name])
    with pytest.raises(UnreadableFile) as caught:
        open_source(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "array",
    [
        np.array([{"a": 1}, None], dtype=object),
        np.arange(5),
        np.zeros((2, 3, 4, 5)),
        np.array([["a", "b"]]),
        np.zeros((2, 0)),
        np.zeros((3, 4), complex),
    ],
    ids=["objects", "one dimension", "four dimensions", "text", "empty", "complex"],
)
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_that_other_arrays_are_refused(tmp_path, array, suffix):
    path = tmp_path / f"a.{suffix}"
    (np.save if suffix == "npy" else np.savez)(path, array)
    with pytest.raises(UnreadableFile) as caught:
        open_source(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_that_an_array_in_memory_is_a_source():
    axes = (
        Axis("inline", "", 100, 1, 4),
        Axis("crossline", "", 1, 2, 5),
        Axis("time", "ms", 0, 4, 6),
    )
    array = numbers(4, 5, 6)
    source = ArraySource(
        array, kind="cube", axes=axes, bands=(Band("amplitude"),), domain="seismic", name="Mine"
    )
    assert source.path is None
    np.testing.assert_array_equal(source.read(Window((1, 2, 3), (2, 2, 2))), array[1:3, 2:4, 3:5])
    with pytest.raises(ValueError, match="does not match"):
        ArraySource(array[:2], kind="cube", axes=axes, bands=(), domain="seismic", name="Mine")

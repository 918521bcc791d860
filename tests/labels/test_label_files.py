from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio import Affine
from rasterio.errors import NotGeoreferencedWarning

from geocnn_gui.data.array import ArraySource
from geocnn_gui.data.source import Axis, Band, Source, Window, open_source
from geocnn_gui.errors import BadRequest, CannotWrite, LabelsMismatch, UnreadableFile
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.files import LabelFile, read_label_file, save_labels
from geocnn_gui.labels.store import LabelSnapshot

UTM = "EPSG:32615"
PLACE = Affine(30, 0, 462405, 0, -30, 1741815)
CLASSES = (
    LabelClass(id=2, name="Salz", color="#d55e00"),
    LabelClass(id=5, name="页岩", color="#56b4e9"),
)


def line(traces: int = 6, samples: int = 9) -> Source:
    axes = (Axis("cdp", "", 1, 1, traces), Axis("time", "ms", 0, 4, samples))
    return source("line", np.zeros((traces, samples), np.float32), axes)


def cube(shape: tuple[int, int, int]) -> Source:
    names = ("inline", "crossline", "time")
    axes = tuple(Axis(name, "", 0, 1, n) for name, n in zip(names, shape, strict=True))
    return source("cube", np.zeros(shape, np.float32), axes)


def scene(rows: int = 6, columns: int = 9) -> ArraySource:
    axes = (Axis("row", "px", 0, 1, rows), Axis("column", "px", 0, 1, columns))
    return source("raster", np.zeros((1, rows, columns), np.float32), axes)


def source(kind, array: np.ndarray, axes: tuple[Axis, ...]) -> ArraySource:
    domain = "imagery" if kind == "raster" else "seismic"
    return ArraySource(
        array, kind=kind, axes=axes, bands=(Band("a"),), domain=domain, name="the data"
    )


def picture(path: Path, values: np.ndarray, **profile) -> Path:
    """Write (rows, columns) or (bands, rows, columns) as GDAL would."""
    values = values if values.ndim == 3 else values[None]
    driver = "PNG" if path.suffix == ".png" else "GTiff"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver=driver, count=len(values), height=values.shape[1],
            width=values.shape[2], dtype=values.dtype, **profile,
        ) as file:  # fmt: skip
            file.write(values)
    return path


def array(path: Path, values: np.ndarray) -> Path:
    np.save(path, values)
    return path


def whole(file: LabelFile) -> np.ndarray:
    return file.snapshot.read(Window.whole(file.snapshot.shape))


IDS = np.random.default_rng(3).integers(0, 6, (6, 9)).astype(np.uint8)


def test_that_line_labels_are_read_in_either_order(tmp_path):
    for path in (
        array(tmp_path / "a.npy", IDS),
        array(tmp_path / "b.npy", IDS.T),
        picture(tmp_path / "c.png", IDS.T),
        picture(tmp_path / "d.png", IDS),
        picture(tmp_path / "e.tif", IDS.T.astype(np.float32)),
        array(tmp_path / "f.npy", IDS.astype(np.int64)),
    ):
        np.testing.assert_array_equal(whole(read_label_file(path, line())), IDS, err_msg=path.name)


def test_that_a_mask_of_truth_values_is_one_class(tmp_path):
    file = read_label_file(array(tmp_path / "mask.npy", IDS > 2), scene())
    np.testing.assert_array_equal(whole(file), IDS > 2)


def test_that_a_square_line_follows_the_conventions(tmp_path):
    ids = IDS[:6, :6]
    for path in (array(tmp_path / "a.npy", ids), picture(tmp_path / "c.png", ids.T)):
        np.testing.assert_array_equal(whole(read_label_file(path, line(6, 6))), ids)
    np.testing.assert_array_equal(
        whole(read_label_file(picture(tmp_path / "r.png", ids), scene(6, 6))), ids
    )


@pytest.mark.parametrize("shape", [(23, 18, 75), (5, 40, 30), (40, 30, 5), (40, 5, 30), (4, 5, 6)])
def test_that_cube_labels_are_read_whichever_side_is_short(tmp_path, shape):
    ids = np.random.default_rng(0).integers(0, 4, shape).astype(np.int16)
    path = array(tmp_path / "cube.npy", ids)
    np.testing.assert_array_equal(whole(read_label_file(path, cube(shape))), ids)


def test_that_big_labels_are_read_by_blocks_and_whole(tmp_path):
    rows, columns = 3000, 2500
    ids = (np.arange(rows)[:, None] // 100 + np.arange(columns)[None] // 90) % 7
    path = picture(tmp_path / "big.tif", ids.astype(np.uint8), compress="deflate")
    np.testing.assert_array_equal(whole(read_label_file(path, line(columns, rows))), ids.T)


def test_that_real_labels_of_one_line_are_the_same_in_every_format(real_data, tmp_path):
    with open_source(real_data / "segy" / "f3_crossline61_amplitude.sgy") as data:
        segy = read_label_file(real_data / "segy" / "f3_crossline61_labels.sgy", data)
        png = read_label_file(real_data / "segy" / "f3_crossline61_labels.png", data)
        assert segy.snapshot.digest == png.snapshot.digest
        assert [c.id for c in segy.classes] == [1, 2, 3, 4]
        assert sum(segy.snapshot.counts.values()) == 951 * 338
        assert segy.snapshot.counts[1] == pytest.approx(0.764 * 951 * 338, rel=0.01)
        for name in ("x.npy", "x.tif", "x.png"):
            save_labels(tmp_path / name, segy.snapshot, data, segy.classes)
            again = read_label_file(tmp_path / name, data)
            assert again.snapshot.digest == segy.snapshot.digest


def test_that_a_class_map_and_labels_of_any_formats_can_be_compared(real_data, tmp_path):
    folder = real_data / "segy"
    with open_source(folder / "f3_crossline61_labels.sgy") as data:
        truth = read_label_file(folder / "f3_crossline61_labels.png", data)
        save_labels(tmp_path / "map.npy", truth.snapshot, data)
    for prediction in (tmp_path / "map.npy", folder / "f3_crossline61_labels.png"):
        with open_source(prediction) as source:
            labels = read_label_file(folder / "f3_crossline61_labels.sgy", source)
            values = source.read(Window.whole(source.shape))
            values = values[0] if source.banded else values
            np.testing.assert_array_equal(whole(labels), values)


def test_that_real_training_rasters_are_read_for_their_scene(real_data):
    folder = real_data / "imagery" / "landsat"
    with open_source(folder / "LE70220491999322EDC01_stack.gtif") as data:
        file = read_label_file(folder / "training_data.gtif", data)
    assert file.snapshot.counts == {1: 383, 2: 16, 3: 145, 4: 106, 5: 68}
    assert [c.name for c in file.classes] == [f"Class {i}" for i in range(1, 6)]


def test_that_a_trace_of_one_class_is_not_taken_for_dead(real_data, tmp_path):
    from geocnn_gui.data.segy import open_segy
    from geocnn_gui.export.layers import Layer
    from geocnn_gui.export.segy import export_segy

    class AllOnes:
        shape = (951, 338)
        path = tmp_path

        def read_classes(self, window: Window) -> np.ndarray:
            return np.ones(window.size, np.uint8)

        def read_confidence(self, window: Window) -> np.ndarray:
            raise NotImplementedError

    with open_segy(real_data / "segy" / "f3_crossline61_amplitude.sgy") as data:
        layer = Layer(AllOnes(), "classes", CLASSES)
        assert list(export_segy(layer, data, tmp_path / "ones.sgy"))
        file = read_label_file(tmp_path / "ones.sgy", data)
    assert file.snapshot.counts == {1: 951 * 338}


def test_that_nodata_nan_and_transparency_are_unlabelled(tmp_path):
    ids = np.array([[1, 2, 9], [0, 9, 3]])
    expected = [[1, 2, 0], [0, 0, 3]]
    floats = np.where(ids == 9, np.nan, ids).astype(np.float32)
    alpha = np.where(ids == 9, 0, 255)
    ids8 = ids.astype(np.uint8)
    for path in (
        picture(tmp_path / "n.tif", ids8, nodata=9),
        picture(tmp_path / "m.tif", np.where(ids == 9, -9999, ids).astype(np.int16), nodata=-9999),
        picture(tmp_path / "f.tif", floats),
        array(tmp_path / "f.npy", floats),
        picture(tmp_path / "a.png", np.stack([ids8, alpha.astype(np.uint8)])),
    ):
        file = read_label_file(path, scene(2, 3))
        assert whole(file).tolist() == expected, path.name


def test_that_each_colour_of_a_picture_is_a_class(tmp_path):
    red, blue, black = (200, 10, 0), (0, 0, 250), (0, 0, 0)
    colours = np.array([[red, black, blue], [blue, blue, red]], np.uint8)
    rgb = np.moveaxis(colours, 2, 0)
    file = read_label_file(picture(tmp_path / "rgb.png", rgb), scene(2, 3))
    assert whole(file).tolist() == [[2, 0, 1], [1, 1, 2]]
    assert [(c.id, c.color) for c in file.classes] == [(1, "#0000fa"), (2, "#c80a00")]
    alpha = np.array([[[255, 255, 0], [255, 255, 255]]], np.uint8)
    rgba = picture(tmp_path / "rgba.png", np.concatenate([rgb, alpha]))
    assert whole(read_label_file(rgba, scene(2, 3))).tolist() == [[2, 0, 0], [1, 1, 2]]


def test_that_a_photograph_is_no_label_file(tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (3, 40, 40)).astype(np.uint8)
    with pytest.raises(LabelsMismatch, match=r"photo\.png has more than 254 colours"):
        read_label_file(picture(tmp_path / "photo.png", photo), scene(40, 40))


@pytest.mark.parametrize("name", ["x.tif", "x.png", "x.npy"])
def test_that_saved_labels_come_back(tmp_path, name):
    data = scene()
    data.crs, data.transform = rasterio.CRS.from_string(UTM).to_wkt(), PLACE[:6]
    ids = np.where(IDS % 2 == 0, IDS, 5).astype(np.uint8)
    save_labels(tmp_path / name, LabelSnapshot.from_array(ids), data, CLASSES)
    file = read_label_file(tmp_path / name, data)
    np.testing.assert_array_equal(whole(file), ids)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    by_id = {c.id: c for c in file.classes}
    assert set(by_id) == {2, 4, 5}
    if name != "x.npy":
        assert by_id[5].color == "#56b4e9"
    if name == "x.tif":
        assert by_id[5].name == "页岩"
        with rasterio.open(tmp_path / name) as written:
            assert (written.crs, written.transform) == (rasterio.CRS.from_string(UTM), PLACE)


def test_that_category_names_kept_beside_a_raster_are_used(tmp_path):
    path = picture(tmp_path / "x.tif", IDS, crs=UTM, transform=PLACE)
    names = "".join(f"<Category>{n}</Category>" for n in ("none", "Wald", "", "Düne"))
    Path(f"{path}.aux.xml").write_text(
        f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{names}</CategoryNames>'
        "</PAMRasterBand></PAMDataset>",
        encoding="utf-8",
    )
    names = {c.id: c.name for c in read_label_file(path, scene()).classes}
    assert names == {1: "Wald", 2: "Class 2", 3: "Düne", 4: "Class 4", 5: "Class 5"}


@pytest.mark.parametrize(
    ("data", "file", "words"),
    [
        (line(951, 338), (100, 200), r"x\.png is 200 x 100 but the data needs 951 x 338 \(traces"),
        (scene(20, 30), (40, 50), r"x\.png is 50 x 40 but the data needs 30 x 20 \(columns x rows"),
        (cube((9, 8, 7)), (9, 8), r"x\.png is 9 x 8 but the data needs 9 x 8 x 7 \(inlines"),
    ],
)
def test_that_labels_of_another_size_are_told_in_the_same_order(tmp_path, data, file, words):
    path = picture(tmp_path / "x.png", np.ones(file, np.uint8))
    with pytest.raises(LabelsMismatch, match=words):
        read_label_file(path, data)


@pytest.mark.parametrize("wrong", [1.5, -1, 255, 1e30, 300])
def test_that_values_that_are_no_classes_are_told(tmp_path, wrong):
    ids = IDS.astype(np.float64)
    ids[3, 4] = wrong
    with pytest.raises(LabelsMismatch, match=rf"x\.npy holds {wrong:.6g}".replace("+", r"\+")):
        read_label_file(array(tmp_path / "x.npy", ids), scene())


def test_that_labels_of_another_place_are_told(tmp_path):
    data = scene()
    data.crs, data.transform = rasterio.CRS.from_string(UTM).to_wkt(), PLACE[:6]
    apart = picture(tmp_path / "a.tif", IDS, crs=UTM, transform=PLACE @ Affine.translation(5, 0))
    with pytest.raises(LabelsMismatch, match=r"a\.tif begins at x 462555.*but the data.*462405"):
        read_label_file(apart, data)
    zone = picture(tmp_path / "b.tif", IDS, crs="EPSG:32616", transform=PLACE)
    with pytest.raises(LabelsMismatch, match=r"b\.tif is in EPSG:32616 but the data in EPSG:32615"):
        read_label_file(zone, data)
    near = picture(tmp_path / "c.tif", IDS, crs=UTM, transform=PLACE @ Affine.translation(0.4, 0))
    plain = picture(tmp_path / "d.png", IDS)
    for path in (near, plain):
        np.testing.assert_array_equal(whole(read_label_file(path, data)), IDS)


def test_that_a_file_of_several_bands_is_told(tmp_path):
    path = picture(tmp_path / "stack.tif", np.ones((8, 6, 9), np.int16))
    with pytest.raises(LabelsMismatch, match="8 bands"):
        read_label_file(path, scene())


@pytest.mark.parametrize("name", ["x.npy", "x.png", "x.sgy"])
def test_that_a_file_that_is_none_is_told(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(UnreadableFile, match=name):
        read_label_file(path, scene())
    path.write_bytes(b"something else entirely")
    with pytest.raises(UnreadableFile, match=name):
        read_label_file(path, scene())


def test_that_labels_are_saved_only_where_that_makes_sense(tmp_path):
    labels = LabelSnapshot.from_array(np.ones((9, 8, 7), np.uint8))
    with pytest.raises(BadRequest, match="cube"):
        save_labels(tmp_path / "x.png", labels, cube((9, 8, 7)))
    with pytest.raises(BadRequest, match=r"\.sgy"):
        save_labels(tmp_path / "x.sgy", labels, cube((9, 8, 7)))
    data = tmp_path / "data.npy"
    np.save(data, np.zeros((20, 30)))
    with open_source(data) as opened, pytest.raises(BadRequest, match="data file itself"):
        save_labels(data, LabelSnapshot((20, 30)), opened)
    assert np.load(data).shape == (20, 30)


@pytest.mark.parametrize("name", ["x.npy", "x.tif", "x.png"])
def test_that_a_missing_folder_is_told(tmp_path, name):
    with pytest.raises(CannotWrite, match="folder does not exist"):
        save_labels(tmp_path / "none" / name, LabelSnapshot.from_array(IDS), scene())

"""Sample sets: folders of images, arrays with labels, records, and the two generators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from geocnn_gui.data.identity import fingerprint_of
from geocnn_gui.data.samples import named_labels
from geocnn_gui.data.source import Section, Window, open_source
from geocnn_gui.data.standardised import standardised
from geocnn_gui.data.statistics import describe, estimate_statistics
from geocnn_gui.data.textbook import draw_patches, draw_traces
from geocnn_gui.errors import UnreadableFile

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def save_image(path: Path, values: np.ndarray, *, alpha: bool = False) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    driver = {".png": "PNG", ".jpg": "JPEG", ".tif": "GTiff"}[path.suffix]
    bands, height, width = values.shape
    with rasterio.open(
        path, "w", driver=driver, count=bands, height=height, width=width, dtype=values.dtype
    ) as file:
        if alpha and driver == "GTiff":
            file.colorinterp = [*file.colorinterp[:-1], ColorInterp.alpha]
        file.write(values)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Colour and grey images, 8 and 16 bits, of two sizes, one with alpha."""
    root = tmp_path / "rocks"
    colour = np.full((3, 20, 30), 51, np.uint8)
    save_image(root / "granite" / "g2.png", colour)
    save_image(root / "granite" / "g10.jpg", colour)
    save_image(root / "shale" / "s1.png", np.full((1, 16, 16), 13107, np.uint16))
    transparent = np.full((4, 20, 30), 102, np.uint8)
    transparent[3, :, :15] = 0
    transparent[3, :, 15:] = 255
    save_image(root / "shale" / "s2.png", transparent, alpha=True)
    (root / "notes.txt").write_text("not an image")
    (root / "empty").mkdir()
    return root


def test_that_images_of_mixed_kinds_become_one_set(folder: Path):
    with open_source(folder) as source:
        samples = source.samples
        assert samples is not None
        assert (source.kind, source.shape) == ("samples", (1, 4))
        assert samples.classes == ((1, "granite"), (2, "shale"))
        assert [name.replace("\\", "/") for name in samples.names] == [
            "granite/g2.png", "granite/g10.jpg", "shale/s1.png", "shale/s2.png",
        ]  # fmt: skip
        assert samples.labels.tolist() == [1, 1, 2, 2]
        # 51 of 255 and 13107 of 65535 are the same grey; grey is shown in three bands.
        assert samples.read(0) == pytest.approx(0.2)
        assert samples.read(2).shape == (3, 16, 16)
        assert samples.read(2) == pytest.approx(0.2)
        shown = samples.read(3)
        assert shown.shape == (3, 20, 30)
        assert np.isnan(shown[:, :, :15]).all()
        assert shown[:, :, 15:] == pytest.approx(0.4)
        assert samples.read_small(0, 10).shape[1:] == (7, 10)
        assert any("differ in size" in note for note in source.notes)


def test_that_damaged_images_are_named_and_left_out(folder: Path):
    whole = (folder / "granite" / "g2.png").read_bytes()
    (folder / "granite" / "cut.png").write_bytes(whole[:-40])
    (folder / "granite" / "nothing.jpg").write_bytes(b"")
    # Whole at both ends and broken between: only reading it shows.
    broken = whole[:40] + bytes(len(whole) - 80) + whole[-40:]
    (folder / "shale" / "broken.png").write_bytes(broken)
    with open_source(folder) as source:
        assert len(source.samples) == 5
        facts = describe(source)
        assert facts["live_fraction"] == pytest.approx(0.8)
        notes = " ".join(source.notes)
        for name in ("cut.png", "nothing.jpg", "broken.png"):
            assert name in notes
        at = [name.endswith("broken.png") for name in source.samples.names].index(True)
        live = source.live(Window.whole(source.shape))
        assert live.sum() == 4
        assert not live[0, at]


def test_that_a_folder_without_images_says_what_to_choose(tmp_path: Path):
    with pytest.raises(UnreadableFile, match="is a folder; choose a file in it"):
        open_source(tmp_path)


def test_that_a_changed_image_changes_the_folders_identity(folder: Path):
    before = fingerprint_of(folder)
    assert fingerprint_of(folder) == before
    save_image(folder / "shale" / "s1.png", np.full((1, 40, 40), 3, np.uint16))
    assert fingerprint_of(folder) != before


def test_that_labels_are_found_beside_patches(tmp_path: Path):
    random = np.random.default_rng(0)
    path = tmp_path / "set.npz"
    np.savez(
        path, patches=random.normal(size=(30, 12, 14)), pixels=np.zeros((30, 12, 14), np.uint8),
        patch_class=np.repeat([0, 2, -1], 10), class_names=np.array(["mud", "sand", "salt"]),
        record=np.repeat(np.arange(6), 5),
    )  # fmt: skip
    with open_source(path) as source:
        samples = source.samples
        assert samples.size == (12, 14)
        assert samples.classes == ((1, "mud"), (3, "salt"))
        assert np.bincount(samples.labels).tolist() == [10, 10, 0, 10]
        assert samples.groups.tolist() == np.repeat(np.arange(6), 5).tolist()
        assert source.domain == "seismic"
    with open_source(path, domain="imagery") as source:
        assert source.domain == "imagery"


@pytest.mark.parametrize(
    ("shape", "bands", "size", "dims"),
    [
        ((9, 50), 1, (50, 1), 1),
        ((9, 50, 3), 3, (50, 1), 1),
        ((9, 3, 50), 3, (50, 1), 1),
        ((9, 20, 30), 1, (20, 30), 2),
        ((9, 5, 20, 30), 5, (20, 30), 2),
        ((9, 20, 30, 5), 5, (20, 30), 2),
        ((9, 16, 16, 3), 3, (16, 16), 2),
        ((9, 20, 36, 36), 20, (36, 36), 2),
        ((9, 5, 50, 1), 5, (50, 1), 1),
    ],
)
def test_that_arrays_are_told_by_their_shape(tmp_path: Path, shape, bands, size, dims):
    path = tmp_path / "set.npz"
    np.savez(path, x=np.ones(shape, np.float32), y=np.arange(9) % 2)
    with open_source(path) as source:
        assert len(source.bands) == bands
        assert source.samples.size == size
        assert source.samples.dims == dims
        assert source.samples.read(4).shape == (bands, *size)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((9, 16, 16, 3), "9 patches of 16 x 16 in 3 bands (the last axis)"),
        ((9, 20, 36, 36), "9 patches of 36 x 36 in 20 bands (the second axis)"),
        ((9, 50, 3), "9 traces of 50 samples in 3 components (the last axis)"),
    ],
)
def test_that_the_notes_say_what_was_taken_as_bands(tmp_path: Path, shape, words):
    path = tmp_path / "set.npz"
    np.savez(path, x=np.ones(shape, np.float32), y=np.arange(9) % 2)
    with open_source(path) as source:
        assert f"x holds {words}, y a label for each." in source.notes


def test_that_two_possible_labels_have_to_be_chosen(tmp_path: Path):
    path = tmp_path / "set.npz"
    rock, age = np.arange(8) % 2, np.array(["old", "new"] * 4)
    np.savez(path, x=np.ones((8, 6, 6)), rock=rock, age=age)
    with pytest.raises(UnreadableFile, match="labels=NAME"):
        open_source(path)
    with open_source(path, labels="age") as source:
        assert source.samples.classes == ((1, "new"), (2, "old"))


@pytest.mark.parametrize(
    ("labels", "ids"),
    [
        (np.array([0.0, 1.0, 2.0, np.nan]), [1, 2, 3, 0]),
        (np.array([[1], [2], [2], [1]]), [1, 2, 2, 1]),
        (np.array([True, False, True, True]), [2, 1, 2, 2]),
    ],
)
def test_that_labels_may_be_whole_floats_or_a_column(tmp_path: Path, labels, ids):
    path = tmp_path / "set.npz"
    np.savez(path, patches=np.ones((4, 16, 16), np.float32), labels=labels)
    with open_source(path) as source:
        assert source.samples.labels.tolist() == ids


def test_that_one_sample_is_a_set(tmp_path: Path):
    path = tmp_path / "set.npz"
    np.savez(path, patches=np.ones((1, 16, 16), np.float32), labels=[3])
    with open_source(path) as source:
        assert source.shape == (1, 1)
        assert source.samples.labels.tolist() == [3]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros(30, int), "labels holds 30 values for 40 patches"),
        (np.zeros(1, int), "labels holds 1 value for 40 patches"),
        (np.full(40, 0.5), "labels holds 0.5, which is no whole number"),
        (np.full(40, np.inf), "labels holds numbers that are too large"),
        (np.zeros(40, complex), "labels holds neither whole numbers nor names"),
    ],
)
def test_that_labels_of_the_wrong_form_are_refused_in_words(tmp_path: Path, labels, words):
    path = tmp_path / "set.npz"
    other = np.arange(40)  # must not be taken in their place
    np.savez(path, patches=np.ones((40, 16, 16), np.float32), labels=labels, depth=other)
    with pytest.raises(UnreadableFile, match=words):
        open_source(path)


@pytest.mark.parametrize("record", [np.arange(30), np.zeros((40, 2)), np.array("one")])
def test_that_records_for_other_samples_are_refused(tmp_path: Path, record):
    path = tmp_path / "set.npz"
    np.savez(path, traces=np.ones((40, 64)), labels=np.arange(40) % 2, record=record)
    with pytest.raises(UnreadableFile, match=r"record holds \d+ values? for 40 traces"):
        open_source(path)


def test_that_axes_beside_an_array_are_no_labels(tmp_path: Path):
    path = tmp_path / "plain.npz"
    np.savez(path, amplitude=np.ones((20, 30)), y=np.arange(20) / 2, x=np.arange(30) / 2)
    with open_source(path) as source:
        assert source.kind == "raster"
    np.savez(path, data=np.ones((20, 30)), classes=np.array(["mud", "sand"]))
    with open_source(path) as source:
        assert source.kind == "raster"


def test_that_an_array_without_labels_is_what_it_was(tmp_path: Path):
    path = tmp_path / "plain.npz"
    np.savez(path, amplitude=np.ones((20, 30)))
    with open_source(path) as source:
        assert source.kind == "raster"


def test_that_unlabelled_numbers_and_names_stay_so():
    ids, classes = named_labels(np.array([5, -1, 2]))
    assert ids.tolist() == [5, 0, 2]
    assert classes == ((2, "Class 2"), (5, "Class 5"))
    ids, classes = named_labels(np.array(["b", "", "a"]))
    assert ids.tolist() == [2, 0, 1]
    assert classes == ((1, "a"), (2, "b"))
    with pytest.raises(ValueError, match="254"):
        named_labels(np.arange(300))


def test_that_few_classes_with_large_numbers_are_renumbered():
    ids, classes = named_labels(np.array([273, 0, -1, 1010, 273]))
    assert ids.tolist() == [2, 1, 0, 3, 2]
    assert classes == ((1, "Class 0"), (2, "Class 273"), (3, "Class 1010"))
    ids, classes = named_labels(np.array([253, 0]))
    assert ids.tolist() == [254, 1]


def test_that_equal_and_missing_class_names_are_noted(tmp_path: Path):
    path = tmp_path / "set.npz"
    np.savez(
        path, x=np.ones((10, 16, 16)), y=np.repeat(np.arange(5), 2),
        class_names=np.array(["a", "b", "a", "a (2)"]),
    )  # fmt: skip
    with open_source(path) as source:
        assert [name for _, name in source.samples.classes] == [
            "a", "b", "a (3)", "a (2)", "Class 4"
        ]  # fmt: skip
        notes = " ".join(source.notes)
        assert "class_names has no name for Class 4." in notes
        assert "class_names gives one name twice: a (3)." in notes


def save_record(path: Path, p: int, s: int, length: int = 900) -> None:
    data = np.zeros((length, 3), np.float32)
    data[:] = np.arange(length)[:, None] * [1, 10, 100]
    np.savez(path, data=data, itp=p, its=s)


def test_that_records_give_windows_around_their_picks(tmp_path: Path):
    save_record(tmp_path / "a.npz", 400, 500)
    save_record(tmp_path / "b.npz", 400, 404)  # S too near to P to be told apart
    (tmp_path / "c.npz").write_bytes(b"no archive")
    with open_source(tmp_path, window="64") as source:
        samples = source.samples
        assert len(source.bands) == 3
        assert samples.size == (64, 1)
        assert np.bincount(samples.labels[samples.groups == 0]).tolist() == [0, 3, 3, 3]
        assert np.bincount(samples.labels[samples.groups == 1], minlength=4)[2] == 1
        at = samples.names.index("a P at 400")
        assert samples.read(at)[:, 32, 0].tolist() == [400, 4000, 40000]
        assert "c.npz" in " ".join(source.notes)


def test_that_the_real_records_open(real_data: Path):
    folder = real_data / "waveforms"
    if not folder.is_dir():
        pytest.skip("no records")
    with open_source(folder) as source:
        assert len(np.unique(source.samples.groups)) == 40
        assert source.samples.read(0).shape == (3, 256, 1)


def test_that_generators_repeat_and_keep_their_bounds():
    patches, classes = draw_patches(3)
    assert patches.shape == (900, 32, 32)
    assert patches.min() >= np.float32(0.03)
    assert patches.max() <= np.float32(0.98)
    assert np.array_equal(patches, draw_patches(3)[0])
    assert not np.array_equal(patches, draw_patches(4)[0])
    assert set(classes) == {0, 1, 2}
    traces, classes = draw_traces(3)
    assert traces.shape == (180, 64)
    assert np.bincount(classes).tolist() == [60, 60, 60]
    assert np.abs(traces.mean(axis=1)).max() < 1e-2  # but for what is clamped
    peaks = np.abs(traces).argmax(axis=1)[classes > 0]
    assert peaks.min() >= 11
    assert peaks.max() <= 53
    assert (traces.max(axis=1)[classes == 1] > 0.6).all()
    assert (traces.min(axis=1)[classes == 2] < -0.6).all()


def test_that_layers_faults_and_domes_are_as_described():
    patches, classes = draw_patches(0)
    y, x = np.meshgrid(*[np.linspace(-1, 1, 32)] * 2, indexing="ij")
    layered = 0.5 + 0.22 * np.sin(7 * np.pi * (y + 0.04 * np.sin(2 * np.pi * x)))
    assert np.abs(patches[classes == 0].mean(axis=0) - layered).max() < 0.01
    dome = 0.5 + 0.22 * np.sin(7 * np.pi * (y + 0.55 * np.exp(-((x / 0.42) ** 2))))
    assert np.abs(patches[classes == 2].mean(axis=0) - dome).max() < 0.01
    fault = patches[classes == 1].mean(axis=0)
    flat = 0.5 + 0.22 * np.sin(7 * np.pi * (y + 0.22 * (x > 0.08)))
    assert (flat - fault)[16, np.argmin(np.abs(x[0] - 0.08))] == pytest.approx(0.12, abs=0.02)


def test_that_statistics_are_those_of_the_samples_not_of_their_means():
    with open_source("example:traces") as source:
        assert source.read_picture(Section(), slice(0, 1), slice(0, 9)).values.shape == (1, 1, 9)
        (found,) = estimate_statistics(source)
        assert found.minimum < -0.6
        assert found.exact


def test_that_standardised_traces_do_not_depend_on_the_window(tmp_path: Path):
    random = np.random.default_rng(1)
    path = tmp_path / "line.npy"
    np.save(path, (100 * random.normal(size=(90, 12)) + 7).astype(np.float32))
    with open_source(path, domain="seismic") as source:
        view = standardised(source, 20)
        whole = view.read_picture(Section(), slice(0, 90), slice(0, 12)).values
        part = view.read_picture(Section(), slice(31, 55), slice(4, 9)).values
        assert np.allclose(part, whole[:, 31:55, 4:9], atol=1e-5)
        raw = source.read_picture(Section(), slice(0, 90), slice(0, 12)).values[0]
        around = raw[30:50, 5]
        assert whole[0, 40, 5] == pytest.approx((raw[40, 5] - around.mean()) / around.std(), 1e-3)


def test_that_standardised_samples_forget_their_strength():
    with open_source("example:traces") as source:
        values = standardised(source, 64).samples.read(1)
        assert values.mean() == pytest.approx(0, abs=1e-5)
        assert values.std() == pytest.approx(1, abs=1e-4)

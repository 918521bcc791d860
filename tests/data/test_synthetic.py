"""The examples are reproducible, know their truth, and look like real data in figures."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import ndimage

from geocnn_gui.data import synthetic_scene, synthetic_seismic
from geocnn_gui.data.source import Section, Source, Window, open_source
from geocnn_gui.data.synthetic import (
    example_classes,
    open_scene_example,
    open_seismic_example,
    starter_labels,
    thumbnail,
    true_labels,
)

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = ("seismic", "scene")
REAL_SECTIONS = (
    "f3_crossline61_amplitude", "f3_crossline211_amplitude", "f3_inline362",
    "penobscot_xl1155", "npra_31_81",
)  # fmt: skip


@cache
def example(name: str) -> Source:
    return open_source(f"example:{name}")


@cache
def cube(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three inlines of the cube: amplitudes and truth (inlines, crosslines, samples)."""
    return synthetic_seismic.draw_cube(seed, inlines=slice(24, 96, 24))


@cache
def scene() -> tuple[np.ndarray, np.ndarray]:
    """Reflectance (bands, rows, columns) and truth."""
    counts, truth = synthetic_scene.draw_scene()
    return counts * synthetic_scene.SCALE, truth


@cache
def real_section(path: Path) -> np.ndarray:
    """Traces (trace, sample) of a real section around 0."""
    import segyio

    with segyio.open(path, ignore_geometry=True) as file:
        traces = file.trace.raw[:].astype(np.float64)
    traces = traces[traces.std(axis=1) > 0]
    return traces - traces.mean()


@pytest.fixture
def real(real_data: Path) -> list[np.ndarray]:
    return [real_section(real_data / "segy" / f"{name}.sgy") for name in REAL_SECTIONS]


def spectrum(traces: np.ndarray) -> tuple[float, float, float]:
    """Return centroid of the power, and the half-amplitude band, in Hz."""
    taper = np.hanning(traces.shape[-1])
    power = (np.abs(np.fft.rfft(traces * taper, axis=-1)) ** 2).mean(axis=0)
    amplitude = ndimage.gaussian_filter1d(np.sqrt(power), 2)
    frequency = np.fft.rfftfreq(traces.shape[-1], 0.004)
    band = frequency[amplitude >= amplitude.max() / 2]
    return float((frequency * power).sum() / power.sum()), band.min(), band.max()


def structure(traces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return dip in samples per trace and coherence (0-1), from the structure tensor."""
    across, down = (ndimage.gaussian_filter(traces, 1, order=o) for o in ((1, 0), (0, 1)))
    xx, xt, tt = (
        ndimage.gaussian_filter(p, 3) for p in (across * across, across * down, down * down)
    )
    coherence = np.hypot(tt - xx, 2 * xt) / (tt + xx + 1e-9)
    return -np.tan(0.5 * np.arctan2(2 * xt, tt - xx)), coherence


def dips(traces: np.ndarray) -> np.ndarray:
    dip, coherence = structure(traces)
    return dip[coherence > 0.5]


def kurtosis(traces: np.ndarray) -> float:
    return float((traces**4).mean() / (traces**2).mean() ** 2)


def likeness_of_neighbours(traces: np.ndarray) -> float:
    pairs = pairwise(traces)
    return float(np.median([np.corrcoef(a, b)[0, 1] for a, b in pairs]))


def throws(traces: np.ndarray, fault: np.ndarray) -> np.ndarray:
    """Return the vertical shift in samples across fault zones, by correlation of traces."""
    found = []
    for trace in range(5, len(traces) - 5):
        samples = np.flatnonzero(fault[trace])
        if samples.size < 30:
            continue
        low, high = max(samples[0], 16), min(samples[-1], traces.shape[1] - 16)
        if high - low >= 30:
            found.append(abs(best_shift(traces[trace - 4], traces[trace + 4], low, high)))
    return np.array(found)


def best_shift(first: np.ndarray, second: np.ndarray, low: int, high: int) -> int:
    """Return by how many samples `second` lies lower than `first` (its samples low..high)."""
    shifts = range(-16, 17)
    likeness = [np.corrcoef(first[low:high], second[low + s : high + s])[0, 1] for s in shifts]
    return shifts[int(np.argmax(likeness))]


@pytest.mark.parametrize("name", EXAMPLES)
def test_that_an_example_is_a_source_with_all_its_facts(name: str):
    source = example(name)
    whole = source.read(Window.whole(source.shape))
    assert source.path is None
    assert whole.shape == ((len(source.bands),) if source.banded else ()) + source.shape
    assert whole.dtype == source.dtype
    assert source.live(Window.whole(source.shape)).all()
    rows, columns = source.picture_shape(source.first_section())
    picture = source.read_picture(source.first_section(), slice(0, rows), slice(0, columns))
    assert picture.values.dtype == np.float32
    assert np.isfinite(picture.values).all()


def test_that_the_cube_is_a_time_survey_with_spacing():
    source = example("seismic")
    assert [a.name for a in source.axes] == ["inline", "crossline", "time"]
    assert source.axes[2].unit == "ms"
    assert source.axes[2].step == source.spacing.sample_interval == 4
    assert source.spacing.trace_spacing == 25
    assert source.first_section() == Section(0, source.shape[0] // 2)


def test_that_the_scene_lies_in_utm_with_axes_on_pixel_centres():
    from rasterio.crs import CRS

    source = example("scene")
    assert CRS.from_wkt(source.crs).to_epsg() == 32632
    x, y = source.map_position(Section(), 0, 0)
    assert (x, y) == (source.axes[1].first, source.axes[0].first)
    x, y = source.map_position(Section(), 10, 3)
    assert (x, y) == (source.axes[1].at(3), source.axes[0].at(10))
    assert {b.colour for b in source.bands[:3]} == {"red", "green", "blue"}


@pytest.mark.parametrize("open_example", [open_seismic_example, open_scene_example])
def test_that_a_seed_gives_the_same_example_and_another_seed_another(open_example):
    first, again, other = open_example(3), open_example(3), open_example(4)
    whole = Window.whole(first.shape)
    assert np.array_equal(first.read(whole), again.read(whole))
    assert np.array_equal(true_labels(first), true_labels(again))
    assert not np.array_equal(first.read(whole), other.read(whole))
    assert (true_labels(first) != true_labels(other)).mean() > 0.02


@pytest.mark.parametrize("name", EXAMPLES)
def test_that_every_cell_has_a_true_class_and_no_class_is_tiny(name: str):
    truth = true_labels(example(name))
    ids = [number for number, _, _ in example_classes(name)]
    assert truth.dtype == np.uint8
    assert np.isin(truth, ids).all()
    assert min((truth == number).mean() for number in ids) > 0.005


@pytest.mark.parametrize("name", EXAMPLES)
def test_that_starter_strokes_are_true_sparse_and_name_every_class(name: str):
    source = example(name)
    labels, truth = starter_labels(source), true_labels(source)
    painted = labels > 0
    assert np.array_equal(labels[painted], truth[painted])
    rows, columns = source.picture_shape(source.first_section())
    plane = source.plane(source.first_section())
    here = labels[plane.window(slice(0, rows), slice(0, columns)).slices]
    assert min((here == number).sum() for number, _, _ in example_classes(name)) > 150
    assert 0.01 < (here > 0).mean() < 0.2
    assert painted.mean() < 0.05


def test_that_only_examples_have_a_known_truth(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.zeros((4, 5), np.float32))
    with open_source(tmp_path / "a.npy") as source, pytest.raises(TypeError):
        true_labels(source)


@pytest.mark.parametrize("name", EXAMPLES)
def test_that_a_thumbnail_shows_the_example_itself(name: str):
    picture, source = thumbnail(name), example(name)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    rows, columns = source.picture_shape(source.first_section())
    whole = source.read_picture(source.first_section(), slice(0, rows), slice(0, columns)).values
    step = -(-rows // len(picture))
    band = whole[2 if name == "scene" else 0, ::step, ::step]  # the scene's red
    shown = np.clip(band, *np.percentile(band, (2, 98)))
    assert np.corrcoef(shown.ravel(), picture[..., 0].ravel())[0, 1] > 0.8


def test_that_thumbnails_need_no_heavy_library():
    code = (
        "import sys; from geocnn_gui.data.synthetic import thumbnail\n"
        "thumbnail('seismic'); thumbnail('scene')\n"
        "assert not {'torch', 'scipy', 'rasterio', 'segyio'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_that_the_synthetic_cube_has_the_spectrum_of_real_sections(seed: int, real):
    for section in cube(seed)[0]:
        centroid, low, high = spectrum(section)
        centroids, lows, highs = zip(*(spectrum(r) for r in real), strict=True)
        assert min(centroids) < centroid < max(centroids)
        assert min(lows) <= low <= 1.5 * max(lows)
        assert min(highs) < high < 1.1 * max(highs)
        assert np.log2(high / low) > 1.2  # octaves: no single note


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_that_the_synthetic_cube_dips_like_real_sections(seed: int, real):
    steepness = [np.percentile(np.abs(dips(r)), (50, 90)) for r in real]
    middle, steep = np.percentile(
        np.abs(np.concatenate([dips(s) for s in cube(seed)[0]])), (50, 90)
    )
    assert min(s[0] for s in steepness) / 2 < middle < 2 * max(s[0] for s in steepness)
    # A dome fills more of 208 traces than of 951.
    assert min(s[1] for s in steepness) / 2 < steep < 2.5 * max(s[1] for s in steepness)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_that_the_synthetic_amplitudes_are_spread_like_real_ones(seed: int, real):
    for section in cube(seed)[0]:
        assert 3 < kurtosis(section) < max(kurtosis(r) for r in real)  # 3: Gaussian noise
        likeness = [likeness_of_neighbours(r) for r in real]
        assert min(likeness) - 0.05 < likeness_of_neighbours(section) < max(likeness)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_that_fault_throws_are_of_the_size_of_those_in_f3(seed: int, real_data: Path):
    folder = real_data / "segy"
    f3 = np.concatenate([
        throws(
            real_section(folder / f"f3_crossline{n}_amplitude.sgy"),
            np.rint(_raw(folder / f"f3_crossline{n}_labels.sgy")) == synthetic_seismic.FAULT,
        )
        for n in (61, 211)
    ])  # fmt: skip
    amplitudes, truth = cube(seed)
    mine = np.concatenate(
        [throws(a, t == synthetic_seismic.FAULT) for a, t in zip(amplitudes, truth, strict=True)]
    )
    large = np.percentile(mine, 90)
    assert np.percentile(f3, 90) / 2 < large < 2.5 * np.percentile(f3, 90)
    assert np.percentile(mine, 50) >= 2  # resolved, else it is not labelled


@cache
def _raw(path: Path) -> np.ndarray:
    import segyio

    with segyio.open(path, ignore_geometry=True) as file:
        return file.trace.raw[:]


def test_that_a_fault_shifts_layers_by_its_throw_and_drags_them(monkeypatch: pytest.MonkeyPatch):
    fault = synthetic_seismic.Fault(
        at=50,
        depth=170,
        strike=0,
        dip=0.1,
        bend=0,
        throw=14,
        centre=48,
        length=40,
        height=200,
        drag=4,
        reach=500,
    )

    def record(*faults: synthetic_seismic.Fault, inline: int = 48) -> np.ndarray:
        monkeypatch.setattr(synthetic_seismic, "draw_faults", lambda rng: faults)
        return synthetic_seismic.draw_cube(inlines=slice(inline, inline + 1))[0][0]

    whole, broken = record(), record(fault)
    down = best_shift(whole[60], broken[60], 120, 200)
    up = best_shift(whole[40], broken[40], 120, 200)
    assert down > 0 > up
    assert down - up == pytest.approx(fault.throw, abs=2)
    near = best_shift(whole[51], broken[51], 150, 180)
    assert near < down - 1  # drag
    beyond = best_shift(record(inline=90)[56], record(fault, inline=90)[56], 100, 200)
    assert beyond == 0  # past the tip line


def test_that_salt_and_slump_look_unlike_layers():
    amplitudes, truth = cube()
    coherence = np.stack([structure(a)[1] for a in amplitudes])
    layered, chaotic = (
        np.median(coherence[truth == n])
        for n in (synthetic_seismic.LAYERED, synthetic_seismic.CHAOTIC)
    )
    assert chaotic < layered - 0.1
    salt = truth == synthetic_seismic.SALT
    inside = np.stack([ndimage.binary_erosion(s, iterations=6) for s in salt])
    rim = salt & ~np.stack([ndimage.binary_erosion(s, iterations=4) for s in salt])
    assert amplitudes[inside].std() < 0.8 * amplitudes[~salt].std()
    assert amplitudes[rim].std() > 1.5 * amplitudes[inside].std()


def median_spectrum(number: int) -> dict[str, float]:
    reflectance, truth = scene()
    inside = ndimage.binary_erosion(truth == number, iterations=2)
    values = np.median(reflectance[:, inside], axis=1)
    return dict(zip(synthetic_scene.BANDS, values, strict=True))


def test_that_vegetation_has_a_red_edge_and_a_green_peak():
    forest = median_spectrum(synthetic_scene.FOREST)
    ndvi = (forest["nir"] - forest["red"]) / (forest["nir"] + forest["red"])
    assert ndvi > 0.75
    assert forest["blue"] < forest["green"] > forest["red"]
    assert forest["nir"] > forest["swir1"] > forest["swir2"]


def test_that_water_is_dark_beyond_the_visible():
    water = median_spectrum(synthetic_scene.WATER)
    assert max(water["nir"], water["swir1"], water["swir2"]) < 0.05
    assert water["green"] > water["nir"] > water["swir1"]


def test_that_bare_ground_brightens_with_wavelength_and_the_town_is_flat():
    bare = list(median_spectrum(synthetic_scene.BARE).values())
    assert all(a < b for a, b in pairwise(bare[:5]))
    town = median_spectrum(synthetic_scene.TOWN)
    assert (town["nir"] - town["red"]) / (town["nir"] + town["red"]) < 0.4


def test_that_fields_stand_in_all_stages_of_growth():
    reflectance, truth = scene()
    red, nir = reflectance[2], reflectance[3]
    ndvi = ((nir - red) / (nir + red))[truth == synthetic_scene.FIELDS]
    low, high = np.percentile(ndvi, (5, 95))
    assert low < 0.3
    assert high > 0.75


@pytest.mark.parametrize(("mine", "theirs"), [
    (synthetic_scene.FOREST, 1), (synthetic_scene.FIELDS, 3), (synthetic_scene.TOWN, 5),
])  # fmt: skip
def test_that_spectra_resemble_those_of_a_real_landsat_scene(
    mine: int, theirs: int, real_data: Path
):
    import rasterio

    folder = real_data / "imagery" / "landsat"
    with rasterio.open(folder / "LE70220491999322EDC01_stack.gtif") as file:
        stack = file.read([1, 2, 3, 4, 5, 6])  # the same six bands
    with rasterio.open(folder / "training_data.gtif") as file:
        labels = file.read(1)
    real = np.median(stack[:, labels == theirs], axis=1)
    drawn = np.array(list(median_spectrum(mine).values()))
    cosine = real @ drawn / np.linalg.norm(real) / np.linalg.norm(drawn)
    assert np.degrees(np.arccos(cosine)) < 20
    assert 0.5 < drawn.mean() / (real.mean() * 1e-4) < 1.6


def test_that_haze_veils_short_waves_and_thickens_eastwards():
    reflectance, truth = scene()
    forest = truth == synthetic_scene.FOREST
    west, east = forest.copy(), forest.copy()
    west[:, 200:], east[:, :312] = False, False
    gain = np.median(reflectance[:, east], axis=1) - np.median(reflectance[:, west], axis=1)
    assert gain[0] > gain[1] > 0  # blue more than green
    assert gain[0] > 0.004


def test_that_forest_is_rough_and_water_smooth():
    reflectance, truth = scene()
    nir = reflectance[3]
    local = ndimage.gaussian_filter(nir**2, 2) - ndimage.gaussian_filter(nir, 2) ** 2
    inside = {n: ndimage.binary_erosion(truth == n, iterations=5) for n in (1, 3)}
    assert np.median(local[inside[3]]) > 20 * np.median(local[inside[1]])


def test_that_a_sparse_drawing_shows_the_same_scene():
    reflectance, truth = scene()
    counts, coarse = synthetic_scene.draw_scene(step=4)
    assert np.array_equal(coarse, truth[::4, ::4])
    assert np.corrcoef(counts[3].ravel(), reflectance[3, ::4, ::4].ravel())[0, 1] > 0.95

"""What of a continuous target reaches the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geocnn_gui.data.source import Window, open_source
from geocnn_gui.errors import BadRequest, LabelsMismatch
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.labels.targets import target_on
from geocnn_gui.training.augment import turned
from geocnn_gui.training.sections import Pair
from geocnn_gui.training.values import open_target_pictures


def run(task):
    while True:
        try:
            next(task)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("domain", ["seismic", "imagery"])
def test_that_target_and_data_turn_together_and_keep_every_value(domain):
    values = torch.arange(8 * 2 * 6 * 6).reshape(8, 2, 6, 6).float()
    truth = values[:, 0] * 3 + 1
    truth[:, 2, 1] = torch.nan
    moved, target = turned(values, truth, domain=domain, random=torch.Generator().manual_seed(0))
    known = target.isfinite()
    assert int((~known).sum()) == 8
    assert torch.equal(target[known], (moved[:, 0] * 3 + 1)[known])
    assert torch.equal(moved.flatten(1).sort().values, values.flatten(1).sort().values)
    upright = bool((moved[:, 0, 0] < moved[:, 0, -1]).all())
    assert upright == (domain == "seismic")
    assert not torch.equal(moved, values)


def pictures_of(tmp_path, data, target, **more):
    np.save(tmp_path / "data.npy", data)
    np.save(tmp_path / "target.npy", target)
    source, file = open_source(tmp_path / "data.npy"), open_source(tmp_path / "target.npy")
    values = target_on(file, source)
    pair = Pair(source, more.pop("labels", LabelSnapshot(source.shape)), target=values, **more)
    return run(open_target_pictures([pair], lambda s: ()))


def test_that_values_are_standardised_and_missing_ones_are_not_learned(tmp_path):
    random = np.random.default_rng(0)
    target = random.normal(50, 4, (80, 90)).astype(np.float32)
    target[10:20, :30] = np.nan
    found = pictures_of(tmp_path, random.normal(size=(80, 90)).astype(np.float32), target)
    assert found.learned.mean == pytest.approx(50, abs=0.5)
    assert found.learned.scale == pytest.approx(4, rel=0.05)
    (picture,) = found.all
    truth = picture.truth(slice(0, 80), slice(0, 90))
    np.testing.assert_array_equal(np.isnan(truth), np.isnan(target))
    back = truth * found.learned.scale + found.learned.mean
    np.testing.assert_allclose(back[~np.isnan(truth)], target[~np.isnan(target)], rtol=1e-5)
    assert len(picture.cells.rows) == np.isfinite(target).sum()


def test_that_a_cube_is_learned_on_sections_spread_over_it(tmp_path):
    random = np.random.default_rng(0)
    data, target = random.normal(size=(2, 70, 20, 24)).astype(np.float32)
    found = pictures_of(tmp_path, data, target)
    places = [p.section.index for p in found.all]
    assert len(places) == 64
    assert (min(places), max(places)) == (0, 69)


def test_that_a_picture_of_a_line_is_turned_to_it(tmp_path):
    from geocnn_gui.data.array import ArraySource
    from geocnn_gui.data.source import Axis, Band

    axes = (Axis("trace", "", 1, 1, 30), Axis("time", "ms", 0, 4, 50))
    line = ArraySource(
        np.zeros((30, 50), np.float32), kind="line", axes=axes, bands=(Band("a"),),
        domain="seismic", name="line",
    )  # fmt: skip
    values = np.random.default_rng(0).normal(size=(50, 30)).astype(np.float32)
    np.save(tmp_path / "t.npy", values)
    target = target_on(open_source(tmp_path / "t.npy"), line)
    np.testing.assert_array_equal(target.read(Window((3, 5), (4, 6))), values.T[3:7, 5:11])


def test_that_grids_and_bands_that_do_not_fit_are_named(tmp_path):
    np.save(tmp_path / "data.npy", np.zeros((20, 30), np.float32))
    np.save(tmp_path / "three.npy", np.zeros((3, 20, 30), np.float32))
    np.save(tmp_path / "small.npy", np.zeros((20, 29), np.float32))
    source = open_source(tmp_path / "data.npy")
    with pytest.raises(LabelsMismatch, match=r"small.npy .*29 x 20.* cut or resample"):
        target_on(open_source(tmp_path / "small.npy"), source)
    with pytest.raises(BadRequest, match="1 to 3"):
        target_on(open_source(tmp_path / "three.npy"), source)
    assert target_on(open_source(tmp_path / "three.npy"), source, band=2).name == "three Band 3"
    with pytest.raises(BadRequest, match="no band 4"):
        target_on(open_source(tmp_path / "three.npy"), source, band=3)

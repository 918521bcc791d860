import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from live_sources import open_values, small_backbone, two_textures

from geocnn_gui.data.source import Section
from geocnn_gui.inference.device import choose_device
from geocnn_gui.live import features as room
from geocnn_gui.live.features import Features, sample_levels, tiles_of
from geocnn_gui.live.head import Head


@pytest.fixture
def device():
    return choose_device("cpu")


def whole_map(features, section, head):
    height, width = features.source.picture_shape(section)
    said = np.zeros((len(head.ids), height, width), np.float32)
    for tile in tiles_of(features, section):
        said[:, tile.rows, tile.columns] = head.over(tile).numpy()
    return said


def any_head(channels, *, seed=0):
    torch.manual_seed(seed)
    return Head(
        (1, 3), torch.randn(2, channels), torch.zeros(2), torch.zeros(channels),
        torch.ones(channels), torch.tensor([0.5, 0.5]),
    )  # fmt: skip


@given(
    rows=st.integers(1, 150), columns=st.integers(1, 150), side=st.sampled_from([16, 32, 64]),
    seed=st.integers(0, 9),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_that_tiles_say_what_one_pass_over_the_section_says(
    tmp_path_factory, rows, columns, side, seed
):
    values, _ = two_textures((columns, rows), seed=seed)
    source = open_values(values)
    backbone, at, device = small_backbone(source), Section(), choose_device("cpu")
    whole = Features(backbone, source, device=device)
    tiled = Features(backbone, source, device=device)
    head = any_head(whole.channels, seed=seed)
    one = whole_map(whole, at, head)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "TILE", side)
        assert len(list(tiles_of(tiled, at))) == -(-rows // side) * -(-columns // side)
        many = whole_map(tiled, at, head)
    source.close()
    assert np.abs(many - one).max() < 2e-2  # bfloat16 may round otherwise in another place


def test_that_cells_are_looked_up_as_the_map_is_drawn(tmp_path, device):
    values, _ = two_textures((90, 70))
    with open_values(values) as source:
        features = Features(small_backbone(source), source, device=device)
        head = any_head(features.channels)
        said = whole_map(features, Section(), head)
        cells = np.array([[0, 0], [69, 89], [33, 41], [12, 88]])
        found, live = features.at(Section(), cells)
    assert live.all()
    at_cells = head.probabilities(found).T.numpy()
    assert np.abs(at_cells - said[:, cells[:, 0], cells[:, 1]]).max() < 2e-2


def test_that_memory_is_bounded_and_what_was_let_go_comes_back(tmp_path, device, monkeypatch):
    monkeypatch.setattr(room, "TILE", 32)
    values, _ = two_textures((128, 128))
    with open_values(values) as source:
        backbone = small_backbone(source)
        one = Features(backbone, source, device=device).tile(Section(), 0, 0)
        features = Features(backbone, source, device=device, room=3 * one.nbytes)
        tiles = list(tiles_of(features, Section()))
        assert len(tiles) == 16
        assert sum(tile.nbytes for tile in features.kept()) <= 3 * one.nbytes
        again = features.tile(Section(), 0, 0)
    for level, before in zip(again.levels, one.levels, strict=True):
        assert torch.equal(level, before)


def test_that_a_tile_is_computed_once(tmp_path, device):
    values, _ = two_textures((40, 40))
    with open_values(values) as source:
        features = Features(small_backbone(source), source, device=device)
        assert features.tile(Section(), 0, 0) is features.tile(Section(), 0, 0)


def test_that_dead_cells_are_told_apart_and_change_nothing_else(tmp_path, device):
    values, _ = two_textures((60, 60))
    values[20:30, 10:40] = np.nan
    with open_values(values) as source:
        features = Features(small_backbone(source), source, device=device)
        tile = features.tile(Section(), 0, 0)
        found, live = features.at(Section(), np.array([[15, 25], [50, 50]]))
    assert not tile.live[10:40, 20:30].any()
    assert tile.live.sum() == 3600 - 300
    assert live.tolist() == [False, True]
    assert torch.isfinite(found).all()
    assert all(torch.isfinite(level.float()).all() for level in tile.levels)


def test_that_every_axis_of_a_cube_has_features(tmp_path, device):
    values, _ = two_textures((12, 14, 20))
    with open_values(values) as source:
        features = Features(small_backbone(source), source, device=device)
        shapes = [features.tile(Section(axis, 3), 0, 0).live.shape for axis in range(3)]
    assert shapes == [(20, 14), (20, 12), (12, 14)]


def test_that_levels_are_read_between_their_cells():
    level = torch.arange(4.0).view(1, 1, 1, 4)
    fine = sample_levels((level,), (slice(0, 2), slice(0, 8)), np.array([[0, 0], [0, 3], [1, 7]]))
    assert fine[:, 0].tolist() == pytest.approx([0.0, 1.25, 3.0])

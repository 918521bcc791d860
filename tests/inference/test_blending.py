"""Windows that overlap, blended: weights, seams, and the check that measures it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geocnn_gui.errors import BadRequest
from geocnn_gui.events import Note
from geocnn_gui.inference.blending import Blender
from geocnn_gui.inference.check import check_tiling
from geocnn_gui.inference.device import choose_device
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.inference.tiles import Tile, blend_windows
from geocnn_gui.models.spec import CnnSpec, ResNetSpec, ResUNetSpec, UNetSpec

SPECS = (UNetSpec(depth=2, width=8), CnnSpec(patch=20, width=4), ResNetSpec(patch=32, step=16))


@settings(deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([1, 2, 4]), st.integers(1, 3))
def test_that_blending_windows_of_one_picture_gives_that_picture(height, width, stride, overlap):
    grid = list(
        blend_windows((height, width), overlap=overlap * stride, stride=stride, core=8 * stride)
    )
    picture = torch.rand(2, height, width)
    blender, out = Blender(grid, overlap * stride), np.full((2, height, width), np.nan)
    for number, tile in enumerate(grid):
        blender.keep(number, picture[:, tile.wide_rows, tile.wide_columns].clone())
        out[:, tile.rows, tile.columns] = blender.blend(number)
        blender.drop(number)
    np.testing.assert_allclose(out, picture, atol=1e-5)


def test_that_no_seam_shows_between_windows_that_disagree():
    grid = list(blend_windows((1, 64), overlap=16, stride=1, core=32))
    blender = Blender(grid, 16)
    parts = []
    for number, tile in enumerate(grid):
        size = tile.wide_columns.stop - tile.wide_columns.start
        blender.keep(number, torch.full((1, 1, size), float(number)))
        parts.append(blender.blend(number)[0, 0].numpy())
    row = np.concatenate(parts)
    assert np.abs(np.diff(row)).max() < 0.12
    assert (row[0], row[-1]) == (0, 1)


def test_that_a_dead_neighbour_weighs_nothing():
    grid = list(blend_windows((1, 64), overlap=16, stride=1, core=32))
    blender = Blender(grid, 16)
    blender.keep(0, None)
    assert blender.blend(0) is None
    blender.keep(1, torch.ones(2, 1, 32))
    np.testing.assert_allclose(blender.blend(1), 1)


@settings(deadline=None)
@given(st.integers(1, 120), st.integers(1, 120), st.integers(0, 5), st.sampled_from([1, 4]))
def test_that_pieces_cover_a_tile_once_and_stay_within(height, width, halo, stride):
    tile = Tile(slice(8, 8 + height), slice(0, width), slice(4, 12 + height), slice(0, width + 4))
    seen = np.zeros((12 + height, width + 4), int)
    for piece in tile.pieces(halo=halo * stride, stride=stride, core=16):
        seen[piece.rows, piece.columns] += 1
        assert tile.wide_rows.start <= piece.wide_rows.start
        assert piece.wide_rows.stop <= tile.wide_rows.stop
        assert piece.wide_columns.stop <= tile.wide_columns.stop
    assert (seen[tile.rows, tile.columns] == 1).all()
    assert seen.sum() == height * width


def _check(net, card, source, **options) -> str:
    task = check_tiling(net, card, source, device=choose_device("cpu"), **options)
    return [event.text for event in task if isinstance(event, Note)][-1]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_that_the_check_finds_exact_tiles_equal(make_net, make_card, make_source, spec):
    source = make_source((150, 131))
    found = _check(
        make_net(spec), make_card(spec), source, spec=PredictionSpec(precision="float32")
    )
    assert found.startswith("Exact tiles of ")
    assert "131 x 150 cells in float32" in found
    logits = float(found.split("logits differ by at most ")[1].split(",")[0])
    assert logits < 1e-4
    assert "0.000 % of the cells" in found


def test_that_the_check_measures_what_blending_changes(make_net, make_card, make_source):
    spec = ResUNetSpec()
    options = PredictionSpec(precision="float32", tiling="blended")
    found = _check(make_net(spec), make_card(spec), make_source((320, 320)), spec=options)
    assert found.startswith("Blended tiles of ")
    assert "logits" not in found
    assert float(found.split("by at most ")[1].split(";")[0]) > 1e-4


def test_that_a_check_of_dead_data_says_so(make_net, make_card, make_source):
    source = make_source((60, 60))
    source._array[:] = np.nan
    with pytest.raises(BadRequest, match="no live data"):
        _check(make_net(SPECS[0]), make_card(), source)

from __future__ import annotations

import numpy as np
import pytest

from geocnn_gui.data.source import open_source

VALUES = np.arange(600, dtype=np.float32).reshape(20, 30)


@pytest.fixture(params=["npy", "npz", "tif", "png"])
def section(request, tmp_path, make_raster):
    path = tmp_path / f"section.{request.param}"
    if request.param == "npy":
        np.save(path, VALUES)
    elif request.param == "npz":
        np.savez(path, VALUES)
    else:
        values = VALUES[None].astype(np.uint8)
        make_raster(values, path.name, driver="GTiff" if request.param == "tif" else "PNG")
    return path


def test_that_a_picture_is_imagery_until_it_is_said_to_be_seismic(section):
    with open_source(section) as source:
        assert (source.kind, source.domain) == ("raster", "imagery")
        assert source.choices["domain"] == "imagery"
    with open_source(section, domain="seismic") as source:
        assert (source.kind, source.domain, source.shape) == ("raster", "seismic", (20, 30))
        assert source.choices["domain"] == "seismic"


def test_that_a_cube_leaves_no_choice(tmp_path):
    np.save(tmp_path / "cube.npy", np.zeros((20, 20, 20), np.float32))
    with open_source(tmp_path / "cube.npy", domain="imagery") as source:
        assert source.domain == "seismic"
        assert "domain" not in source.choices

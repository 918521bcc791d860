from __future__ import annotations

import numpy as np
import pytest
from cli_commands import TINY

from geocnn_gui.models.weights import read_card


@pytest.fixture
def section(tmp_path):
    path = tmp_path / "section.npy"
    np.save(path, np.random.default_rng(0).normal(size=(100, 40)).astype(np.float32))
    return path


def test_that_info_tells_the_domain(geocnn, section, files):
    assert geocnn("info", section, "--json").json["domain"] == "imagery"
    assert geocnn("info", section, "--json", "--domain", "seismic").json["domain"] == "seismic"
    line = geocnn("info", files / "f3_section_cut.sgy", "--json", "--domain", "imagery")
    assert (line.code, line.json["domain"]) == (0, "seismic")


def test_that_a_section_as_an_array_is_trained_on_as_seismic(geocnn, section, tmp_path):
    labels = np.repeat(np.array([[1], [2]], np.uint8), 50, axis=0).repeat(40, axis=1)
    np.save(tmp_path / "labels.npy", labels)
    model = tmp_path / "m.safetensors"
    result = geocnn(
        "train", "--data", section, tmp_path / "labels.npy", *TINY, "--out", model,
        "--domain", "seismic",
    )  # fmt: skip
    assert result.code == 0, result.err
    card = read_card(model)
    assert card.domain == "seismic"
    for domain, differs in (((), False), (("--domain", "imagery"), True)):
        said = geocnn(
            "predict", model, section, "--out", tmp_path / "p.npy", "--device", "cpu", "--json",
            *domain,
        )  # fmt: skip
        assert said.code == 0, said.err
        assert any("trained on seismic" in note for note in said.json["notes"]) is differs

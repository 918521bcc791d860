"""`geocnn train --seed`: the same command gives the same network."""

from __future__ import annotations

from cli_commands import TINY
from safetensors import safe_open

from geocnn_gui.inference import device as devices


def contents(model):
    """Return the bytes of all tensors of a model file, what it has seen among them."""
    with safe_open(model, "np") as file:
        return {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118


def test_that_a_seed_repeats_a_training_in_another_process(trained, process, tmp_path):
    again = tmp_path / "again.safetensors"
    task = ("train", "--data", trained.data, trained.labels, *TINY, "--seed", 7, "--out", again)
    assert process(*task).code == 0
    first, second = contents(trained.model), contents(again)
    assert "ground.0" in first
    assert [name for name in first if first[name] != second[name]] == []
    assert first.keys() == second.keys()


def test_that_no_timing_chooses_how_a_training_computes(trained, geocnn, tmp_path, monkeypatch):
    def timed(*_):
        raise AssertionError("a timing would choose now this, now that")

    monkeypatch.setattr(devices, "_time", timed)
    out = tmp_path / "m.safetensors"
    result = geocnn("train", "--data", trained.data, trained.labels, *TINY, "--out", out)
    assert result.code == 0, result.err

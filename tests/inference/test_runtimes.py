"""Other programs that run a network: the same classes, or PyTorch after all."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from geocnn_gui.cli.app import run
from geocnn_gui.data.source import open_source
from geocnn_gui.inference import runtimes
from geocnn_gui.inference.runtimes import make_runtime
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.models.spec import CnnSpec, UNetSpec
from geocnn_gui.models.weights import save_model

ENGINES = [
    pytest.param(name, marks=pytest.mark.skipif(find_spec(name) is None, reason="not installed"))
    for name in ("openvino", "onnxruntime")
]
SPECS = [UNetSpec(depth=2, width=8), CnnSpec(patch=20, width=4)]


@pytest.fixture
def model(make_net, make_card, tmp_path):
    def model(spec):
        path = tmp_path / "model.safetensors"
        save_model(path, make_net(spec), make_card(spec))
        return path

    return model


@pytest.fixture
def line(tmp_path):
    path = tmp_path / "line.npy"
    np.save(path, np.random.default_rng(0).normal(size=(150, 90)).astype(np.float32))
    return path


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_that_another_engine_names_the_same_classes(
    engine, spec, model, line, tmp_path, capsys, monkeypatch
):
    found = []
    real = runtimes.make_runtime
    monkeypatch.setattr(
        "geocnn_gui.inference.engine.make_runtime",
        lambda *args: found.append(real(*args)) or found[-1],
    )
    path, maps = model(spec), []
    for name in ("pytorch", engine):
        out = tmp_path / f"{name}.npy"
        task = ["predict", str(path), str(line), "--out", str(out), "--engine", name,
                "--precision", "float32", "--domain", "seismic"]  # fmt: skip
        assert run(task) == 0
        maps.append(np.load(out))
    assert found[0] is not None
    assert np.mean(maps[0] == maps[1]) > 0.999
    assert f"Computing with {runtimes.TITLES[engine]}" in capsys.readouterr().err


@pytest.mark.parametrize("engine", ENGINES)
def test_that_logits_agree_for_pictures_of_other_sizes(engine, make_net):
    net = make_net(SPECS[0])
    spec = PredictionSpec(engine=engine, precision="float32")
    made = make_runtime(net, torch.randn(1, 1, 64, 64), spec)
    assert made is not None
    for size in ((2, 1, 32, 96), (1, 1, 128, 36)):
        pictures = torch.randn(size)
        with torch.inference_mode():
            np.testing.assert_allclose(made(pictures), net(pictures), atol=1e-4)


def test_that_an_engine_that_answers_otherwise_is_not_used(
    model, line, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(runtimes, "require_runtime", lambda spec: None)
    monkeypatch.setattr("geocnn_gui.inference.predict.require_runtime", lambda spec: None)
    turned = lambda net, sample, spec: lambda pictures: net(pictures).flip(1)  # noqa: E731
    monkeypatch.setitem(runtimes._MAKE, "openvino", turned)
    path = model(SPECS[0])
    for name in ("pytorch", "openvino"):
        out = tmp_path / f"{name}.npy"
        task = ["predict", str(path), str(line), "--out", str(out), "--engine", name]
        assert run(task) == 0
    assert "PyTorch runs this network" in capsys.readouterr().err
    np.testing.assert_array_equal(
        np.load(tmp_path / "openvino.npy"), np.load(tmp_path / "pytorch.npy")
    )


def test_that_a_missing_engine_is_said_with_what_to_do(model, line, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None)
    task = ["predict", str(model(SPECS[0])), str(line), "--out", str(tmp_path / "a.npy")]
    assert run([*task, "--engine", "openvino"]) == 1
    said = capsys.readouterr().err
    assert "OpenVINO is not installed; install it (pip install openvino onnx)" in said
    assert not (tmp_path / "a.npy").exists()
    assert open_source(line).shape == (150, 90)

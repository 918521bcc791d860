"""Seeing inside a model on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from geocnn_gui.cli.app import run
from geocnn_gui.data.source import open_source
from geocnn_gui.data.statistics import estimate_statistics
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.networks import build
from geocnn_gui.models.scaling import Scaling
from geocnn_gui.models.spec import CnnSpec
from geocnn_gui.models.target import Target
from geocnn_gui.models.weights import ModelCard, save_model


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "cube.npy"
    np.save(path, np.random.default_rng(0).normal(size=(20, 30, 24)).astype(np.float32))
    return path


def save(path, data, **changes):
    """Save an untrained model of the data."""
    classes = tuple(LabelClass(id=n, name=f"Kind {n}", color="#112233") for n in (1, 2))
    spec = CnnSpec(patch=20, width=4)
    torch.manual_seed(0)
    with open_source(data) as source:
        scaling = Scaling(mode="survey", statistics=estimate_statistics(source))
        facts = {"spec": spec, "classes": classes, "bands": ("a",), "domain": source.domain,
                 "scaling": scaling, **changes}  # fmt: skip
        card = ModelCard(**facts)
    save_model(path, build(spec, 1, card.outputs), card)
    return path


@pytest.fixture
def model(tmp_path, data):
    return save(tmp_path / "model.safetensors", data)


def test_that_arrays_of_a_place_are_written_and_told(model, data, tmp_path, capsys):
    out = tmp_path / "seen.npz"
    code = run(["inspect", str(model), str(data), "--at", "12,15", "--section", "inline:5",
                "--layer", "convs.0", "--class", "Kind 2", "--windows", "3", "--out", str(out),
                "--json"])  # fmt: skip
    told = capsys.readouterr()
    assert code == 0, told.err
    facts = json.loads(told.out)
    assert facts["section"] == 5
    assert facts["target"] == "Kind 2"
    assert facts["layers"][0] == {"name": "convs.0", "kind": "Conv2d", "channels": 4,
                                  "size": [16, 16], "kernel": [4, 1, 5, 5]}  # fmt: skip
    assert facts["receptive_field"]["rows"] == [-10, 10]
    assert sum(each["value"] for each in facts["outputs"]) == pytest.approx(1)
    with np.load(out, allow_pickle=False) as arrays:
        assert arrays["maps"].shape == (4, 16, 16)
        assert arrays["kernels"].shape == (4, 1, 5, 5)
        assert arrays["grad_cam"].shape == arrays["integrated"].shape == (20, 20)
        assert arrays["effective_field"].max() == pytest.approx(1)
        kernel = torch.from_numpy(arrays["kernels"])
        values = torch.from_numpy(arrays["input"])[None]
        response = torch.nn.functional.conv2d(values, kernel)[0].numpy()
        assert np.ptp(arrays["maps"] - response, axis=(1, 2)).max() < 1e-5  # the bias


@pytest.mark.slow
def test_that_a_picture_is_drawn(model, data, tmp_path, capsys):
    out = tmp_path / "seen.png"
    code = run(["inspect", str(model), str(data), "--at", "0,0", "--windows", "2", "--method",
                "grad-cam", "--out", str(out)])  # fmt: skip
    told = capsys.readouterr()
    assert code == 0, told.err
    assert "convs.0" in told.out
    assert "Receptive field" in told.out
    with Image.open(out) as picture:
        assert picture.width > 900
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--at", "24,0"), 1, "has no cell 24, 0"),
        (("--at", "middle"), 2, "is not of the form 120,45"),
        (("--at", "1,1", "--layer", "conv9"), 1, "has no layer conv9"),
        (("--at", "1,1", "--class", "Salt"), 1, "no class Salt; choose one of Kind 1 (1)"),
        (("--at", "1,1", "--out", "seen.pdf"), 1, "neither .npz nor .png"),
    ],
)
def test_that_a_bad_wish_is_refused_in_a_sentence(model, data, capsys, options, code, text):
    assert run(["inspect", str(model), str(data), *options]) == code
    assert text in capsys.readouterr().err


def test_that_a_continuous_target_is_told_with_its_unit(data, tmp_path, capsys):
    target = Target(name="Porosity", unit="%", mean=20.0, scale=5.0)
    model = save(tmp_path / "values.safetensors", data, classes=(), target=target, version=2)
    assert run(["inspect", str(model), str(data), "--at", "3,3", "--windows", "0", "--json"]) == 0
    (output,) = json.loads(capsys.readouterr().out)["outputs"]
    assert output["value"] == pytest.approx(20 + 5 * output["logit"])
    assert (output["name"], output["unit"]) == ("Porosity", "%")

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from geocnn_gui.data.statistics import BandStatistics
from geocnn_gui.errors import CannotWrite, ModelMismatch
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.models.networks import SegmentationNet, build
from geocnn_gui.models.scaling import Scaling
from geocnn_gui.models.spec import ModelSpec, UNetSpec
from geocnn_gui.models.weights import ModelCard, load_model, read_card, save_model
from tests.models.small_specs import NAMES, data_for, small

STATISTICS = BandStatistics(
    median=0.5, scale=2.0, low=-3.0, high=4.0, minimum=-9.0, maximum=9.0, exact=True
)


def a_card(spec: ModelSpec) -> ModelCard:
    return ModelCard(
        spec=spec,
        classes=(
            LabelClass(id=2, name="Sand", color="#e69f00"),
            LabelClass(id=7, name="Überlauf", color="#56b4e9"),
        ),
        bands=("amplitude",),
        domain="seismic",
        scaling=Scaling(mode="survey", statistics=(STATISTICS,)),
    )


def a_net(spec: ModelSpec) -> SegmentationNet:
    torch.manual_seed(1)
    return build(spec, 1, 2).eval()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    spec = UNetSpec(depth=2, width=8)
    save_model(path, a_net(spec), a_card(spec))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_that_a_loaded_network_gives_the_same_output(name: str, tmp_path: Path) -> None:
    spec = small(name)
    net, path = a_net(spec), tmp_path / "m.safetensors"
    save_model(path, net, a_card(spec))
    loaded, card = load_model(path)
    assert card == a_card(spec)
    x = data_for(net, 1, 64 if net.dims < 3 else 16, 64, n=1)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x), net(x), atol=0, rtol=0)


def test_that_a_card_is_read_without_torch(model: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from geocnn_gui.models.weights import read_card;"
        f"card = read_card(Path({str(model)!r})); assert card.classes[1].name == 'Überlauf';"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not a GeoCNN model"),
        (b"abc", "is not a GeoCNN model"),
        (os.urandom(4096), "is not a GeoCNN model"),
        (b"\x80\x02}q\x00." * 50, "is not a GeoCNN model"),  # a pickle
        (b"\xff" * 100, "is not a GeoCNN model"),
    ],
)
def test_that_something_else_is_refused_in_a_sentence(
    content: bytes, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelMismatch, match=says) as caught:
        load_model(path)
    assert "other.safetensors" in str(caught.value)


def test_that_weights_of_another_program_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"w": torch.zeros(3)}, path)
    with pytest.raises(ModelMismatch, match="not a GeoCNN model"):
        read_card(path)


def test_that_a_truncated_model_is_refused(model: Path) -> None:
    model.write_bytes(model.read_bytes()[:-1000])
    with pytest.raises(ModelMismatch, match="damaged"):
        load_model(model)


def test_that_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, a_net(UNetSpec(depth=2, width=8)), a_card(UNetSpec(depth=2, width=16)))
    with pytest.raises(ModelMismatch, match="damaged"):
        load_model(path)


def test_that_a_newer_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    content = json.loads(a_card(UNetSpec()).model_dump_json()) | {"version": 2}
    save_file({"w": torch.zeros(3)}, path, metadata={"geocnn": json.dumps(content)})
    with pytest.raises(ModelMismatch, match="newer version"):
        read_card(path)


def test_that_a_failed_save_leaves_the_old_model(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = model.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWrite, match="disk is full"):
        save_model(model, a_net(UNetSpec(depth=3)), a_card(UNetSpec(depth=3)))
    assert model.read_bytes() == before
    assert list(model.parent.iterdir()) == [model]

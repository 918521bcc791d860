from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from cli_commands import TINY

from geocnn_gui import __version__
from geocnn_gui.data.source import open_source
from geocnn_gui.models.weights import read_card
from geocnn_gui.training.spec import TrainingSpec

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def test_that_train_saves_a_model_and_reports_it_as_one_json_object(trained):
    result = trained.result
    assert result.code == 0, result.err
    report = result.json
    card = read_card(trained.model)
    assert report["model"] == str(trained.model)
    assert report["seed"] == card.training.seed == 7
    assert report["steps"] == card.training.steps > 0
    assert report["holdout_iou"] == card.training.holdout_iou
    assert [c["id"] for c in report["classes"]] == [1, 2, 4]
    assert report["device"].startswith("CPU")
    assert report["seconds"] > 0
    assert report["notes"]
    assert card.spec.width == 8
    assert "left" in result.err
    assert "Traceback" not in result.err


def test_that_predict_and_evaluate_work_as_processes(trained, process, tmp_path):
    out, confidence = tmp_path / "map.sgy", tmp_path / "confidence.npy"
    result = process(
        "predict", trained.model, trained.data, "--out", out, "--confidence", confidence,
        "--device", "cpu", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert result.json["prediction"] == str(out)
    assert result.json["confidence"] == str(confidence)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "confidence.npy", "map.sgy", "map.sgy.seen.npz",
    ]  # fmt: skip
    scores = process("evaluate", out, "--labels", trained.labels, "--json")
    assert scores.code == 0, scores.err
    assert not scores.err
    confusion = np.array(scores.json["confusion"])
    assert confusion.sum() + sum(scores.json["unpredicted"]) == 4000


@pytest.mark.parametrize("suffix", [".tif", ".sgy", ".npy"])
def test_that_every_format_scores_alike(suffix, trained, geocnn, tmp_path):
    figures = []
    for ending in (".npy", suffix):
        out = tmp_path / f"map{ending}"
        assert geocnn("predict", trained.model, trained.data, "--out", out).code == 0
        scores = geocnn("evaluate", out, "--labels", trained.labels, "--json").json
        for each in scores["classes"]:
            each.pop("name")
        figures.append(scores)
    assert figures[0] == figures[1]
    assert figures[0]["pixel_accuracy"] is not None


def test_that_folds_and_a_test_set_are_reported_with_their_intervals(trained, geocnn, tmp_path):
    result = geocnn(
        "train", "--data", trained.data, trained.labels, *TINY, "--split", "block", "--folds", 2,
        "--test-set", 0.15, "--set", "training.split.buffer=2", "--json",
        "--out", tmp_path / "m.safetensors",
    )  # fmt: skip
    assert result.code == 0, result.err
    report = result.json
    assert (report["holdout_by"], report["holdout_folds"]) == ("block", 2)
    low, high = report["holdout_iou_interval"]
    assert low <= report["holdout_iou"] <= high
    assert report["test_iou"] is not None
    assert report["test_units"] > 0
    assert "Fold 2 of 2, epoch 1 of 1" in result.err


def test_that_a_line_as_picture_has_samples_down(trained, geocnn, tmp_path):
    geocnn("predict", trained.model, trained.data, "--out", tmp_path / "map.tif")
    geocnn("predict", trained.model, trained.data, "--out", tmp_path / "map.npy")
    with rasterio.open(tmp_path / "map.tif") as file:
        np.testing.assert_array_equal(file.read(1), np.load(tmp_path / "map.npy").T)


def test_that_figures_of_the_command_line_are_those_of_the_definition(trained, geocnn, tmp_path):
    truth = np.load(trained.labels)
    prediction = truth.copy()
    prediction[:20, :15] = 2
    prediction[:, 95:] = 0
    np.save(tmp_path / "p.npy", prediction)
    scores = geocnn("evaluate", tmp_path / "p.npy", "--labels", trained.labels, "--json").json
    assert scores["confusion"] == [[900, 300, 0], [0, 1600, 0], [0, 0, 1000]]
    assert scores["unpredicted"] == [0, 0, 200]
    assert scores["mean_iou"] == pytest.approx((900 / 1200 + 1600 / 1900 + 1000 / 1200) / 3)
    assert scores["pixel_accuracy"] == pytest.approx(3500 / 4000)


def test_that_evaluate_prints_a_table(trained, geocnn, tmp_path):
    result = geocnn("evaluate", trained.labels, "--labels", trained.labels)
    assert result.code == 0
    assert "Mean IoU" in result.out
    assert "1.0000" in result.out
    assert "1,200" in result.out


def test_that_names_of_classes_come_with_a_class_map(geocnn, tmp_path):
    ids = np.array([[1, 2], [2, 1]], np.uint8)
    np.save(tmp_path / "truth.npy", ids)
    with rasterio.open(
        tmp_path / "map.tif", "w", driver="GTiff", dtype="uint8", count=1, height=2, width=2
    ) as file:
        file.write(ids, 1)
        file.update_tags(1, CLASS_1="Salt", CLASS_2="Shale")
    result = geocnn("evaluate", tmp_path / "map.tif", "--labels", tmp_path / "truth.npy", "--json")
    assert [c["name"] for c in result.json["classes"]] == ["Salt", "Shale"]


def test_that_info_names_the_facts(process, files):
    result = process("info", files / "f3_cube_cut.sgy", "--json")
    assert (result.code, result.err) == (0, "")
    facts = result.json
    promised = {
        "kind",
        "format",
        "shape",
        "axes",
        "bands",
        "dtype",
        "crs",
        "live_fraction",
        "exact",
    }
    assert promised <= set(facts)
    assert facts["kind"] == "cube"
    assert facts["shape"] == [7, 5, 75]
    assert set(facts["axes"][0]) == {"name", "unit", "first", "step", "size"}


@pytest.mark.parametrize("name", ["npra_line_cut.sgy", "f3_cube_cut.sgy", "landsat_cut.tif"])
def test_that_info_is_readable_too(name, geocnn, files):
    result = geocnn("info", files / name)
    assert (result.code, result.err) == (0, "")
    assert "Live cells" in result.out
    assert "Shape" in result.out


def test_that_a_cube_is_trained_and_predicted_by_sections(geocnn, files, tmp_path):
    with open_source(files / "f3_cube_cut.sgy") as source:
        shape = source.shape
    labels = np.ones(shape, np.uint8)
    labels[:, :, 40:] = 2
    np.save(tmp_path / "labels.npy", labels)
    model, out = tmp_path / "m.safetensors", tmp_path / "map.npy"
    result = geocnn(
        "train", "--data", files / "f3_cube_cut.sgy", tmp_path / "labels.npy", *TINY,
        "--sections", "inline:111-115:2", "--out", model,
    )  # fmt: skip
    assert result.code == 0, result.err
    assert read_card(model).section_axes == (0,)
    result = geocnn(
        "predict", model, files / "f3_cube_cut.sgy", "--out", out, "--sections", "inline:112"
    )
    assert result.code == 0, result.err
    predicted = np.load(out) > 0
    assert predicted[1].any()
    assert not predicted[[0, 2, 3, 4, 5, 6]].any()


def test_that_version_and_help_are_there(process):
    assert process("--version").out.strip() == f"geocnn, version {__version__}"
    shown = process("--help")
    assert shown.code == 0
    for name in ("info", "train", "predict", "evaluate"):
        assert name in shown.out


def test_that_help_of_train_lists_every_setting_with_its_range(geocnn):
    shown = geocnn("train", "--help").out
    epochs = TrainingSpec().epochs
    assert f"training.epochs: a whole number from 1 to 1000; {epochs}" in shown
    assert "model.depth (unet)" in shown
    assert "model.patch (cnn)" in shown


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["info", "f3_section_cut.sgy", "--json"]]
)
def test_that_neither_qt_nor_torch_are_loaded_where_not_needed(arguments, files):
    code = (
        "import sys\n"
        "from geocnn_gui.cli.app import run\n"
        f"assert run({arguments!r}) == 0\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(loaded & {'torch', 'PySide6', 'pyqtgraph'}, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=files, capture_output=True, text=True, timeout=60
    )
    assert done.stderr.strip() == "set()"


def test_that_predicting_does_not_load_qt(trained, tmp_path):
    arguments = ["predict", str(trained.model), str(trained.data), "--out", str(tmp_path / "m.npy")]
    code = (
        "import sys\n"
        "from geocnn_gui.cli.app import run\n"
        f"assert run({arguments!r}) == 0\n"
        "assert 'torch' in sys.modules\n"
        "assert not any(name.startswith('PySide6') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_that_json_knows_no_nan(geocnn, tmp_path):
    values = np.full((4, 5), 1.0, np.float32)
    values[0] = np.nan
    np.save(tmp_path / "a.npy", values)
    text = geocnn("info", tmp_path / "a.npy", "--json").out

    def refuse(name):
        raise AssertionError(name)

    assert json.loads(text, parse_constant=refuse)["live_fraction"] == 0.75

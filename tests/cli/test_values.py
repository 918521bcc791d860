"""A continuous value learned, predicted, scored and exported on the command line."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import rasterio
from cli_commands import FILES, TINY
from safetensors import safe_open

from geocnn_gui import workflow
from geocnn_gui.cli import console
from geocnn_gui.data.source import Window, open_source
from geocnn_gui.events import TileDone
from geocnn_gui.models.weights import load_model, read_card

DATA = FILES / "f3_section_cut.sgy"


def smoothed(values):
    """Return the mean of |values| over 5 x 5 cells."""
    wide = np.pad(np.abs(values), 2, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(wide, (5, 5)).mean((2, 3))


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """The smoothed amplitude of the F3 section, some of it missing."""
    with open_source(DATA) as source:
        values = smoothed(source.read(Window.whole(source.shape)).astype(np.float32)) * 2 + 500
    values[:6, :10] = np.nan
    path = tmp_path_factory.mktemp("target") / "strength.npy"
    np.save(path, values.astype(np.float32))
    return path


@pytest.fixture
def train(geocnn, target, tmp_path):
    def call(*more, data=DATA, file=target):
        return geocnn(
            "train", "--data", data, "--target", file, "--target-unit", "mV", *TINY,
            "--out", tmp_path / "m.safetensors", *more,
        )  # fmt: skip

    return call


@pytest.fixture(scope="module")
def model(tmp_path_factory, target):
    from geocnn_gui.cli.app import run

    out = tmp_path_factory.mktemp("model") / "values.safetensors"
    options = map(str, ("--data", DATA, "--target", target, "--target-unit", "mV", "--out", out))
    assert run(["train", *options, *TINY, "--set", "training.epochs=3"]) == 0
    return out


def test_that_a_model_of_values_knows_quantity_unit_and_scale(model, target):
    card, values = read_card(model), np.load(target)
    assert (card.target.name, card.target.unit, card.classes, card.version) == (
        "strength", "mV", (), 2,
    )  # fmt: skip
    assert card.target.mean == pytest.approx(np.nanmedian(values), rel=0.05)
    assert card.scaling.mode == "stored"
    assert card.training.labelled_cells == {1: int(np.isfinite(values).sum())}
    assert {"mae", "rmse", "r2", "psnr"} == set(card.training.holdout_values)
    assert card.training.holdout_values["rmse"] > card.training.holdout_values["mae"] > 0


def test_that_json_tells_the_held_out_score(train):
    result = train("--json")
    assert result.code == 0, result.err
    assert result.json["target"]["unit"] == "mV"
    assert result.json["holdout"]["rmse"] > 0
    assert result.json["holdout_iou"] is None
    assert "held-out RMSE" in result.err


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_that_values_come_out_in_physical_units_on_every_format(model, target, geocnn, tmp_path):
    read = {}
    for suffix in ("npy", "tif", "sgy"):
        out = tmp_path / f"map.{suffix}"
        result = geocnn("predict", model, DATA, "--out", out)
        assert result.code == 0, result.err
        with open_source(out) as source:
            read[suffix] = np.squeeze(source.read(Window.whole(source.shape)))
    assert read["npy"].dtype == np.float32
    assert np.nanmin(read["npy"]) > 300
    np.testing.assert_allclose(read["tif"], read["npy"].T, rtol=1e-6)  # each run picks its way
    np.testing.assert_allclose(np.nan_to_num(read["npy"]), read["sgy"], rtol=2e-6)
    with rasterio.open(tmp_path / "map.tif") as file:
        assert (file.units[0], file.descriptions[0]) == ("mV", "strength")
        assert np.isnan(file.nodata)
    assert (tmp_path / "map.npy.seen.npz").exists()


def test_that_cells_without_data_have_no_value(model, geocnn, tmp_path):
    with open_source(DATA) as source:
        values = source.read(Window.whole(source.shape)).astype(np.float32).T
    values[:20, :7] = np.nan
    np.save(tmp_path / "holes.npy", values)
    geocnn("predict", model, tmp_path / "holes.npy", "--out", tmp_path / "map.npy")
    found = np.load(tmp_path / "map.npy")
    assert np.isnan(found[:20, :7]).all()
    assert np.isfinite(found[20:]).all()


def test_that_evaluation_agrees_with_numpy(model, target, geocnn, tmp_path):
    geocnn("predict", model, DATA, "--out", tmp_path / "map.npy")
    result = geocnn("evaluate", tmp_path / "map.npy", "--target", target, "--json")
    assert result.code == 0, result.err
    truth, found = np.load(target).astype(float), np.load(tmp_path / "map.npy").astype(float)
    known = np.isfinite(truth) & np.isfinite(found)
    error, truth = (found - truth)[known], truth[known]
    said = result.json
    assert said["cells"] == known.sum()
    assert said["mae"] == pytest.approx(np.abs(error).mean())
    assert said["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert said["bias"] == pytest.approx(error.mean())
    assert said["r2"] == pytest.approx(1 - (error**2).sum() / ((truth - truth.mean()) ** 2).sum())
    assert said["psnr"] == pytest.approx(20 * np.log10(np.ptp(truth) / said["rmse"]))
    assert {"held_out", "trained"} <= set(said["subsets"])
    table = geocnn("evaluate", tmp_path / "map.npy", "--target", target)
    assert "PSNR (dB)" in table.out


def test_that_only_labelled_cells_count(geocnn, target, section_labels, tmp_path):
    labels = np.load(section_labels)
    labels[:, 50:] = 0
    np.save(tmp_path / "labels.npy", labels)
    out = tmp_path / "m.safetensors"
    result = geocnn(
        "train", "--data", DATA, tmp_path / "labels.npy", "--target", target, *TINY, "--out", out
    )
    assert result.code == 0, result.err
    cells = ((labels > 0) & np.isfinite(np.load(target))).sum()
    assert read_card(out).training.labelled_cells == {1: cells}


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((30, 30), np.float32), "30 x 30"),
        (np.full((40, 100), 7, np.float32), "7 everywhere"),
        (np.full((40, 100), np.nan, np.float32), "no value on live samples"),
        (np.ones((2, 40, 100), np.float32), "choose one of its bands, 1 to 2 (--target-band)"),
    ],
)
def test_that_a_target_that_will_not_do_is_refused_in_words(train, tmp_path, array, words):
    np.save(tmp_path / "bad.npy", array)
    result = train(file=tmp_path / "bad.npy")
    assert result.code == 1
    assert words in result.err
    assert len(result.err.strip().splitlines()) <= 3
    assert not (tmp_path / "m.safetensors").exists()


def test_that_a_band_of_several_can_be_the_target(train, target, tmp_path):
    values = np.load(target)
    np.save(tmp_path / "two.npy", np.stack([values * 0 + 3, values]))
    result = train("--target-band", 2, file=tmp_path / "two.npy")
    assert result.code == 0, result.err
    assert read_card(tmp_path / "m.safetensors").target.mean > 400
    assert train("--target-band", 3, file=tmp_path / "two.npy").code == 1


def test_that_data_need_labels_or_a_target(geocnn, tmp_path):
    result = geocnn("train", "--data", DATA, *TINY, "--out", tmp_path / "m.safetensors")
    assert result.code == 2
    assert "needs LABELS after it, or a --target" in result.err


def test_that_what_goes_with_classes_is_refused(model, target, geocnn, tmp_path):
    out = tmp_path / "map.tif"
    result = geocnn("predict", model, DATA, "--out", out, "--confidence", tmp_path / "c.tif")
    assert result.code == 1
    assert "which have no confidence" in result.err
    result = geocnn("evaluate", out, "--target", target, "--confusion", "rows")
    assert result.code == 2


def test_that_programs_of_classes_refuse_the_model_and_class_models_stay_as_they_were(
    model, trained
):
    with safe_open(model, framework="numpy") as file:
        assert '"version":2' in file.metadata()["geocnn"]
    with safe_open(trained.model, framework="numpy") as file:
        said = file.metadata()["geocnn"]
    assert '"version":1' in said
    assert "target" not in said
    assert "values" not in said


class StopAfter:
    def __init__(self, events):
        self.left = events

    def is_set(self):
        asked = self.left <= 0
        self.left = 10**6 if asked else self.left  # one Ctrl-C
        return asked


def test_that_a_stopped_training_of_values_ends_with_the_same_weights(train, tmp_path, monkeypatch):
    more = ("--set", "training.epochs=3")
    assert train(*more).code == 0
    whole = load_model(tmp_path / "m.safetensors")[0].state_dict()
    asked, said = StopAfter(2), console._Lines.say

    def say(lines, text):
        said(lines, text)
        asked.left -= "loss" in text

    with monkeypatch.context() as patch:
        patch.setattr(console, "_interrupts", lambda: nullcontext(asked))
        patch.setattr(console._Lines, "say", say)
        assert train(*more).code == 130
    assert read_card(tmp_path / "m.safetensors").target is not None  # the best so far
    other = tmp_path / "other.npy"
    np.save(other, np.random.default_rng(0).random((40, 100), np.float32))
    refused = train(*more, "--resume", file=other)
    assert "is not the one that the training began with" in refused.err
    assert train(*more, "--resume").code == 0
    ended = load_model(tmp_path / "m.safetensors")[0].state_dict()
    assert all(np.array_equal(ended[k], v) for k, v in whole.items())


def test_that_a_stopped_prediction_of_values_goes_on_to_the_same_file(
    model, geocnn, tmp_path, monkeypatch
):
    from geocnn_gui.models import networks

    real = networks.build

    def small(*arguments):
        net = real(*arguments)
        net.core = 32
        return net

    monkeypatch.setattr("geocnn_gui.models.networks.build", small)
    monkeypatch.setattr("geocnn_gui.inference.plan._BATCH_PIXELS", {"cpu": 1})
    common = ("predict", model, DATA, "--device", "cpu")
    assert geocnn(*common, "--out", tmp_path / "whole.npy").code == 0
    asked, run = StopAfter(2), workflow.predict_to_file

    def counted(*arguments, **options):
        for event in run(*arguments, **options):
            asked.left -= isinstance(event, TileDone)
            yield event

    with monkeypatch.context() as patch:
        patch.setattr(workflow, "predict_to_file", counted)
        patch.setattr(console, "_interrupts", lambda: nullcontext(asked))
        stopped = geocnn(*common, "--out", tmp_path / "map.npy", "--partial")
    assert stopped.code == 130
    assert 0 < np.isfinite(np.load(tmp_path / "map.npy")).mean() < 1
    result = geocnn(*common, "--out", tmp_path / "map.npy", "--resume", "--json")
    assert any(note.startswith("Going on: 2 of ") for note in result.json["notes"])
    np.testing.assert_allclose(
        np.load(tmp_path / "map.npy"), np.load(tmp_path / "whole.npy"), rtol=1e-6
    )


def test_that_tiles_of_values_equal_one_pass(model, geocnn):
    result = geocnn("predict", model, DATA, "--check-tiling", "--device", "cpu")
    assert result.code == 0, result.err
    assert "values differ by at most" in result.out


@pytest.mark.slow
def test_that_a_band_of_landsat_is_learned_from_the_others(geocnn, real_data, tmp_path):
    stack = real_data / "imagery/landsat/LE70220491999322EDC01_stack.gtif"
    with rasterio.open(stack) as file:
        profile, values = file.profile, file.read()[:, :144, :144]
    profile |= {"width": 144, "height": 144}
    for name, bands in (("others.tif", values[[0, 1, 2, 4, 5]]), ("near.tif", values[[3]])):
        with rasterio.open(tmp_path / name, "w", **(profile | {"count": len(bands)})) as file:
            file.write(bands)
    out = tmp_path / "m.safetensors"
    result = geocnn(
        "train", "--data", tmp_path / "others.tif", "--target", tmp_path / "near.tif", "--model",
        "unet", "--set", "model.width=8", "--set", "model.depth=2", "--set", "training.epochs=5",
        "--set", "training.steps_per_epoch=12", "--set", "training.batch=8", "--set", "training.refit=false", "--out", out, "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert result.json["holdout"]["r2"] > 0.5
    assert result.json["holdout"]["psnr"] > 20

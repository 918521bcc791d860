from __future__ import annotations

import errno
import resource
import signal
import sys
import time

import numpy as np
import pytest
from cli_commands import TINY, start

from geocnn_gui.models.weights import read_card


def _one_sentence(result, *parts, code=1):
    """The command failed as a user's error should."""
    lines = result.err.strip().splitlines()
    assert result.code == code
    assert result.out == ""
    assert lines[-1].startswith("geocnn: ")
    assert lines[-1].endswith(".")
    assert not any("Traceback" in line for line in lines)
    for part in parts:
        assert part in lines[-1]


@pytest.fixture
def bad(tmp_path, files):
    """Files that are not what they should be."""
    whole = (files / "npra_line_cut.sgy").read_bytes()
    (tmp_path / "cut.sgy").write_bytes(whole[:-50])
    (tmp_path / "text.sgy").write_text("no seismic at all " * 400)
    (tmp_path / "empty.sgy").touch()
    (tmp_path / "text.tif").write_text("no raster")
    np.save(tmp_path / "dead.npy", np.full((30, 40), np.nan, np.float32))
    np.save(tmp_path / "small_labels.npy", np.ones((3, 5), np.uint8))
    np.save(tmp_path / "one_class.npy", np.ones((40, 100), np.uint8))
    np.save(tmp_path / "no_class.npy", np.zeros((40, 100), np.uint8))
    np.save(tmp_path / "fractions.npy", np.full((40, 100), 0.5, np.float32))
    (tmp_path / "weights.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    return tmp_path


@pytest.mark.parametrize("name", ["cut.sgy", "text.sgy", "empty.sgy", "text.tif", "none.sgy"])
def test_that_a_file_that_cannot_be_read_is_named(name, bad, geocnn):
    _one_sentence(geocnn("info", bad / name), str(bad / name))


@pytest.mark.parametrize("name", ["cut.sgy", "text.tif", "dead.npy"])
def test_that_bad_data_leave_no_prediction(name, bad, geocnn, trained, tmp_path):
    before = set(tmp_path.iterdir())
    result = geocnn("predict", trained.model, bad / name, "--out", tmp_path / "map.npy")
    _one_sentence(result)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "name", ["weights.safetensors", "cut.sgy", "empty.sgy", "none.safetensors"]
)
def test_that_something_else_than_a_model_is_refused(name, bad, geocnn, trained, tmp_path):
    result = geocnn("predict", bad / name, trained.data, "--out", tmp_path / "map.sgy")
    _one_sentence(result, str(bad / name))
    assert not (tmp_path / "map.sgy").exists()


def test_that_a_cut_model_is_refused(geocnn, trained, tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(trained.model.read_bytes()[:-500])
    result = geocnn("predict", broken, trained.data, "--out", tmp_path / "map.sgy")
    _one_sentence(result, str(broken))
    assert list(tmp_path.iterdir()) == [broken]


def test_that_other_bands_are_refused(geocnn, trained, files, tmp_path):
    result = geocnn(
        "predict", trained.model, files / "landsat_cut.tif", "--out", tmp_path / "map.tif"
    )
    _one_sentence(result, "1 band", "8")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("labels", "part"),
    [("small_labels.npy", "needs"), ("one_class.npy", "two classes"), ("no_class.npy", "no class"),
     ("fractions.npy", "0.5"), ("none.npy", "does not exist")],
)  # fmt: skip
def test_that_bad_labels_are_named_before_anything_is_trained(labels, part, bad, geocnn, files):
    out = bad / "model.safetensors"
    result = geocnn(
        "train", "--data", files / "f3_section_cut.sgy", bad / labels, *TINY, "--out", out
    )
    _one_sentence(result, part)
    assert not out.exists()


@pytest.mark.parametrize(
    ("labels", "part"), [("small_labels.npy", "needs"), ("no_class.npy", "no cell")]
)
def test_that_bad_labels_are_named_in_an_evaluation(labels, part, bad, geocnn, trained):
    _one_sentence(geocnn("evaluate", trained.labels, "--labels", bad / labels), part)


def test_that_a_confidence_map_is_no_class_map(bad, geocnn, trained):
    result = geocnn("evaluate", bad / "fractions.npy", "--labels", trained.labels)
    _one_sentence(result, "fractions.npy", "class ids")


@pytest.mark.parametrize("name", ["map.jpg", "no/map.npy", "data"])
def test_that_a_bad_output_is_refused_before_the_work(name, geocnn, trained, tmp_path):
    (tmp_path / "data").mkdir()
    result = geocnn("predict", trained.model, trained.data, "--out", tmp_path / name)
    _one_sentence(result)
    assert "Predicting" not in result.err


def test_that_inputs_are_never_overwritten(geocnn, trained, tmp_path):
    model = tmp_path / "model.npy"
    model.write_bytes(trained.model.read_bytes())
    _one_sentence(geocnn("predict", model, trained.data, "--out", model), "one of the inputs")
    labels = tmp_path / "labels.npy"
    labels.write_bytes(trained.labels.read_bytes())
    result = geocnn("train", "--data", trained.data, labels, *TINY, "--out", labels)
    _one_sentence(result, "one of the inputs")
    assert model.read_bytes() == trained.model.read_bytes()
    assert labels.read_bytes() == trained.labels.read_bytes()


def test_that_a_missing_gpu_is_said(geocnn, trained, tmp_path, monkeypatch):
    from geocnn_gui.inference import device

    monkeypatch.setattr(device, "_why_no_cuda", lambda: "there is none")
    out = tmp_path / "map.sgy"
    result = geocnn("predict", trained.model, trained.data, "--out", out, "--device", "cuda")
    _one_sentence(result, "No CUDA device", "cpu or auto")


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are Unix's")
@pytest.mark.parametrize("suffix", [".sgy", ".npy", ".tif"])
def test_that_a_disk_that_takes_no_more_leaves_the_older_file(suffix, trained, tmp_path):
    out = tmp_path / f"map{suffix}"
    out.write_bytes(b"older")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))

    command = ["predict", trained.model, trained.data, "--out", out]
    with start(*command, preexec_fn=limit) as task:
        _, err = task.communicate(timeout=60)
    assert task.returncode == 1
    assert f"Cannot write {out}: " in err.splitlines()[-1]
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == [out]
    assert out.read_bytes() == b"older"


def test_that_a_full_disk_leaves_the_older_model(geocnn, trained, tmp_path, monkeypatch):
    from pathlib import Path

    out = tmp_path / "model.safetensors"
    out.write_bytes(b"older")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    result = geocnn("train", "--data", trained.data, trained.labels, *TINY, "--out", out)
    _one_sentence(result, str(out), "the disk is full")
    kept = tmp_path / "model.safetensors.checkpoint"  # --resume goes on from it
    assert set(tmp_path.iterdir()) == {out, kept}
    assert out.read_bytes() == b"older"


USAGE = [
    (["--set", "training.epochs=0"], "training.epochs must be a whole number from 1 to 1000"),
    (["--set", "training.epochs=many"], "training.epochs must be a whole number from 1 to 1000"),
    (["--set", "training.epoch=3"], "training.epoch is unknown; did you mean training.epochs?"),
    (["--set", "model.patch=33"], "model.patch is unknown"),
    (["--set", "model.kind=cnn"], "model.kind is unknown"),
    (["--set", "training.scaling=none"], "auto or survey or stored"),
    (["--set", "training.augment=perhaps"], "true or false"),
    (["--set", "epochs=3"], "not of the form"),
    (["--set", "training.epochs"], "not of the form"),
    (["--seed", "-1"], "--seed"),
    (["--sections", "inline"], "not of the form"),
    (["--sections", "inline:200-100"], "backwards"),
    (["--sections", "inline:1-9:0"], "backwards"),
    (["--sections", "inline:100"], "it is one single section"),
    (["--model", "resnet"], "--model"),
    (["--device", "tpu"], "--device"),
    (["--nonsense"], "--nonsense"),
]


@pytest.mark.parametrize(("extra", "part"), USAGE, ids=[" ".join(u[0]) for u in USAGE])
def test_that_wrong_usage_exits_2_and_says_what_is_allowed(extra, part, geocnn, trained, tmp_path):
    result = geocnn(
        "train", "--data", trained.data, trained.labels, *TINY, "--out", tmp_path / "m", *extra
    )
    assert result.code == 2
    assert result.out == ""
    assert part in " ".join(result.err.split())
    assert not list(tmp_path.iterdir())


def test_that_sections_off_the_survey_name_its_numbers(geocnn, files, tmp_path):
    np.save(tmp_path / "l.npy", np.ones((7, 5, 75), np.uint8))
    cube = files / "f3_cube_cut.sgy"
    common = ["train", "--data", cube, tmp_path / "l.npy", *TINY, "--out", tmp_path / "m"]
    result = geocnn(*common, "--sections", "inline:100-110")
    assert result.code == 2
    assert "111 to 117 in steps of 1" in " ".join(result.err.split())
    result = geocnn(*common, "--sections", "row:3")
    assert result.code == 2
    assert "it has inline, crossline, time" in " ".join(result.err.split())


@pytest.mark.parametrize("arguments", [[], ["train"], ["predict", "x"], ["paint"]])
def test_that_missing_arguments_exit_2(arguments, geocnn):
    result = geocnn(*arguments)
    assert result.code == 2
    assert "Usage: geocnn" in result.err


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a signal")
def test_that_ctrl_c_keeps_the_best_network(trained, tmp_path):
    out = tmp_path / "model.safetensors"
    with start(
        "train", "--data", trained.data, trained.labels, *TINY,
        "--set", "training.steps_per_epoch=3", "--set", "training.epochs=500",
        "--set", "training.patience=500", "--out", out,
    ) as task:  # fmt: skip
        for line in task.stderr:
            if "epoch 2 of" in line and "loss" in line:
                break
        task.send_signal(signal.SIGINT)
        asked = time.monotonic()
        _, err = task.communicate(timeout=60)
    assert task.returncode == 130, err
    assert time.monotonic() - asked < 30
    assert f"the best network so far is saved as {out}" in err
    assert "Traceback" not in err
    card = read_card(out)
    assert card.training.stopped_early


def test_that_ctrl_c_writes_no_half_prediction(trained, geocnn, tmp_path, monkeypatch):
    from geocnn_gui.cli import console

    class Asked:
        def is_set(self):
            return True

    from contextlib import nullcontext

    monkeypatch.setattr(console, "_interrupts", lambda: nullcontext(Asked()))
    result = geocnn("predict", trained.model, trained.data, "--out", tmp_path / "map.sgy")
    assert result.code == 130
    assert "nothing is written" in result.err
    assert not list(tmp_path.iterdir())

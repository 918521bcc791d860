"""One value per sample of a set: learned from a table, predicted, scored."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from geocnn_gui.models.weights import read_card

N = 40
SMALL = (
    "--model", "cnn", "--set", "model.patch=20", "--device", "cpu", "--set", "training.epochs=2",
    "--set", "training.steps_per_epoch=12", "--set", "training.batch=16",
    "--set", "training.learning_rate=0.003",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A set of patches whose mean tells the porosity, and tables of it in other orders."""
    random, folder = np.random.default_rng(3), tmp_path_factory.mktemp("set")
    values = random.random(N) * 8 + 2
    noise = random.normal(0, 0.05, (N, 1, 20, 20))
    patches = noise + values[:, None, None, None] / 10
    np.savez(folder / "set.npz", patches=patches.astype("f4"), labels=np.zeros(N, int))
    with (folder / "wells.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["name", "porosity", "depth"])
        for i in random.permutation(N).tolist():
            rows.writerow([f"patch {i}", "n/a" if i == 3 else f"{values[i]:.5f}", 100 + i])
    np.save(folder / "true.npy", values)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    from geocnn_gui.cli.app import run

    out = folder / "m.safetensors"
    options = ("--samples", folder / "set.npz", "--values", folder / "wells.csv")
    more = ("--column", "porosity", "--unit", "%", "--out", out)
    assert run([str(each) for each in ("train", *options, *more, *SMALL)]) == 0
    return out


def test_that_a_value_of_each_sample_is_learned_predicted_and_scored(
    folder, model, geocnn, tmp_path
):
    card = read_card(model)
    assert (card.target.name, card.target.unit, card.classes) == ("porosity", "%", ())
    assert card.training.labelled_cells == {1: N - 1}
    assert card.training.holdout_units == 8
    result = geocnn("predict", model, folder / "set.npz", "--out", tmp_path / "p.csv")
    assert result.code == 0, result.err
    rows = list(csv.reader((tmp_path / "p.csv").read_text().splitlines()))
    assert rows[0] == ["sample", "porosity (%)"]
    assert [row[0] for row in rows[1:]] == [f"patch {i}" for i in range(N)]
    geocnn("predict", model, folder / "set.npz", "--out", tmp_path / "p.npy")
    found = np.load(tmp_path / "p.npy").ravel()
    np.testing.assert_allclose([float(row[1]) for row in rows[1:]], found, rtol=1e-6)
    scored = geocnn(
        "evaluate", tmp_path / "p.csv", "--values", folder / "wells.csv", "--column", "porosity",
        "--json",
    ).json  # fmt: skip
    error = np.delete(found - np.load(folder / "true.npy"), 3)
    assert scored["cells"] == N - 1
    assert scored["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-4)
    assert scored["unit"] == "%"
    assert {"held_out", "trained"} <= set(scored["subsets"])
    assert scored["r2"] > 0.5
    assert any("left out: patch 3" in note for note in scored["notes"])


def test_that_a_file_without_names_is_scored_by_rows_only(folder, model, geocnn, tmp_path):
    geocnn("predict", model, folder / "set.npz", "--out", tmp_path / "p.npy")
    np.savetxt(tmp_path / "rows.csv", np.load(folder / "true.npy"))
    scored = geocnn("evaluate", tmp_path / "p.npy", "--values", tmp_path / "rows.csv", "--json")
    assert scored.json["cells"] == N
    assert scored.json["r2"] > 0.5
    refused = geocnn("evaluate", tmp_path / "p.npy", "--values", folder / "wells.csv")
    assert "does not name its samples" in refused.err
    assert "write the prediction as .csv" in refused.err


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        (None, (), "2 columns of numbers; choose one of them: porosity, depth (--column)"),
        (None, ("--column", "poro"), "has no column poro; choose one of its columns: name, "),
        (None, ("--column", "name"), "has no number in name"),
        ("a\n1\n2\n", (), "2 rows, of which none names one of the 40 samples"),
        ("a,b\npatch 1,2\npatch 1,3\n", (), "names patch 1 more than once"),
        ("a,b\npatch 1,2\npatch 2\n", (), "line 3 has 1 cells"),
        ("a,b\npatch 1,4\npatch 2,4\n", (), "4 everywhere"),
        ("", (), "is empty"),
    ],
)
def test_that_a_table_that_will_not_do_is_refused_in_words(
    folder, geocnn, tmp_path, text, more, words
):
    table = folder / "wells.csv"
    if text is not None:
        table = tmp_path / "bad.csv"
        table.write_text(text)
    result = geocnn(
        "train", "--samples", folder / "set.npz", "--values", table, *more, *SMALL,
        "--out", tmp_path / "m.safetensors",
    )  # fmt: skip
    assert result.code == 1
    assert words in result.err
    assert not (tmp_path / "m.safetensors").exists()


def test_that_a_rate_is_found_for_values_of_samples(folder, geocnn):
    result = geocnn(
        "train", "--samples", folder / "set.npz", "--values", folder / "wells.csv", "--column",
        "porosity", *SMALL, "--find-rate", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "patch 3" in result.err

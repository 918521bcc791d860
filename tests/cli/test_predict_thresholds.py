"""Thin classes named from their best threshold on; classes found nowhere are said."""

from __future__ import annotations

import numpy as np
import pytest

from geocnn_gui.models.weights import load_model, save_model


@pytest.fixture(scope="module")
def thin_model(trained, tmp_path_factory):
    """Return a maker of the tiny model with a threshold of one class."""

    def make(threshold: float | None, number: int = 4):
        net, card = load_model(trained.model)
        kept = {} if threshold is None else {number: threshold}
        card = card.model_copy(update={"thin": (number,), "thresholds": kept})
        path = tmp_path_factory.mktemp("thin") / "m.safetensors"
        save_model(path, net, card)
        return path

    return make


def predict(geocnn, model, trained, folder, *options):
    return geocnn(
        "predict", model, trained.data, "--out", folder / "map.npy", "--probabilities",
        folder / "p.npy", "--confidence", folder / "c.npy", "--device", "cpu", "--json", *options,
    )  # fmt: skip


def test_that_a_thin_class_wins_from_its_threshold_on(thin_model, trained, geocnn, tmp_path):
    assert predict(geocnn, trained.model, trained, tmp_path).code == 0
    plain, shares = np.load(tmp_path / "map.npy"), np.load(tmp_path / "p.npy")
    place, number = (1, 2) if (plain == 4).mean() > 0.5 else (2, 4)
    live = plain > 0
    threshold = float(np.median(shares[place][live & (plain != number)]))
    model = thin_model(threshold, number)
    result = predict(geocnn, model, trained, tmp_path, "--thresholds")
    assert any("named by their best threshold" in note for note in result.json["notes"])
    ids, shares = np.load(tmp_path / "map.npy"), np.load(tmp_path / "p.npy")
    own = shares[place]
    clear = live & (np.abs(own - threshold) > 1e-3)
    others = np.array([i for i in (1, 2, 4) if i != number])
    likeliest = others[np.delete(np.nan_to_num(shares), place, 0).argmax(0)]
    expected = np.where(own >= threshold, number, likeliest)
    np.testing.assert_array_equal(ids[clear], expected[clear])
    assert ((ids == number) & (plain != number)).any()
    named = clear & (ids == number)
    confidence = np.load(tmp_path / "c.npy")
    np.testing.assert_allclose(confidence[named], own[named], atol=1 / 255)
    np.testing.assert_allclose(shares.sum(0)[live], 1, atol=1e-3)


def test_that_a_model_without_thresholds_says_so(thin_model, trained, geocnn, tmp_path):
    result = predict(geocnn, thin_model(None), trained, tmp_path, "--thresholds")
    assert any("no thresholds of thin classes" in note for note in result.json["notes"])


def test_that_a_thin_class_below_its_threshold_gives_way(thin_model, trained, geocnn, tmp_path):
    predict(geocnn, thin_model(1.0), trained, tmp_path, "--thresholds")
    assert 4 not in np.load(tmp_path / "map.npy")


def test_that_a_class_found_nowhere_is_said(thin_model, trained, geocnn, tmp_path):
    result = predict(geocnn, thin_model(0.0), trained, tmp_path, "--thresholds")
    assert set(np.unique(np.load(tmp_path / "map.npy"))) <= {0, 4}
    assert any(note.endswith("predicted nowhere here.") for note in result.json["notes"])

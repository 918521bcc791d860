from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geocnn_gui.scoring.metrics import Confusion, Scores, by_column, by_row

ids = st.sampled_from([0, 1, 2, 7, 254])
pairs = st.integers(1, 60).flatmap(
    lambda n: st.tuples(arrays(np.uint8, n, elements=ids), arrays(np.uint8, n, elements=ids))
)


def _score(truth, prediction, names=None) -> Scores:
    confusion = Confusion()
    confusion.add(np.asarray(truth), np.asarray(prediction))
    return confusion.scores(names)


def _safe(a, b):
    return a / b if b else None


def _mean(values):
    values = [v for v in values if v is not None]
    return sum(values) / len(values) if values else None


def _brute(truth, prediction) -> dict:
    """The definitions, cell by cell."""
    cells = [(int(t), int(p)) for t, p in zip(truth, prediction, strict=True) if t > 0]
    found = sorted({t for t, _ in cells} | {p for _, p in cells if p > 0})
    rows = {}
    for k in found:
        tp = sum(t == k and p == k for t, p in cells)
        fn = sum(t == k and p != k for t, p in cells)
        fp = sum(t != k and p == k for t, p in cells)
        rows[k] = {
            "iou": _safe(tp, tp + fn + fp), "precision": _safe(tp, tp + fp),
            "recall": _safe(tp, tp + fn), "f1": _safe(2 * tp, 2 * tp + fp + fn),
            "accuracy": _safe(len(cells) - fn - fp, len(cells)),
            "support": tp + fn, "predicted": tp + fp,
            "thin": False, "f1_tolerant": None, "precision_tolerant": None,
            "recall_tolerant": None,
        }  # fmt: skip
    n = len(cells)
    chance = sum(
        sum(t == k for t, _ in cells) * sum(p == k for _, p in cells) for k in found
    ) / max(n * n, 1)
    accuracy = _safe(sum(t == p for t, p in cells), n)
    return {
        "pixel_accuracy": accuracy,
        "mean_class_accuracy": _mean(r["recall"] for r in rows.values()),
        "mean_iou": _mean(r["iou"] for r in rows.values()),
        "mean_f1": _mean(r["f1"] for r in rows.values()),
        "frequency_weighted_iou": _safe(sum(r["support"] * r["iou"] for r in rows.values()), n),
        "kappa": None if accuracy is None else _safe(accuracy - chance, 1 - chance),
        "confusion": [[sum(c == (a, b) for c in cells) for b in found] for a in found],
        "unpredicted": [sum(c == (a, 0) for c in cells) for a in found],
        "classes": [{"id": k, "name": f"Class {k}", **rows[k]} for k in found],
    }


def _flat(value):
    if isinstance(value, dict):
        return [x for key in sorted(value) for x in (key, *_flat(value[key]))]
    if isinstance(value, list):
        return [x for item in value for x in _flat(item)]
    return [value]


@settings(deadline=None)
@given(pairs)
def test_that_the_figures_are_those_of_their_definitions(pair):
    found, expected = _flat(_score(*pair).model_dump()), _flat(_brute(*pair))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == (pytest.approx(theirs) if isinstance(theirs, float) else theirs)


@settings(deadline=None)
@given(pairs, st.integers(0, 60))
def test_that_blocks_add_up_to_the_whole(pair, cut):
    parts = Confusion()
    for block in (slice(None, cut), slice(cut, None)):
        parts.add(pair[0][block], pair[1][block])
    assert parts.scores() == _score(*pair)


def test_that_the_figures_are_those_in_the_documents_of_scikit_learn():
    """Its own examples, ids raised by one."""
    report = _score([1, 2, 3, 3, 3], [1, 1, 3, 3, 2]).classes
    assert [c.precision for c in report] == pytest.approx([0.5, 0, 1])
    assert [c.recall for c in report] == pytest.approx([1, 0, 0.67], abs=0.005)
    assert [c.f1 for c in report] == pytest.approx([0.67, 0, 0.8], abs=0.005)
    matrix = _score([3, 1, 3, 3, 1, 2], [1, 1, 3, 3, 1, 3]).confusion
    assert matrix == [[2, 0, 0], [0, 0, 1], [1, 0, 2]]
    jaccard = _score([1, 2, 3, 3], [1, 3, 2, 3]).classes
    assert [c.iou for c in jaccard] == pytest.approx([1, 0, 1 / 3])
    balanced = _score([1, 2, 1, 1, 2, 1], [1, 2, 1, 1, 1, 2])
    assert balanced.mean_class_accuracy == 0.625
    assert _score([1, 2, 1, 3, 2], [1, 2, 1, 3, 1]).kappa == pytest.approx(0.6875)


@settings(deadline=None)
@given(pairs)
def test_that_shares_have_recall_and_precision_on_their_diagonal(pair):
    scores = _score(*pair)
    for shares, key in ((by_row(scores), "recall"), (by_column(scores), "precision")):
        assert [shares[i][i] for i in range(len(shares))] == [
            getattr(c, key) for c in scores.classes
        ]


def test_that_the_json_has_the_promised_keys():
    found = _score([1, 2], [1, 1], {1: "salt"}).model_dump()
    promised = {
        "pixel_accuracy", "mean_class_accuracy", "mean_iou", "mean_f1", "frequency_weighted_iou", "kappa",
        "confusion", "classes",
    }  # fmt: skip
    assert promised | {"unpredicted"} == set(found)
    keys = {"id", "name", "iou", "f1", "precision", "recall", "accuracy", "support", "predicted"}
    thin = {"thin", "f1_tolerant", "precision_tolerant", "recall_tolerant"}
    assert set(found["classes"][0]) == keys | thin
    assert [c["name"] for c in found["classes"]] == ["salt", "Class 2"]


def test_that_an_unpredicted_cell_counts_as_wrong():
    scores = _score([1, 1, 2, 2], [1, 0, 2, 2])
    assert scores.pixel_accuracy == 0.75
    assert scores.unpredicted == [1, 0]
    assert scores.classes[0].iou == 0.5
    assert scores.classes[0].precision == 1
    assert scores.classes[0].recall == 0.5


def test_that_answering_one_class_everywhere_scores_as_it_deserves():
    scores = _score([1] * 78 + [2] * 22, [1] * 100)
    assert scores.pixel_accuracy == 0.78
    assert scores.mean_iou == pytest.approx(0.39)
    assert scores.kappa == 0
    assert scores.classes[1].precision is None


def test_that_a_class_only_predicted_has_no_recall_but_drags_the_mean_iou():
    scores = _score([1, 1], [1, 3])
    assert scores.classes[1].recall is None
    assert scores.mean_class_accuracy == 0.5
    assert scores.mean_iou == 0.25


def test_that_predictions_where_the_truth_is_unlabelled_enter_nothing():
    assert _score([0, 1, 0], [3, 1, 1]) == _score([1], [1])

from __future__ import annotations

import numpy as np
import pytest

from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.ground import HELD_OUT, NEAR, NEW, TRAINED
from geocnn_gui.scoring.compare import Comparison, compare
from geocnn_gui.scoring.evaluation import Evaluation, evaluation_of
from geocnn_gui.scoring.reasons import gap_words
from geocnn_gui.scoring.seen import CardScores

SHAPE = (600, 1500)
SAID = CardScores(holdout_iou=0.5, holdout_interval=(0.4, 0.7), holdout_units=8,
                  holdout_by="block", holdout_optimistic=True)  # fmt: skip


def a_comparison(
    mistakes: dict[int, float], grounds: tuple[int, ...] = (TRAINED, HELD_OUT, NEW)
) -> Comparison:
    """Two classes in stripes; on each third of the columns so many cells are wrong."""
    random = np.random.default_rng(1)
    truth = np.where(np.indices(SHAPE)[0] // 20 % 2, 1, 2).astype(np.uint8)
    seen = np.repeat(grounds, SHAPE[1] // 3)[None].repeat(SHAPE[0], 0)
    wrong = random.random(SHAPE) < np.vectorize(mistakes.get)(seen)
    predicted = np.where(wrong, 3 - truth, truth).astype(np.uint8)
    task = compare(LabelSnapshot.from_array(truth), lambda w: predicted[w.slices],
                   LabelSnapshot.from_array(seen.astype(np.uint8)))  # fmt: skip
    return result_of(task)


def result_of(task) -> Comparison:
    try:
        while True:
            next(task)
    except StopIteration as end:
        return end.value


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return a_comparison({TRAINED: 0.02, HELD_OUT: 0.2, NEW: 0.3})


def judged(
    comparison: Comparison, said: CardScores | None, *, known: bool = True, refit: bool = False
) -> Evaluation:
    return evaluation_of(comparison, {1: "A", 2: "B"}, known=known, said=said, refit=refit)


def test_that_every_ground_has_its_score_interval_and_reason(comparison) -> None:
    evaluation = judged(comparison, SAID)
    seen, held, new = evaluation.grounds
    assert [g.ground for g in evaluation.grounds] == ["seen", "held_out", "new"]
    assert seen.value == evaluation.subsets["trained"].mean_iou
    assert new.value == evaluation.subsets["new"].mean_iou
    for ground in (seen, new):
        low, high = ground.interval
        assert low < ground.value < high
        assert ground.units >= 6
    assert (held.value, held.interval) == (0.5, (0.4, 0.7))
    assert held.reason == ("8 blocks away from what it was trained on; the buffer was narrow: "
                           "may be optimistic.")  # fmt: skip
    assert [g.part for g in evaluation.grounds] == ["trained", "held_out", "new"]


def test_that_classes_have_intervals_too(comparison) -> None:
    evaluation = judged(comparison, None)
    assert set(evaluation.intervals) == {"all", "trained", "held_out", "new"}
    for part, ends in evaluation.intervals.items():
        scores = evaluation.part(part)
        for each in scores.classes:
            low, high = ends.class_iou[each.id]
            assert low <= each.iou <= high


def test_that_blocks_count_the_same_cells_as_the_whole(comparison) -> None:
    for part in ("all", "trained", "new"):
        whole = comparison.confusion(part).counts[1:3, 1:3]
        units = comparison.units(part)
        assert len(units.ids) > 3
        np.testing.assert_array_equal(units.counts.sum(0)[:, :2], whole)


def test_that_what_is_lost_on_new_ground_is_said(comparison) -> None:
    grounds = judged(comparison, SAID).grounds
    gap = grounds[0].value - grounds[2].value
    words = gap_words(grounds)
    assert words.startswith(f"{gap:.2f} of its score on seen ground is lost on new ground")
    even = a_comparison({TRAINED: 0.1, HELD_OUT: 0.1, NEW: 0.05})
    assert "as well on new ground" in gap_words(judged(even, SAID).grounds)


def test_that_a_leaky_score_and_a_test_set_stand_in_for_what_is_not_on_the_map(comparison) -> None:
    said = CardScores(leaky_iou=0.95, test_iou=0.6, test_interval=(0.5, 0.7), test_units=5)
    seen, held, new = judged(comparison, said, known=False).grounds
    assert (seen.title, seen.value, seen.part) == ("Leaky", 0.95, None)
    assert (new.title, new.value, new.interval) == ("Test set", 0.6, (0.5, 0.7))
    assert held.value is None
    assert "does not say" in held.reason


def test_that_nothing_known_is_said_and_not_counted_as_new(comparison) -> None:
    grounds = judged(comparison, None, known=False).grounds
    assert [g.value for g in grounds] == [None, None, None]
    assert "not known which pixels" in grounds[2].reason
    assert gap_words(grounds) == ""


def test_that_a_class_predicted_but_not_labelled_counts_against_both_ends() -> None:
    truth, predicted = np.ones((600, 600), np.uint8), np.ones((600, 600), np.uint8)
    truth[:, 300:], predicted[:, 300:] = 2, 2
    predicted[::10] = 3
    task = compare(LabelSnapshot.from_array(truth), lambda w: predicted[w.slices])
    new = judged(result_of(task), None).grounds[2]
    assert new.value == pytest.approx(0.6)
    assert new.interval[0] <= 0.6 <= new.interval[1] < 0.7


def test_that_a_refit_to_all_folds_has_seen_what_they_held_out(comparison) -> None:
    folds = a_comparison({HELD_OUT: 0.1, NEW: 0.3}, (HELD_OUT, HELD_OUT, NEW))
    seen = judged(folds, SAID, refit=True).grounds[0]
    assert seen.value == judged(folds, SAID).subsets["held_out"].mean_iou
    assert seen.interval is not None
    assert (seen.title, seen.part) == ("Seen in training", "held_out")
    assert "None of these" not in seen.reason
    kept = judged(folds, SAID).grounds[0]
    assert (kept.value, kept.reason) == (None, "None of these labels were trained on.")
    both = judged(comparison, SAID, refit=True)
    parts = [both.subsets[p].mean_iou for p in ("held_out", "trained")]
    assert parts[0] < both.grounds[0].value < parts[1]


def test_that_the_buffer_is_no_new_ground() -> None:
    buffered = a_comparison({TRAINED: 0.02, HELD_OUT: 0.2, NEAR: 0.1}, (TRAINED, HELD_OUT, NEAR))
    evaluation = judged(buffered, SAID)
    assert set(evaluation.subsets) == {"trained", "held_out", "near"}
    new = evaluation.grounds[2]
    assert (new.value, new.part) == (None, None)
    assert "score it where it was not trained" in new.reason


def test_that_the_card_tells_of_the_test_set_on_the_ground_of_a_training(comparison) -> None:
    said = SAID.model_copy(update={"test_iou": 0.6, "test_interval": (0.5, 0.7), "test_units": 5})
    new = judged(comparison, said).grounds[2]
    assert (new.title, new.value, new.interval, new.part) == ("Test set", 0.6, (0.5, 0.7), "new")
    elsewhere = a_comparison({NEW: 0.3}, (NEW, NEW, NEW))
    new = judged(elsewhere, said).grounds[2]
    assert (new.title, new.value) == ("New ground", elsewhere.confusion("new").scores({}).mean_iou)

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from geocnn_gui.scoring import intervals
from geocnn_gui.scoring.intervals import (
    UnitCounter,
    UnitScores,
    compare,
    pooled,
    score_intervals,
)


def a_run(seed: int, units: int, *, skill: float = 6.0, shared: int | None = None) -> UnitScores:
    """Units of three classes with their own composition, size and accuracy (around 0.7).

    `shared` seeds what belongs to the ground: composition, size and how hard the unit is.
    """
    ground = np.random.default_rng(seed if shared is None else shared)
    random = np.random.default_rng([seed, 1])
    tables = np.zeros((units, 3, 4), int)
    for unit in range(units):
        cells = ground.multinomial(int(ground.lognormal(6, 0.6)), ground.dirichlet(np.ones(3)))
        right = ground.beta(skill, 2.5)
        for k, n in enumerate(cells):
            chances = np.full(3, (1 - right) / 2)
            chances[k] = right
            tables[unit, k, :3] = random.multinomial(n, chances)
    return scores_of(tables)


def scores_of(tables: np.ndarray) -> UnitScores:
    nested = tuple(tuple(tuple(map(int, row)) for row in table) for table in tables)
    return UnitScores(kind="block", ids=tuple(f"u{i}" for i in range(len(tables))), tables=nested)


@pytest.fixture(scope="module")
def truth() -> dict[str, float]:
    many = score_intervals(scores_of(a_run(1, 30_000).counts.sum(0)[None]))
    return {"mean_iou": many.mean_iou.value, "accuracy": many.accuracy.value}


@pytest.mark.parametrize("units", [6, 12])
def test_that_the_interval_covers_the_truth_as_often_as_it_says(units, truth) -> None:
    covered = {"mean_iou": 0, "accuracy": 0}
    for seed in range(400):
        found = score_intervals(a_run(1000 * units + seed, units), seed=seed)
        for name in covered:
            ends = getattr(found, name)
            covered[name] += ends.low <= truth[name] <= ends.high
    for name, times in covered.items():
        assert 0.9 <= times / 400 <= 0.99, name


def test_that_paired_runs_are_told_apart_where_single_intervals_overlap() -> None:
    first = a_run(1, 12, skill=6, shared=7)
    counts = first.counts.astype(int)
    for unit in range(12):  # a tenth of the mistakes of each unit put right
        for k in range(3):
            for j in set(range(3)) - {k}:
                moved = counts[unit, k, j] // 10
                counts[unit, k, j] -= moved
                counts[unit, k, k] += moved
    second = scores_of(counts)
    found = compare(first, second)
    one, two = score_intervals(first).mean_iou, score_intervals(second).mean_iou
    assert two.low < one.value
    assert found.mean_iou.low > 0
    assert found.words.startswith("The second run is better: mean IoU +0.0")
    assert compare(second, first).words.startswith("The first run is better")


def test_that_equal_runs_show_no_difference() -> None:
    found = compare(a_run(1, 12, shared=7), a_run(2, 12, shared=7))
    assert found.mean_iou.low < 0 < found.mean_iou.high
    assert found.words.startswith("No difference that 12 units can show")


def test_that_runs_on_other_ground_are_not_compared() -> None:
    first, second = a_run(1, 12, shared=7), a_run(2, 12, shared=8)
    found = compare(first, second)
    assert found.mean_iou.value is None
    assert "different ground" in found.words


@pytest.mark.parametrize("units", [2, 3, 4])
def test_that_the_interval_of_few_units_covers_the_truth_as_often_as_it_says(units, truth) -> None:
    covered = {"mean_iou": 0, "accuracy": 0}
    for seed in range(400):
        found = score_intervals(a_run(1000 * units + seed, units), seed=seed)
        for name in covered:
            ends = getattr(found, name)
            covered[name] += ends.low <= truth[name] <= ends.high
    for name, times in covered.items():
        assert times / 400 >= 0.9, name


def test_that_a_class_in_one_of_few_units_may_be_anywhere() -> None:
    tables = np.zeros((3, 2, 3), int)
    tables[:, 0, 0] = (80, 82, 81)
    tables[:, 0, 1] = (20, 18, 19)
    without = score_intervals(scores_of(tables)).mean_iou
    tables[0, 1] = (10, 90, 0)
    found = score_intervals(scores_of(tables)).mean_iou
    assert without.high - without.low < 0.2
    assert found.low < found.value - 0.25
    assert found.high > found.value + 0.1


@pytest.mark.parametrize(("units", "why"), [(1, "cannot be told from one block"),
                                            (2, "each class lies in one block alone")])  # fmt: skip
def test_that_a_score_that_cannot_have_an_interval_says_why(units: int, why: str) -> None:
    tables = np.zeros((2, 2, 3), int)
    tables[0, 0], tables[1, 1] = (90, 10, 0), (10, 90, 0)
    found = score_intervals(scores_of(tables[:units]))
    assert found.mean_iou.value is not None
    assert found.mean_iou.low is None
    assert why in found.words


def test_that_runs_on_few_units_are_not_told_apart() -> None:
    assert "too few to say" in compare(a_run(1, 4, shared=1), a_run(2, 4, shared=1)).words


def test_that_no_units_give_no_score() -> None:
    found = score_intervals(UnitScores(kind="block", ids=(), tables=()))
    assert found.mean_iou.value is None
    assert found.words == "No score: nothing was held out."


def test_that_a_class_that_no_unit_holds_is_unknown_and_spoils_no_mean() -> None:
    tables = np.zeros((8, 3, 4), int)
    tables[:, 0, 0], tables[:, 1, 1], tables[:, 0, 2] = 90, 50, 10
    found = score_intervals(scores_of(tables))
    assert found.class_iou[2].value is None
    assert found.class_iou[2].words == "unknown"
    assert found.mean_iou.value == pytest.approx((0.9 + 1.0) / 2)


def test_that_a_class_in_few_units_has_no_interval_of_its_own() -> None:
    counts = a_run(4, 12).counts.astype(int)
    counts[3:, 2] = 0
    found = score_intervals(scores_of(counts))
    assert found.class_iou[2].low is None
    assert found.class_iou[0].low is not None


def test_that_figures_are_those_counted_by_hand() -> None:
    tables = np.array([[[5, 1, 0], [2, 2, 0]], [[3, 0, 1], [0, 4, 0]]])
    found = score_intervals(scores_of(tables))
    assert found.accuracy.value == pytest.approx(14 / 18)
    assert found.class_iou[0].value == pytest.approx(8 / 12)
    assert found.class_iou[1].value == pytest.approx(6 / 9)


def test_that_windows_are_counted_to_their_units() -> None:
    counter = UnitCounter(2)
    counter.add(np.array([[1, 1, 0], [3, 3, 3]]), np.array([[1, 2, 1], [2, 0, 2]]),
                np.array([[1, 1, 1], [2, 2, 0]]))  # fmt: skip
    counter.add(np.array([3]), np.array([1]), np.array([2]))
    found = counter.scores("block", ["a", "b", "c"])
    assert found.ids == ("a", "c")
    assert found.tables == (((1, 0, 0), (1, 0, 0)), ((0, 1, 0), (0, 1, 1)))


def test_that_folds_are_put_together_and_survive_json() -> None:
    run = a_run(5, 9)
    parts = [UnitScores(kind="block", ids=run.ids[i::3], tables=run.tables[i::3]) for i in range(3)]
    again = UnitScores.model_validate_json(pooled(parts).model_dump_json())
    assert sorted(again.ids) == sorted(run.ids)
    assert score_intervals(again).accuracy.value == score_intervals(run).accuracy.value


def test_that_the_same_seed_gives_the_same_interval() -> None:
    assert score_intervals(a_run(6, 9), seed=1) == score_intervals(a_run(6, 9), seed=1)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 30, 400])
def test_that_students_quantile_is_right(freedom) -> None:
    assert intervals._student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=0.003)


def test_that_intervals_of_many_classes_are_worked_out_in_pieces(monkeypatch) -> None:
    run = a_run(6, 9)
    at_once = score_intervals(run), compare(run, a_run(6, 9, skill=4))
    monkeypatch.setattr(intervals, "_AT_ONCE", 5000)
    pieces = score_intervals(run), compare(run, a_run(6, 9, skill=4))
    for one, two in zip(at_once, pieces, strict=True):
        assert one.units == two.units
        for name in ("mean_iou", "accuracy"):
            ends = [getattr(found, name).ends for found in (one, two)]
            assert ends[0] == pytest.approx(ends[1])

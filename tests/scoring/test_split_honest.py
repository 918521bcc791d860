"""A random field with random labels: an honest split finds chance, a leaky one finds skill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from labelled_planes import a_raster
from scipy import ndimage

from geocnn_gui.scoring.buffer import Sample, correlation_length
from geocnn_gui.scoring.intervals import ScoreIntervals, UnitCounter, score_intervals
from geocnn_gui.scoring.split_plan import SplitPlan, plan_split
from geocnn_gui.scoring.split_spec import LEAKY, SplitSpec

if TYPE_CHECKING:
    from geocnn_gui.scoring.split import LabelledPlane

CLASSES, SIDE, PATCH = 3, 256, 16


def a_random_field(seed: int) -> tuple[np.ndarray, LabelledPlane]:
    """Six bands of smooth noise (bands, rows, columns), and patches of labels drawn apart."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(6, SIDE, SIDE))
    values = ndimage.gaussian_filter(noise, (0, 5, 5)) * 18
    labels = np.kron(random.integers(1, CLASSES + 1, (SIDE // PATCH,) * 2), np.ones((PATCH,) * 2))
    return values, a_raster(labels.astype(np.uint8))


def nearest_neighbour_score(values: np.ndarray, plan: SplitPlan) -> ScoreIntervals:
    """Give each of 1,500 held-out cells the class of the most alike of 4,000 trained on."""
    (p,), (split,) = plan.planes, plan.fold(0)
    random = np.random.default_rng(0)
    rows, columns = p.cells.rows, p.cells.columns
    held = random.permutation(np.flatnonzero(split.is_held(rows, columns)))[:1500]
    trained = random.permutation(np.flatnonzero(~split.is_near(rows, columns)))[:4000]
    seen, asked = (values[:, rows[i], columns[i]].T for i in (trained, held))
    apart = (seen**2).sum(1) - 2 * asked @ seen.T
    found = p.cells.classes[trained[apart.argmin(1)]] + 1
    counter = UnitCounter(CLASSES)
    whole = slice(0, p.shape[0]), slice(0, p.shape[1])
    units = split.unit_mask(*whole)[rows[held], columns[held]]
    counter.add(units, p.cells.classes[held] + 1, found)
    return score_intervals(counter.scores(plan.unit, [u.id for u in plan.units]))


def test_that_random_labels_score_chance_by_blocks_and_far_more_by_pixels() -> None:
    honest, covered = [], 0
    for seed in range(4):
        values, p = a_random_field(seed)
        lengths = correlation_length([Sample(p.plane, values, np.ones(p.shape, bool))])
        by = {
            unit: nearest_neighbour_score(
                values, plan_split([p], SplitSpec(unit=unit, seed=seed), "ABC", 24, lengths=lengths)
            ).accuracy
            for unit in ("auto", LEAKY)
        }
        honest.append(by["auto"].value)
        covered += by["auto"].low <= 1 / CLASSES <= by["auto"].high
        assert by[LEAKY].low > 0.5
    assert covered >= 3
    assert abs(np.mean(honest) - 1 / CLASSES) < 0.03

"""The live head on what a training holds out, beside the network: same cells, same figures."""

from __future__ import annotations

import numpy as np
import pytest
from live_sources import SMALL, open_values, small_backbone, two_textures

from geocnn_gui import workflow
from geocnn_gui.errors import ModelMismatch, NotEnoughLabels
from geocnn_gui.labels.classes import classes_for
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.live import compare
from geocnn_gui.live.standing import HeldOut, standing
from geocnn_gui.models.survey import save_backbone
from geocnn_gui.models.unit_scores import UnitScores
from geocnn_gui.models.weights import TrainingSummary, read_card
from geocnn_gui.scoring.intervals import score_intervals
from geocnn_gui.scoring.split_spec import SplitSpec
from geocnn_gui.training.sections import Pair
from geocnn_gui.training.spec import TrainingSpec

CLASSES = classes_for([1, 2])
QUICK = TrainingSpec(epochs=1, steps_per_epoch=1, batch=2, split=SplitSpec(folds=2))


@pytest.fixture(scope="module")
def line():
    values, truth = two_textures((200, 170))
    with open_values(values) as source:
        yield Pair(source, LabelSnapshot.from_array(truth))


@pytest.fixture(scope="module")
def backbone(line, tmp_path_factory):
    path = tmp_path_factory.mktemp("backbone") / "small.safetensors"
    save_backbone(path, small_backbone(line.source))
    return path


@pytest.fixture(scope="module")
def head(line, backbone):
    return head_of(line, backbone)


@pytest.fixture(scope="module")
def summary(line, tmp_path_factory):
    """What the card of a network of two steps says."""
    out = tmp_path_factory.mktemp("model") / "m.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("geocnn_gui.training.run.training_device", lambda device: device)
        for _ in workflow.train([line], SMALL, QUICK, CLASSES, out=out):
            pass
    return read_card(out).training


def head_of(pair, backbone, split=QUICK.split):
    task = workflow.score_live(HeldOut([pair], CLASSES, SMALL, split), backbone=backbone)
    while True:
        try:
            next(task)
        except StopIteration as end:
            return end.value


def test_that_head_and_network_are_scored_on_the_very_same_cells(head, summary):
    network = summary.holdout_scores
    assert head.kind == network.kind
    assert set(head.ids) == set(network.ids)
    for name, table in zip(head.ids, head.tables, strict=True):
        other = network.tables[network.ids.index(name)]
        assert np.array_equal(np.sum(table, axis=1), np.sum(other, axis=1))
    found = standing(head, summary)
    assert found.network == pytest.approx(summary.holdout_iou)
    assert found.head == pytest.approx(score_intervals(head).mean_iou.value)
    assert found.units == summary.holdout_units


def test_that_the_head_beats_a_network_of_two_steps_on_textures(head, summary):
    found = standing(head, summary)
    assert found.head > 0.7
    assert not found.network_is_better
    assert found.words.startswith(f"{found.head:.2f} against {found.network:.2f}, over ")


def test_that_a_better_network_is_found_better(head):
    right = tuple(
        tuple(tuple(int(sum(row)) * (i == j) for j in range(3)) for i, row in enumerate(table))
        for table in head.tables
    )
    perfect = UnitScores(kind=head.kind, ids=head.ids, tables=right)
    blind = UnitScores(kind=head.kind, ids=head.ids, tables=tuple(
        tuple((sum(row), 0, 0) for row in table) for table in head.tables
    ))  # fmt: skip
    found = standing(blind, TrainingSummary(holdout_scores=perfect))
    assert found.network_is_better
    assert found.network == 1


def test_that_the_head_learns_nothing_of_what_is_held_out(line, backbone, monkeypatch):
    seen = []
    gather = compare.CellBook.gather

    def watched(book, labels, *, known):
        cells = gather(book, labels, known=known)
        seen.append({(int(r), int(c)) for r, c in cells.cells})
        return cells

    monkeypatch.setattr(compare.CellBook, "gather", watched)
    head_of(line, backbone)
    plan = workflow.plan_split([line], SMALL, QUICK.split, CLASSES)
    assert plan.folds == len(seen) == 2
    for fold, cells in enumerate(seen):
        rows, columns = np.array(sorted(cells)).T
        assert not plan.fold(fold)[0].is_near(rows, columns).any()


def test_that_labels_of_a_cube_are_left_out_on_all_sections():
    values, truth = two_textures((24, 160, 140))
    labels = np.zeros_like(truth)
    labels[::6] = truth[:, ::1][::6]
    labels[:, 80] = truth[:, 80]
    with open_values(values) as source:
        pair = Pair(source, LabelSnapshot.from_array(labels))
        plan = workflow.plan_split([pair], SMALL, SplitSpec(), CLASSES)
        left = compare._left(pair, 0, plan, 0)
        kept, gone = 0, 0
        for plane, split in zip(plan.planes, plan.fold(0), strict=True):
            rows, columns = slice(0, plane.shape[0]), slice(0, plane.shape[1])
            window = plane.plane.window(rows, columns)
            there, before = (plane.plane.picture(x.read(window)) for x in (left, pair.labels))
            near = split.near_mask(rows, columns)
            assert not there[near].any()
            assert np.array_equal(there[~near], before[~near])
            kept, gone = kept + int((there > 0).sum()), gone + int((before[near] > 0).sum())
        assert kept
        assert gone


def test_that_nothing_held_out_is_no_score(line, backbone, head, summary):
    assert head_of(line, backbone, SplitSpec(share=0)) is None
    assert standing(None, summary) is None
    assert standing(head, TrainingSummary()) is None


def test_that_a_damaged_backbone_or_too_few_labels_are_told(line, backbone, tmp_path):
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(backbone.read_bytes()[:-50])
    with pytest.raises(ModelMismatch, match="damaged backbone"):
        head_of(line, torn)
    one = LabelSnapshot.from_array(np.ones(line.source.shape, np.uint8))
    with pytest.raises(NotEnoughLabels):
        head_of(Pair(line.source, one), backbone)

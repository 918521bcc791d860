"""Strokes of the wrong class are found, right ones are left alone, and what cannot be judged is said."""

from __future__ import annotations

import numpy as np
import pytest
from live_sources import open_values, small_backbone, two_textures

from geocnn_gui.data.source import Section
from geocnn_gui.errors import NotEnoughLabels
from geocnn_gui.inference.device import choose_device
from geocnn_gui.labels.classes import classes_for
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.live.features import Features
from geocnn_gui.live.groups import grouped
from geocnn_gui.live.strokes import Strokes
from geocnn_gui.live.suspects import find_suspects

SHAPE = (240, 160)


@pytest.fixture(scope="module")
def textures():
    values, truth = two_textures(SHAPE)
    source = open_values(values + 2 * truth)
    return Features(small_backbone(source), source, device=choose_device("cpu")), truth


def strokes(truth, *, wrong=(), count=48):
    """Return labels with strokes of 16 x 4 cells, those numbered `wrong` of the other class."""
    labels = np.zeros(SHAPE, np.uint8)
    bad = np.zeros(SHAPE, bool)
    for number in range(count):
        row, column = 12 + 38 * (number % 6), 8 + 19 * (number // 6)
        cells = slice(row, row + 16), slice(column, column + 4)
        own = truth[row, column]
        labels[cells] = 3 - own if number in wrong else own
        bad[cells] = number in wrong
    return labels, bad


def result(task):
    events = []
    while True:
        try:
            events.append(next(task))
        except StopIteration as end:
            return end.value, events


def find(textures, labels):
    return result(find_suspects(textures[0], LabelSnapshot.from_array(labels), classes_for([1, 2])))


def test_that_strokes_of_the_wrong_class_are_found(textures):
    labels, bad = strokes(textures[1], wrong=(1, 9, 28, 40))
    suspects, _ = find(textures, labels)
    hit = np.zeros(SHAPE, bool)
    for one in suspects.found:
        assert one.says == 3 - one.label
        assert one.own < one.other
        for part in one.parts:
            rows, columns = part.cells().T
            hit[columns, rows] = True  # a line is (trace, sample)
    assert (hit & bad).sum() >= 0.9 * bad.sum()
    assert (hit & bad).sum() >= 0.9 * hit.sum()
    weights = [one.weight for one in suspects.found]
    assert weights == sorted(weights, reverse=True)


def test_that_right_labels_are_left_alone(textures):
    labels, _ = strokes(textures[1])
    suspects, _ = find(textures, labels)
    assert suspects.found == ()
    assert suspects.strokes == 48


def test_that_a_class_with_one_stroke_is_not_judged_and_said(textures):
    labels, _ = strokes(textures[1])
    labels[labels == 2] = 0
    labels[20:30, 100:108] = 2
    suspects, events = find(textures, labels)
    assert "Class 2 has a single stroke and is not judged." in suspects.notes
    assert all(one.label == 1 for one in suspects.found)
    assert suspects.notes[0] in [getattr(event, "text", "") for event in events]


def test_that_the_wrong_part_of_a_long_stroke_is_found(textures):
    labels, _ = strokes(textures[1])
    labels[60:180, 153:159] = 1  # from the coarse half, class 2, into the fine one
    (one,) = find(textures, labels)[0].found
    cells = np.concatenate([part.cells() for part in one.parts])
    assert one.label == 1
    assert one.says == 2
    assert (cells[:, 1] < 124).mean() > 0.9


def test_that_labels_which_cannot_judge_each_other_are_refused(textures):
    labels = np.zeros(SHAPE, np.uint8)
    labels[10:20, 10:20] = 1
    with pytest.raises(NotEnoughLabels, match="two classes"):
        find(textures, labels)
    labels[200:210, 10:20] = 2
    with pytest.raises(NotEnoughLabels, match="No class has two strokes"):
        find(textures, labels)


@pytest.fixture(scope="module")
def cube(textures):
    """A cube of inlines that are nearly alike, as neighbours are."""
    values, truth = two_textures(SHAPE)
    noise = np.random.default_rng(1).normal(scale=0.1, size=(20, *SHAPE)).astype(np.float32)
    source = open_values(values + 2 * truth + noise)
    return Features(small_backbone(source), source, device=choose_device("cpu")), truth


@pytest.mark.parametrize("copies", [1, 3])
def test_that_a_wrong_stroke_copied_to_neighbours_does_not_vouch_for_itself(cube, copies):
    labels, bad = strokes(cube[1], wrong=(9,), count=24)
    every = np.zeros((20, *SHAPE), np.uint8)
    every[5] = labels
    every[5 : 6 + copies, bad] = labels[bad]
    suspects, _ = find(cube, every)
    assert sorted(one.section.index for one in suspects.found) == [*range(5, 6 + copies)]
    assert {one.says for one in suspects.found} == {1}


def test_that_strokes_that_cross_or_lie_on_each_other_are_of_one_group(cube):
    every = np.zeros((20, *SHAPE), np.uint8)
    every[5, 20:80, 10:40] = 1
    every[:, 50, 20:30] = 1  # crosses it
    every[9, 60:90, 30:60] = 1  # lies on it, four inlines on
    every[9, 60:90, 100:120] = 1  # lies elsewhere
    every[16, 20:80, 10:40] = 2  # is of another class
    labels, source = LabelSnapshot.from_array(every), cube[0].source
    sections = [Section(0, 5), Section(0, 9), Section(0, 16), Section(1, 50)]
    found, _ = result(grouped({one: Strokes(source, labels, one, [1, 2]) for one in sections}))
    groups = [set(found[one][1:].tolist()) for one in sections]
    assert groups[0] <= groups[1]
    assert len(groups[1]) == 2
    assert groups[0] < groups[3]  # with the trace of the stroke of another class
    assert groups[2] < groups[3]
    assert not groups[2] & groups[1]


def test_that_a_cube_labelled_all_through_is_judged():
    values, truth = two_textures((60, 40, 40))
    with open_values(values + 2 * truth) as source:
        features = Features(small_backbone(source), source, device=choose_device("cpu"))
        labels = LabelSnapshot.from_array(np.ascontiguousarray(truth.swapaxes(0, 1)).swapaxes(0, 1))
        suspects, _ = result(find_suspects(features, labels, classes_for([1, 2])))
    assert suspects.strokes > 2
    assert suspects.found == ()


def test_that_no_step_looks_at_more_than_a_tile():
    values, truth = two_textures((1024, 600))
    labels = np.zeros(values.shape, np.uint8)
    for row in range(20, 1024, 160):
        for column in (20, 200, 560):
            cells = slice(row, row + 12), slice(column, column + 12)
            labels[cells] = truth[cells]
    with open_values(values + 2 * truth) as source:
        features = Features(small_backbone(source), source, device=choose_device("cpu"), room=0)
        tiles, steps = [], []
        features.before_tile = lambda: tiles.append(1)
        for _ in find_suspects(features, LabelSnapshot.from_array(labels), classes_for([1, 2])):
            steps.append(len(tiles))
            tiles.clear()
    assert sum(steps) >= 8  # to learn, and to judge
    assert max(steps) == 1

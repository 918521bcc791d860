"""Strokes of the wrong class are found, right ones are left alone, and what cannot be judged is said."""

from __future__ import annotations

import numpy as np
import pytest
from live_sources import open_values, small_backbone, two_textures

from geocnn_gui.errors import NotEnoughLabels
from geocnn_gui.inference.device import choose_device
from geocnn_gui.labels.classes import classes_for
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.live.features import Features
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

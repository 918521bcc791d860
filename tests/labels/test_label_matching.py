from __future__ import annotations

import numpy as np
import pytest

from geocnn_gui.data.source import Window
from geocnn_gui.errors import LabelsMismatch
from geocnn_gui.labels.classes import LabelClass, classes_for
from geocnn_gui.labels.files import LabelFile
from geocnn_gui.labels.matching import fit_labels, merge_classes, renumber
from geocnn_gui.labels.store import LabelSnapshot

FILES = ("truth.png", "map.tif")
SALT, SHALE = classes_for([1, 2], {1: "Salt", 2: "Shale"})


def coloured(**colors: str) -> tuple[LabelClass, ...]:
    return tuple(
        LabelClass(id=int(key[1:]), name=f"Class {key[1:]}", color=color)
        for key, color in colors.items()
    )


def file(ids, classes, *, is_coloured: bool = False) -> LabelFile:
    return LabelFile(LabelSnapshot.from_array(np.array([ids], np.uint8)), classes, is_coloured)


def ids_of(labels: LabelFile) -> list[int]:
    return labels.snapshot.read(Window.whole(labels.snapshot.shape))[0].tolist()


def test_that_names_decide_where_both_sides_have_them():
    theirs = classes_for([1, 2], {1: "shale", 2: "Salt"})
    found = fit_labels(file([0, 1, 2], theirs), (SALT, SHALE), names=FILES)
    assert ids_of(found) == [0, 2, 1]


def test_that_a_name_we_lack_takes_no_id_of_ours():
    theirs = classes_for([1, 2], {1: "Chalk", 2: "Salt"})
    found = fit_labels(file([1, 2], theirs), (SALT, SHALE), names=FILES)
    assert ids_of(found) == [3, 1]
    assert {c.id: c.name for c in found.classes} == {1: "Salt", 3: "Chalk"}


def test_that_two_sides_without_a_common_name_are_not_compared():
    theirs = classes_for([1, 2], {1: "Wald", 2: "Wasser"})
    with pytest.raises(LabelsMismatch, match=r"truth\.png and map\.tif have no class name"):
        fit_labels(file([1, 2], theirs), (SALT, SHALE), names=FILES)


@pytest.mark.parametrize("ours", [(), (SALT, SHALE), classes_for([1, 2])])
def test_that_files_of_plain_ids_keep_them(ours):
    theirs = classes_for([1, 2, 7])
    labels = file([0, 1, 2, 7], theirs)
    assert ids_of(fit_labels(labels, ours, names=FILES)) == [0, 1, 2, 7]
    assert fit_labels(labels, ours, names=FILES).snapshot is labels.snapshot
    assert (merge_classes(ours, theirs)[1] == np.arange(256)).all()


def test_that_ids_decide_where_one_side_alone_has_names_and_that_they_are_taken():
    merged, table = merge_classes(classes_for([1, 2]), (SALT,))
    assert [(c.id, c.name) for c in merged] == [(1, "Salt"), (2, "Class 2")]
    assert table[1] == 1


def test_that_colours_decide_for_a_colour_picture():
    ours = coloured(c1="#0000ff", c2="#00ff00", c3="#ff0000")
    theirs = coloured(c1="#0000ff", c2="#ff0000")  # without the green one
    found = fit_labels(file([1, 2, 2], theirs, is_coloured=True), ours, names=FILES)
    assert ids_of(found) == [1, 3, 3]


def test_that_an_unknown_colour_is_refused_in_a_comparison_and_new_otherwise():
    ours, theirs = coloured(c1="#0000ff"), coloured(c1="#00ff00", c2="#0000ff")
    with pytest.raises(LabelsMismatch, match=r"truth\.png has the colour #00ff00.*map\.tif"):
        fit_labels(file([1, 2], theirs, is_coloured=True), ours, names=FILES)
    merged, table = merge_classes(ours, theirs, by_color=True)
    assert [(c.id, c.name, c.color) for c in merged] == [
        (1, "Class 1", "#0000ff"),
        (2, "Class 2", "#00ff00"),
    ]
    assert (table[1], table[2]) == (2, 1)


def test_that_labels_are_renumbered_at_once():
    table = np.arange(256, dtype=np.uint8)
    table[1], table[2] = 2, 1
    labels = LabelSnapshot.from_array(np.array([[0, 1, 2, 3]], np.uint8))
    after = renumber(labels, table)
    assert after.read(Window.whole((1, 4))).tolist() == [[0, 2, 1, 3]]
    assert after.counts == {1: 1, 2: 1, 3: 1}

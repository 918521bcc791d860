from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_planes import (
    NAMES,
    a_cube,
    a_raster,
    labelled_in_source,
    nearest_is_beyond_buffer,
    squares,
    whole,
)

from geocnn_gui.errors import BadRequest, NotEnoughLabels
from geocnn_gui.scoring.draw import draw_roles
from geocnn_gui.scoring.split_plan import SplitPlan, _draw, plan_split
from geocnn_gui.scoring.split_spec import LEAKY, TEST, TRAINED, SplitChoice, SplitSpec
from geocnn_gui.scoring.units import cut_blocks

KINDS = ["auto", "block", "polygon", "file", "section", LEAKY]


def plan_of(planes, *, classes: int = 3, reach: int = 8, **spec) -> SplitPlan:
    return plan_split(planes, SplitSpec(**spec), NAMES[:classes], reach)


@st.composite
def plans(draw) -> SplitPlan:
    """Plans of every kind over small rasters with squares of labels."""
    files = draw(st.integers(1, 4))
    shape = draw(st.tuples(st.integers(70, 200), st.integers(70, 200)))
    seed, each = draw(st.integers(0, 10_000)), draw(st.integers(1, 8))
    planes = [
        squares(seed + i, shape, classes=3, each=each, side=8, source=i) for i in range(files)
    ]
    spec = SplitSpec(
        unit=draw(st.sampled_from(KINDS)), share=draw(st.sampled_from([0.0, 0.1, 0.2, 0.5])),
        folds=draw(st.sampled_from([1, 1, 3])), seed=draw(st.integers(0, 5)),
        buffer=draw(st.sampled_from(["auto", 0, 3, 40])),
    )  # fmt: skip
    return plan_split(planes, spec, NAMES[:3], 6, lengths=(2.5, 30.0))


@settings(max_examples=40, deadline=None)
@given(plan=plans())
def test_that_no_cell_is_both_trained_and_held_and_the_buffer_is_kept(plan: SplitPlan) -> None:
    for fold in range(plan.folds):
        splits = plan.fold(fold)
        held, trained = labelled_in_source(plan, splits)
        assert held
        assert not held & trained
        if plan.unit != LEAKY:
            assert nearest_is_beyond_buffer(plan, fold)
        for split in splits:
            rows, columns = whole(split.shape)
            assert not np.any(split.held_mask(rows, columns) & ~split.near_mask(rows, columns))


@settings(max_examples=40, deadline=None)
@given(plan=plans())
def test_that_every_class_stays_in_training_and_few_labels_are_lost(plan: SplitPlan) -> None:
    every = [plan.parts(fold) for fold in range(plan.folds)] or [plan.parts(None)]
    for parts in every:
        assert np.all((parts.trained > 0) | (parts.total == 0))
        assert np.all(parts.buffer <= 0.3 * parts.total)
    held = sum(parts.held for parts in every)
    assert plan.unknown == tuple(np.flatnonzero(held == 0))
    assert np.all(held <= every[0].total)


@settings(max_examples=30, deadline=None)
@given(plan=plans())
def test_that_the_counts_are_those_of_the_masks(plan: SplitPlan) -> None:
    for fold in [None, *range(plan.folds)]:
        parts = plan.parts(fold)
        held, trained = np.zeros((2, 3), int)
        for p, split in zip(plan.planes, plan.refit() if fold is None else plan.fold(fold),
                            strict=True):  # fmt: skip
            rows, columns, classes = p.cells.rows, p.cells.columns, p.cells.classes
            held += np.bincount(classes[split.is_held(rows, columns)], minlength=3)
            trained += np.bincount(classes[~split.is_near(rows, columns)], minlength=3)
        assert held.tolist() == parts.held.tolist()
        assert trained.tolist() == parts.trained.tolist()


@settings(max_examples=20, deadline=None)
@given(plan=plans())
def test_that_the_same_seed_gives_the_same_plan(plan: SplitPlan) -> None:
    again = plan_split(plan.planes, plan.spec, plan.classes, 6, lengths=(2.5, 30.0))
    assert again == plan
    assert [u.id for u in again.units] == [u.id for u in plan.units]


@settings(max_examples=30, deadline=None)
@given(plan=plans(), data=st.data())
def test_that_a_unit_moved_and_moved_back_restores_the_plan(plan: SplitPlan, data) -> None:
    if plan.unit == LEAKY:
        return
    number = data.draw(st.integers(0, len(plan.units) - 1))
    unit, role = plan.units[number].id, plan.roles[number]
    try:
        moved = plan.moved(unit, held=role == TRAINED)
    except NotEnoughLabels:
        return
    assert moved.roles[number] != role
    assert moved.moved(unit, held=role >= 0, fold=max(role, 0)) == plan


@settings(max_examples=30, deadline=None)
@given(plan=plans())
def test_that_a_project_gets_the_same_plan_back(plan: SplitPlan) -> None:
    kept = SplitChoice.model_validate_json(plan.choice().model_dump_json())
    again = plan_split(plan.planes, plan.spec, plan.classes, 6, lengths=(2.5, 30.0), choice=kept)
    assert again.roles == plan.roles
    assert again.buffer == plan.buffer
    assert [u.id for u in again.units] == [u.id for u in plan.units]
    assert not again.missing


def test_that_every_field_of_the_spec_says_what_it_does() -> None:
    for name, field in SplitSpec.model_fields.items():
        assert field.title, name
        assert field.description.endswith("."), name
    with pytest.raises(ValueError, match="folds"):
        SplitSpec(folds=11)


def test_that_about_the_share_of_each_class_is_held_out_by_every_kind() -> None:
    files = [squares(i, (300, 300), classes=3, each=9, side=20, source=i) for i in range(20)]
    for kind in KINDS:
        parts = plan_of(files, unit=kind, share=0.25).parts(0)
        assert np.all(np.abs(parts.held / parts.total - 0.25) < 0.07), kind


def test_that_every_unit_is_held_out_once_over_the_folds() -> None:
    labels = np.ones((400, 600), np.uint8)
    labels[:, 200:350], labels[250:] = 2, 3
    plan = plan_of([a_raster(labels)], folds=5)
    assert plan.folds == 5
    total = plan.parts(0).total
    assert sum(plan.parts(f).held for f in range(5)).tolist() == total.tolist()
    for fold in range(5):
        assert np.all(np.abs(plan.parts(fold).held / total - 0.2) < 0.1)


def test_that_a_class_of_one_patch_stays_in_training_with_its_score_unknown() -> None:
    labels = np.ones((300, 400), np.uint8)
    labels[:, 200:] = 2
    labels[90:130, 90:130] = 3
    plan = plan_of([a_raster(labels)])
    assert plan.unknown == (2,)
    assert "C: labelled in too few places" in plan.warnings[0]
    parts = plan.parts(0)
    assert parts.held[2] == 0
    assert parts.trained[2] >= 0.7 * 1600
    assert np.all(parts.held[:2] > 0)


@given(
    counts=st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=2, max_size=12),
    share=st.sampled_from([0.1, 0.3, 0.5]), folds=st.integers(1, 4), seed=st.integers(0, 9),
)  # fmt: skip
def test_that_a_draw_leaves_every_class_some_units(counts, share, folds, seed) -> None:
    table = np.array(counts)
    movable = ~(table[:, (table > 0).sum(0) == 1] > 0).any(1)
    roles = draw_roles(table, movable, share=share, folds=folds, seed=seed)
    assert np.all(roles[~movable] == TRAINED)
    total = table.sum(0)
    for fold in range(roles.max() + 1):
        assert np.any(roles == fold)
        left = table[roles != fold].sum(0)
        assert np.all((left > 0) | (total == 0))


@pytest.mark.parametrize("seed", range(6))
def test_that_the_only_file_of_a_class_is_trained_on(seed: int) -> None:
    files = [squares(i, (90, 90), classes=2, each=4, side=15, source=i) for i in range(4)]
    alone = np.ones((90, 90), np.uint8)
    alone[40:] = 3
    for folds in (1, 3):
        planes = [*files, a_raster(alone, 4)]
        plan = plan_of(planes, unit="file", share=0.5, folds=folds, seed=seed)
        assert plan.folds == folds
        assert plan.roles[4] == TRAINED
        assert plan.unknown == (2,)


@pytest.mark.parametrize("seed", range(8))
def test_that_drawn_pixels_do_not_take_a_whole_class(seed: int) -> None:
    labels = np.ones((120, 120), np.uint8)
    labels[:, 60:] = 2
    labels[5, 5:7], labels[100, 100] = 3, 4
    plan = plan_of([a_raster(labels)], classes=4, unit=LEAKY, share=0.5, seed=seed)
    assert np.all(plan.parts(0).trained > 0)
    assert 3 in plan.unknown


def test_that_files_labelled_alike_are_held_out_whole() -> None:
    files = [squares(i, (120, 120), classes=2, each=4, side=20, source=i) for i in range(5)]
    plan = plan_of(files, classes=2)
    assert plan.unit == "file"
    assert "several files" in plan.words[0]
    held = [bool(s.held_mask(*whole(s.shape)).any()) for s in plan.fold(0)]
    assert sum(held) == 1
    assert [s.held_mask(*whole(s.shape)).all() for s in plan.fold(0)] == held


def test_that_files_of_different_classes_are_not_held_out_whole() -> None:
    files = [squares(i, (300, 300), classes=2, each=9, side=40, source=i) for i in range(3)]
    other = np.zeros((300, 300), np.uint8)
    other[:] = 3
    assert plan_of([*files, a_raster(other, 3)]).unit == "block"


def test_that_separate_patches_are_held_out_whole() -> None:
    plan = plan_of([squares(3, (900, 900), classes=3, each=8, side=15)])
    assert plan.unit == "polygon"
    split, p = plan.fold(0)[0], plan.planes[0]
    held = split.is_held(p.cells.rows, p.cells.columns)
    for number in range(len(plan.units)):
        assert len(set(held[plan.unit_set.owners[0] == number].tolist())) == 1


def test_that_touching_patches_of_two_classes_are_two_units() -> None:
    labels = np.zeros((60, 90), np.uint8)
    labels[10:20, 10:20], labels[10:20, 20:30], labels[40:50, 60:70] = 1, 2, 1
    plan = plan_of([a_raster(labels)], classes=2, unit="polygon")
    assert sorted(u.counts.tolist() for u in plan.units) == [[0, 100], [100, 0], [100, 0]]


def test_that_labels_in_one_place_are_all_trained_on() -> None:
    labels = np.zeros((200, 200), np.uint8)
    labels[64:70, 64:70], labels[70:76, 64:70] = 1, 2
    plan = plan_of([a_raster(labels)], classes=2)
    assert plan.folds == 0
    assert "too few places" in plan.words[0]
    assert plan.parts(None).trained.tolist() == [36, 36]


def test_that_many_sections_of_a_cube_are_held_out_in_groups() -> None:
    cube = np.ones((100, 30, 40), np.uint8)
    cube[:, :, 20:] = 2
    sections = [(0, i) for i in range(0, 100, 4)]
    plan = plan_of(a_cube(cube, [*sections, (1, 7)]), classes=2, reach=3)
    assert plan.unit == "section"
    assert "many sections" in plan.words[0]
    splits = plan.fold(0)
    inlines = [s.held_mask(*whole(s.shape)) for s in splits[:-1]]
    assert all(m.all() or not m.any() for m in inlines)
    crossing = splits[-1].held_mask(*whole(splits[-1].shape))
    for (_, index), mask in zip(sections, inlines, strict=True):
        assert crossing[:, index].all() == mask.all()
    assert nearest_is_beyond_buffer(plan, 0)


@settings(max_examples=8, deadline=None)
@given(kind=st.sampled_from(["block", "section", "polygon", LEAKY]), seed=st.integers(0, 99))
def test_that_sections_of_a_cube_hold_out_the_same_ground(kind: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    cube = np.kron(random.integers(0, 3, (5, 7, 5)), np.ones((8, 8, 8), int)).astype(np.uint8)
    sections = [(0, 3), (0, 9), (0, 12), (0, 30), (1, 5), (1, 40), (2, 20)]
    planes = a_cube(cube, [(a, i) for a, i in sections])
    plan = plan_of(planes, classes=2, unit=kind, share=0.3, reach=4, seed=seed)
    for fold in range(plan.folds):
        held, trained = labelled_in_source(plan, plan.fold(fold))
        assert held
        assert not held & trained
        assert nearest_is_beyond_buffer(plan, fold)


def test_that_a_test_set_is_neither_trained_on_nor_held_out() -> None:
    plan = plan_of([squares(1, (300, 300), classes=3, each=9, side=20)], unit="block", reach=4)
    unit = next(u.id for u, r in zip(plan.units, plan.roles, strict=True) if r == TRAINED)
    tested = plan.tested(unit, test=True)
    assert tested.tests == (unit,)
    assert "kept for the test" in tested.words[-1]
    p, owner = plan.planes[0], [u.id for u in plan.units].index(unit)
    mine = plan.unit_set.owners[0] == owner
    for split in (*tested.fold(0), *tested.refit()):
        assert split.is_test(p.cells.rows, p.cells.columns)[mine].all()
        assert split.is_near(p.cells.rows, p.cells.columns)[mine].all()
        assert not split.is_held(p.cells.rows, p.cells.columns)[mine].any()
    assert nearest_is_beyond_buffer(tested, None)
    assert tested.tested(unit, test=False) == plan


def test_that_new_labels_leave_a_kept_test_block_alone() -> None:
    before = squares(1, (300, 300), classes=3, each=9, side=20)
    plan = plan_of([before], unit="block")
    unit = plan.units[0]
    kept = plan.tested(unit.id, test=True).choice()
    labels = np.zeros(before.shape, np.uint8)
    labels[before.cells.rows, before.cells.columns] = before.cells.classes + 1
    (top, bottom), (left, right) = unit.boxes[0]
    labels[top:bottom, left:right] = 1
    labels[-5:, -5:] = 3
    again = plan_split([a_raster(labels)], plan.spec, NAMES[:3], 8, choice=kept)
    assert again.tests == (unit.id,)
    assert again.reason == "as kept"


def test_that_kept_units_without_labels_are_told() -> None:
    plan = plan_of([squares(1, (300, 300), classes=3, each=9, side=20)], unit="block")
    kept = SplitChoice(unit="block", side=plan.unit_set.side, roles={"0:9999-9999": TEST})
    again = plan_split(plan.planes, plan.spec, plan.classes, 8, choice=kept)
    assert again.missing == 1
    assert again.warnings[-1] == "Of the kept split 1 unit without labels left out."


def test_that_the_last_labels_of_a_class_cannot_be_moved_out_of_training() -> None:
    labels = np.ones((300, 400), np.uint8)
    labels[:, 200:] = 2
    labels[90:130, 90:130] = 3
    plan = plan_of([a_raster(labels)])
    *others, last = [unit.id for unit in plan.units if unit.counts[2]]
    for unit in others:
        plan = plan.moved(unit, held=True)
    with pytest.raises(NotEnoughLabels, match="C: no labels would be left"):
        plan.moved(last, held=True)


def test_that_single_pixels_cannot_be_moved_and_say_what_they_are() -> None:
    plan = plan_of([squares(1, (300, 300), classes=3, each=9, side=20)], unit=LEAKY)
    assert "says nothing about new ground" in plan.warnings[0]
    with pytest.raises(BadRequest, match="cannot be moved"):
        plan.moved(plan.units[0].id, held=True)


def test_that_a_wide_buffer_is_cut_and_the_plan_says_so() -> None:
    labels = np.ones((200, 260), np.uint8)
    labels[:, 130:] = 2
    plan = plan_of([a_raster(labels)], classes=2, buffer=100, unit="block")
    assert plan.capped
    assert 0 < max(plan.buffer) < 100
    assert "more than 30%" in plan.warnings[0]
    assert "may be optimistic" in plan.warnings[0]


def test_that_the_buffer_is_the_shorter_of_reach_and_length() -> None:
    p = squares(1, (900, 900), classes=3, each=9, side=20)
    spec = SplitSpec()
    plan = plan_split([p], spec, NAMES[:3], 46, lengths=(3.2, 80.0))
    assert plan.wanted == (4, 46)
    assert plan_split([p], spec, NAMES[:3], 46).wanted == (46, 46)


def test_that_units_are_found_where_they_are_drawn() -> None:
    plan = plan_of([squares(5, (400, 300), classes=3, each=9, side=20)])
    places = list(plan.places())
    assert {place.unit for place in places} == {unit.id for unit in plan.units}
    p = plan.planes[0]
    for at in np.random.default_rng(0).integers(0, len(p.cells.rows), 20):
        row, column = int(p.cells.rows[at]), int(p.cells.columns[at])
        found = plan.unit_at(0, row, column)
        assert found == plan.units[plan.unit_set.owners[0][at]].id
        place = next(each for each in places if each.unit == found)
        assert place.rows.start <= row < place.rows.stop
        assert place.columns.start <= column < place.columns.stop


def test_that_the_windows_to_score_hold_all_that_is_held_out() -> None:
    plan = plan_of([squares(5, (500, 700), classes=3, each=9, side=20)])
    for split in plan.fold(0):
        seen = np.zeros(split.shape, int)
        for rows, columns in split.held_windows(side=128):
            seen[rows, columns] += 1
        assert seen.max() == 1
        assert np.all(seen[split.held_mask(*whole(split.shape))] == 1)


def test_that_thinned_labels_are_planned_as_one_patch_each() -> None:
    labels = np.zeros((600, 600), np.uint8)
    for k in range(12):
        row, column = divmod(k, 4)
        labels[row * 200 : row * 200 + 100, column * 150 : column * 150 + 80] = k % 2 + 1
    p = a_raster(labels)
    thin = type(p.cells)(p.cells.rows[::40], p.cells.columns[::40], p.cells.classes[::40], 40)
    plan = plan_of([type(p)(0, p.plane, p.shape, thin)], classes=2)
    assert plan.unit == "polygon"
    assert len(plan.units) == 12


@pytest.mark.parametrize("kind", KINDS)
def test_that_no_labels_give_an_empty_plan(kind: str) -> None:
    for planes in ([], [a_raster(np.zeros((50, 60)))], a_cube(np.zeros((9, 9, 9), int), [(0, 3)])):
        plan = plan_of(planes, unit=kind)
        assert plan.folds == 0
        assert plan.words == ("Nothing is held out: there are no labels yet.",)
        assert plan.warnings == ()
        assert list(plan.places()) == []


def test_that_an_empty_picture_among_others_is_nobodys_trouble() -> None:
    planes = [squares(5, (300, 300), classes=2, each=9, side=20), a_raster(np.zeros((50, 50)), 1)]
    for kind in KINDS:
        plan = plan_of(planes, classes=2, unit=kind)
        assert plan.parts(None).total.sum() == len(planes[0].cells.rows)


def layers() -> np.ndarray:
    """Labels of a section: two layers across it, below them two that meet halfway."""
    labels = np.ones((340, 950), np.uint8)
    labels[120:200] = 2
    labels[200:300, :380] = 3
    labels[200:300, 380:] = 4
    return labels


def test_that_layers_of_one_section_are_all_scored_by_several_blocks() -> None:
    plan = plan_split([a_raster(layers())], SplitSpec(), "ABCD", 96, lengths=(34, 400))
    held = plan.unit_set.counts[np.array(plan.roles) >= 0]
    assert len(held) >= 5
    assert not plan.unknown
    assert max(plan.buffer) > 48


def test_that_more_blocks_do_not_make_the_buffer_narrower() -> None:
    labels = layers()
    labels[:20:2, ::5], labels[320:, ::7] = 3, 4  # in several patches, so that wide blocks do too
    planes, spec = [a_raster(labels)], SplitSpec()
    plan = plan_split(planes, spec, "ABCD", 96, lengths=(34, 400))
    units = cut_blocks(planes, 4, 192)
    roles = _draw(units.counts, np.ones(len(units.units), bool), spec)
    kept = SplitChoice(unit="block", side=192, roles={
        u.id: r for u, r in zip(units.units, roles, strict=True) if r >= 0
    })  # fmt: skip
    few = plan_split(planes, spec, "ABCD", 96, lengths=(34, 400), choice=kept)
    assert max(plan.buffer) >= max(few.buffer)
    assert sum(role >= 0 for role in plan.roles) >= sum(role >= 0 for role in few.roles)


def test_that_few_units_held_out_are_told_and_folds_are_proposed() -> None:
    labels = np.ones((100, 400), np.uint8)
    labels[:, 200:] = 2
    planes = [a_raster(labels)]
    kept = SplitChoice(unit="block", side=50, roles={"0:0-0": 0, "0:0-200": 0, "0:50-350": 0})
    plan = plan_split(planes, SplitSpec(), "AB", 4, lengths=(60, 60), choice=kept)
    assert plan.warnings[-1] == (
        "Only 3 units held out: the score may be far off. "
        "With 5 folds it would come from up to 16 units."
    )
    folds = plan_split(planes, SplitSpec(folds=5), "AB", 4, lengths=(60, 60))
    assert not any("Only" in sentence for sentence in folds.warnings)

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geocnn_gui.data.source import Plane, Section
from geocnn_gui.scoring.split import BlockSplit, LabelledCells, LabelledPlane, choose_blocks


def a_plane(labels: np.ndarray) -> LabelledPlane:
    """A 2-D source whose picture is `labels` (0 unlabelled)."""
    return LabelledPlane(0, Plane(Section(), 2, 0, 1), labels.shape, cells_of(labels))


def cells_of(labels: np.ndarray) -> LabelledCells:
    rows, columns = np.nonzero(labels)
    return LabelledCells(rows, columns, labels[rows, columns].astype(np.int64) - 1)


def choose(labels: np.ndarray, *, classes: int, share: float, seed: int = 0) -> BlockSplit | None:
    splits = choose_blocks([a_plane(labels)], classes=classes, share=share, buffer=8, seed=seed)
    return None if splits is None else splits[0]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    share=st.floats(0.1, 0.5),
    shape=st.tuples(st.integers(100, 500), st.integers(100, 900)),
)
def test_that_no_class_is_lost_for_training(
    seed: int, share: float, shape: tuple[int, int]
) -> None:
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint8)
    for number in (1, 2, 3):
        for _ in range(random.integers(1, 6)):
            row, column = random.integers(0, shape[0] - 20), random.integers(0, shape[1] - 20)
            labels[row : row + 20, column : column + 20] = number
    split = choose(labels, classes=3, share=share, seed=seed)
    if split is None:
        return
    cells = cells_of(labels)
    assert 0 < split.is_held(cells.rows, cells.columns).sum() < len(cells.rows)
    free = ~split.is_near(cells.rows, cells.columns, 8)
    assert set(cells.classes[free]) == set(cells.classes)


def test_that_dabs_at_a_block_corner_are_not_all_taken_by_the_buffer() -> None:
    labels = np.zeros((200, 200), np.uint8)
    labels[58:64, 52:64], labels[64:70, 64:76] = 1, 2
    split = choose(labels, classes=2, share=0.5)
    if split is not None:
        cells = cells_of(labels)
        free = ~split.is_near(cells.rows, cells.columns, 8)
        assert set(cells.classes[free]) == {0, 1}


def test_that_about_the_share_of_each_class_is_held_out() -> None:
    labels = np.ones((400, 900), np.uint8)
    labels[:, 300:500], labels[250:] = 2, 3
    split = choose(labels, classes=3, share=0.2)
    assert split is not None
    cells = cells_of(labels)
    held = split.is_held(cells.rows, cells.columns)
    for number in range(3):
        assert 0.1 < held[cells.classes == number].mean() < 0.3


def test_that_labels_in_one_place_give_no_split() -> None:
    labels = np.zeros((200, 200), np.uint8)
    labels[64:70, 64:70], labels[70:76, 64:70] = 1, 2
    assert choose(labels, classes=2, share=0.2) is None


def test_that_a_share_of_zero_holds_nothing_out() -> None:
    labels = np.ones((400, 400), np.uint8)
    labels[:, 200:] = 2
    assert choose(labels, classes=2, share=0) is None


def test_that_sections_of_a_cube_hold_out_the_same_ground() -> None:
    truth = np.random.default_rng(0).integers(1, 3, (40, 120, 100))
    pictures = []
    for axis, index in ((0, 10), (0, 15), (0, 16), (0, 30), (1, 50)):
        row, column = 2, 1 - axis
        plane = Plane(Section(axis, index), 3, row, column)
        labels = truth.take(index, axis=axis).T.astype(np.uint8)
        pictures.append(LabelledPlane(0, plane, labels.shape, cells_of(labels)))
    splits = choose_blocks(pictures, classes=2, share=0.3, buffer=8, seed=0)
    assert splits is not None
    held, trained = np.zeros((2, *truth.shape), bool)
    for picture, split in zip(pictures, splits, strict=True):
        parts = slice(0, picture.shape[0]), slice(0, picture.shape[1])
        window = picture.plane.window(*parts).slices
        held[window] |= picture.plane.array(split.held_mask(*parts))
        trained[window] |= picture.plane.array(~split.near_mask(*parts, 8))
    assert held.any()
    assert trained.any()
    far = np.argwhere(trained)
    near = set(map(tuple, np.argwhere(held).tolist()))
    for cell in np.random.default_rng(1).permutation(far)[:300]:
        for axis in range(3):
            for step in range(-8, 9):
                other = cell.copy()
                other[axis] += step
                assert tuple(other.tolist()) not in near


@given(
    rows=st.integers(1, 100), columns=st.integers(1, 100), grow=st.integers(0, 16),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_that_masks_and_cells_agree(rows: int, columns: int, grow: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    held = random.random((-(-rows // 16), -(-columns // 16))) < 0.3
    split = BlockSplit(16, held, held)
    r, c = (x.ravel() for x in np.indices((rows, columns)))
    whole = slice(0, rows), slice(0, columns)
    near = split.near_mask(*whole, grow)
    assert np.array_equal(split.is_near(r, c, grow), near.ravel())
    assert np.array_equal(split.is_held(r, c), split.held_mask(*whole).ravel())
    part = slice(rows // 2, rows), slice(columns // 3, columns)
    assert np.array_equal(split.near_mask(*part, grow), near[part])

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geocnn_gui.scoring.split import BlockSplit, LabelledCells, choose_blocks


def cells_of(labels: np.ndarray) -> LabelledCells:
    rows, columns = np.nonzero(labels)
    return LabelledCells(rows, columns, labels[rows, columns].astype(np.int64) - 1)


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
    cells = cells_of(labels)
    present = set(np.unique(cells.classes))
    splits = choose_blocks([cells], [shape], classes=3, share=share, seed=seed)
    if splits is None:
        return
    held = splits[0].is_held(cells.rows, cells.columns)
    assert 0 < held.sum() < len(held)
    assert set(np.unique(cells.classes[~held])) == present


def test_that_about_the_share_of_each_class_is_held_out() -> None:
    labels = np.ones((400, 900), np.uint8)
    labels[:, 300:500], labels[250:] = 2, 3
    cells = cells_of(labels)
    split = choose_blocks([cells], [labels.shape], classes=3, share=0.2, seed=0)
    assert split is not None
    held = split[0].is_held(cells.rows, cells.columns)
    for number in range(3):
        assert 0.1 < held[cells.classes == number].mean() < 0.3


def test_that_labels_in_one_place_give_no_split() -> None:
    labels = np.zeros((200, 200), np.uint8)
    labels[64:70, 64:70], labels[70:76, 64:70] = 1, 2
    assert choose_blocks([cells_of(labels)], [labels.shape], classes=2, share=0.2, seed=0) is None


def test_that_a_share_of_zero_holds_nothing_out() -> None:
    labels = np.ones((400, 400), np.uint8)
    labels[:, 200:] = 2
    assert choose_blocks([cells_of(labels)], [labels.shape], classes=2, share=0, seed=0) is None


@given(
    rows=st.integers(1, 100), columns=st.integers(1, 100), grow=st.integers(0, 16),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_that_mask_and_is_held_agree(rows: int, columns: int, grow: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    split = BlockSplit(16, random.random((-(-rows // 16), -(-columns // 16))) < 0.3)
    mask = split.mask(slice(0, rows), slice(0, columns), grow=grow)
    r, c = (x.ravel() for x in np.indices((rows, columns)))
    assert np.array_equal(split.is_held(r, c, grow=grow), mask.ravel())
    part = split.mask(slice(rows // 2, rows), slice(columns // 3, columns), grow=grow)
    assert np.array_equal(part, mask[rows // 2 :, columns // 3 :])

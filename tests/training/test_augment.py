import torch

from geocnn_gui.training.augment import CHANGES, Changes, augment


def a_batch(n: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures that rise downwards, with labels that name the quadrant."""
    rows = torch.arange(1.0, 41).reshape(1, 1, 40, 1).expand(n, 1, 40, 40).clone()
    labels = torch.zeros(n, 40, 40, dtype=torch.uint8)
    labels[:, :20, :20], labels[:, :20, 20:] = 1, 2
    labels[:, 20:, :20], labels[:, 20:, 20:] = 3, 4
    return rows, labels


def still(changes: Changes) -> Changes:
    return Changes(changes.upright, 0.0, 0.0, 0.0, 0.0, 0.0)


def corners(labels: torch.Tensor) -> set[tuple[int, ...]]:
    return {(int(x[4, 4]), int(x[4, -5]), int(x[-5, 4]), int(x[-5, -5])) for x in labels}


def test_that_sections_flip_left_right_only() -> None:
    _, labels = augment(
        *a_batch(),
        (32, 32),
        changes=still(CHANGES["seismic"]),
        random=torch.Generator().manual_seed(0),
    )
    assert corners(labels) == {(1, 2, 3, 4), (2, 1, 4, 3)}


def test_that_imagery_takes_all_eight() -> None:
    _, labels = augment(
        *a_batch(256),
        (32, 32),
        changes=still(CHANGES["imagery"]),
        random=torch.Generator().manual_seed(0),
    )
    assert len(corners(labels)) == 8


def test_that_sections_keep_samples_downwards() -> None:
    values, _ = augment(
        *a_batch(), (24, 24), changes=CHANGES["seismic"], random=torch.Generator().manual_seed(1)
    )
    top, bottom = values[:, 0, :6].mean((1, 2)), values[:, 0, -6:].mean((1, 2))
    assert bool((bottom > top).all())


def test_that_labels_move_with_the_values() -> None:
    labels = torch.zeros(32, 60, 60, dtype=torch.uint8)
    labels[:, 25:40, 20:45] = 1
    values = torch.where(labels[:, None] == 1, 10.0, 1.0)
    changes = Changes(upright=False, stretch=0.25, shear=0.2, gain=0.0, shift=0.0, noise=0.0)
    moved, numbers = augment(
        values, labels, (48, 48), changes=changes, random=torch.Generator().manual_seed(2)
    )
    inside = moved[:, 0] > 5.5
    assert float((inside == (numbers == 1)).float().mean()) > 0.99


def test_that_cells_without_data_stay_empty_and_unlabelled() -> None:
    values, labels = a_batch()
    values[:, :, :, :10], labels[:, :, :10] = 0, 0
    changes = Changes(upright=True, stretch=0.0, shear=0.0, gain=0.3, shift=0.5, noise=0.5)
    moved, numbers = augment(
        values, labels, (40, 40), changes=changes, random=torch.Generator().manual_seed(3)
    )
    assert int((numbers == 0).sum()) == 64 * 40 * 10
    assert bool((moved[:, 0][numbers == 0] == 0).all())
    assert bool((moved[:, 0][numbers > 0] != 0).all())


def test_that_traces_move_and_lose_bands_but_never_all():
    values = torch.zeros(400, 3, 80, 1)
    values[:, :, 38:42] = 1.0
    labels = torch.ones(400, 80, 1, dtype=torch.long)
    random = torch.Generator().manual_seed(0)
    found, numbers = augment(values, labels, (64, 1), changes=CHANGES["seismic"], random=random)
    assert found.shape == (400, 3, 64, 1)
    assert (numbers[:, 10:-10] == 1).all()  # ends may run dry
    lost = (found == 0).all(dim=(2, 3))
    assert 0.02 < lost.float().mean() < 0.15
    assert not lost.all(dim=1).any()
    whole = found[~lost.any(dim=1)].sum(dim=1)[..., 0]
    middles = (whole.clamp(min=0) * torch.arange(64)).sum(1) / whole.clamp(min=0).sum(1)
    assert middles.std() > 0.8
    assert (middles - 31.5).abs().max() < 8

import numpy as np
import pytest
import torch
from live_sources import open_values, small_backbone, two_textures

from geocnn_gui.data.source import Section, Window
from geocnn_gui.inference.device import choose_device
from geocnn_gui.labels import store as store_room
from geocnn_gui.labels.classes import classes_for
from geocnn_gui.labels.store import LabelSnapshot, LabelStore
from geocnn_gui.live import cells as cells_room
from geocnn_gui.live import features as room
from geocnn_gui.live.cells import BLOCK_CELLS, CLASS_CELLS, CellBook
from geocnn_gui.live.features import Features
from geocnn_gui.live.head import fit_head
from geocnn_gui.live.loop import Live
from geocnn_gui.live.map import LiveMap
from geocnn_gui.training import sections as sections_room

CLASSES = classes_for([1, 2])


@pytest.fixture
def line(tmp_path):
    values, truth = two_textures((120, 80))
    with open_values(values) as source:
        yield source, truth


def live_on(source):
    return Live(Features(small_backbone(source), source, device=choose_device("cpu")))


def strokes(truth, count, seed=0):
    labels = np.zeros_like(truth)
    rng = np.random.default_rng(seed)
    for _ in range(count):
        at = tuple(slice(p, p + 4) for p in rng.integers(0, np.array(truth.shape) - 4))
        labels[at] = truth[at]
    return labels


def drawn(live, source, section=None):
    section = section or source.first_section()
    height, width = source.picture_shape(section)
    live_map = LiveMap(source, section, CLASSES)
    for _ in live.draw(live.head, section, slice(0, height), slice(0, width), onto=live_map):
        pass
    return live_map


def test_that_strokes_become_a_map_of_the_whole_section(line):
    source, truth = line
    live = live_on(source)
    assert live.learn(LabelSnapshot.from_array(strokes(truth, 60)), CLASSES) is not None
    live_map = drawn(live, source)
    whole = Window.whole(source.shape)
    assert (live_map.read_classes(whole) == truth).mean() > 0.85
    confidence = live_map.read_confidence(whole)
    assert confidence.min() >= 0.49
    assert confidence.max() <= 1


def test_that_one_class_alone_gives_no_head(line):
    source, truth = line
    live = live_on(source)
    labels = np.where(truth == 1, strokes(truth, 10), 0)
    assert live.learn(LabelSnapshot.from_array(labels), CLASSES) is None
    assert live.head is None


def test_that_a_class_that_was_deleted_is_not_named(line):
    source, truth = line
    live = live_on(source)
    labels = strokes(truth, 20)
    labels[:6, :6] = 9
    live.learn(LabelSnapshot.from_array(labels), CLASSES)
    assert live.head.ids == (1, 2)


def test_that_a_cube_painted_on_one_section_comes_coloured_on_another(tmp_path):
    values, truth = two_textures((30, 24, 60))
    values, truth = values.swapaxes(0, 1).copy(), truth.swapaxes(0, 1).copy()
    with open_values(values) as source:
        live = live_on(source)
        labels = np.zeros_like(truth)
        labels[4, ::2, ::3] = truth[4, ::2, ::3]
        assert live.learn(LabelSnapshot.from_array(labels), CLASSES) is not None
        assert live.cells.sections == (Section(0, 4),)
        live_map = drawn(live, source, Section(0, 17))
        said = live_map.read_classes(Window((17, 0, 0), (1, 30, 60)))
        elsewhere = live_map.read_classes(Window((3, 0, 0), (1, 30, 60)))
    assert (said[0] == truth[17]).mean() > 0.7
    assert not elsewhere.any()


def test_that_labels_of_another_source_count_too(tmp_path):
    values, truth = two_textures((120, 80))
    with open_values(values) as one, open_values(values) as other:
        live = live_on(one)
        live.add(Features(live.features.backbone, other, device=choose_device("cpu")))
        mine = LabelSnapshot.from_array(np.where(truth == 1, strokes(truth, 20), 0))
        theirs = LabelSnapshot.from_array(np.where(truth == 2, strokes(truth, 20), 0))
        assert live.learn(mine, CLASSES, beside=[LabelSnapshot(other.shape)]) is None
        assert live.learn(mine, CLASSES, beside=[theirs]) is not None


def test_that_only_blocks_that_changed_are_looked_at_again(line, monkeypatch):
    source, truth = line
    store = LabelStore(source.shape)
    store.write(Window.whole(source.shape), strokes(truth, 20))
    features = Features(small_backbone(source), source, device=choose_device("cpu"))
    looked = []
    look = Features.at
    monkeypatch.setattr(Features, "at", lambda *a: looked.append(a) or look(*a))
    book = CellBook(features)
    book.gather(store.snapshot(), known=[1, 2])
    again = book.gather(store.snapshot(), known=[1, 2])
    assert len(looked) == 1
    store.write(Window((0, 0), (3, 3)), 2)
    changed = book.gather(store.snapshot(), known=[1, 2])
    assert len(looked) == 2
    assert len(again.ids) > 0
    assert (changed.ids == 2).any()


def test_that_a_flood_of_labels_is_sampled_fairly(tmp_path):
    values, truth = two_textures((600, 300))
    truth[:5, :5] = 3
    with open_values(values) as source:
        features = Features(small_backbone(source), source, device=choose_device("cpu"))
        cells = CellBook(features).gather(LabelSnapshot.from_array(truth), known=[1, 2, 3])
    counts = np.bincount(cells.ids, minlength=4)
    assert counts[3] == 25
    assert counts[1] <= CLASS_CELLS
    assert counts[2] >= BLOCK_CELLS
    assert (truth.T[tuple(cells.cells.T)] == cells.ids).all()


def test_that_cells_of_a_map_without_data_are_not_named(tmp_path):
    values, truth = two_textures((100, 60))
    values[40:60] = np.nan
    with open_values(values) as source:
        live = live_on(source)
        live.learn(LabelSnapshot.from_array(strokes(truth, 30)), CLASSES)
        classes = drawn(live, source).read_classes(Window.whole(source.shape))
    assert not classes[40:60].any()
    assert classes[:40].all()


def separable(count, seed):
    rng = np.random.default_rng(seed)
    ids = rng.choice([2, 5, 9], count).astype(np.uint8)
    middles = {2: (0, 0), 5: (6, 0), 9: (0, 6)}
    spots = np.array([middles[i] for i in ids.tolist()]) + rng.standard_normal((count, 2))
    return torch.from_numpy(spots.astype(np.float32)), ids


def test_that_a_head_names_what_it_was_fitted_to():
    features, ids = separable(300, 0)
    head = fit_head(features, ids)
    other, truth = separable(300, 1)
    said = np.array(head.ids)[head.probabilities(other).argmax(dim=1).numpy()]
    assert (said == truth).mean() > 0.97


def test_that_shares_follow_what_is_not_labelled():
    features, ids = separable(300, 0)
    others, truth = separable(1000, 1)
    head = fit_head(features, ids, others=others[torch.from_numpy(truth == 5)])
    assert head.shares[1] > 0.8
    assert head.shares.sum().item() == pytest.approx(1)


def test_that_a_head_that_goes_on_from_an_earlier_one_ends_where_a_fresh_one_does():
    features, ids = separable(400, 0)
    first = fit_head(features[:200], ids[:200])
    fresh, warm = fit_head(features, ids), fit_head(features, ids, start=first)
    other, _ = separable(200, 3)
    assert torch.allclose(fresh.probabilities(other), warm.probabilities(other), atol=0.02)


def test_that_channels_that_never_vary_do_no_harm():
    features, ids = separable(100, 0)
    head = fit_head(torch.cat([features, torch.full((100, 1), 7.0)], dim=1), ids)
    assert torch.isfinite(head.weights).all()


def test_that_what_counts_more_is_not_drowned_by_many_channels_that_say_nothing():
    random = np.random.default_rng(0)

    def noisy(count, seed):
        features, ids = separable(count, seed)
        noise = random.standard_normal((count, 300)).astype(np.float32)
        return torch.cat([features, torch.from_numpy(noise)], dim=1), ids

    (features, ids), (other, truth) = noisy(24, 0), noisy(300, 1)
    emphasis = torch.cat([torch.full((2,), 6.0), torch.full((300,), 0.25)])
    plain = fit_head(features, ids)
    head = fit_head(features, ids, emphasis=emphasis)
    again = fit_head(features, ids, emphasis=emphasis, start=plain)

    def right(head):
        return (np.array(head.ids)[head.logits(other).argmax(dim=1).numpy()] == truth).mean()

    assert right(head) > right(plain) + 0.1
    assert torch.allclose(head.logits(other), again.logits(other), atol=0.05)
    assert torch.equal(head.scale, plain.scale)


def test_that_labels_everywhere_are_looked_at_in_few_places(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "TILE", 64)
    monkeypatch.setattr(store_room, "CHUNK_SHAPES", {2: (16, 16)})
    monkeypatch.setattr(cells_room, "_MOST_BLOCKS", 12)
    values, truth = two_textures((256, 256))
    source = open_values(values)
    store = LabelStore(source.shape)
    store.write(Window.whole(source.shape), truth)
    features = Features(small_backbone(source), source, device=choose_device("cpu"))
    book = CellBook(features)
    steps = sum(1 for _ in book.look(store.snapshot(), known=[1, 2]))
    assert steps <= 12
    store.write(Window((250, 3), (4, 4)), 2)
    cells = book.gather(store.snapshot(), known=[1, 2])
    assert set(cells.ids.tolist()) == {1, 2}
    newest = (cells.cells[:, 1] >= 240) & (cells.cells[:, 0] < 16)
    assert newest.any()


def test_that_what_was_looked_at_stays_when_newer_work_breaks_in(monkeypatch):
    monkeypatch.setattr(store_room, "CHUNK_SHAPES", {2: (16, 16)})
    values, truth = two_textures((64, 64))
    source = open_values(values)
    labels = LabelSnapshot.from_array(truth)
    book = CellBook(Features(small_backbone(source), source, device=choose_device("cpu")))
    seen = []
    see = CellBook._see
    monkeypatch.setattr(CellBook, "_see", lambda self, *a: seen.append(a[0]) or see(self, *a))
    for _ in range(4):
        look = book.look(labels, known=[1, 2])
        for _, _ in zip(range(4), look, strict=False):
            pass
        look.close()
    book.gather(labels, known=[1, 2])
    assert len(seen) == len(set(seen)) == 16


def test_that_the_section_in_view_counts_in_a_cube_with_labels_everywhere(monkeypatch):
    monkeypatch.setattr(sections_room, "_MOST_SECTIONS", 3)
    values, truth = two_textures((20, 16, 24))
    source = open_values(values)
    store = LabelStore(source.shape)
    store.write(Window.whole(source.shape), truth)
    book = CellBook(Features(small_backbone(source), source, device=choose_device("cpu")))
    book.gather(store.snapshot(), known=[1, 2, 3])
    store.write(Window((7, 2, 2), (1, 4, 4)), 3)
    cells = book.gather(store.snapshot(), known=[1, 2, 3], near=Section(0, 7))
    of_three = {cells.sections[place] for place in cells.place[cells.ids == 3]}
    assert Section(0, 7) in of_three

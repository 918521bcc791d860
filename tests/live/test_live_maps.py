"""Maps by a live head: what is kept in memory on the way."""

from __future__ import annotations

import numpy as np
from live_sources import open_values, two_textures

from geocnn_gui.inference.device import choose_device
from geocnn_gui.labels.classes import classes_for
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.live import mapping
from geocnn_gui.live.features import Features
from geocnn_gui.live.spec import MapWish
from geocnn_gui.training.sections import Pair


def test_that_only_the_source_that_is_drawn_keeps_its_features(tmp_path, monkeypatch):
    made, tiles = [], []

    class Kept(Features):
        def __init__(self, *args, **more):
            super().__init__(*args, **more)
            self.before_tile = lambda: tiles.append(self.source.name)
            made.append(self)

    monkeypatch.setattr(mapping, "Features", Kept)
    values, truth = two_textures((80, 90))
    labels = np.where(np.arange(80)[:, None] % 20 < 4, truth, 0).astype(np.uint8)
    pairs = [Pair(open_values(values[:, :n]), LabelSnapshot.from_array(labels[:, :n]))
             for n in (90, 80, 70)]  # fmt: skip
    drawn = open_values(values)
    wish = MapWish(pairs, classes_for([1, 2]), drawn, None)
    for _ in mapping.draw_map(wish, tmp_path, device=choose_device("cpu")):
        pass
    assert made[0].source is drawn
    assert [len(each.kept()) for each in made] == [1, 0, 0, 0]
    assert len(tiles) == 4  # none twice

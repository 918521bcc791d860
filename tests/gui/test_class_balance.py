"""The classes of all labelled sources in the Train panel, and a word on rare ones."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtWidgets import QLabel

from geocnn_gui.data.source import Window
from geocnn_gui.gui.census import take_census
from geocnn_gui.gui.panels.train_panel import TrainPanel
from geocnn_gui.gui.widgets.class_bars import ClassBars
from geocnn_gui.labels.classes import LabelClass
from geocnn_gui.labels.store import LabelSnapshot

CLASSES = tuple(LabelClass(id=i, name=n, color="#808080") for i, n in ((1, "Rock"), (2, "Fault")))


def labels(*parts: tuple[int, slice, slice]) -> LabelSnapshot:
    values = np.zeros((400, 600), np.uint8)
    for number, rows, columns in parts:
        values[rows, columns] = number
    return LabelSnapshot.from_array(values)


def test_that_cells_and_places_are_counted_over_all_sources():
    one = labels((1, slice(0, 100), slice(0, 300)), (2, slice(150, 250), slice(9, 10)))
    two = labels((1, slice(0, 100), slice(0, 300)), (2, slice(100, 356), slice(500, 501)))
    census = take_census([one, two])
    assert census.cells == {1: 60_000, 2: 356}
    assert census.places == {2: 2}
    assert census.warnings(CLASSES) == [
        "Fault has 356 pixels in 2 places: its score will be unknown or uncertain."
    ]


def test_that_one_place_cannot_be_scored_and_plenty_is_not_spoken_of():
    census = take_census(
        [labels((2, slice(5, 30), slice(9, 11)), (1, slice(200, 400), slice(0, 600)))]
    )
    (text,) = census.warnings(CLASSES)
    assert text == "Fault has 50 pixels in 1 place: its score will be unknown."
    spread = [(2, slice(80 * i, 80 * i + 20), slice(0, 20)) for i in range(4)]
    assert take_census([labels(*spread)]).warnings(CLASSES) == []


@pytest.fixture
def panel(opened, qtbot):
    panel = TrainPanel(opened)
    panel.resize(330, 700)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    panel.close()
    panel.deleteLater()


def test_that_the_panel_counts_what_is_painted(panel, opened, qtbot):
    bars, few = panel.findChild(ClassBars), panel.findChild(QLabel, "few_cells")
    store = opened.labels.store
    store.write(Window((12, 0, 0), (1, 30, 4)), 1)
    opened.labels_changed.emit(Window((12, 0, 0), (1, 30, 4)))
    first = opened.classes[0].name
    qtbot.waitUntil(lambda: [n for *_, n in bars.rows] == [120, 0], timeout=5000)
    assert few.text() == f"{first} has 120 pixels in 1 place: its score will be unknown."
    store.write(Window((12, 0, 0), (1, 30, 4)), 0)
    opened.labels_changed.emit(Window((12, 0, 0), (1, 30, 4)))
    qtbot.waitUntil(lambda: not few.isVisible(), timeout=5000)

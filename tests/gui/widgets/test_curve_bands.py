"""Intervals behind the curves of runs, and beside the scores of classes."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor

from geocnn_gui.events import EpochDone
from geocnn_gui.gui.theme import DARK, LIGHT, apply_theme
from geocnn_gui.gui.widgets.compare_runs import ComparedRun, CompareRuns, rows_of
from geocnn_gui.gui.widgets.curve_plot import CurvePlot, band_of


def an_epoch(number: int, ends: tuple[float, float] | None) -> EpochDone:
    return EpochDone("holdout", number, 3, 0.5, holdout_iou=0.5, holdout_interval=ends)


@pytest.fixture
def plot(qtbot):
    plot = CurvePlot("Mean IoU")
    qtbot.addWidget(plot)
    plot.resize(300, 160)
    return plot


def test_that_the_interval_is_drawn_behind_the_curve(plot) -> None:
    points = ((1.0, 0.5), (2.0, 0.5), (3.0, 0.5))
    curve = (("", "#0b9e6f", points),)
    ends = tuple((epoch, 0.2, 0.8) for epoch, _ in points)

    def tinted() -> int:
        picture = plot.grab().toImage()
        column = [QColor(picture.pixel(150, y)) for y in range(picture.height())]
        return sum(c.green() - c.red() > 8 for c in column)

    plot.show_curves(curve)
    line = tinted()
    plot.show_curves(curve, bands=(("#0b9e6f", ends),))
    assert tinted() > line + 30


def test_that_epochs_without_an_interval_leave_a_gap() -> None:
    epochs = (an_epoch(1, None), an_epoch(2, (0.4, 0.6)), an_epoch(3, (0.45, 0.62)))
    assert band_of(epochs) == ((2, 0.4, 0.6), (3, 0.45, 0.62))


def test_that_compared_runs_show_how_far_a_class_may_be_off(qtbot) -> None:
    held = ((an_epoch(1, (0.3, 0.7)), an_epoch(2, (0.4, 0.6))),)
    first = ComparedRun("Run 1", {}, {"Salt": 0.5, "Clay": None}, {}, held,
                        intervals={"Salt": (0.4, 0.6), "Clay": None})  # fmt: skip
    second = ComparedRun("Run 2", {}, {"Salt": 0.55})
    rows = {name: texts for _, name, texts in rows_of((first, second))}
    assert rows["Salt"] == ["0.500, 0.40\N{EN DASH}0.60", "0.550"]
    assert rows["Clay"] == ["unknown", "–"]
    page = CompareRuns((first, second))
    qtbot.addWidget(page)
    assert [ends for _, ends in page.iou.bands] == [((1, 0.3, 0.7), (2, 0.4, 0.6))]


def test_that_names_follow_the_theme(qtbot, qapp) -> None:
    page = CompareRuns((ComparedRun("Run 1", {"State": "finished"}),))
    qtbot.addWidget(page)
    page.show()
    qtbot.waitExposed(page)
    try:
        for mode, colour in (("dark", DARK.muted), ("light", LIGHT.muted)):
            apply_theme(qapp, mode)
            assert page.table.item(0, 0).foreground().color().name() == colour
    finally:
        apply_theme(qapp, "light")

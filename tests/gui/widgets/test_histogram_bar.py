"""The colour bar and its handles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from geocnn_gui.gui.widgets.histogram_bar import HistogramBar

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def bar(qtbot: QtBot) -> HistogramBar:
    """A bar from about -4 to 4 with limits -2 and 2 that mirror each other."""
    bar = HistogramBar()
    qtbot.addWidget(bar)
    bar.set_histograms([np.histogram(np.linspace(-4, 4, 500), 20)])
    bar.set_colours([0xFF000000 | i << 16 | i << 8 | i for i in range(256)])
    bar.set_limits(-2, 2, symmetric=True)
    bar.resize(bar.sizeHint().width(), 400)
    bar.show()
    qtbot.waitExposed(bar)
    return bar


def place(bar: HistogramBar, value: float) -> QPoint:
    return QPoint(bar.width() - 10, round(bar.y_of(value)))


def move(bar: HistogramBar, start: float, end: float) -> None:
    QTest.mousePress(bar, LEFT, pos=place(bar, start))
    QTest.mouseMove(bar, place(bar, end))
    QTest.mouseRelease(bar, LEFT, pos=place(bar, end))


def test_that_a_handle_dragged_moves_its_mirror_too(bar: HistogramBar, qtbot: QtBot) -> None:
    with qtbot.waitSignal(bar.limits_changed) as changed:
        move(bar, 2, 3)
    assert changed.args == pytest.approx([-3, 3], abs=0.05)
    assert bar.limits == pytest.approx((-3, 3), abs=0.05)


def test_that_a_handle_moves_alone_where_the_values_are_not_symmetric(bar: HistogramBar) -> None:
    bar.set_limits(-2, 2)
    move(bar, -2, -1)
    assert bar.limits == pytest.approx((-1, 2), abs=0.05)


def test_that_dragging_between_the_handles_moves_both(bar: HistogramBar) -> None:
    bar.set_limits(-1, 1)
    move(bar, 0, 0.5)
    assert bar.limits == pytest.approx((-0.5, 1.5), abs=0.05)


def test_that_the_handles_cannot_pass_each_other(bar: HistogramBar) -> None:
    bar.set_limits(-2, 2)
    move(bar, -2, 3)
    assert bar.limits == (-2, 2)


def test_that_a_double_click_asks_for_the_usual_limits(bar: HistogramBar, qtbot: QtBot) -> None:
    with qtbot.waitSignal(bar.reset_requested):
        QTest.mouseDClick(bar, LEFT, pos=place(bar, 0))


def test_that_limits_beyond_the_histogram_stay_in_reach(bar: HistogramBar) -> None:
    bar.set_limits(-40, 40)
    assert 0 < bar.y_of(40) < bar.y_of(-40) < bar.height()


def test_that_the_colours_run_from_low_to_high_and_stay_beyond(bar: HistogramBar) -> None:
    image = bar.grab().toImage()
    column = next(
        x for x in range(bar.width())
        if image.pixelColor(x, int(bar.y_of(-3.5))).lightness() == 0
        and image.pixelColor(x, int(bar.y_of(3.5))).lightness() == 255
    )  # fmt: skip
    assert image.pixelColor(column, int(bar.y_of(0))).lightness() == pytest.approx(128, abs=4)

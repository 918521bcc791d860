"""The bar above the picture, and its band button."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from geocnn_gui.data.source import Axis
from geocnn_gui.gui.widgets.band_button import BandButton
from geocnn_gui.gui.widgets.legend import Legend
from geocnn_gui.gui.widgets.section_bar import SectionBar

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

AXES = (
    Axis("inline", "", 100, 2, 50),
    Axis("crossline", "", 7, 1, 9),
    Axis("time", "ms", 0, 0.5, 99),
)


@pytest.fixture
def bar(qtbot: QtBot) -> SectionBar:
    bar = SectionBar({"grey": "Grey", "viridis": "Viridis"})
    qtbot.addWidget(bar)
    return bar


def test_that_a_source_of_one_section_shows_its_name_only(bar: SectionBar) -> None:
    bar.set_title("line 31-81")
    assert bar.slider.isHidden()
    assert not bar.title.isHidden()


def test_that_showing_a_section_does_not_ask_for_one(bar: SectionBar, qtbot: QtBot) -> None:
    bar.set_sections(AXES)
    with qtbot.assertNotEmitted(bar.index_chosen):
        bar.set_section(0, 49)
        bar.set_section(1, 3)
        bar.set_section(2, 98)
    assert bar.number.value() == 49
    assert bar.number.text() == "49.00 ms"
    assert bar.previous.isEnabled()
    assert not bar.following.isEnabled()


def test_that_a_typed_number_is_the_nearest_section(bar: SectionBar, qtbot: QtBot) -> None:
    bar.set_sections(AXES)
    bar.set_section(0, 0)
    with qtbot.waitSignal(bar.index_chosen) as chosen:
        bar.number.setValue(121)
    assert chosen.args == [10]


def test_that_gain_is_logarithmic_and_shown_without_an_echo(bar: SectionBar, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(bar.gain_changed):
        bar.set_look(gain=2.0, colour_map="viridis", lock_aspect=True)
    assert bar.gain.value() == 30
    assert bar.colour_map.currentText() == "Viridis"
    with qtbot.waitSignal(bar.gain_changed) as changed:
        bar.gain.setValue(100)
    assert changed.args == pytest.approx([10.0])


def test_that_bands_are_offered_singly_and_in_threes(qtbot: QtBot) -> None:
    button = BandButton()
    qtbot.addWidget(button)
    button.set_choices(["blue", "green", "red", "infrared"], (2, 1, 0))
    button.set_bands((2, 1, 0))
    assert button.text() == "Natural colours"
    actions = {action.text(): action for action in button.menu().actions()}
    with qtbot.waitSignal(button.bands_chosen) as chosen:
        actions["infrared"].trigger()
    assert chosen.args == [(3,)]
    button._combos[0].setCurrentIndex(3)
    with qtbot.waitSignal(button.bands_chosen) as chosen:
        button._combos[0].activated.emit(3)
    assert chosen.args == [(3, 1, 0)]


def test_that_a_legend_is_as_large_as_its_names(qtbot: QtBot) -> None:
    legend = Legend()
    qtbot.addWidget(legend)
    legend.show_classes("Prediction", [("#ff0000", "Salt")])
    small = legend.size()
    legend.show_classes(
        "Prediction", [("#ff0000", "Salt"), ("#00ff00", "A much longer class name")]
    )
    assert legend.width() > small.width()
    assert legend.height() > small.height()
    image = legend.grab().toImage()
    colours = {image.pixelColor(13, y).name() for y in range(legend.height())}
    assert {"#ff0000", "#00ff00"} <= colours

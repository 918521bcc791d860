"""Numbers, ticks, limits and readers: what needs no window."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from canvas_sources import cube_source, line_source, scene_source
from hypothesis import given
from hypothesis import strategies as st

from geocnn_gui.data import display
from geocnn_gui.data.display import Estimate, stretch_of
from geocnn_gui.data.source import Axis, Picture, Section
from geocnn_gui.gui.canvas.axes import nice_step, tick_text, tick_values
from geocnn_gui.gui.canvas.reader import Reader
from geocnn_gui.gui.canvas.readout import axis_text, number_text, position_texts

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1234, "\u22121\u202f234"),
        (0.12345678, "0.1235"),
        (12.5, "12.5"),
        (1e12, "1e+12"),
        (0, "0"),
        (-3.2e-7, "\u22123.2e\u221207"),
    ],
)
def test_that_numbers_are_written_for_reading(value: float, text: str) -> None:
    assert number_text(value) == text


def test_that_coordinates_are_named_and_carry_units() -> None:
    assert axis_text(Axis("time", "ms", 0, 4, 1000), 308) == "TWT 1\u202f232 ms"
    assert axis_text(Axis("cdp", "", 1, 1, 5000), 1741) == "CDP 1742"
    assert axis_text(Axis("depth", "m", 0, 2.5, 1000), 1) == "Depth 2.5 m"
    place = position_texts(cube_source(), Section(1, 3), 2, 4)
    assert place == ("IL 108", "XL 303", "TWT 408 ms")


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 30))
def test_that_ticks_are_round_few_and_within_the_axis(low: float, span: float, room: int) -> None:
    step = nice_step(span, room)
    values = tick_values(low, low + span, step)
    assert len(values) <= room + 1
    assert all(low - step * 1e-3 <= value <= low + span + step * 1e-3 for value in values)
    texts = [tick_text(value, step) for value in values]
    assert len(set(texts)) == len(texts)


def test_that_seismic_is_symmetric_around_zero_and_imagery_stretched_by_band() -> None:
    stretch = stretch_of(line_source(), [Estimate(-3.0, 5.0)])
    assert stretch.limits == ((-5.0, 5.0),)
    assert stretch.symmetric
    scene = stretch_of(scene_source(), [Estimate(10, 20), Estimate(100, 300), Estimate(0, 1)])
    assert scene.limits == ((10, 20), (100, 300), (0, 1))
    assert not scene.symmetric


def test_that_seismic_of_one_sign_is_not_made_symmetric() -> None:
    stretch = stretch_of(line_source(), [Estimate(2000.0, 4000.0)])
    assert stretch.limits == ((2000.0, 4000.0),)
    assert not stretch.symmetric


def test_that_chosen_limits_of_three_bands_keep_their_balance() -> None:
    bands = [Estimate(0, 10), Estimate(0, 20), Estimate(0, 30)]
    stretch = stretch_of(scene_source(), bands, (0, 10))
    assert np.allclose(stretch.limits, [(0, 5), (0, 10), (0, 15)])
    assert stretch.mean == (0, 10)


def test_that_gain_draws_the_limits_in() -> None:
    stretch = stretch_of(line_source(), [Estimate(-4, 4)]).with_gain(2)
    assert stretch.limits == ((-2, 2),)


def test_that_figures_of_a_picture_count_live_cells_only() -> None:
    values = np.full((1, 50, 50), 1e9, np.float32)
    live = np.zeros((50, 50), bool)
    live[10:20] = True
    values[0, 10:20] = np.linspace(-1, 1, 500).reshape(10, 50)
    (estimate,) = Estimate.of(Picture(values, live))
    assert -1 <= estimate.low < -0.9
    assert 0.9 < estimate.high <= 1
    ((counts, edges),) = display.histograms(Picture(values, live))
    assert counts.sum() <= 500
    assert edges[-1] <= 1


def test_that_a_picture_without_live_cells_has_figures() -> None:
    nothing = Picture(np.zeros((1, 5, 5), np.float32), np.zeros((5, 5), bool))
    assert Estimate.of(nothing)[0].low < Estimate.of(nothing)[0].high
    assert display.histograms(nothing)[0][0].sum() == 0


def test_that_a_question_overtaken_is_not_answered(qtbot: QtBot, qapp: object) -> None:
    reader, gate = Reader(), threading.Event()
    answers: list[tuple[str, object]] = []
    reader.answered.connect(lambda topic, answer: answers.append((topic, answer)))

    def slow() -> str:
        gate.wait(5)
        return "old"

    reader.ask("picture", slow)
    reader.ask("picture", lambda: "new")
    qtbot.waitUntil(lambda: bool(answers))
    gate.set()
    reader.close()
    qtbot.wait(20)
    assert answers == [("picture", "new")]


def test_that_questions_still_queued_when_overtaken_are_never_read(
    qtbot: QtBot, qapp: object
) -> None:
    reader, gate = Reader(), threading.Event()
    read: list[int] = []
    for topic in ("a", "b"):  # both threads wait
        reader.ask(topic, lambda: gate.wait(5))
    for number in range(20):
        reader.ask("picture", lambda number=number: read.append(number))
    gate.set()
    qtbot.waitUntil(lambda: not reader.busy)
    reader.close()
    assert read == [19]

"""Train from here: the network takes over from Live where it is better on what was held out."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QRadioButton, QWidget

from geocnn_gui import resources, workflow
from geocnn_gui.errors import NotEnoughLabels
from geocnn_gui.gui import here_task
from geocnn_gui.gui.canvas.view import CanvasView
from geocnn_gui.live.standing import Standing
from geocnn_gui.models.architectures.unet_spec import UNetSpec
from geocnn_gui.models.survey import new_backbone, save_backbone
from geocnn_gui.models.survey_card import BackboneCard
from geocnn_gui.models.weights import read_card
from geocnn_gui.training.spec import TrainingSpec

LEFT = Qt.MouseButton.LeftButton
PATIENCE = 20000
SMALL = UNetSpec(depth=2, width=8)
BETTER, WORSE = Standing(0.55, 0.62, 5, "block"), Standing(0.62, 0.55, 5, "block")


@pytest.fixture
def backbone(tmp_path, monkeypatch):
    """A small backbone in the place of the bundled one."""
    path = tmp_path / "seismic.safetensors"
    card = BackboneCard(
        spec=SMALL, domain="seismic", bands=("amplitude",), sources=("F3",), steps=9
    )
    save_backbone(path, new_backbone(card))
    monkeypatch.setattr(resources, "backbone", lambda domain: path)
    return path


@pytest.fixture
def shown(backbone, window, session, small_file, open_and_wait, qtbot):
    """The window with a cube of 24 x 30 cells a section, and Live on."""
    open_and_wait(session, small_file, qtbot)
    session.live.set_on(True)
    return window


@pytest.fixture
def painted(shown, session, qtbot):
    """The same with a stroke of each class, coloured by Live."""
    for number, rows in ((1, slice(0, 8)), (2, slice(12, 20))):
        mask = np.ones((8, 30), bool)
        session.paint(session.section, rows, slice(0, 30), mask, number)
    qtbot.waitUntil(lambda: session.live.shows, timeout=PATIENCE)
    return shown


@pytest.fixture
def scored(monkeypatch):
    """Return a function that says what the comparison will come to."""

    def score_live(held, *, backbone, device="auto"):
        asked.append((held, backbone))
        return None
        yield

    def say(found):
        monkeypatch.setattr(here_task, "standing", lambda head, network: found)
        return asked

    asked = []
    monkeypatch.setattr(workflow, "score_live", score_live)
    return say


def press(window, session, qtbot):
    """Click the button, and wait until the network is trained and has predicted."""
    said = len(session.said)
    QTest.mouseClick(button(window), LEFT)
    assert session.work == "train"
    qtbot.waitUntil(lambda: len(session.said) > said and session.job is None, timeout=PATIENCE)
    return session.said[-1]


def button(window):
    found = window.findChild(QPushButton, "train_from_here")
    window.findChild(QWidget, "side_panel").show_step("Label")
    return found


def choice(window):
    return {n: window.findChild(QRadioButton, f"show_{n}") for n in ("live", "network")}


def test_that_a_better_network_takes_over_and_says_so(painted, session, work, scored, qtbot):
    scored(BETTER)
    said = press(painted, session, qtbot)
    assert said.text == (
        "The network is better on what was held out (0.62 against 0.55, over 5 blocks). It is "
        "shown now."
    )
    assert session.shown_map is session.prediction
    assert choice(painted)["network"].isChecked()
    verdict = painted.findChild(QLabel, "live_verdict")
    assert verdict.isVisible()
    assert verdict.text() in said.text
    assert "epoch that was best there" in verdict.toolTip()
    dict(said.actions)["Show Live"]()
    assert session.shown_map is session.live.map
    assert choice(painted)["live"].isChecked()


def test_that_live_stays_where_it_is_better(painted, session, work, scored, qtbot):
    scored(WORSE)
    said = press(painted, session, qtbot)
    assert said.text.startswith("Live is better on what was held out (0.62 against 0.55")
    assert said.text.endswith("Live stays.")
    assert session.shown_map is session.live.map
    dict(said.actions)["Show the network"]()
    assert session.shown_map is session.prediction


def test_that_without_anything_held_out_live_stays(painted, session, work, scored, qtbot):
    scored(None)
    said = press(painted, session, qtbot)
    assert "nothing was held out to compare it with Live. Live stays." in said.text
    assert session.shown_map is session.live.map
    assert "Show the network" in dict(said.actions)


def test_that_it_begins_with_the_backbone_on_the_split_of_the_training(
    painted, session, work, scored, qtbot, backbone
):
    asked = scored(WORSE)
    press(painted, session, qtbot)
    ((pairs, spec, training, _),) = work.trained
    ((held, used),) = asked
    assert spec == SMALL
    assert used.read_bytes() == backbone.read_bytes()
    assert training.start == str(used)
    assert used.parent == session.run_folder
    assert held.split == training.split
    assert held.pairs[0].labels.digest == pairs[0].labels.digest
    assert session.runs[0].record.training.start == training.start


def test_that_painting_goes_on_and_later_strokes_wait_for_live(
    painted, session, work, scored, qtbot
):
    scored(BETTER)
    work.pause = 0.02
    QTest.mouseClick(button(painted), LEFT)
    qtbot.waitUntil(lambda: bool(work.trained), timeout=PATIENCE)
    before = session.live.head
    session.paint(session.section, slice(21, 23), slice(0, 30), np.ones((2, 30), bool), 1)
    qtbot.waitUntil(lambda: session.live.head is not before, timeout=PATIENCE)
    assert session.work == "train"
    qtbot.waitUntil(lambda: session.shown == "network", timeout=PATIENCE)
    qtbot.waitUntil(lambda: session.job is None, timeout=PATIENCE)
    before = session.live.head
    session.paint(session.section, slice(23, 24), slice(0, 30), np.ones((1, 30), bool), 2)
    qtbot.waitUntil(lambda: session.live.head is not before, timeout=PATIENCE)
    assert session.shown_map is session.prediction
    QTest.mouseClick(choice(painted)["live"], LEFT)
    assert session.shown_map is session.live.map


def test_that_live_colours_the_sections_that_are_not_predicted(
    painted, session, work, scored, qtbot
):
    scored(BETTER)
    press(painted, session, qtbot)
    legend = painted.findChild(CanvasView, "canvasView").legend
    assert legend._title == "Prediction"
    session.step_section(1)
    assert session.shown_map is session.live.map
    assert legend._title == "Live"
    session.step_section(-1)
    assert session.shown_map is session.prediction


def test_that_what_keeps_live_from_a_score_is_said(painted, session, work, qtbot, monkeypatch):
    def refused(held, *, backbone, device="auto"):
        raise NotEnoughLabels("Too little", "paint more")
        yield

    monkeypatch.setattr(workflow, "score_live", refused)
    said = press(painted, session, qtbot)
    assert "Live could not be scored beside it. Too little; paint more." in said.text
    assert session.shown_map is session.live.map


def test_that_the_button_says_what_is_missing(shown, session, work, qtbot):
    assert not button(shown).isEnabled()
    assert "two classes" in button(shown).toolTip()
    assert not choice(shown)["live"].isVisible()
    assert not shown.findChild(QAction, "action_show_network").isEnabled()


def test_that_a_prediction_that_was_asked_for_is_shown_over_live(painted, session, work, qtbot):
    session.start_training(SMALL)
    qtbot.waitUntil(lambda: session.prediction is not None, timeout=PATIENCE)
    qtbot.waitUntil(lambda: session.job is None, timeout=PATIENCE)
    assert session.shown_map is session.prediction
    painted.findChild(QAction, "action_show_live").trigger()
    assert session.shown_map is session.live.map
    session.live.set_on(False)
    assert session.shown_map is session.prediction
    session.live.set_on(True)
    assert session.shown == "live"


def test_that_a_stopped_training_leaves_live_as_it_is(painted, session, work, qtbot):
    work.pause = 0.05
    QTest.mouseClick(button(painted), LEFT)
    qtbot.waitUntil(lambda: bool(work.trained), timeout=PATIENCE)
    session.stop_job()
    qtbot.waitUntil(lambda: session.job is None, timeout=PATIENCE)
    assert session.shown_map is session.live.map
    assert "Stopped" in session.said[-1].text


@pytest.mark.slow
def test_that_a_real_training_is_compared_on_the_same_cells(painted, session, qtbot, monkeypatch):
    monkeypatch.setattr("geocnn_gui.training.run.training_device", lambda device: device)
    session.set_specs(training=TrainingSpec(epochs=1, steps_per_epoch=1, batch=2))
    press(painted, session, qtbot)
    said = session.said[-1].text
    card = read_card(session.model_path)
    assert card.training.began.startswith("survey backbone seismic.safetensors (F3 in 9 steps")
    figure = f"{card.training.holdout_iou:.2f}" if card.training.holdout_iou else "nothing was held"
    assert figure in said

"""The score with its reason: on seen, held-out and new ground, in the Score panel."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QLabel, QPushButton

from geocnn_gui.data.source import Window
from geocnn_gui.gui.panels.score_panel import ScorePanel
from geocnn_gui.gui.widgets.score_bars import Bar, ScoreBars
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.labels.store import LabelSnapshot
from geocnn_gui.models.ground import TRAINED
from geocnn_gui.scoring.seen import SEEN_FILE, CardScores, Seen, SeenCard

LEFT = Qt.MouseButton.LeftButton
THREE = (
    Bar("seen", "Seen in training", 0.95, (0.9, 0.98), "Pixels it was trained on.", "trained"),
    Bar("held_out", "Held out", 0.5, (0.4, 0.7), "8 blocks away from what it was trained on."),
    Bar("new", "New ground", None, None, "The model has seen all of these labels.", "new"),
)


@pytest.fixture
def panel(opened, tmp_path, qtbot):
    """Inlines 3 and 12 labelled; 12 was trained on and is right, 3 is new and wrong."""
    labels = opened.labels.store
    for inline in (3, 12):
        labels.write(Window((inline, 0, 0), (1, 30, 6)), 1)
        labels.write(Window((inline, 0, 10), (1, 30, 6)), 2)
    store = PredictionStore.create(tmp_path / "prediction", opened.source, opened.classes)
    found = np.ones((20, 30, 24), np.uint8)
    found[12, :, 10:], found[3] = 2, 2
    store.write(Window.whole(found.shape), found, np.ones(found.shape))
    seen = np.zeros(found.shape, np.uint8)
    seen[12] = TRAINED
    card = SeenCard(
        model="m", model_sha256="0", source="small", identity="0", known=True, holdout_iou=0.5,
        scores=CardScores(holdout_iou=0.5, holdout_interval=(0.4, 0.7), holdout_units=8),
    )  # fmt: skip
    Seen(card, LabelSnapshot.from_array(seen)).save(store.folder / SEEN_FILE)
    opened.show_prediction(store)
    panel = ScorePanel(opened, ask_file=lambda: None)
    panel.resize(330, 900)
    panel.show()
    qtbot.waitExposed(panel)
    with qtbot.waitSignal(opened.scored, timeout=10000):
        qtbot.mouseClick(panel.findChild(QPushButton, "score_labels"), LEFT)
    qtbot.waitUntil(lambda: opened.job is None)
    yield panel
    panel.close()
    panel.deleteLater()


@pytest.fixture
def bars(qtbot):
    bars = ScoreBars()
    bars.resize(300, 260)
    bars.show()
    qtbot.waitExposed(bars)
    yield bars
    bars.close()
    bars.deleteLater()


def row(panel, name) -> QAbstractButton:
    return panel.findChild(QAbstractButton, f"score_bar_{name}")


def test_that_the_grounds_stand_beside_each_other(panel) -> None:
    seen, held, new = panel.findChild(ScoreBars).bars
    assert (seen.value, held.value, held.interval) == (1.0, 0.5, (0.4, 0.7))
    assert new.value < 0.4
    assert row(panel, "new").accessibleName().startswith("New ground: 0.")
    gap = panel.findChild(QLabel, "score_gap")
    assert gap.isVisible()
    assert "lost on new ground" in gap.text()


def test_that_a_click_shows_where_it_errs_on_that_ground(panel, opened, qtbot) -> None:
    with qtbot.waitSignal(opened.block_wanted, timeout=5000):
        qtbot.mouseClick(row(panel, "new"), LEFT)
    assert (opened.errors.subset, opened.errors.pair) == ("new", None)
    assert opened.section.index == 3
    assert row(panel, "new").isChecked()
    assert not row(panel, "seen").isChecked()
    qtbot.mouseClick(row(panel, "new"), LEFT)
    assert opened.errors is None
    assert not row(panel, "new").isChecked()


def test_that_ground_without_pixels_here_says_so(panel, qtbot) -> None:
    held = row(panel, "held_out")
    assert not held.isEnabled()
    assert "lie in this prediction" in held.toolTip()


def test_that_changed_labels_end_what_is_shown(panel, opened, qtbot) -> None:
    with qtbot.waitSignal(opened.block_wanted, timeout=5000):
        qtbot.mouseClick(row(panel, "new"), LEFT)
    opened.labels_changed.emit(Window.whole((20, 30, 24)))
    assert not row(panel, "new").isChecked()
    assert row(panel, "new").toolTip().endswith("Score again first.")


def test_that_the_bars_work_with_the_keyboard(bars, qtbot) -> None:
    picked: list[str] = []
    bars.picked.connect(picked.append)
    bars.show_bars(THREE)
    rows = [row(bars, name) for name in ("seen", "new")]
    qtbot.waitUntil(rows[0].isVisible)
    rows[0].setFocus()
    qtbot.keyClick(rows[0], Qt.Key.Key_Return)
    qtbot.keyClick(rows[0], Qt.Key.Key_Down)  # past the one that has nothing to show
    assert bars.focusWidget() is rows[1]
    qtbot.keyClick(rows[1], Qt.Key.Key_Space)
    qtbot.keyClick(rows[1], Qt.Key.Key_Escape)
    assert picked == ["trained", "new", ""]


def test_that_empty_bars_say_what_to_do(bars) -> None:
    empty = bars.findChild(QLabel, "score_bars_empty")
    assert empty.isVisible()
    assert empty.text().startswith("Score the prediction")
    bars.show_bars(THREE)
    assert not empty.isVisible()


def test_that_a_bar_is_as_long_as_its_score(bars) -> None:
    bars.show_bars(tuple(Bar(b.name, b.title, b.value, None, b.reason, "new") for b in THREE))
    each = row(bars, "held_out")
    picture = each.grab().toImage()
    line = [picture.pixelColor(x, 6 + each.fontMetrics().lineSpacing() + 4 + 4).name()
            for x in range(picture.width())]  # fmt: skip
    share = line.count("#2f7fd1") / (each.width() - 12)
    assert share == pytest.approx(0.5, abs=0.02)

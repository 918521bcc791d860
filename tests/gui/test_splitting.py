"""The split of the next training: shown on the data, moved by clicks, kept with the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QComboBox, QPushButton

from geocnn_gui.gui.canvas.view import CanvasView
from geocnn_gui.gui.panels.train_panel import TrainPanel
from geocnn_gui.gui.widgets.auto_number import AutoNumber
from geocnn_gui.gui.widgets.spec_form import SpecForm
from geocnn_gui.models.spec import UNetSpec
from geocnn_gui.project.split import KeptSplit
from geocnn_gui.scoring.split_spec import TEST, TRAINED, SplitChoice

if TYPE_CHECKING:
    from PySide6.QtWidgets import QLabel

    from geocnn_gui.gui.session import Session
    from geocnn_gui.gui.splitting import ShownSplit


@pytest.fixture
def example(session: Session, qtbot) -> Session:
    """The synthetic section with its strokes."""
    with qtbot.waitSignal(session.source_changed):
        session.open_path("example:seismic")
    qtbot.waitUntil(lambda: not session.busy)
    session.set_specs(UNetSpec(depth=2, width=8))
    return session


@pytest.fixture
def shown(example: Session, qtbot) -> ShownSplit:
    with qtbot.waitSignal(example.split_changed, timeout=20_000):
        example.show_split()
    assert example.split is not None
    return example.split


def place_of(session: Session, unit: int) -> tuple[int, int]:
    """Return a cell of a unit in the section in view."""
    ground = session.split_ground()
    assert ground is not None
    spans = ground.units.spans[ground.units.owners == unit + 1][0]
    return int(spans[0]), int(spans[2])


def trained_unit(session: Session) -> int:
    assert session.split is not None
    ground = session.split_ground()
    assert ground is not None
    here = set(ground.units.owners.tolist())
    return next(n for n, r in enumerate(session.split.plan.roles) if r == TRAINED and n + 1 in here)


def test_that_the_split_is_said_and_drawn(example, shown, qtbot):
    panel, view = TrainPanel(example), CanvasView(example)
    qtbot.addWidget(panel)
    qtbot.addWidget(view)
    words: QLabel = panel.findChild(object, "split_words")
    assert words.text().startswith(f"Held out by {shown.plan.unit}")
    example.split_changed.emit()
    assert not view.split_legend.isHidden()
    assert view.canvas.split._held.elementCount() > 0
    view.close_reading()


def test_that_clicks_hold_out_then_test_then_train_and_can_be_undone(example, shown):
    unit = trained_unit(example)
    at = place_of(example, unit)
    roles = []
    for _ in range(3):
        example.toggle_unit(*at)
        roles.append(example.split.plan.roles[unit])
    assert roles == [0, TEST, TRAINED]
    for expected in (TEST, 0, TRAINED):
        example.undo()
        assert example.split.plan.roles[unit] == expected
    assert example.kept_split is None


def test_that_a_click_moves_a_unit_to_the_fold_that_is_shown(example, qtbot):
    spec = example.training_spec
    three = spec.split.model_copy(update={"folds": 3, "unit": "block"})
    example.set_specs(training=spec.model_copy(update={"split": three}))
    panel = TrainPanel(example)
    qtbot.addWidget(panel)
    with qtbot.waitSignal(example.split_changed, timeout=20_000):
        example.show_split()
    chooser = panel.findChild(QComboBox, "shown_fold")
    assert [chooser.itemText(n)[:6] for n in range(chooser.count())] == [
        "Fold 1",
        "Fold 2",
        "Fold 3",
    ]
    first = example.split_ground()
    chooser.setFocus()
    qtbot.keyClick(chooser, Qt.Key.Key_Down)
    second = example.split_ground()
    assert (first.fold, second.fold) == (0, 1)
    view = CanvasView(example)
    qtbot.addWidget(view)
    example.split_changed.emit()
    assert view.split_legend._title == "Split, fold 2 of 3"
    assert view.canvas.split._near.elementCount() > 0
    view.close_reading()
    for ground in (first, second):  # each has the buffer around what it holds out itself
        assert np.all(ground.near.spans[0] >= 0)
        assert len(ground.near.spans) == np.count_nonzero(
            np.array(ground.roles)[ground.units.owners - 1] == ground.fold
        )
    here = set(second.units.owners.tolist())
    unit = next(n for n, r in enumerate(second.roles) if r == 2 and n + 1 in here)
    at = place_of(example, unit)
    roles = []
    for _ in range(4):
        example.toggle_unit(*at)
        roles.append(example.split.plan.roles[unit])
    assert roles == [1, TEST, TRAINED, 1]
    assert "in fold 2" in panel.findChild(QPushButton, "move_units").toolTip()


def test_that_a_click_on_the_canvas_moves_the_unit_under_it(example, shown, qtbot):
    view = CanvasView(example)
    qtbot.addWidget(view)
    view.resize(900, 600)
    view.show()
    qtbot.waitExposed(view)
    example.set_tool("split")
    unit = trained_unit(example)
    row, column = place_of(example, unit)
    at = view.canvas.viewport.pixel_of(row + 2, column + 2).toPoint()
    qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=QPoint(at))
    assert example.split.plan.roles[unit] == 0
    view.close_reading()


def test_that_moved_units_are_kept_with_the_project(example, shown, qtbot):
    unit = trained_unit(example)
    name = shown.plan.units[unit].id
    example.toggle_unit(*place_of(example, unit))
    example.keep_work()
    folder = example.project.folder
    example.close_source()
    assert example.kept_split is None
    with qtbot.waitSignal(example.source_changed):
        example.open_project(folder)
    qtbot.waitUntil(lambda: not example.busy)
    assert example.kept_split is not None
    assert example.kept_split.choice.roles[name] == 0
    example.forget_choice()
    assert example.kept_split is None
    qtbot.waitUntil(lambda: not example.busy, timeout=20_000)


def test_that_another_wish_for_the_split_leaves_moved_units_behind(example, shown, qtbot):
    example.toggle_unit(*place_of(example, trained_unit(example)))
    panel = TrainPanel(example)
    qtbot.addWidget(panel)
    form: SpecForm = panel.findChild(SpecForm, "split_form")
    buffer = form.editor("buffer")
    assert isinstance(buffer, AutoNumber)
    buffer.auto.setChecked(False)
    buffer.number.setValue(7)
    assert example.training_spec.split.buffer == 7
    assert example.kept_split is None
    qtbot.waitUntil(lambda: not example.busy and example.split is not None, timeout=20_000)
    assert example.split.plan.wanted == (7, 7)


def test_that_the_split_cannot_be_shown_without_labels(session, qtbot):
    panel = TrainPanel(session)
    qtbot.addWidget(panel)
    show: QPushButton = panel.findChild(object, "show_split")
    assert not show.isEnabled()
    assert show.toolTip() == "Open a file first."


def test_that_a_kept_split_follows_its_sources():
    choice = SplitChoice(unit="block", side=64, roles={"0:0-0": 0, "1:64-0": TEST})
    kept = KeptSplit(choice=choice, entries=("s1", "s2"))
    assert kept.choice_for(("s2", "s3")).roles == {"0:64-0": TEST}
    assert kept.choice_for(("s2", "s1")).roles == {"1:0-0": 0, "0:64-0": TEST}

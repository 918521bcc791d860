"""The Model panel: choosing a network, editing layers, freezing stages, all by real clicks."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QSpinBox

from geocnn_gui.gui.panels.model_panel import ModelPanel
from geocnn_gui.gui.widgets.freeze_drawing import FreezeDrawing
from geocnn_gui.gui.widgets.layer_drawing import LayerDrawing
from geocnn_gui.gui.widgets.layers_editor import LayersEditor
from geocnn_gui.models.cards import CARDS
from geocnn_gui.models.layers.presets import PRESETS
from geocnn_gui.models.layers.spec import Convolution, LayersSpec
from geocnn_gui.models.spec import ResNetSpec
from geocnn_gui.training.spec import TrainingSpec

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def panel(opened, qtbot, monkeypatch):
    """The panel on the small cube; what a network costs is told at once, without torch."""
    made = ModelPanel(
        opened, open_model=lambda: None, save_model=lambda: None, choose_weights=print
    )
    qtbot.addWidget(made)
    made.resize(330, 640)
    monkeypatch.setattr(opened, "look_at_network", lambda *asked: None)
    made.show()
    return made


@pytest.fixture
def editor(panel, qtbot):
    """The editor on the textbook's network, opened by a click."""
    choose(panel, "layers")
    click(qtbot, panel, "edit_layers")
    made = panel.findChild(LayersEditor)
    qtbot.waitExposed(made)
    return made


def choose(panel, kind):
    box = panel.findChild(QComboBox, "model_kind")
    box.setCurrentIndex(box.findData(kind))


def click(qtbot, parent, name):
    qtbot.mouseClick(parent.findChild(QPushButton, name), LEFT)


def text(parent, name):
    return parent.findChild(QLabel, name).text()


def click_row(qtbot, editor, path):
    tree = editor.tree
    item = row_of(editor, path)
    qtbot.mouseClick(tree.viewport(), LEFT, pos=tree.visualItemRect(item).center())


def row_of(editor, path):
    return editor.tree._items[path]


def output(editor, path):
    return row_of(editor, path).text(1)


def pick_from_menu(editor, button, action):
    menu = editor.findChild(QPushButton, button).menu()
    menu.aboutToShow.emit()
    next(a for a in menu.actions() if a.objectName() == action).trigger()


# ---- Choosing ----------------------------------------------------------------------------------


def test_that_a_network_is_found_by_typing_and_taken_by_enter(panel, opened, qtbot):
    box = panel.findChild(QComboBox, "model_kind")
    qtbot.mouseClick(box, LEFT)
    assert box.list.isVisible()
    qtbot.keyClicks(box.list.typed, "resnet-18 photographs")
    qtbot.keyClick(box.list.typed, Qt.Key.Key_Return)
    assert not box.list.isVisible()
    assert opened.model_spec.kind == "unet-resnet18"
    assert text(panel, "model_about") == CARDS["unet-resnet18"].purpose


def test_that_every_network_is_in_the_list_once_with_its_size(panel, qtbot):
    box = panel.findChild(QComboBox, "model_kind")
    qtbot.mouseClick(box, LEFT)
    tree = box.list.tree
    items = [tree.topLevelItem(n) for n in range(tree.topLevelItemCount())]
    names = [item.data(0, Qt.ItemDataRole.UserRole) for item in items]
    assert sorted(name for name in names if name) == sorted(CARDS)
    headings = [item.text(0) for item in items if not item.data(0, Qt.ItemDataRole.UserRole)]
    assert headings == ["NAME EACH PIXEL", "NAME THE MIDDLE OF A PATCH", "OWN LAYERS"]
    assert items[names.index("resnet18")].text(3).replace(" ", " ") == "11.2 M"
    box.hidePopup()


def test_that_a_click_on_a_line_of_the_list_takes_it_and_a_heading_does_not(panel, opened, qtbot):
    box = panel.findChild(QComboBox, "model_kind")
    qtbot.mouseClick(box, LEFT)
    tree = box.list.tree
    heading = tree.topLevelItem(0)
    qtbot.mouseClick(tree.viewport(), LEFT, pos=tree.visualItemRect(heading).center())
    assert box.list.isVisible()
    line = tree.topLevelItem(2)
    qtbot.mouseClick(tree.viewport(), LEFT, pos=tree.visualItemRect(line).center())
    assert not box.list.isVisible()
    assert opened.model_spec.kind == line.data(0, Qt.ItemDataRole.UserRole)


# ---- Layers ------------------------------------------------------------------------------------


def test_that_the_size_follows_the_kernel_while_it_is_typed(editor, opened, qtbot):
    click_row(qtbot, editor, "0")
    assert output(editor, "0") == "8 x 32 x 32"
    padding = editor.findChild(QComboBox, "field_padding")
    padding.lineEdit().selectAll()
    qtbot.keyClicks(padding.lineEdit(), "valid")
    assert output(editor, "0") == "8 x 28 x 28"
    kernels = editor.findChild(QSpinBox, "field_channels")
    kernels.selectAll()
    qtbot.keyClicks(kernels, "12")
    assert output(editor, "0") == "12 x 28 x 28"
    assert opened.model_spec.layers[0] == Convolution(channels=12, kernel=5, padding="valid")
    assert "(5 × 5 × 1 + 1) × 12 = 312" in text(editor, "layer_sums")


def test_that_an_impossible_layer_says_why_and_holds_the_training(editor, opened, paint, qtbot):
    paint(0, 5, 1)
    paint(8, 12, 2)
    assert opened.why_no_training() == ""
    click_row(qtbot, editor, "2")
    window = editor.findChild(QComboBox, "field_window")
    window.lineEdit().selectAll()
    qtbot.keyClicks(window.lineEdit(), "40")
    reason = "its window spans 40, the data is 32"
    assert reason in text(editor, "layers_verdict")
    assert reason in row_of(editor, "2").child(0).text(0).casefold()
    assert reason in opened.why_no_training()
    qtbot.keyClick(editor, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert opened.why_no_training() == ""
    assert opened.model_spec == LayersSpec()


def test_that_a_head_for_values_holds_a_training_of_classes(opened, paint):
    paint(0, 5, 1)
    paint(8, 12, 2)
    opened.set_specs(LayersSpec(head="sigmoid"))
    assert "The head sigmoid gives a value: take softmax" in opened.why_no_training()
    opened.set_specs(LayersSpec(head="linear"))
    assert opened.why_no_training() == ""


def test_that_what_cannot_be_read_is_explained_and_changes_nothing(editor, opened, qtbot):
    click_row(qtbot, editor, "0")
    kernel = editor.findChild(QComboBox, "field_kernel")
    kernel.lineEdit().selectAll()
    qtbot.keyClicks(kernel.lineEdit(), "q")
    complaints = [x for x in editor.findChildren(QLabel, "spec_complaint") if x.isVisible()]
    assert ["a number, or one for each axis" in x.text() for x in complaints] == [True]
    assert opened.model_spec == LayersSpec()
    kernel.lineEdit().selectAll()
    qtbot.keyClicks(kernel.lineEdit(), "3 x 7")
    assert opened.model_spec.layers[0].kernel == (3, 7)


def test_that_layers_are_added_doubled_moved_and_removed(editor, opened, qtbot):
    first = LayersSpec().layers
    click_row(qtbot, editor, "0")
    pick_from_menu(editor, "add_layer", "add_normalisation")
    assert opened.model_spec.layers[1].layer == "normalisation"
    click(qtbot, editor, "move_down")
    assert [x.layer for x in opened.model_spec.layers[:3]] == [
        "convolution", "activation", "normalisation",
    ]  # fmt: skip
    click(qtbot, editor, "duplicate_layer")
    assert len(opened.model_spec.layers) == len(first) + 2
    click(qtbot, editor, "remove_layer")
    qtbot.keyClick(editor.tree, Qt.Key.Key_Delete)
    assert len(opened.model_spec.layers) == len(first)
    for _ in range(5):
        click(qtbot, editor, "layers_undo")
    assert opened.model_spec.layers == first
    click(qtbot, editor, "layers_redo")
    assert opened.model_spec.layers[1].layer == "normalisation"


def test_that_a_block_takes_layers_and_branches(editor, opened, qtbot):
    click_row(qtbot, editor, "2")
    pick_from_menu(editor, "add_layer", "add_inception")
    assert output(editor, "3") == "8 x 16 x 16"
    pick_from_menu(editor, "add_layer", "add_branch")
    assert len(opened.model_spec.layers[3].branches) == 5
    pick_from_menu(editor, "add_layer", "add_convolution")
    assert opened.model_spec.layers[3].branches[4] == (Convolution(),)
    assert output(editor, "3") == "24 x 16 x 16"


def test_that_a_click_in_the_drawing_chooses_the_layer(editor, qtbot):
    drawing = editor.findChild(LayerDrawing, "layer_drawing")
    place = drawing.place_of("3").center()
    qtbot.mouseClick(drawing, LEFT, pos=QPoint(round(place.x()), round(place.y())))
    assert editor.tree.path() == "3"
    assert text(editor, "layer_title").startswith("Convolution 3x3, 16 kernels")


def test_that_a_list_is_saved_and_opened_and_a_bad_file_is_explained(editor, opened, tmp_path):
    editor.begin_with(PRESETS["residual"])
    editor.save_file(str(tmp_path / "mine.json"))
    editor.undo()
    assert opened.model_spec == LayersSpec()
    editor.open_file(str(tmp_path / "mine.json"))
    assert opened.model_spec == PRESETS["residual"]
    (tmp_path / "bad.json").write_text("no layers")
    editor.open_file(str(tmp_path / "bad.json"))
    assert "bad.json is no list of layers" in text(editor, "layers_refusal")
    assert opened.model_spec == PRESETS["residual"]


def test_that_the_patch_is_set_in_the_panel_and_seen_in_the_editor(editor, panel, opened):
    panel.findChild(QSpinBox, "field_patch").setValue(48)
    assert editor.spec().patch == opened.model_spec.patch == 48
    assert output(editor, "0") == "8 x 48 x 48"
    editor.undo()
    assert panel.findChild(QSpinBox, "field_patch").value() == 32


def test_that_the_editor_goes_with_its_network(editor, panel, qtbot):
    choose(panel, "unet")
    qtbot.waitUntil(lambda: panel.findChild(LayersEditor) is None)


@pytest.mark.slow
def test_that_an_example_of_layers_is_trained_from_a_click(panel, editor, opened, paint, qtbot):
    pick_from_menu(editor, "begin_with", "preset_sliding")
    click_row(qtbot, editor, "0")
    kernels = editor.findChild(QSpinBox, "field_channels")
    kernels.setValue(4)
    assert opened.model_spec.layers[0].channels == 4
    paint(0, 5, 1)
    paint(12, 20, 2)
    opened.start_training(
        training_spec=TrainingSpec(epochs=1, steps_per_epoch=2, batch=2, refit=False)
    )
    qtbot.waitUntil(lambda: opened.job is None and opened.model_card is not None, timeout=60000)
    assert opened.model_card.spec.layers[0].channels == 4
    said = " ".join(message.text for message in opened.said)
    assert "failed" not in said


# ---- Freezing ----------------------------------------------------------------------------------


def click_stage(qtbot, drawing, number):
    place = drawing.place_of(number).center()
    qtbot.mouseClick(drawing, LEFT, pos=QPoint(round(place.x()), round(place.y())))


def test_that_a_click_freezes_up_to_a_stage(panel, opened, qtbot):
    choose(panel, "resnet18")
    drawing = panel.findChild(FreezeDrawing)
    click_stage(qtbot, drawing, 3)
    assert opened.model_spec.freeze == "stage2"
    assert opened.model_spec.frozen_stages == 3
    assert "All up to Stage 2 keeps its weights." in text(panel, "freeze_text")
    qtbot.keyClick(drawing, Qt.Key.Key_Right)
    assert opened.model_spec.freeze == "stage3"
    click_stage(qtbot, drawing, 5)
    assert opened.model_spec.freeze == "encoder"
    click_stage(qtbot, drawing, 6)  # the head always learns
    assert opened.model_spec.freeze == "encoder"
    click_stage(qtbot, drawing, 0)
    assert opened.model_spec == ResNetSpec()


def test_that_the_panel_says_whether_features_are_kept(panel, opened, qtbot):
    choose(panel, "resnet18")
    click_stage(qtbot, panel.findChild(FreezeDrawing), 2)
    assert "computes theirs once" in text(panel, "freeze_text")
    opened.set_specs(training=TrainingSpec(frozen_copies=1))
    assert "computed once and kept; augmentation is off" in text(panel, "freeze_text")


def test_that_nothing_is_frozen_without_weights(panel, opened, qtbot):
    choose(panel, "resnet18")
    drawing = panel.findChild(FreezeDrawing)
    click(qtbot, panel, "no_weights")
    assert not drawing.isEnabled()
    assert "nothing to keep" in text(panel, "freeze_text")


@pytest.mark.slow  # torch is loaded
def test_that_the_cost_and_the_share_that_learns_are_told(opened, qtbot):
    made = ModelPanel(
        opened, open_model=lambda: None, save_model=lambda: None, choose_weights=print
    )
    qtbot.addWidget(made)
    made.show()
    choose(made, "unet-resnet18")
    click_stage(qtbot, made.findChild(FreezeDrawing), 4)
    qtbot.waitUntil(lambda: "learn." in text(made, "freeze_text"), timeout=30000)
    assert "81 % of 14.3 million parameters learn." in text(made, "freeze_text")
    assert "multiply-adds" in text(made, "model_cost")

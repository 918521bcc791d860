"""The Model panel of pretrained networks: what is here, what is missing, and the ways out."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QWidget

from geocnn_gui.events import Progress
from geocnn_gui.gui.panels.model_panel import ModelPanel
from geocnn_gui.models import pretrained
from geocnn_gui.models.spec import ResNetSpec, ResUNetSpec


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of torch."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def panel(opened, cache, qtbot, tmp_path):
    """The panel on the U-Net with a ResNet-18; "File…" answers with a file of this test."""
    made = ModelPanel(
        opened, open_model=lambda: None, save_model=lambda: None,
        choose_weights=lambda act: act(str(tmp_path / "mine.pth")),
    )  # fmt: skip
    qtbot.addWidget(made)
    made.show()
    choose_kind(made, "unet-resnet18")
    return made


def choose_kind(panel, kind):
    box = panel.findChild(QComboBox, "model_kind")
    box.setCurrentIndex(box.findData(kind))


def text(panel, name):
    return panel.findChild(QLabel, name).text()


def click(qtbot, panel, name):
    qtbot.mouseClick(panel.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def test_that_missing_weights_are_said_with_their_name_and_folder(panel, cache, opened):
    line = text(panel, "weights_line")
    assert "not on this machine" in line
    assert "resnet18-f37072fd.pth" in line
    assert str(cache) in line
    assert panel.findChild(QPushButton, "download_weights").isVisible()


def test_that_training_waits_for_the_weights_and_says_why(panel, opened, paint, qtbot):
    paint(0, 5, 1)
    paint(8, 12, 2)
    assert "not on this machine" in opened.why_no_training()
    click(qtbot, panel, "no_weights")
    assert opened.model_spec == ResUNetSpec(weights="none")
    assert opened.why_no_training() == ""
    assert not panel.findChild(QPushButton, "no_weights").isVisible()


def test_that_weights_put_into_the_cache_are_found(panel, cache):
    cache.mkdir(parents=True)
    (cache / pretrained.PUBLISHED["resnet18"].name).write_bytes(b"weights")
    panel.findChild(QWidget, "weights").refresh()
    assert text(panel, "weights_line") == f"ImageNet weights found in {cache}."
    assert not panel.findChild(QPushButton, "download_weights").isVisible()


def test_that_a_file_joins_the_choices_and_is_checked(panel, opened, qtbot, tmp_path):
    (tmp_path / "mine.pth").write_bytes(b"no weights at all")
    with qtbot.waitSignal(opened.message, timeout=20000) as told:
        click(qtbot, panel, "choose_file")
        assert opened.model_spec.weights == str(tmp_path / "mine.pth")
    assert "mine.pth is not a whole PyTorch file" in told.args[0].text
    box = panel.findChild(QComboBox, "choice")
    assert [box.itemText(i) for i in range(box.count())][-1] == "mine.pth"
    box.setCurrentIndex(0)
    assert opened.model_spec == ResUNetSpec()


def test_that_a_download_is_a_task_that_can_be_stopped(panel, opened, qtbot, monkeypatch, cache):
    def slow(spec):
        while True:
            yield Progress(1, 45, "Downloading")

    monkeypatch.setattr("geocnn_gui.gui.training.fetch_weights", slow)
    click(qtbot, panel, "download_weights")
    assert opened.work == "download"
    assert not panel.findChild(QPushButton, "download_weights").isEnabled()
    opened.stop_job()
    qtbot.waitUntil(lambda: opened.job is None, timeout=5000)
    assert panel.findChild(QPushButton, "download_weights").isEnabled()


def test_that_a_download_that_fails_says_where_to_put_the_file(
    panel, opened, qtbot, monkeypatch, cache
):
    monkeypatch.setenv("GEOCNN_WEIGHTS_URL", "http://127.0.0.1:9/")
    with qtbot.waitSignal(opened.message, timeout=5000) as told:
        click(qtbot, panel, "download_weights")
    assert f"put that file into {cache}" in told.args[0].text


def test_that_the_size_of_the_network_is_told(panel, opened):
    assert text(panel, "model_size") == "14.3 million parameters"
    choose_kind(panel, "cnn")
    assert text(panel, "model_size").endswith("000 parameters")
    choose_kind(panel, "layers")
    exact = opened.model_spec.parameters(*opened.outlets)
    assert exact < 100_000
    assert text(panel, "model_size").replace("\u2009", "").replace("\u202f", "") == (
        f"{exact} parameters"
    )


def test_that_what_was_set_is_kept_while_another_network_is_looked_at(panel, opened, qtbot):
    click(qtbot, panel, "no_weights")
    choose_kind(panel, "resnet18")
    assert opened.model_spec == ResNetSpec()
    choose_kind(panel, "unet-resnet18")
    assert opened.model_spec == ResUNetSpec(weights="none")

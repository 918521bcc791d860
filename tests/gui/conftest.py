"""Fixtures of the window's tests: sessions, the window, quick stand-ins for training."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import pytest
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication, QWidget

from geocnn_gui import workflow
from geocnn_gui.data.source import Section
from geocnn_gui.events import EpochDone, Note, Progress, Saved, TileDone
from geocnn_gui.gui.session import Session


@pytest.fixture
def small_file(tmp_path):
    """A cube of 20 inlines, 30 crosslines, 24 samples: pictures have 24 rows, 30 columns."""
    path = tmp_path / "small.npy"
    np.save(path, np.random.default_rng(0).normal(size=(20, 30, 24)).astype(np.float32))
    return path


@pytest.fixture
def session(qapp):
    """A session that is shut down at the end."""
    session = Session()
    session.said = []
    session.message.connect(session.said.append)
    yield session
    session.shut_down()


@pytest.fixture
def opened(session, small_file, qtbot):
    """A session with the small file open."""
    _open_and_wait(session, small_file, qtbot)
    return session


@pytest.fixture
def open_and_wait():
    """Return a function that opens a file and waits for it."""
    return _open_and_wait


def _open_and_wait(session, path, qtbot):
    """Open a file and wait until it is shown and its statistics are known."""
    with qtbot.waitSignals([session.source_changed, session.statistics_changed], timeout=20000):
        session.open_path(path)


@pytest.fixture
def paint(opened):
    """Return a function that paints a block of rows with a class."""

    def paint(start, stop, value):
        columns = slice(0, opened.source.picture_shape(opened.section)[1])
        mask = np.ones((stop - start, columns.stop), bool)
        opened.paint(opened.section, slice(start, stop), columns, mask, value)

    return paint


@dataclass
class FakeWork:
    """Quick stand-ins for the verbs: what they were called with, and how they behave."""

    epochs: int = 2
    pause: float = 0.0
    error: Exception | None = None
    trained: list = field(default_factory=list)
    predicted: list = field(default_factory=list)

    def train(self, pairs, model_spec, training, classes, *, out, device="auto", checkpoint=None):
        self.trained.append((pairs, model_spec, training, classes))
        yield Note("Training on CPU, 1 core.")
        if self.error is not None:
            raise self.error
        try:
            for epoch in range(1, self.epochs + 1):
                for step in range(5):
                    time.sleep(self.pause)
                    yield Progress(5 * (epoch - 1) + step, 5 * self.epochs, "Training", 1.0)
                yield EpochDone("holdout", epoch, self.epochs, 1 / epoch, 1.1 / epoch, 0.5)
        finally:
            self._save(pairs, model_spec, classes, out)
        yield Saved(out, "model")

    def _save(self, pairs, model_spec, classes, out):
        from geocnn_gui.data.statistics import estimate_statistics
        from geocnn_gui.models.networks import build
        from geocnn_gui.models.scaling import Scaling
        from geocnn_gui.models.weights import ModelCard, TrainingSummary, save_model

        source = pairs[0].source
        card = ModelCard(
            spec=model_spec, classes=classes, bands=tuple(b.name for b in source.bands),
            domain=source.domain,
            scaling=Scaling(mode="survey", statistics=estimate_statistics(source)),
            training=TrainingSummary(
                data=(source.name,), holdout_iou=0.5, refit=True,
                labels_digest=(pairs[0].labels.digest,),
            ),
        )  # fmt: skip
        save_model(out, build(model_spec, len(source.bands), len(classes)), card)

    def predict(self, model, source, *, folder, sections=None, device="auto", spec=None):
        from geocnn_gui.inference.store import PredictionStore
        from geocnn_gui.models.weights import read_card
        from geocnn_gui.scoring.seen import SEEN_FILE, Seen

        self.predicted.append((model, sections))
        store = PredictionStore.create(folder, source, read_card(model).classes, model="fake")
        Seen.by_model(model, source).save(folder / SEEN_FILE)
        every = (
            [Section(0, i) for i in range(source.shape[0])] if source.section_axes else [Section()]
        )
        shown = sections or every
        for number, section in enumerate(shown):
            rows, columns = source.picture_shape(section)
            window = source.plane(section).window(slice(0, rows), slice(0, columns))
            store.write(window, np.full(window.size, 1, np.uint8), np.full(window.size, 0.75))
            yield TileDone(window.offset, window.size)
            yield Progress(number + 1, len(shown), "Predicting", 0.0)
        store.finish(complete=True)
        store.close()
        yield Saved(folder, "prediction")


@pytest.fixture
def work(monkeypatch):
    """Put quick stand-ins in the place of training and prediction."""
    fake = FakeWork()
    monkeypatch.setattr(workflow, "train", fake.train)
    monkeypatch.setattr(workflow, "predict", fake.predict)
    return fake


@pytest.fixture(autouse=True)
def undressed():
    """Take off what a window has dressed the whole program in, so that the next test is bare."""
    yield
    app = QApplication.instance()
    if isinstance(app, QApplication) and app.styleSheet():
        app.setStyleSheet("")
        app.setPalette(QPalette())


@pytest.fixture
def window(session, qtbot, monkeypatch):
    """The whole window, shown offscreen; the examples' thumbnails are flat, which is quick."""
    from geocnn_gui.data import synthetic
    from geocnn_gui.gui.app import make_window

    flat = np.zeros((90, 160, 3), np.uint8)
    monkeypatch.setattr(synthetic, "thumbnail", lambda name: flat)
    window = make_window(QApplication.instance(), session)
    window.findChild(QWidget, "side_panel").build_all()
    window.resize(1280, 720)
    window.show()
    qtbot.waitExposed(window)
    window.activateWindow()
    yield window
    if session.job is not None:
        session.stop_job()
        qtbot.waitUntil(lambda: session.job is None, timeout=10000)
    window.close()
    window.deleteLater()

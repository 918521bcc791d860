"""Sessions that show arrays, and views on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from canvas_sources import CLASSES

from geocnn_gui.gui.canvas.view import CanvasView
from geocnn_gui.gui.session import Session
from geocnn_gui.gui.state import first_view
from geocnn_gui.project.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from geocnn_gui.data.source import Source


@pytest.fixture
def session(tmp_path: Path, qapp: object) -> Iterator[Session]:
    """A session without a source, for `show` to put one into."""
    session = Session()
    session.classes = CLASSES
    yield session
    session.shut_down()
    session.deleteLater()


@pytest.fixture
def show(session: Session, tmp_path: Path) -> Iterator[Callable[[Source], None]]:
    """Put a source with empty labels into the session."""
    with Project.create(tmp_path / "work") as project:
        yield lambda source: _show(session, source, project)


def _show(session: Session, source: Source, project: Project) -> None:
    """Show a source that is no file, with labels and steps of a project that has one for it."""
    stand_in = project.folder.parent / f"{source.name}.npy"
    np.save(stand_in, np.zeros((2, 2)))
    session.entry_id = project.add_source(stand_in).id
    session.source = source
    session.labels = project.labels(session.entry_id, source.shape)
    session.steps.attach(project.history)
    session.section, session.view = source.first_section(), first_view(source)
    session.source_changed.emit()


@pytest.fixture
def view(session: Session, qtbot: QtBot) -> Iterator[CanvasView]:
    """A view of the session, 900 x 600, on the screen."""
    view = CanvasView(session)
    qtbot.addWidget(view)
    errors: list[Exception] = []
    view.failed.connect(errors.append)
    view.resize(900, 600)
    view.show()
    qtbot.waitExposed(view)
    yield view
    view.close_reading()
    assert not errors


@pytest.fixture
def settled(view: CanvasView, qtbot: QtBot) -> Callable[[], None]:
    """Wait until what is in view has been read."""

    def wait() -> None:
        qtbot.wait(40)
        qtbot.waitUntil(lambda: not view.feed.busy, timeout=5000)

    return wait

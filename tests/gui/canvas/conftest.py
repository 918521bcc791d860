"""Sessions that show arrays, and views on them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from canvas_sources import CLASSES

from geocnn_gui.gui.canvas.view import CanvasView
from geocnn_gui.gui.session import Session
from geocnn_gui.gui.state import first_view
from geocnn_gui.labels.book import LabelBook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from geocnn_gui.data.source import Source


@pytest.fixture
def session(tmp_path: Path, qapp: object) -> Iterator[Session]:
    """A session without a project, for `show` to put a source into."""
    session = Session()
    session.classes = CLASSES
    yield session
    session.shut_down()
    session.deleteLater()


@pytest.fixture
def show(session: Session, tmp_path: Path) -> Iterator[Callable[[Source], None]]:
    """Put a source with empty labels into the session."""
    with ExitStack() as books:
        yield lambda source: _show(session, source, books, tmp_path)


def _show(session: Session, source: Source, books: ExitStack, folder: Path) -> None:
    session.source = source
    session.labels = books.enter_context(LabelBook(folder / source.name, source.shape))
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

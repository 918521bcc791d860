"""Live: what is painted becomes a map while one watches; the session's hand on its thread."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from geocnn_gui.errors import GeoCNNError
from geocnn_gui.gui.in_use import SourceLeft
from geocnn_gui.gui.jobs import ROUND_MS
from geocnn_gui.gui.live_work import (
    Drawn,
    Fitted,
    Ground,
    InUseNow,
    LiveWork,
    Overtaken,
    Told,
    Wish,
)
from geocnn_gui.gui.newest import Newest
from geocnn_gui.gui.run_tasks import InView
from geocnn_gui.live.map import LiveMap

if TYPE_CHECKING:
    from pathlib import Path

    from geocnn_gui.data.source import Window
    from geocnn_gui.gui.live_work import News
    from geocnn_gui.gui.state import State
    from geocnn_gui.live.head import Head
    from geocnn_gui.live.loop import Live
    from geocnn_gui.models.survey_card import BackboneCard
    from geocnn_gui.project.project import SourceEntry

FEW = "Live: paint strokes of at least two classes."
LARGE = "Live colours the middle of the view; zoom in for the rest."
PREPARING = "Preparing Live\u2026"


class LiveState(QObject):
    """Live on or off, and what it shows; the work is done on a thread of its own.

    Attributes: `on`; `head`, the latest one fitted, None where there is none; `core`, the loop
    that fits and draws (use it through `ask`), None until it is ready; `map`, what is drawn of
    the section in view; `preparing` and `sentence` for the canvas.

    Signals
    -------
    toggled: `on`. changed: any of the others. tile_drawn: a Window of the map that is new.
    """

    toggled = Signal(bool)
    changed = Signal()
    tile_drawn = Signal(object)
    _news = Signal(object, object)

    def __init__(self, session: State) -> None:
        super().__init__(session)
        self._session = session
        self.on = False
        self.preparing = False
        self.sentence = ""
        self.head: Head | None = None
        self.core: Live | None = None
        self.map: LiveMap | None = None
        self.card: BackboneCard | None = None
        self._file: Path | None = None
        self._cells = slice(0, 0), slice(0, 0)
        self._marks = itertools.count(1)
        self._mark = 0
        self._thread: Newest | None = None
        self._work: LiveWork | None = None
        self._beside: tuple[SourceEntry, ...] = ()
        self._tiles: deque[Window] = deque()
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._send)
        self._round = QTimer(self, singleShot=True, interval=ROUND_MS)
        self._round.timeout.connect(self._show_tiles)
        self._news.connect(self._on_news, Qt.ConnectionType.QueuedConnection)
        session.labels_changed.connect(lambda _: self._learn_soon())
        session.classes_changed.connect(self._on_classes)
        session.section_changed.connect(self._on_section)
        session.source_changed.connect(self._on_source)
        session.project_changed.connect(self._on_project)

    # -- on and off ------------------------------------------------------------------------------

    def why_not(self) -> str:
        """Say why there is no Live here; "" where there is."""
        source = self._session.source
        if source is None:
            return "Open a file first."
        if source.samples is not None:
            return "A sample set is labelled sample by sample, not painted."
        return ""

    @property
    def shows(self) -> bool:
        """Say whether what lies over the data is Live's map."""
        session = self._session
        mine = self.map is not None and self.map.source is session.source
        return mine and self.head is not None and not session.network_in_front

    @property
    def backbone_file(self) -> Path | None:
        """Return the file of the backbone in use, or that would be; None for a fresh one."""
        if self.core is not None:
            return self._file
        return next(iter(self._session.survey.files()), None)

    def set_on(self, on: bool) -> None:
        """Turn Live on or off."""
        if on == self.on or (on and self.why_not()):
            return
        self.on = on
        if on:
            self._bring_into_view()
            self._attach()
        else:
            self._detach()
        self.toggled.emit(on)
        self.changed.emit()

    def restore(self, on: bool) -> None:
        """Say how Live was left, before the source is shown."""
        if on != self.on:
            self.on = on
            self.toggled.emit(on)

    def _bring_into_view(self) -> None:
        view = self._session.view
        overlay = "classes" if view.overlay == "none" else view.overlay
        self._session.set_view(overlay=overlay, overlay_visible=True)

    def set_cells(self, rows: slice, columns: slice) -> None:
        """Say which cells of the section are in view."""
        if (rows, columns) != self._cells:
            self._cells = rows, columns
            self._draw_soon()

    def ask(
        self, function: Callable[[Live], Any], done: Callable[[Any], object], *,
        failed: Callable[[Exception], object] | None = None,
    ) -> None:  # fmt: skip
        """Call a function with the loop on Live's thread, and bring its answer here.

        Strokes go first. A function that takes longer than a moment should be a generator: what
        it returns at its end is the answer, and between two of its yields strokes go first.
        `done` is not called when Live is turned off or the source is left meanwhile, and called
        with None where Live is off or could not begin. Errors go to `failed`, or are told.
        """
        work, thread = self._work, self._thread
        if work is None or thread is None:
            done(None)
            return
        self._send_now()
        answer = _Answer(work, function, done, failed or self._session.report)
        thread.ask(lambda: answer.run(thread, self._news.emit))

    def renew(self) -> None:
        """Take the backbone that is best now, fit and draw anew; what is drawn stays meanwhile."""
        work, files = self._work, self._session.survey.files()
        if work is not None and self._thread is not None:
            self._thread.do(lambda: work.renew(files))
            self._learn_soon()

    def close(self) -> None:
        """End the thread; for the end of the window."""
        self._soon.stop()
        self._detach()
        if self._thread is not None:
            self._thread.end()
            self._thread = None

    # -- the session has changed -------------------------------------------------------------------

    def _on_source(self) -> None:
        had = self.shows
        self._detach(tell=False)
        if self.on and not self.why_not():
            self._attach()
        if had or self.on:
            self.changed.emit()

    def _on_project(self) -> None:
        """Let the labels of the sources that the project has now count, and no others."""
        work, thread, beside = self._work, self._thread, _sources_beside(self._session)
        if work is None or thread is None or beside == self._beside:
            return
        self._beside = beside
        thread.do(work.look_around)
        self._learn_soon()

    def _on_section(self) -> None:
        if self._work is None:
            return
        source, section = self._session.source, self._session.section
        if source is not None:
            self.map = LiveMap(source, section, self.map.classes if self.map is not None else ())
            self._tiles.clear()
            self._draw_soon()

    def _on_classes(self) -> None:
        if self.map is not None:
            self.map.classes = self._known()
        self._learn_soon()

    def _attach(self) -> None:
        """Begin to work on the source in view."""
        session = self._session
        if session.source is None or session.labels is None or session.project is None:
            return
        entry = replace(session.project.source(session.entry_id), target=None)
        view = InView(entry, session.source, session.labels.store.snapshot())
        self._thread = self._thread or Newest("live")
        try:
            session.in_use.hold(session.source)
        except SourceLeft:
            return
        ground = Ground(view, session.project, session.survey.files())
        self._beside = _sources_beside(self._session)
        self._work = LiveWork(ground, lambda thread=self._thread: thread.overtaken)
        self.preparing = True
        self.map = LiveMap(session.source, session.section, ())
        self._learn_soon()

    def _detach(self, *, tell: bool = True) -> None:
        """Let go of the source; what lay under the map is shown again."""
        work, thread, had = self._work, self._thread, self.shows
        self._work = self.map = self.head = self.core = self.card = self._file = None
        self.preparing, self.sentence = False, ""
        self._tiles.clear()
        if work is None or thread is None:
            return
        source, in_use = work.ground.view.source, self._session.in_use

        def let_go() -> None:
            try:
                work.close()
            finally:
                in_use.release(source)

        thread.forget()
        thread.do(let_go)
        if had and tell:
            self._session.map_changed.emit()

    # -- work is sent ------------------------------------------------------------------------------

    def _learn_soon(self) -> None:
        if self._work is not None:
            self._mark = next(self._marks)
            self._soon.start()

    def _draw_soon(self) -> None:
        if self._work is not None:
            self._soon.start()

    def _send_now(self) -> None:
        if self._soon.isActive():
            self._soon.stop()
            self._send()

    def _send(self) -> None:
        session, work, thread = self._session, self._work, self._thread
        if work is None or thread is None or self.map is None or session.labels is None:
            return
        wish = Wish(
            session.labels.store.snapshot(), session.classes, self._mark,
            self.map, *self._cells_in_view(),
        )  # fmt: skip
        thread.refresh(lambda: self._refresh(work, wish))

    def _cells_in_view(self) -> tuple[slice, slice]:
        source, (rows, columns) = self._session.source, self._cells
        if source is not None and rows.start >= rows.stop:  # no canvas has said yet
            return tuple(slice(0, n) for n in source.picture_shape(self._session.section))  # type: ignore[return-value]
        return rows, columns

    def _refresh(self, work: LiveWork, wish: Wish) -> None:
        """Work on a wish, on Live's thread; a second time with less memory where that was short."""
        try:
            try:
                self._pass_on(work, wish)
            except (MemoryError, RuntimeError) as error:
                from geocnn_gui.inference.memory import is_out_of_memory

                if not is_out_of_memory(error) or not work.shrink():
                    raise
                self._news.emit(work, Told("Memory is short: Live keeps less of the survey."))
                self._pass_on(work, wish)
        except Overtaken:
            pass
        except Exception as error:  # noqa: BLE001  handed to the window's thread
            self._news.emit(work, error)

    def _pass_on(self, work: LiveWork, wish: Wish) -> None:
        for news in work.refresh(wish):
            self._news.emit(work, news)

    # -- news come back ----------------------------------------------------------------------------

    def _on_news(self, work: LiveWork, news: News | Exception | Callable[[], object]) -> None:
        if work is not self._work:
            return
        match news:
            case Drawn():
                self._on_drawn(news)
            case Fitted():
                self._on_fitted(news)
            case InUseNow():
                self._file, self.card, self.core = news.file, news.card, news.core
                self.changed.emit()
            case Told():
                self._session.tell(news.text, "warning")
            case Exception():
                self._on_failed(news)
            case _:
                news()

    def _on_fitted(self, news: Fitted) -> None:
        had = self.shows
        self.head, self.preparing = news.head, False
        if self.map is not None:
            if news.head is None and had and self._session.source is not None:
                self.map = LiveMap(self._session.source, self._session.section, ())
            self.map.classes = self._known()
        self.sentence = "" if news.head is not None else FEW
        if self.shows != had:
            self._session.map_changed.emit()
        self.changed.emit()

    def _known(self) -> tuple[Any, ...]:
        ids = self.head.ids if self.head is not None else ()
        return tuple(c for c in self._session.classes if c.id in ids)

    def _on_drawn(self, news: Drawn) -> None:
        self._tiles.extend(news.windows)
        if news.ended:
            sentence = LARGE if news.rest else ""
            if sentence != self.sentence:
                self.sentence = sentence
                self.changed.emit()
        if not self._round.isActive():
            self._show_tiles()

    def _show_tiles(self) -> None:
        """Hand over what is new, at most twenty times a second."""
        if not self._tiles:
            return
        self._round.start()
        tiles = tuple(dict.fromkeys(self._tiles))
        self._tiles.clear()
        for window in tiles:
            self.tile_drawn.emit(window)

    def _on_failed(self, error: Exception) -> None:
        self.set_on(False)
        if isinstance(error, GeoCNNError):
            self._session.tell(f"Live is off. {error}", "warning")
        else:
            self._session.report(error)


def _sources_beside(session: State) -> tuple[SourceEntry, ...]:
    """Return the sources of the project that are not in view."""
    project = session.project
    return () if project is None else tuple(e for e in project.sources if e.id != session.entry_id)


@dataclass(eq=False)
class _Answer:
    """A question to the loop, answered on Live's thread, step by step where it is a generator."""

    work: LiveWork
    function: Callable[[Any], Any]
    done: Callable[[Any], object]
    failed: Callable[[Exception], object]
    steps: Any = None

    def run(self, thread: Newest, tell: Callable[[LiveWork, Callable[[], object]], object]) -> None:
        """Take a step, and ask for the next or tell the answer."""
        try:
            answer = self._step()
        except StopIteration as end:
            tell(self.work, partial(self.done, end.value))
        except Exception as error:  # noqa: BLE001  told where it was asked for
            tell(self.work, partial(self.failed, error))
        else:
            if self.steps is None:
                tell(self.work, partial(self.done, answer))
            else:
                thread.ask(lambda: self.run(thread, tell))

    def _step(self) -> object:
        if self.steps is not None:
            return next(self.steps)
        if self.work.core is None:
            return None
        answer = self.function(self.work.core)
        if isinstance(answer, GeneratorType):
            self.steps = answer
        return answer

"""Why here, in the window: the strokes most like the cell under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from geocnn_gui.gui.marks import Mark, class_name, where_words

if TYPE_CHECKING:
    from geocnn_gui.gui.session import Session
    from geocnn_gui.live.head import Head
    from geocnn_gui.live.loop import Live
    from geocnn_gui.live.why import LikeStroke, Why

_PACE_MS = 120
POINT = "Why here: point at the picture."
WAITING = "Why here: looking\u2026"


class WhyHere(QObject):
    """While on, says which three strokes look most like what is under the cursor.

    One question is under way at a time; the next one is about where the cursor is then.

    Attributes: `on`, `likes` and `sentence`.

    Signals
    -------
    changed: any of these.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.on = False
        self.likes: tuple[LikeStroke, ...] = ()
        self.sentence = ""
        self._cell: tuple[int, int] | None = None
        self._waits = False
        self._asked = 0
        self._known: tuple[Head, Why] | None = None
        self._timer = QTimer(self, singleShot=True, interval=_PACE_MS)
        self._timer.timeout.connect(self._ask)
        session.source_changed.connect(lambda: self.set_on(False))
        session.section_changed.connect(self._clear)
        session.labels_changed.connect(lambda _: self._clear())
        session.live.toggled.connect(lambda on: None if on else self.set_on(False))

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Return the outlines of the strokes in the section in view."""
        here = self._session.section
        return tuple(
            Mark("like", one.section, slice(one.cell[0], one.cell[0] + 1),
                 slice(one.cell[1], one.cell[1] + 1), one.parts)
            for one in self.likes if one.section == here
        )  # fmt: skip

    def set_on(self, on: bool) -> None:
        """Turn it on or off; Live is turned on with it."""
        if on == self.on or (on and self._session.live.why_not()):
            return
        if on:
            self._session.live.set_on(True)
        self.on, self.likes, self._known = on, (), None
        self._asked += 1  # an answer that is under way may never come
        self._waits = False
        self.sentence = POINT if on else ""
        self.changed.emit()
        self.hover(self._cell)

    def hover(self, cell: tuple[int, int] | None) -> None:
        """Say which cell is under the cursor; None when it has left the picture."""
        moved = cell != self._cell
        self._cell = cell
        if not self.on:
            return
        if cell is None:
            self._clear()
        elif (moved or not self.likes) and not self._timer.isActive():
            self._timer.start()

    def _clear(self) -> None:
        if self.likes:
            self.likes, self.sentence = (), POINT if self.on else ""
            self.changed.emit()

    def _ask(self) -> None:
        session, cell = self._session, self._cell
        if not self.on or cell is None or self._waits or session.labels is None:
            return
        if not self.likes:
            self.sentence = WAITING
            self.changed.emit()
        section, labels = session.section, session.labels.store.snapshot()
        self._waits = True
        self._asked += 1
        number = self._asked

        def look(core: Live) -> tuple[LikeStroke, ...] | None:
            from geocnn_gui.live.why import Why

            if core.head is None or core.cells is None:
                return None
            known = self._known
            if known is None or known[0] is not core.head:
                known = core.head, Why(core.features, labels, core.head, core.cells)
                self._known = known
            return known[1].at(section, *cell)

        session.live.ask(look, lambda likes: self._take(number, section, cell, likes),
                         failed=self._on_failed)  # fmt: skip

    def _on_failed(self, error: Exception) -> None:
        self._waits = False
        self.set_on(False)
        self._session.report(error)

    def _take(
        self, number: int, section: object, cell: tuple[int, int],
        likes: tuple[LikeStroke, ...] | None,
    ) -> None:  # fmt: skip
        if number != self._asked:
            return
        self._waits = False
        if not self.on or section != self._session.section or self._cell is None:
            return
        self.likes = likes or ()
        if likes is None:
            self.sentence = self._session.live.sentence or POINT
        else:
            self.sentence = self._words(likes)
        self.changed.emit()
        if cell != self._cell:
            self._timer.start()

    def _words(self, likes: tuple[LikeStroke, ...]) -> str:
        """Write "Very like your stroke of Salt on inline 362; like your stroke of Shale here"."""
        if not likes:
            return "There is no data here, or no stroke to compare with."
        groups: dict[tuple[str, str], list[str]] = {}
        for one in likes:
            name, where = (
                class_name(self._session, one.label),
                where_words(self._session, one.section),
            )
            groups.setdefault((one.words, name), []).append(where)
        said = []
        for (words, name), places in groups.items():
            strokes = "stroke" if len(places) == 1 else f"{len(places)} strokes"
            where = " and ".join(dict.fromkeys(places))
            said.append(f"{words} your {strokes} of \u201c{name}\u201d {where}")
        text = "; ".join(said)
        return text[0].upper() + text[1:]

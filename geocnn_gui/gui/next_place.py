"""Where to label next, in the window: the places, and jumping from one to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from geocnn_gui.gui.live import FEW
from geocnn_gui.gui.marks import Mark

if TYPE_CHECKING:
    from collections.abc import Generator

    from geocnn_gui.gui.session import Session
    from geocnn_gui.live.head import Head
    from geocnn_gui.live.loop import Live
    from geocnn_gui.live.next import Place

LOOKING = "Looking where to label next\u2026"
NOTHING = "No place without labels is left to name."


class NextPlaces(QObject):
    """The places where a label would tell most, found on Live's thread when they are asked for.

    Attributes: `places`, the best first; `at`, which of them is shown, -1 for none; `looking`
    while they are sought; `sentence` for the canvas.

    Signals
    -------
    changed: any of these. progressed: a Progress.
    """

    changed = Signal()
    progressed = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.places: tuple[Place, ...] = ()
        self.at = -1
        self.looking = False
        self.sentence = ""
        self._head: Head | None = None
        self._stale = True
        self._asked = 0
        session.labels_changed.connect(lambda _: self._on_labels())
        session.classes_changed.connect(self._on_labels)
        session.source_changed.connect(self._forget)
        session.live.toggled.connect(lambda on: None if on else self._forget())

    def why_not(self) -> str:
        """Say why no place can be named; "" where it can."""
        return self._session.live.why_not()

    @property
    def fresh(self) -> bool:
        """Say whether the places are those for the head as it is."""
        return not self._stale and self._head is self._session.live.head and bool(self.places)

    @property
    def mark(self) -> Mark | None:
        """Return the outline of the place shown; None where it lies in another section."""
        if self.at < 0:
            return None
        place = self.places[self.at]
        if place.section != self._session.section:
            return None
        return Mark("place", place.section, place.rows, place.columns)

    def go(self, step: int) -> None:
        """Go `step` places on; where the head has changed, find places anew and go to the first."""
        if reason := self.why_not():
            self._session.tell(reason)
        elif not self.fresh:
            self.find()
        else:
            self.show((self.at + step) % len(self.places))

    def show(self, number: int) -> None:
        """Bring a place into view."""
        session, place = self._session, self.places[number]
        self.at = number
        reasons = "; ".join(place.reasons)
        self.sentence = f"{number + 1} of {len(self.places)}: {reasons}"
        session.set_section(place.section)
        session.block_wanted.emit((place.rows, place.columns))
        self.changed.emit()

    def find(self) -> None:
        """Look for places in the background, then show the first; turns Live on."""
        session = self._session
        if self.looking or self.why_not() or session.labels is None:
            return
        session.live.set_on(True)
        self.looking, self.at, self.sentence = True, -1, LOOKING
        self._asked += 1
        number, section, labels = self._asked, session.section, session.labels.store.snapshot()
        prediction, classes = session.prediction, session.classes
        if prediction is not None and prediction.target is not None:
            prediction = None

        def look(core: Live) -> Generator[None, None, tuple[Any, tuple[Place, ...]]]:
            from geocnn_gui.live.next import Ground, next_places

            if core.head is None or core.cells is None:
                return None, ()
            ground = Ground(
                core.features, labels, core.head, core.cells, classes, section, prediction
            )
            head, task = core.head, next_places(ground)
            while True:
                try:
                    event = next(task)
                except StopIteration as end:
                    return head, end.value
                self.progressed.emit(event)
                yield

        session.live.ask(look, lambda answer: self._take(number, answer), failed=self._on_failed)
        self._stale = False
        self.changed.emit()

    def _take(self, number: int, answer: tuple[Any, tuple[Place, ...]] | None) -> None:
        if number != self._asked:
            return
        self.looking = False
        self._head, self.places = answer or (None, ())
        if self.places:
            self.show(0)
            return
        self.sentence = NOTHING if self._head is not None else FEW
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self.looking, self.sentence = False, ""
        self._session.report(error)
        self.changed.emit()

    def put_away(self) -> None:
        """Take the outline and the sentence away."""
        if self.at >= 0 or self.sentence:
            self.at, self.sentence = -1, ""
            self.changed.emit()

    def _on_labels(self) -> None:
        """Take note that the head will be another one; what was named is being labelled."""
        self._stale = True
        self.put_away()

    def _forget(self) -> None:
        self.places, self._head, self._stale, self.looking = (), None, True, False
        self._asked += 1
        self.at, self.sentence = -1, ""
        self.changed.emit()

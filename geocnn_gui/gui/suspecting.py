"""Suspect labels in the window: found in the background, then fixed, kept or left one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal

from geocnn_gui.errors import GeoCNNError, NotEnoughLabels
from geocnn_gui.gui.marks import Mark, class_name
from geocnn_gui.labels.edit import LabelEdit
from geocnn_gui.project.kept_labels import KeptLabels, read_kept, write_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from geocnn_gui.data.source import Source, Window
    from geocnn_gui.gui.session import Session
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.live.loop import Live
    from geocnn_gui.live.suspects import Suspect, Suspects

NONE_FOUND = "No label looks wrong: other strokes speak for all of them."
ALL_SEEN = "That was the last suspect label."


class Suspecting(QObject):
    """Labels that other strokes deny, and what becomes of them.

    Attributes: `found`, those that are left, the weightiest first; `at`, which of them is shown,
    -1 for none; `looking` while they are sought; `sentence`, how things stand.

    Signals
    -------
    changed: any of these. progressed: a Progress. wanted: they should come into sight.
    """

    changed = Signal()
    progressed = Signal(object)
    wanted = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.found: tuple[Suspect, ...] = ()
        self.at = -1
        self.looking = False
        self.sentence = ""
        self._asked = 0
        self._stopped = False
        self._fixing = False
        session.labels_changed.connect(lambda _: self._on_labels())
        session.source_changed.connect(self._forget)
        session.live.toggled.connect(self._on_live)

    def why_not(self) -> str:
        """Say why labels cannot be judged; "" where they can."""
        session = self._session
        if reason := session.live.why_not():
            return reason
        if session.labels is None or len(session.labels.store.counts) < 2:
            return "Label at least two classes first."
        return ""

    def why_no_change(self) -> str:
        """Say why nothing can be done to a suspect; "" where it can."""
        if self.at < 0:
            return "No suspect label is shown."
        return self._session.why_read_only()

    @property
    def current(self) -> Suspect | None:
        """Return the suspect that is shown."""
        return self.found[self.at] if self.at >= 0 else None

    @property
    def mark(self) -> Mark | None:
        """Return its outline; None where it lies in another section."""
        one = self.current
        if one is None or one.section != self._session.section:
            return None
        return Mark("suspect", one.section, one.rows, one.columns, one.parts)

    # -- finding -----------------------------------------------------------------------------------

    def find(self) -> None:
        """Judge all labels of the source in view in the background; turns Live on."""
        session = self._session
        if reason := self.why_not():
            session.tell(reason)
            return
        session.set_step("Label")
        self.wanted.emit()
        if self.looking or session.labels is None or session.source is None:
            return
        session.live.set_on(True)
        self.found, self.at, self.looking, self._stopped = (), -1, True, False
        self.sentence = "Judging each stroke by the others\u2026"
        self._asked += 1
        number, labels, classes = self._asked, session.labels.store.snapshot(), session.classes
        source, folder = session.source, self._folder()

        def look(core: Live) -> Generator[None, None, Suspects | None]:
            from geocnn_gui.live.suspects import find_suspects

            task = find_suspects(core.features, labels, classes)
            while not self._stopped:
                try:
                    self.progressed.emit(next(task))
                except StopIteration as end:
                    return _without_kept(end.value, source, labels, folder)
                yield
            return None

        session.live.ask(look, lambda found: self._take(number, found),
                         failed=lambda error: self._on_failed(number, error))  # fmt: skip
        self.changed.emit()

    def stop(self) -> None:
        """Stop looking after the step in hand."""
        self._stopped = True
        if self.looking:
            self._asked += 1
            self.looking, self.sentence = False, "Stopped."
            self.changed.emit()

    def _take(self, number: int, found: Suspects | None) -> None:
        if number != self._asked:
            return
        self.looking = False
        self.found = found.found if found is not None else ()
        self.sentence = NONE_FOUND if found is not None else "Live could not begin."
        if found is not None and found.notes:
            self.sentence = " ".join((self.sentence, *found.notes)) if not self.found else ""
        self._show_next(0)

    def _on_failed(self, number: int, error: Exception) -> None:
        if number != self._asked:
            return
        self.looking, self.sentence = False, ""
        if isinstance(error, NotEnoughLabels):
            self.sentence = str(error)
        else:
            self._session.report(error)
        self.changed.emit()

    # -- one by one --------------------------------------------------------------------------------

    def show(self, number: int) -> None:
        """Bring a suspect into view."""
        session, one = self._session, self.found[number]
        self.at = number
        mine, other = (class_name(session, each) for each in (one.label, one.says))
        what = "A stroke" if one.share > 0.99 else f"{100 * one.share:.0f} % of a stroke"
        self.sentence = (
            f"{number + 1} of {len(self.found)}: {what} of \u201c{mine}\u201d looks like "
            f"\u201c{other}\u201d. Other strokes give \u201c{mine}\u201d {100 * one.own:.0f} %."
        )
        session.set_section(one.section)
        session.block_wanted.emit((one.rows, one.columns))
        self.changed.emit()

    def skip(self) -> None:
        """Go to the next one and leave this as it is; after the last comes the first."""
        if self.found:
            self.show((self.at + 1) % len(self.found))

    def fix(self) -> None:
        """Give all cells of the suspect the class that it looks like, as one undo step.

        That is the class of most of its cells: a region is one doubt and gets one answer, the
        one that the sentence names.
        """
        one, session = self.current, self._session
        if one is None or session.source is None or session.labels is None:
            return
        if reason := self.why_no_change() or self._why_locked(one):
            session.tell(reason)
            return
        name = f"Fix {class_name(session, one.label)} to {class_name(session, one.says)}"
        self._fixing = True
        try:
            done = session.make_edits(name, self._edits(one))
        finally:
            self._fixing = False
        if done:
            self._drop()

    def _why_locked(self, one: Suspect) -> str:
        return self._session.why_locked(one.label) or self._session.why_locked(one.says)

    def _edits(self, one: Suspect) -> Iterator[LabelEdit]:
        """Yield the edits of a fix; cells that are labelled otherwise by now are left alone."""
        source, labels = self._session.source, self._session.labels
        assert source is not None
        assert labels is not None
        plane = source.plane(one.section)
        for part in one.parts:
            window = plane.window(part.rows, part.columns)
            mask = plane.array(part.mask) & (labels.store.read(window) == one.label)
            if mask.any():
                yield LabelEdit.paint(labels.store, window, mask, one.says)

    def keep(self) -> None:
        """Say that the labels are right: they are not asked about again until they change."""
        one, session = self.current, self._session
        if one is None or session.source is None or session.labels is None:
            return
        if reason := self.why_no_change():
            session.tell(reason)
            return
        folder, plane = self._folder(), session.source.plane(one.section)
        kept = KeptLabels.of(session.labels.store, plane, (one.rows, one.columns), one.label)
        try:
            if folder is not None:
                write_kept(folder, (*read_kept(folder), kept))
        except GeoCNNError as error:
            session.report(error)
            return
        self._drop()

    def _drop(self) -> None:
        """Take the suspect shown off the list and show the next."""
        at = self.at
        self.found = (*self.found[:at], *self.found[at + 1 :])
        self.sentence = ALL_SEEN
        self._show_next(at)

    def _show_next(self, number: int) -> None:
        self.at = -1
        if self.found:
            self.show(min(number, len(self.found) - 1))
        else:
            self.changed.emit()

    # -- the session has changed -------------------------------------------------------------------

    def _folder(self) -> Path | None:
        return self._session.labels.folder if self._session.labels is not None else None

    def _on_labels(self) -> None:
        """Drop suspects whose labels are others by now."""
        source, labels = self._session.source, self._session.labels
        if self._fixing or not self.found or source is None or labels is None:
            return
        shown = self.current
        store = labels.store
        self.found = tuple(one for one in self.found if _stands(one, source, store.read))
        if shown is not None and shown in self.found:
            self.at = self.found.index(shown)
        else:
            self.at, self.sentence = -1, "" if self.found else ALL_SEEN
        self.changed.emit()

    def _on_live(self, on: bool) -> None:
        if not on and self.looking:
            self.stop()

    def _forget(self) -> None:
        self._stopped = True
        self._asked += 1
        self.found, self.at, self.looking, self.sentence = (), -1, False, ""
        self.changed.emit()


def _without_kept(
    found: Suspects, source: Source, labels: LabelSnapshot, folder: Path | None
) -> Suspects:
    """Leave out what the user has said to be right."""
    from dataclasses import replace

    kept = read_kept(folder) if folder is not None else ()

    def is_kept(one: Suspect) -> bool:
        plane, cells = source.plane(one.section), np.concatenate([p.cells() for p in one.parts])
        return any(each.holds(labels, plane, cells, one.label) for each in kept)

    return replace(found, found=tuple(one for one in found.found if not is_kept(one)))


def _stands(one: Suspect, source: Source, read: Callable[[Window], np.ndarray]) -> bool:
    """Say whether all cells of a suspect still have its label."""
    plane = source.plane(one.section)
    return all(
        (plane.picture(read(plane.window(part.rows, part.columns)))[part.mask] == one.label).all()
        for part in one.parts
    )

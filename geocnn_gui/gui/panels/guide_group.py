"""Where to label next, and labels that look wrong, in the Label panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from geocnn_gui.gui.marks import class_name, where_words
from geocnn_gui.gui.widgets.card import Fold, button, enable, grouped, label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from geocnn_gui.data.source import Section
    from geocnn_gui.events import Progress
    from geocnn_gui.gui.session import Session

_NEXT = "Where a label would tell most: N jumps to the next place, Shift+N back."
_SUSPECTS = "Each stroke is judged by the others; those that they deny are asked about."
_SHOWN, _ROW = 6, 22


class GuideGroup(QWidget):
    """Two folds: places to label next, and suspect labels."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("guide_group")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(_Places(session))
        layout.addWidget(_Suspects(session))


class _Folded(QWidget):
    """What both folds are made of: a sentence, a bar while it is looked for, a list."""

    def __init__(self, name: str, title: str) -> None:
        super().__init__()
        self.setObjectName(f"{name}_group")
        self.sentence = label(role="muted", name=f"{name}_sentence", wrap=True)
        self.bar = QProgressBar()
        self.bar.setObjectName(f"{name}_progress")
        self.bar.setTextVisible(False)
        self.lines = QListWidget()
        self.lines.setObjectName(f"{name}_list")
        self.lines.setAccessibleName(title)
        self.lines.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.lines.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.lines.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(8)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for part in (self.sentence, self.bar):
            column.addWidget(part)
        column.addLayout(self.buttons)
        column.addWidget(self.lines)
        self.fold = Fold(title, content)
        self.fold.button.setObjectName(f"{name}_fold")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fold)

    def show_lines(self, lines: Sequence[str], current: int) -> None:
        """Show lines, each whole in its tooltip, of which one is current; -1 for none."""
        if [self.lines.item(i).text() for i in range(self.lines.count())] != list(lines):
            self.lines.clear()
            for line in lines:
                item = QListWidgetItem(line)
                item.setToolTip(line)
                self.lines.addItem(item)
        self.lines.setCurrentRow(current)
        self.lines.setVisible(bool(lines))
        self.lines.setFixedHeight(min(max(len(lines), 2), _SHOWN) * _ROW + 4)

    def show_progress(self, progress: Progress) -> None:
        """Say how far the looking is."""
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)

    def on_line(self, act: Callable[[int], object]) -> None:
        """Call with the number of a line that is clicked, or chosen with Enter."""
        self.lines.itemClicked.connect(lambda item: act(self.lines.row(item)))
        self.lines.itemActivated.connect(lambda item: act(self.lines.row(item)))


class _Places(_Folded):
    def __init__(self, session: Session) -> None:
        super().__init__("next_places", "Where to label next")
        self._session = session
        self._find = button("Find places", session.next_places.find, name="find_places")
        self.buttons.addWidget(self._find)
        self.buttons.addStretch(1)
        self.on_line(self._show)
        session.next_places.changed.connect(self._refresh)
        session.next_places.progressed.connect(self.show_progress)
        for signal in (session.source_changed, session.section_changed):
            signal.connect(self._refresh)
        self._refresh()

    def _show(self, number: int) -> None:
        if number != self._session.next_places.at:
            self._session.next_places.show(number)

    def _refresh(self) -> None:
        guide = self._session.next_places
        lines = [
            f"{number}  {'; '.join(place.reasons)}{_where(self._session, place.section)}"
            for number, place in enumerate(guide.places, 1)
        ]
        self.show_lines(lines, guide.at)
        nothing = guide.sentence if not guide.places else ""
        self.sentence.setText(nothing or _NEXT)
        self.bar.setVisible(guide.looking)
        reason = guide.why_not() or ("They are being looked for." if guide.looking else "")
        enable(self._find, reason, tip="Rank the places of this source; turns Live on")


class _Suspects(_Folded):
    def __init__(self, session: Session) -> None:
        super().__init__("suspects", "Suspect labels")
        self._session = session
        suspects = session.suspects
        self._find = button("Look for them", suspects.find, name="find_suspects")
        self._stop = button("Stop", suspects.stop, name="stop_suspects")
        self._fix = button("Fix", suspects.fix, name="fix_suspect")
        self._keep = button("Keep", suspects.keep, name="keep_suspect")
        self._next = button("Next", suspects.skip, name="skip_suspect")
        for each in (self._find, self._stop, self._fix, self._keep, self._next):
            self.buttons.addWidget(each)
        self.buttons.addStretch(1)
        self.on_line(self._show)
        suspects.changed.connect(self._refresh)
        suspects.progressed.connect(self.show_progress)
        suspects.wanted.connect(self.fold.unfold)
        for signal in (session.source_changed, session.section_changed, session.classes_changed):
            signal.connect(self._refresh)
        session.labels_changed.connect(self._refresh)
        self._refresh()

    def _show(self, number: int) -> None:
        if number != self._session.suspects.at:
            self._session.suspects.show(number)

    def _refresh(self) -> None:
        suspects = self._session.suspects
        lines = [
            f"{class_name(self._session, one.label)} \u2192 {class_name(self._session, one.says)}, "
            f"{grouped(one.cells)} pixels{_where(self._session, one.section)}"
            for one in suspects.found
        ]
        self.show_lines(lines, suspects.at)
        self.sentence.setText(suspects.sentence or _SUSPECTS)
        self.bar.setVisible(suspects.looking)
        self._stop.setVisible(suspects.looking)
        self._find.setVisible(not suspects.looking and not suspects.found)
        enable(self._find, suspects.why_not(), tip="Judge all labels in the background")
        for each, tip in ((self._fix, "Give them the class that they look like"),
                          (self._keep, "They are right: do not ask again"),
                          (self._next, "Leave it for now")):  # fmt: skip
            each.setVisible(bool(suspects.found))
            reason = suspects.why_no_change() if each is not self._next else ""
            enable(each, reason, tip=tip)


def _where(session: Session, section: Section) -> str:
    """Name a section other than the one in view."""
    words = where_words(session, section)
    return "" if words == "here" else f" \u00b7 {words}"

"""Write the prediction where other programs read it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from geocnn_gui.gui.panels.predict_panel import section_name
from geocnn_gui.gui.widgets.card import button, enable, label

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QShowEvent

    from geocnn_gui.data.source import Source
    from geocnn_gui.export.segy import Samples
    from geocnn_gui.export.table import Kind
    from geocnn_gui.gui.session import Session

#: Kind -> title and, in a line, what it is.
_KINDS: dict[Kind, tuple[str, str]] = {
    "classes": ("Class map", "The likeliest class of every cell"),
    "values": ("Values", "What was estimated, with its unit"),
    "confidence": ("Confidence", "How sure the network is, 0 to 1"),
    "probabilities": ("Probabilities", "The share of each class, 0 to 1"),
    "polygons": ("Polygons", "Outlines with class, area, confidence"),
    "figure": ("Figure", "What is in view, with axes and legend"),
}
_NOT_KEPT = "This prediction has not kept them"
_SMALL = "One byte a sample, your headers"


class ExportPanel(QWidget):
    """Step six: what, in which of the formats that suit the data; then a name."""

    def __init__(self, session: Session, *, ask: Callable[[Kind, str, Samples], None]) -> None:
        super().__init__()
        self.setObjectName("export_panel")
        self._session, self._ask = session, ask
        self._kind: Kind = "classes"
        self._source: Source | None = None
        self._looked_at: object = None
        self._gaps = ""
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addWidget(label("Export", role="title"))
        layout.addLayout(self._make_kinds())
        line = QHBoxLayout()
        line.addWidget(label("Format", role="muted"))
        self._formats = QComboBox()
        self._formats.setObjectName("export_format")
        self._formats.currentIndexChanged.connect(self._show_use)
        line.addWidget(self._formats, 1)
        layout.addLayout(line)
        self._use = label(role="muted", name="export_use", wrap=True)
        self._extent = label(role="warning", name="export_extent", wrap=True)
        self._extent.hide()
        self._button = button("Export…", self._on_export, name="export", primary=True)
        for widget in (self._use, self._extent, self._button):
            layout.addWidget(widget)
        layout.addStretch(1)
        for signal in (session.source_changed, session.overlay_changed, session.job_changed,
                       session.section_changed):  # fmt: skip
            signal.connect(self._refresh)
        self._refresh()

    def _make_kinds(self) -> QVBoxLayout:
        rows, group = QVBoxLayout(), QButtonGroup(self)
        rows.setSpacing(0)
        self._choices: dict[Kind, QRadioButton] = {}
        self._notes: dict[Kind, QLabel] = {}
        for kind, (title, what) in _KINDS.items():
            choice = QRadioButton(title)
            choice.setObjectName(f"export_{kind}")
            choice.clicked.connect(partial(self._choose, kind))
            group.addButton(choice)
            note = label(what, role="muted", name=f"export_{kind}_what")
            note.setContentsMargins(24, 0, 0, 3)
            rows.addWidget(choice)
            rows.addWidget(note)
            self._choices[kind], self._notes[kind] = choice, note
        self._choices[self._kind].setChecked(True)
        return rows

    def _choose(self, kind: Kind, _checked: bool = False) -> None:
        self._kind = kind
        self._fill_formats()
        self._refresh()

    def _refresh(self) -> None:
        session = self._session
        shown = self._suitable()
        for kind, choice in self._choices.items():
            never = session.source is not None and session.job is None
            why = session.why_no_export(kind) if never else ""
            what = self._what(kind)
            enable(choice, why, tip=what)
            choice.setVisible(kind in shown)
            self._notes[kind].setVisible(kind in shown)
            missing = bool(why) and session.prediction is not None and kind == "probabilities"
            self._notes[kind].setText(_NOT_KEPT if missing else what)
        section = session.section.axis is not None
        of = f" of {section_name(session)}" if section else ""
        self._choices["polygons"].setText(f"Polygons{of}")
        reason = session.why_no_export(self._kind)
        enable(self._button, reason, tip="Choose a name; an older file stays until all is written")
        if session.source is not self._source:
            self._source = session.source
            self._fill_formats()
        self._show_gaps()
        self._look_for_gaps()

    def _what(self, kind: Kind) -> str:
        """Say what a kind of export is; of a sample set every cell is a sample."""
        what = _KINDS[kind][1]
        return what.replace("cell", "sample") if self._session.cell_noun == "sample" else what

    def _suitable(self) -> set[Kind]:
        """Return the kinds that the prediction in view can have; choose one of them."""
        store = self._session.prediction
        values = store is not None and store.target is not None
        ours: set[Kind] = {"values", "figure"}
        shown = ours if values else set(self._choices) - {"values"}
        if self._kind not in shown:
            self._choices["values" if values else "classes"].click()
        return shown

    def _fill_formats(self) -> None:
        """Offer what suits the data, the most natural first."""
        self._formats.blockSignals(True)
        self._formats.clear()
        if self._source is not None:
            from geocnn_gui.export.table import formats_for

            for each in formats_for(self._kind, self._source):
                self._formats.addItem(each.name, (each.suffixes[0], "source", each.use))
                if each.name == "SEG-Y":
                    if self._kind == "values":
                        continue
                    self._formats.addItem("SEG-Y, 8-bit", (each.suffixes[0], "int8", _SMALL))
        self._formats.setEnabled(self._formats.count() > 1)
        self._formats.blockSignals(False)
        self._show_use()

    def _show_use(self) -> None:
        chosen = self._formats.currentData()
        self._use.setText("" if chosen is None else f"{chosen[2]}.")

    def _look_for_gaps(self) -> None:
        """Say what is not predicted; a big cube takes a while, so only where it can be seen."""
        session = self._session
        if session.job is not None:  # it may predict more
            self._looked_at = None
            return
        subject = session.source, session.prediction
        if not self.isVisible() or subject == self._looked_at:
            return
        self._looked_at, self._gaps = subject, ""
        self._show_gaps()
        session.ask_extent(self._take_gaps)

    def _take_gaps(self, sentence: str) -> None:
        self._gaps = sentence
        self._show_gaps()

    def _show_gaps(self) -> None:
        """Say above the button what will be missing; a figure and polygons show one section."""
        session, sentence = self._session, self._gaps
        if session.prediction is None:
            sentence = session.why_no_export(self._kind) if session.job is None else ""
        elif self._kind in ("figure", "polygons"):
            sentence = ""
        self._extent.setText(sentence)
        self._extent.setVisible(bool(sentence))

    def _on_export(self) -> None:
        suffix, samples, _ = self._formats.currentData()
        self._ask(self._kind, suffix, samples)

    def showEvent(self, event: QShowEvent) -> None:
        """Look at what is predicted once the panel is in front."""
        super().showEvent(event)
        self._look_for_gaps()

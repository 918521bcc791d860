"""See inside the model in hand: what its layers make of a place of the data, and why it answers so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from geocnn_gui.gui.panels.inspect_pages import KernelsPage, MapsPage, ReachPage, SlidePage, WhyPage
from geocnn_gui.gui.widgets.card import enable, label
from geocnn_gui.gui.widgets.choice_row import ChoiceRow
from geocnn_gui.gui.widgets.share_bars import ShareBars

if TYPE_CHECKING:
    from geocnn_gui.gui.session import Session
    from geocnn_gui.inspection.looking import Seen
    from geocnn_gui.inspection.subject import Output

_PAGES = {"maps": "Maps", "kernels": "Kernels", "why": "Why", "reach": "Reach", "slide": "Slide"}
_TIPS = {
    "maps": "Feature maps: what the layer makes of the data around the place",
    "kernels": "The kernels that the layer has learned",
    "why": "Which cells speak for the class: Grad-CAM, integrated gradients, occlusion",
    "reach": "Receptive fields: what the network can see, and what it looks at",
    "slide": "A kernel at work: window, products, response; and as a banded matrix",
}
#: A wait longer than this is shown.
_PATIENCE_MS = 200


class InspectPanel(QWidget):
    """What goes on inside the model at the place under the cursor, or where it was pinned."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("inspect_panel")
        self._session = session
        self._layers: tuple[str, ...] = ()
        self._why_not = label(role="muted", name="inspect_empty", wrap=True)
        self._state = label(role="muted", name="inspect_state")
        self._body = self._make_body()
        head = QHBoxLayout()
        head.addWidget(label("See inside", role="title"))
        head.addStretch(1)
        head.addWidget(self._state)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addLayout(head)
        layout.addWidget(self._why_not)
        layout.addWidget(self._body, 1)
        layout.addStretch(0)
        self._patience = QTimer(self, singleShot=True, interval=_PATIENCE_MS)
        self._patience.timeout.connect(self._show_wait)
        for signal in (session.source_changed, session.model_changed, session.seen_changed):
            signal.connect(self._refresh)
        session.inspect_changed.connect(self._show_question)
        self._refresh()

    def _make_body(self) -> QWidget:
        session = self._session
        body = QWidget()
        self._layer = QComboBox()
        self._layer.setObjectName("inspect_layer")
        self._layer.setAccessibleName("Layer")
        self._layer.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._layer.activated.connect(lambda at: session.set_question(layer=self._layers[at]))
        self._follow = QCheckBox("Follow the cursor")
        self._follow.setObjectName("inspect_follow")
        self._follow.setToolTip("A click on the data pins the place")
        self._follow.clicked.connect(session.set_follows)
        self._place = label(role="muted", name="inspect_place")
        self._bars = ShareBars(name="inspect_shares")
        self._bars.picked.connect(lambda number: session.set_question(output=number))
        self._pages_row = ChoiceRow(_PAGES, name="inspect_page", title="What to look at")
        for key, tip in _TIPS.items():
            self._pages_row.explain(key, "", tip=tip)
        self._pages_row.chosen.connect(lambda key: session.set_question(page=key))
        self._pages = {
            "maps": MapsPage(session), "kernels": KernelsPage(session), "why": WhyPage(session),
            "reach": ReachPage(session), "slide": SlidePage(session),
        }  # fmt: skip
        self._stack = QStackedWidget()
        for page in self._pages.values():
            self._stack.addWidget(page)
        self._shown = QCheckBox("Draw it over the data")
        self._shown.setObjectName("inspect_shown")
        self._shown.setChecked(True)
        self._shown.clicked.connect(session.show_inspection)
        place = QHBoxLayout()
        place.addWidget(self._follow)
        place.addStretch(1)
        place.addWidget(self._place)
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(place)
        layout.addWidget(self._bars)
        layout.addWidget(self._pages_row)
        layout.addWidget(self._layer)
        layout.addWidget(self._stack, 1)
        layout.addWidget(self._shown)
        return body

    def _refresh(self) -> None:
        session = self._session
        reason = session.why_no_inspection()
        empty = reason or (session.unseen if session.seen is None else "")
        self._why_not.setText(empty or "Loading the model\u2026")
        self._why_not.setVisible(session.seen is None)
        self._body.setVisible(session.seen is not None or bool(session.unseen and not reason))
        if session.seen is not None:
            self._show_seen(session.seen)
        self._show_question()

    def _show_question(self) -> None:
        session, question = self._session, self._session.question
        self._follow.setChecked(session.follows)
        if session.looking:
            if not self._patience.isActive():
                self._patience.start()
        else:
            self._patience.stop()
            self._state.setText("")
        if question is not None:
            self._pages_row.choose(question.page)
            self._stack.setCurrentWidget(self._pages[question.page])
            place = question.place
            self._place.setText(f"row {place.row}, column {place.column}")

    def _show_wait(self) -> None:
        self._state.setText("Looking\u2026" if self._session.looking else "")

    def _show_seen(self, seen: Seen) -> None:
        names = tuple(layer.name for layer in seen.layers)
        if names != self._layers:
            self._layers = names
            self._layer.clear()
            for layer in seen.layers:
                size = " x ".join(map(str, (layer.channels, *layer.size)))
                self._layer.addItem(f"{layer.name}   {layer.kind}, {size}")
        self._layer.setCurrentIndex(names.index(seen.layer))
        self._layer.setToolTip(self._layer.currentText())
        whole = seen.question.page in ("why",) or (
            seen.question.page == "reach" and not seen.question.of_layer
        )
        enable(self._layer, "This page is about the whole network." if whole else "")
        rows = tuple((o.name, o.color, _share(o), _figure(o)) for o in seen.outputs)
        self._bars.show_shares(rows, seen.output)
        self._pages[seen.question.page].show_seen(seen)


def _share(output: Output) -> float:
    return output.value if output.color else 1.0


def _figure(output: Output) -> str:
    if output.color:
        return f"{100 * output.value:.1f} %"
    return f"{output.value:.4g} {output.unit}".rstrip()

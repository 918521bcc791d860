"""How to label, and labels from and to files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from geocnn_gui.gui.panels.guide_group import GuideGroup
from geocnn_gui.gui.panels.history_group import HistoryGroup
from geocnn_gui.gui.panels.live_group import LiveGroup
from geocnn_gui.gui.panels.network_group import NetworkGroup
from geocnn_gui.gui.panels.rules_group import RulesGroup
from geocnn_gui.gui.widgets.card import Fold, button, enable, label, plural
from geocnn_gui.gui.widgets.class_bars import ClassBars

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.gui.session import Session

_HOW = (
    "Choose a class, take the brush and paint a few strokes over what it is, on several places. "
    "Pixels you leave unpainted are never learned from."
)
_KEYS = (
    ("B", "brush"), ("E", "eraser"), ("P", "polygon"), ("L", "line"),
    ("F", "fill what is alike"), ("W", "magic wand"), ("S", "smart edge"), ("T", "between two lines"),
    ("I", "pick the class"), ("A", "accept the prediction"), ("V", "pan, or hold Space"),
    ("Shift+L", "Live"), ("N", "next place to label"), ("Y", "why here"), ("[  ]", "size"), ("1 – 9", "class"), ("Ctrl+Z", "undo"),
)  # fmt: skip
_HOW_SAMPLES = (
    "Click a sample to see it large, or select several with Ctrl or Shift, and press the digit of "
    "their class. Samples without a label are never learned from."
)
_KEYS_SAMPLES = (
    ("1 – 9", "class of what is selected"), ("0", "no label"), ("Enter", "one, large"),
    ("← →", "previous, next"), ("Esc", "back to all"), ("Ctrl+A", "select all"),
    ("Ctrl+Z", "undo"),
)  # fmt: skip


class LabelPanel(QWidget):
    """Step one: paint, or bring labels along."""

    def __init__(
        self, session: Session, *, load: Callable[[], None], save: Callable[[], None]
    ) -> None:
        super().__init__()
        self.setObjectName("label_panel")
        self._session = session
        self._count = label(role="muted", name="label_sentence", wrap=True)
        self._bars = ClassBars()
        self._load = button("Labels from a file…", load, name="load_labels")
        self._save = button("Save labels as…", save, name="save_labels")
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        self._title = label(role="title", name="label_title")
        self._how = label(role="muted", name="label_how", wrap=True)
        layout.addWidget(self._title)
        layout.addWidget(self._how)
        layout.addWidget(self._count)
        layout.addWidget(self._bars)
        layout.addWidget(LiveGroup(session))
        layout.addWidget(NetworkGroup(session))
        layout.addWidget(GuideGroup(session))
        layout.addWidget(RulesGroup(session))
        layout.addWidget(self._load)
        layout.addWidget(self._save)
        layout.addWidget(HistoryGroup(session))
        self._keys = label(role="muted", name="label_keys")
        layout.addWidget(Fold("Keys on the picture", self._keys))
        layout.addStretch(1)
        for signal in (session.source_changed, session.classes_changed):
            signal.connect(self._refresh)
        session.labels_changed.connect(self._refresh)
        self._refresh()

    def _show_way(self) -> None:
        samples = self._session.cell_noun == "sample"
        self._title.setText("Say what each sample is" if samples else "Paint what you know")
        self._how.setText(_HOW_SAMPLES if samples else _HOW)
        rows = "".join(
            f"<tr><td style='padding-right:14px'><b>{k}</b></td><td>{v}</td></tr>"
            for k, v in (_KEYS_SAMPLES if samples else _KEYS)
        )
        self._keys.setText(f"<table cellpadding=1>{rows}</table>")

    def _refresh(self) -> None:
        self._show_way()
        self._count.setText(labelled_sentence(self._session))
        self._bars.show_counts(class_counts(self._session))
        nothing = "" if self._session.source is not None else "Open a file first."
        read_only = self._session.why_read_only()
        enable(
            self._load, nothing or read_only, tip="A raster, PNG, SEG-Y or .npy of the same grid"
        )
        none = nothing or ("" if any(n for *_, n in class_counts(self._session)) else "No labels.")
        enable(self._save, none, tip="Write the labels as a file of the same grid")


def class_counts(session: Session) -> tuple[tuple[str, str, int], ...]:
    """Return (name, colour, labelled pixels) of each class in the source in view."""
    counts = session.labels.store.counts if session.labels is not None else {}
    return tuple((c.name, c.color, counts.get(c.id, 0)) for c in session.classes)


def labelled_sentence(session: Session) -> str:
    """Say how much is labelled, or what to do."""
    if session.source is None:
        return "Nothing is open."
    counts = session.labels.store.counts if session.labels is not None else {}
    if not counts:
        return "No labels yet."
    total = plural(sum(counts.values()), f"labelled {session.cell_noun}")
    return f"{total} in {plural(len(counts), 'class')}."

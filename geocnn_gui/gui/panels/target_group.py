"""What is learned: the classes that are painted, or a value from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import label, link
from geocnn_gui.gui.widgets.choice_row import ChoiceRow

if TYPE_CHECKING:
    from geocnn_gui.gui.session import Session
    from geocnn_gui.project.target import StoredTarget

_TIPS = {
    "classes": "Name the class of every pixel, from the labels painted",
    "value": "Estimate a continuous value: for every pixel, from a file of the same grid; for every "
    "sample of a set, from a table (CSV)",
}


_HOW = (
    "The loss is the mean squared error. Of the changes to the data only flips and turns are "
    "made; what has to do with classes is passed over."
)


class TargetGroup(QWidget):
    """Choose between classes and a value; of a value the file, band and unit."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("target_group")
        self._session = session
        self._what = ChoiceRow(
            {"classes": "Classes", "value": "A value"}, name="learn_what", title="What is learned"
        )
        self._what.chosen.connect(self._choose)
        self._details = self._make_details()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        line = QHBoxLayout()
        line.addWidget(label("Learn", role="muted"))
        line.addWidget(self._what, 1)
        layout.addLayout(line)
        layout.addWidget(self._details)
        for signal in (session.target_changed, session.source_changed, session.project_changed,
                       session.busy_changed):  # fmt: skip
            signal.connect(self._refresh)
        self._refresh()

    def _make_details(self) -> QWidget:
        session, box = self._session, QWidget()
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self._file = label(name="target_file", wrap=True)
        first = QHBoxLayout()
        first.addWidget(self._file, 1)
        first.addWidget(
            link("File…", session.request_target.emit, name="choose_target",
                 tip="A raster, SEG-Y or .npy of the same grid; of samples a table (CSV)")
        )  # fmt: skip
        self._bands = QComboBox()
        self._bands.setObjectName("target_band")
        self._bands.setAccessibleName("Band of the target")
        self._bands.activated.connect(lambda band: session.change_target(band=band))
        self._unit = QLineEdit()
        self._unit.setObjectName("target_unit")
        self._unit.setMaxLength(40)
        self._unit.setPlaceholderText("none")
        self._unit.editingFinished.connect(self._take_unit)
        unit = QHBoxLayout()
        unit.addWidget(label("Unit", role="muted"))
        unit.addWidget(self._unit, 1)
        self._only = QCheckBox("Only where labels are painted")
        self._only.setObjectName("target_only_labelled")
        self._only.clicked.connect(lambda on: session.change_target(only_labelled=on))
        layout.addLayout(first)
        layout.addWidget(self._bands)
        layout.addLayout(unit)
        layout.addWidget(self._only)
        layout.addWidget(label(_HOW, role="muted", wrap=True))
        return box

    def _choose(self, what: str) -> None:
        session = self._session
        if what == "value" and session.target is None:
            session.request_target.emit()
        else:
            session.change_target(used=what == "value")
        self._refresh()  # the dialog may be left without a file

    def _take_unit(self) -> None:
        target = self._session.target
        if target is not None and self._unit.text().strip() != target.unit:
            self._session.change_target(unit=self._unit.text().strip())

    def _refresh(self) -> None:
        session, target = self._session, self._session.target
        why = "Open a file first." if session.source is None else session.why_read_only()
        self._what.choose("value" if session.learns_values else "classes")
        for key, tip in _TIPS.items():
            self._what.explain(key, why, tip=tip)
        self._details.setVisible(session.learns_values)
        if target is not None:
            self._show(target)

    def _show(self, target: StoredTarget) -> None:
        self._file.setText(f"from <b>{target.title}</b>")
        self._file.setToolTip(target.path)
        names = self._session.target_bands
        self._bands.setVisible(bool(names))
        self._bands.clear()
        self._bands.addItems([f"{number}  {name}" for number, name in enumerate(names, 1)])
        self._bands.setCurrentIndex(target.band or 0)
        if not self._unit.hasFocus():
            self._unit.setText(target.unit)
        self._only.setChecked(target.only_labelled)

"""Figures of thin classes: F1 with slack, precision and recall at each threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import label
from geocnn_gui.gui.widgets.curve_plot import CurvePlot
from geocnn_gui.labels.classes import by_id

if TYPE_CHECKING:
    from geocnn_gui.gui.session import Score, Session
    from geocnn_gui.scoring.metrics import ClassScores, Scores

_HEIGHT = 140


class ThinFigures(QWidget):
    """What a score tells of classes drawn as lines; nothing where there are none.

    Which classes those are is measured; the user may know better, class by class.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("thin_figures")
        self._session = session
        self._told = label(role="muted", name="thin_told", wrap=True)
        self._rows = QWidget()
        self._grid = QGridLayout(self._rows)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._plot = CurvePlot("Precision over recall", shares=True)
        self._plot.setObjectName("thin_curve")
        self._plot.setFixedHeight(_HEIGHT)
        self._plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(label("THIN CLASSES", role="heading"))
        for widget in (self._told, self._rows, self._plot):
            layout.addWidget(widget)

    def show_score(self, score: Score, scores: Scores) -> None:
        """Show the part `scores` of a score."""
        evaluation = score.evaluation
        thin = [c for c in scores.classes if c.thin]
        slack = evaluation.tolerance
        self._told.setText(
            f"Lines up to {slack} samples or traces aside count as right." if thin else
            "No labels are narrow. Tick a class to forgive lines a little aside."
        )  # fmt: skip
        self._fill(score, scores)
        curves = []
        for each in thin:
            points = evaluation.curves.get(each.id, [])
            places = tuple((p.recall, p.precision) for p in points
                           if p.recall is not None and p.precision is not None)  # fmt: skip
            known = by_id(score.classes, each.id)
            curves.append((each.name, known.color if known else "#808080", places))
        self._plot.show_curves(tuple(curves))
        self._plot.setVisible(any(points for *_, points in curves))

    def _fill(self, score: Score, scores: Scores) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        slack, best = score.evaluation.tolerance, score.evaluation.thresholds
        titles = ["Class", f"F1 ±{slack}", *(["Best from"] if best else [])]
        for column, title in enumerate(titles):
            head = label(title, role="muted")
            self._grid.addWidget(head, 0, column, _aligned(column))
        for row, each in enumerate((c for c in scores.classes if c.support), 1):
            self._grid.addWidget(self._tick(each), row, 0)
            self._grid.addWidget(label(_figure(each.f1_tolerant)), row, 1, _aligned(1))
            if (point := best.get(each.id)) is not None:
                text = label(f"{point.threshold:.2g}")
                text.setToolTip(
                    f"Named wherever its probability is {point.threshold:.2g} or more, its F1 is "
                    f"{_figure(point.f1)}, measured on these very labels"
                )
                self._grid.addWidget(text, row, 2, _aligned(2))
        self._grid.setColumnStretch(0, 1)

    def _tick(self, each: ClassScores) -> QWidget:
        box = QCheckBox()
        box.setObjectName(f"thin_{each.id}")
        box.setText(each.name)
        box.setChecked(each.thin)
        box.setEnabled(self._session.job is None)
        box.setToolTip("Judged as thin; click to change" if each.thin else "Click to judge as thin")
        box.clicked.connect(lambda on, number=each.id: self._session.switch_thin(number, thin=on))
        return box


def _aligned(column: int) -> Qt.AlignmentFlag:
    return Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"

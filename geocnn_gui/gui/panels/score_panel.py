"""How well a prediction agrees with labels, said honestly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import button, enable, grouped, label

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.gui.session import Score, Session
    from geocnn_gui.scoring.metrics import Scores

_COLUMNS = ("Class", "IoU", "F1", "Prec.", "Recall", "Pixels")


class ScorePanel(QWidget):
    """Step five: compare the prediction with the labels painted here, or with a file."""

    def __init__(self, session: Session, *, ask_file: Callable[[], None]) -> None:
        super().__init__()
        self.setObjectName("score_panel")
        self._session = session
        self._ours = button(
            "Score against my labels", session.start_scoring, name="score_labels", primary=True
        )
        self._file = button("Score against a label file…", ask_file, name="score_file")
        self._figures = label(name="score_figures", wrap=True)
        self._caution = label(role="warning", name="score_caution", wrap=True)
        self._table = _make_table()
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addWidget(label("Score the prediction", role="title"))
        layout.addWidget(
            label("The best judge is labels that no training has seen.", role="muted", wrap=True)
        )
        for widget in (self._ours, self._file, self._figures, self._caution):
            layout.addWidget(widget)
        layout.addWidget(self._table)
        layout.addStretch(1)
        session.scored.connect(self.show_score)
        session.overlay_changed.connect(self._forget)
        session.overlay_changed.connect(self._refresh)
        session.job_changed.connect(self._refresh)
        session.labels_changed.connect(self._refresh)
        self._forget()
        self._refresh()

    def _refresh(self) -> None:
        session = self._session
        nothing = "" if session.prediction is not None else "Predict first."
        counts = session.labels.store.counts if session.labels is not None else {}
        enable(self._ours, nothing or ("" if counts else "No labels to compare with."))
        enable(self._file, nothing, tip="A raster, PNG, SEG-Y or .npy of the same grid")

    def _forget(self) -> None:
        for widget in (self._figures, self._caution, self._table):
            widget.hide()

    def show_score(self, score: Score) -> None:
        """Show figures, worst news first."""
        if score.scores.mean_iou is None:
            self._figures.setText("Labels and prediction have no pixel in common.")
        else:
            self._figures.setText(_headline(score))
        self._caution.setText(score.caution)
        self._caution.setVisible(bool(score.caution))
        self._figures.show()
        self._fill(score.scores)

    def _fill(self, scores: Scores) -> None:
        self._table.setRowCount(len(scores.classes))
        self._table.setVisible(bool(scores.classes))
        self._table.setFixedHeight(22 * len(scores.classes) + 30)
        for row, each in enumerate(scores.classes):
            figures = (each.iou, each.f1, each.precision, each.recall)
            texts = [each.name, *(_figure(f) for f in figures), grouped(each.support)]
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                self._table.setItem(row, column, item)


def _headline(score: Score) -> str:
    scores = score.scores
    missing = sum(scores.unpredicted)
    more = f"<br>{grouped(missing)} labelled pixels have no prediction and count as wrong."
    return (
        f"<b>Mean IoU {_figure(scores.mean_iou)}</b> · accuracy {_figure(scores.pixel_accuracy)}"
        f" · kappa {_figure(scores.kappa)}<br>against {score.against}{more if missing else ''}"
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _make_table() -> QTableWidget:
    table = QTableWidget(0, len(_COLUMNS))
    table.setObjectName("score_table")
    table.setHorizontalHeaderLabels(_COLUMNS)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(22)
    table.setShowGrid(False)
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
    table.setTabKeyNavigation(False)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setToolTip("Intersection over union, F1, precision and recall of each class")
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    header.setMinimumSectionSize(30)
    return table

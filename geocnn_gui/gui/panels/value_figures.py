"""How far predicted values are from true ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import button, enable, grouped, label

if TYPE_CHECKING:
    from geocnn_gui.gui.session import Session
    from geocnn_gui.gui.targeting import ValueScore
    from geocnn_gui.scoring.value_evaluation import ValueEvaluation
    from geocnn_gui.scoring.values import ValueFigures

_TITLES = {
    "all": "All", "held_out": "Held out", "trained": "Trained on", "near": "Buffer", "new": "New",
}  # fmt: skip
_COLUMNS = {"rmse": "RMSE", "mae": "MAE", "r2": "R²", "psnr": "PSNR"}
_HOW = (
    "Bias is predicted less true. R² is 1 for a perfect estimate, 0 for the mean of the true "
    "values. PSNR compares their range with the RMSE."
)


class ValueFiguresPanel(QWidget):
    """The Score panel's content while values are predicted."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("value_figures")
        self._session = session
        self._ours = button(
            "Score against the target", session.start_value_scoring, name="score_target",
            primary=True,
        )  # fmt: skip
        self._file = button("File…", session.request_true_values.emit, name="score_value_file")
        self._against = label(role="muted", name="value_against", wrap=True)
        self._table = label(name="value_table")
        self._caution = label(role="warning", name="value_caution", wrap=True)
        self._note = label(_HOW, role="muted", wrap=True)
        line = QHBoxLayout()
        line.addWidget(self._ours, 1)
        line.addWidget(self._file)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(line)
        for widget in (self._against, self._table, self._caution, self._note):
            layout.addWidget(widget)
        for signal in (session.value_scored, session.target_changed, session.job_changed,
                       session.overlay_changed):  # fmt: skip
            signal.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        session, score = self._session, self._session.value_score
        enable(self._ours, session.why_no_value_score())
        why = session.why_no_value_score() if session.target is not None else ""
        enable(self._file, why, tip="Score against a raster, SEG-Y or .npy of the same grid")
        for widget in (self._against, self._table, self._caution, self._note):
            widget.setVisible(score is not None)
        if score is None:
            return
        evaluation = score.evaluation
        self._against.setText(_sentence(score))
        self._table.setText(_table(evaluation))
        self._caution.setText(" ".join((*evaluation.warnings, *evaluation.notes)))
        self._caution.setVisible(bool(self._caution.text()))


def _table(evaluation: ValueEvaluation) -> str:
    """Return a table with a row for each part of the pixels."""
    parts: dict[str, ValueFigures] = {"all": evaluation.figures}
    parts |= {str(key): figures for key, figures in evaluation.subsets.items()}
    head = "".join(f"<th align=right>&nbsp;&nbsp;{title}</th>" for title in _COLUMNS.values())
    rows = [f"<tr><td></td>{head}</tr>"]
    for part, figures in parts.items():
        cells = "".join(f"<td align=right>{_text(getattr(figures, key))}</td>" for key in _COLUMNS)
        rows.append(f"<tr><td>{_TITLES[part]}</td>{cells}</tr>")
    return f"<table cellpadding=3>{''.join(rows)}</table>"


def _sentence(score: ValueScore) -> str:
    """Say what was compared, in which unit, and how many pixels."""
    evaluation = score.evaluation
    unit, figures = evaluation.unit, evaluation.figures
    text = f"Against {score.against}, {grouped(figures.cells)} {score.cells}"
    text += f"; RMSE and MAE in {unit}, PSNR in dB" if unit else "; PSNR in dB"
    missing = f" {grouped(figures.missing)} have no prediction." if figures.missing else ""
    return f"{text}; bias {_text(figures.bias)} {unit}".rstrip() + f".{missing}"


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}".replace("-", "−")

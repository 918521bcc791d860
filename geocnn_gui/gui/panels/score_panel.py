"""How well a prediction agrees with labels, said honestly; and where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QSlider,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from geocnn_gui.gui.panels.thin_figures import ThinFigures
from geocnn_gui.gui.panels.value_figures import ValueFiguresPanel
from geocnn_gui.gui.widgets.card import button, enable, grouped, label, plural
from geocnn_gui.gui.widgets.choice_row import ChoiceRow
from geocnn_gui.gui.widgets.confusion_table import ConfusionTable, Matrix
from geocnn_gui.gui.widgets.score_bars import Bar, ScoreBars
from geocnn_gui.labels.classes import by_id
from geocnn_gui.scoring.intervals import score_words
from geocnn_gui.scoring.reasons import gap_words
from geocnn_gui.scoring.report import SUBSET_TITLES, table_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.gui.session import Score, Session
    from geocnn_gui.gui.widgets.confusion_table import Mode
    from geocnn_gui.scoring.compare import Subset
    from geocnn_gui.scoring.metrics import Scores
    from geocnn_gui.scoring.reasons import GroundScore, PartIntervals

_COLUMNS = {
    "Class": "",
    "IoU": "Intersection over union: right / (labelled or predicted)",
    "95 %": "Interval of the IoU, from blocks of labels; none where fewer than 5 hold the class",
    "F1": "2 x right / (labelled + predicted)",
    "Prec.": "Precision, user's accuracy: right / predicted",
    "Recall": "Recall, class accuracy, producer's accuracy: right / labelled",
    "Pixels": "Labelled pixels",
}
_MODES: dict[str, str] = {"counts": "Counts", "rows": "By row", "columns": "By column"}
_MODE_TIPS: dict[str, str] = {
    "counts": "Pixels",
    "rows": "Percent of what is labelled so; recall on the diagonal",
    "columns": "Percent of what is predicted so; precision on the diagonal",
}
_HOW = "Rows are labels, columns predictions. Click a cell to see its pixels."
_NO_CELLS = {
    "held_out": "None of these labels were held out for the score.",
    "trained": "None of these labels were trained on.",
    "near": "None of these labels lie in the buffer.",
    "new": "None of these labels are new to the model.",
}


class ScorePanel(QWidget):
    """Step five: compare the prediction with the labels painted here, or with a file."""

    def __init__(
        self,
        session: Session,
        *,
        ask_file: Callable[[], None],
        ask_report: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.setObjectName("score_panel")
        self._session = session
        self._ours = button(
            "Score against my labels", session.start_scoring, name="score_labels", primary=True
        )
        self._file = button("Label file…", ask_file, name="score_file")
        self._advice = label(
            "The best judge is labels that no training has seen.", role="muted", wrap=True
        )
        self._result = _Result(session, ask_report)
        self._values = ValueFiguresPanel(session)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addWidget(label("Score the prediction", role="title"))
        layout.addWidget(self._advice)
        line = QHBoxLayout()
        line.addWidget(self._ours, 1)
        line.addWidget(self._file)
        layout.addLayout(line)
        layout.addWidget(self._result)
        layout.addWidget(self._values)
        layout.addStretch(1)
        for signal in (session.overlay_changed, session.job_changed, session.labels_changed,
                       session.scored, session.errors_changed):  # fmt: skip
            signal.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        session = self._session
        why_not = session.why_no_score()
        counts = session.labels.store.counts if session.labels is not None else {}
        enable(self._ours, why_not or ("" if counts else "No labels to compare with."))
        enable(
            self._file, why_not, tip="Score against a raster, PNG, SEG-Y or .npy of the same grid"
        )
        store = session.prediction
        values = store is not None and store.target is not None
        self._values.setVisible(values)
        for widget in (self._ours, self._file):
            widget.setVisible(not values)
        self._advice.setVisible(session.score is None and not values)
        self._result.setVisible(session.score is not None and not values)


class _Result(QWidget):
    """All that a score shows."""

    def __init__(self, session: Session, ask_report: Callable[[], None]) -> None:
        super().__init__()
        self._session = session
        self._mode: Mode = "counts"
        self._pairs: list[int] = []
        self._figures = label(name="score_figures", wrap=True)
        self._outdated = label(
            "Labels or prediction have changed since: score again.", role="warning",
            name="score_outdated", wrap=True,
        )  # fmt: skip
        self._caution = label(role="warning", name="score_caution", wrap=True)
        self._note = label(role="muted", name="score_note", wrap=True)
        self._grounds = ScoreBars()
        self._grounds.picked.connect(self._pick_ground)
        self._gap = label(role="muted", name="score_gap", wrap=True)
        self._subsets = ChoiceRow(
            {str(key): title for key, title in SUBSET_TITLES.items()},
            name="score_subset",
            title="Which labelled pixels",
        )
        self._subsets.chosen.connect(session.set_subset)
        self._table = _make_table()
        self._modes = ChoiceRow(_MODES, name="confusion_mode", title="What the matrix shows")
        for mode, tip in _MODE_TIPS.items():
            self._modes.explain(mode, "", tip=tip)
        self._modes.choose("counts")
        self._modes.chosen.connect(self._choose_mode)
        self._confusion = ConfusionTable()
        self._confusion.picked.connect(self._pick)
        self._picked = label(role="muted", name="score_picked", wrap=True)
        self._lay_out(ask_report)
        session.scored.connect(self._show)
        session.errors_changed.connect(self._show)
        session.section_changed.connect(self._show_errors)
        session.view_changed.connect(self._show_errors)
        self._show()

    def _lay_out(self, ask_report: Callable[[], None]) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(8)
        for widget in (self._figures, self._outdated, self._caution, self._note,
                       label("SCORE WITH ITS REASON", role="heading"), self._grounds, self._gap,
                       self._subsets, self._table):  # fmt: skip
            layout.addWidget(widget)
        self._thin = ThinFigures(self._session)
        layout.addWidget(self._thin)
        layout.addWidget(label("CONFUSION", role="heading"))
        layout.addWidget(self._modes)
        layout.addWidget(self._confusion)
        layout.addWidget(self._picked)
        layout.addWidget(label("ERROR MAP", role="heading"))
        layout.addWidget(self._make_errors())
        line = QHBoxLayout()
        copy = button("Copy table", self._copy, name="score_copy", tip="All figures, with tabs")
        save = button("Save report…", ask_report, name="score_report", tip="As .csv or .json")
        for each in (copy, save):
            line.addWidget(each, 1)
        layout.addLayout(line)

    def _make_errors(self) -> QWidget:
        session = self._session
        box = QWidget()
        self._errors = QCheckBox("Show right and wrong pixels")
        self._errors.setObjectName("error_map")
        self._errors.clicked.connect(session.show_errors)
        self._opacity = QSlider(Qt.Orientation.Horizontal)
        self._opacity.setObjectName("error_opacity")
        self._opacity.setRange(0, 100)
        self._opacity.valueChanged.connect(lambda value: session.set_error_opacity(value / 100))
        self._next = button(
            "", lambda: session.step_errors(1), name="next_errors",
            tip="Go where most of them lie together",
        )  # fmt: skip
        fade = QHBoxLayout()
        fade.addWidget(label("Opacity", role="muted"))
        fade.addWidget(self._opacity, 1)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._errors)
        layout.addLayout(fade)
        layout.addWidget(self._next)
        return box

    def _pick_ground(self, part: str) -> None:
        self._session.show_ground(cast("Subset", part) if part else None)

    def _choose_mode(self, mode: Mode) -> None:
        self._mode = mode
        self._show()

    def _show(self) -> None:
        session, score = self._session, self._session.score
        if score is None:
            return
        self._name_cells()
        subset, evaluation = session.subset, score.evaluation
        scores = evaluation.part(subset) or score.scores
        ends = evaluation.intervals[subset if subset in evaluation.intervals else "all"]
        headline = _headline(score, scores, subset, ends)
        self._figures.setText(_of_cells(headline, session.cell_noun))
        _say(self._caution, score.caution)
        _say(self._note, " ".join(evaluation.notes))
        self._outdated.setVisible(session.score_outdated)
        self._subsets.setVisible(evaluation.known)
        self._subsets.choose(subset)
        for key in SUBSET_TITLES:
            part = evaluation.part(key)
            cells = 0 if part is None else sum(c.support for c in part.classes)
            self._subsets.explain(key, "" if cells else _NO_CELLS[key],
                                  tip=plural(cells, f"labelled {self._session.cell_noun}"))  # fmt: skip
        self._grounds.show_bars(_bars(evaluation.grounds, session.cell_noun))
        _say(self._gap, gap_words(evaluation.grounds))
        self._fill(scores, ends)
        self._thin.show_score(score, scores)
        self._fill_confusion(score, scores)
        self._show_errors()

    def _name_cells(self) -> None:
        """Speak of samples where each cell of the picture is one, else of pixels."""
        noun = self._session.cell_noun
        self._errors.setText(_of_cells("Show right and wrong pixels", noun))
        for column, (title, tip) in enumerate(_COLUMNS.items()):
            item = self._table.horizontalHeaderItem(column)
            if item is not None:
                item.setText(_of_cells(title, noun))
                item.setToolTip(_of_cells(tip, noun))
        for mode, tip in _MODE_TIPS.items():
            self._modes.explain(mode, "", tip=_of_cells(tip, noun))

    def _fill(self, scores: Scores, ends: PartIntervals) -> None:
        self._table.setRowCount(len(scores.classes))
        self._table.setFixedHeight(22 * len(scores.classes) + 30)
        for row, each in enumerate(scores.classes):
            figures = (each.f1, each.precision, each.recall)
            texts = [each.name, _figure(each.iou), _ends(ends.class_iou.get(each.id)),
                     *(_figure(f) for f in figures), grouped(each.support)]  # fmt: skip
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                item.setToolTip(
                    f"{each.name}: accuracy against the rest {_figure(each.accuracy)}, "
                    f"{plural(each.predicted, self._session.cell_noun)} predicted so"
                )
                self._table.setItem(row, column, item)

    def _fill_confusion(self, score: Score, scores: Scores) -> None:
        known = [by_id(score.classes, c.id) for c in scores.classes]
        entries = tuple(
            (c.name, one.color if one is not None else "#808080")
            for c, one in zip(scores.classes, known, strict=True)
        )
        self._pairs = [*(c.id for c in scores.classes), 0]
        matrix = Matrix(entries, scores.confusion, scores.unpredicted)
        self._confusion.show_matrix(matrix, self._mode)
        errors = self._session.errors
        pair = errors.pair if errors is not None else None
        self._confusion.mark(
            None if pair is None else (self._pairs.index(pair[0]), self._pairs.index(pair[1]))
        )

    def _pick(self, cell: tuple[int, int] | None) -> None:
        pair = None if cell is None else (self._pairs[cell[0]], self._pairs[cell[1]])
        self._session.pick_confusion(pair)

    def _show_errors(self) -> None:
        session, score = self._session, self._session.score
        if score is None:
            return
        errors = session.errors
        self._errors.setChecked(errors is not None and errors.pair is None)
        self._opacity.blockSignals(True)
        self._opacity.setValue(round(100 * session.error_opacity))
        self._opacity.blockSignals(False)
        stale = "Score again first." if session.score_outdated else ""
        for widget in (self._errors, self._next, self._confusion):
            widget.setEnabled(not stale)
        whole = errors is not None and errors.pair is None
        self._grounds.mark(str(session.subset) if whole else None, stale=stale)
        what = "errors" if errors is None or errors.pair is None else f"such {session.cell_noun}s"
        cube = session.section.axis is not None
        place = "Next section with" if cube else "Go to the largest group of"
        self._next.setText(f"{place} {what}")
        how = _of_cells(_HOW, session.cell_noun)
        self._picked.setText(how if errors is None or errors.pair is None else self._told(score))

    def _told(self, score: Score) -> str:
        errors = self._session.errors
        assert errors is not None
        assert errors.pair is not None
        truth, predicted = (score.name(number) for number in errors.pair)
        return f"Shown: labelled {truth}, predicted {predicted}. Click again or Esc to end."

    def _copy(self) -> None:
        score = self._session.score
        if score is not None:
            text = table_text(score.evaluation, self._session.subset)
            QGuiApplication.clipboard().setText(text)
            self._session.tell("The figures are on the clipboard.")


def _of_cells(text: str, noun: str) -> str:
    """Let a text on pixels speak of samples where these are what is scored."""
    if noun == "pixel":
        return text
    return text.replace("Pixel", noun.capitalize()).replace("pixel", noun)


def _bars(grounds: tuple[GroundScore, ...], noun: str) -> tuple[Bar, ...]:
    return tuple(
        Bar(g.ground, g.title, g.value, g.interval, _of_cells(g.reason, noun), str(g.part or ""),
            tip="" if not g.units else f"95 % interval from {plural(g.units, g.kind)}")
        for g in grounds
    )  # fmt: skip


def _say(target: QLabel, text: str) -> None:
    """Show a sentence, or hide its label."""
    target.setText(text)
    target.setVisible(bool(text))


def _headline(score: Score, scores: Scores, subset: Subset, ends: PartIntervals) -> str:
    if scores.mean_iou is None:
        return "Labels and prediction have no pixel in common."
    missing = sum(scores.unpredicted)
    more = f"<br>{grouped(missing)} labelled pixels have no prediction and count as wrong."
    part = "" if subset == "all" else f" · {SUBSET_TITLES[subset].lower()} only"
    return (
        f"<b>Mean IoU {score_words(scores.mean_iou, ends.mean_iou)}</b> · accuracy {_figure(scores.pixel_accuracy)}"
        f" · kappa {_figure(scores.kappa)}<br>against {score.against}{part}"
        f"{more if missing else ''}"
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _ends(interval: tuple[float, float] | None) -> str:
    """Write an interval in little room: ".61-.78"."""
    if interval is None:
        return "–"
    low, high = (f"{end:.2f}".removeprefix("0") for end in interval)
    return f"{low}\N{EN DASH}{high}"


def _make_table() -> QTableWidget:
    table = QTableWidget(0, len(_COLUMNS))
    table.setObjectName("score_table")
    for column, (title, tip) in enumerate(_COLUMNS.items()):
        item = QTableWidgetItem(title)
        item.setToolTip(tip)
        if column:
            item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        table.setHorizontalHeaderItem(column, item)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(22)
    table.setShowGrid(False)
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
    table.setTabKeyNavigation(False)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    header.setMinimumSectionSize(30)
    return table

"""Several runs beside each other: curves over each other, scores, and what differs."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from geocnn_gui.events import EpochDone, score_of
from geocnn_gui.gui.theme import colours
from geocnn_gui.gui.widgets.card import label
from geocnn_gui.gui.widgets.curve_plot import Band, Curve, CurvePlot, band_of, score_title
from geocnn_gui.models.unit_scores import UnitScores
from geocnn_gui.scoring.intervals import compare, score_words
from geocnn_gui.scoring.value_gain import ValueRun, gain_words

Epochs = tuple[EpochDone, ...]
#: Told apart by colour-blind eyes too, on light and on dark ground.
RUN_COLOURS = ("#2f7fd1", "#e08a00", "#0b9e6f", "#c9609f", "#d0502f", "#8a8f98")
_TALLEST = 380


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A run as it is compared: facts and settings in words, scores by class name, its epochs.

    A score of None is unknown; `intervals` are their 95 % intervals. `held` are the epochs of each held-out run, `refit` those of the fit to all labels.
    `values` are those of a run that estimates values.
    """

    title: str
    facts: dict[str, str] = field(default_factory=dict)
    scores: dict[str, float | None] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    held: tuple[Epochs, ...] = ()
    refit: Epochs = ()
    units: UnitScores | None = None
    intervals: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    values: ValueRun | None = None


def differences(runs: tuple[ComparedRun, ...]) -> str:
    """Say what every run gains over the first, on the ground that both were scored on."""
    first, said = runs[0], []
    for run in runs[1:]:
        if words := gain_words(first.values, run.values):
            words = words.replace(" -", " \N{MINUS SIGN}").replace("(-", "(\N{MINUS SIGN}")
            said.append(f"{run.title} against {first.title}: {words}.")
            continue
        if first.units is None or run.units is None:
            continue
        found = compare(first.units, run.units)
        gain = found.mean_iou
        if gain.value is None:
            words = "scored on other ground, cannot be compared"
        elif gain.ends is None:
            words = f"{gain.value:+.3f} mean IoU on {found.units} common units, too few to tell"
        else:
            low, high = gain.ends
            chance = ": may be chance" if low <= 0 <= high else ""
            words = f"{gain.value:+.3f} mean IoU ({low:+.3f} to {high:+.3f}){chance}"
        words = words.replace("-0", "\N{MINUS SIGN}0")
        said.append(f"{run.title} against {first.title}: {words}.")
    return "\n".join(said)


class CompareRuns(QDialog):
    """Shows up to as many runs as there are colours; does not block the window."""

    def __init__(self, runs: tuple[ComparedRun, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compare_runs")
        self.setWindowTitle("Compare runs")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        runs = runs[: len(RUN_COLOURS)]
        self.iou, self.loss = CurvePlot("Mean IoU, held out"), CurvePlot("Training loss")
        for plot, name in ((self.iou, "compare_iou"), (self.loss, "compare_loss")):
            plot.setObjectName(name)
            plot.setMinimumHeight(150)
        self._draw(runs)
        self.table = _table(runs)
        plots = QHBoxLayout()
        plots.setSpacing(24)
        plots.addWidget(self.iou)
        plots.addWidget(self.loss)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(12)
        layout.addWidget(_legend(runs))
        layout.addLayout(plots, 1)
        layout.addWidget(self.table)
        if said := differences(runs):
            layout.addWidget(label(said, role="muted", name="compare_differences", wrap=True))
        self.resize(min(1000, 460 + 150 * len(runs)), 620)

    def changeEvent(self, event: QEvent) -> None:
        """Write the names in the new theme's colour."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "table"):
            for row in range(self.table.rowCount()):
                if (item := self.table.item(row, 0)) is not None:
                    item.setForeground(QColor(colours().muted))

    def _draw(self, runs: tuple[ComparedRun, ...]) -> None:
        """Draw the held-out runs; of a run without one the only fit there was."""
        iou: list[Curve] = []
        loss: list[Curve] = []
        bands: list[Band] = []
        for run, colour in zip(runs, RUN_COLOURS, strict=False):
            for held in run.held:
                figures = [(e.epoch, score_of(e)) for e in held]
                points = [(epoch, figure) for epoch, figure in figures if figure is not None]
                iou.append(("", colour, tuple(points)))
                bands.append((colour, band_of(held)))
            losses = [tuple((e.epoch, e.loss) for e in fit) for fit in run.held or (run.refit,)]
            loss += [("", colour, points) for points in losses]
        title = score_title(epoch for run in runs for held in run.held for epoch in held)
        self.iou.show_curves(
            tuple(iou), empty="No held-out score.", bands=tuple(bands), title=title
        )
        self.loss.show_curves(tuple(loss), empty="No epochs.")


def _legend(runs: tuple[ComparedRun, ...]) -> QWidget:
    texts = [
        f"<span style='color:{colour}'>&#9632;</span>&nbsp;{_plain(run.title)}"
        for run, colour in zip(runs, RUN_COLOURS, strict=False)
    ]
    return label("&nbsp;&nbsp;&nbsp;&nbsp; ".join(texts), name="compare_legend", wrap=True)


def _plain(text: str) -> str:
    return escape(text).replace(" ", "&nbsp;")


def rows_of(runs: tuple[ComparedRun, ...]) -> list[tuple[str, str, list[str]]]:
    """Return the lines of the table: heading of the group, name, a text for each run.

    Settings and data that are the same everywhere are left out.
    """
    rows: list[tuple[str, str, list[str]]] = []
    for name in _names([run.facts for run in runs]):
        rows.append(("", name, [run.facts.get(name, "–") for run in runs]))  # noqa: PERF401
    for name in _names([run.scores for run in runs]):
        figures = [_figure(run, name) for run in runs]
        rows.append(("IoU of each class", name, figures))
    for name in _names([run.settings for run in runs]):
        texts = [run.settings.get(name, "–") for run in runs]
        if len(set(texts)) > 1:
            rows.append(("What differs", name, texts))
    return rows


def _figure(run: ComparedRun, name: str) -> str:
    if name not in run.scores:
        return "–"
    return score_words(run.scores[name], run.intervals.get(name), digits=3)


def _names(tables: list[dict[str, str]] | list[dict[str, float | None]]) -> list[str]:
    return list(dict.fromkeys(name for table in tables for name in table))


def _table(runs: tuple[ComparedRun, ...]) -> QTableWidget:
    rows = rows_of(runs)
    table = QTableWidget(0, len(runs) + 1)
    table.setObjectName("compare_table")
    table.setHorizontalHeaderItem(0, QTableWidgetItem(""))
    for column, (run, colour) in enumerate(zip(runs, RUN_COLOURS, strict=False), 1):
        item = QTableWidgetItem(_square(colour), run.title)
        table.setHorizontalHeaderItem(column, item)
    group = ""
    for heading, name, texts in rows:
        if heading != group:
            _add(table, [heading.upper()], muted=True)
            group = heading
        _add(table, [name, *texts], muted=False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(22)
    table.setShowGrid(False)
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
    header.setStyleSheet("background: transparent;")
    table.setFixedHeight(min(_TALLEST, 22 * table.rowCount() + 34))
    return table


def _square(colour: str) -> QIcon:
    picture = QPixmap(10, 10)
    picture.fill(QColor(colour))
    return QIcon(picture)


def _add(table: QTableWidget, texts: list[str], *, muted: bool) -> None:
    row = table.rowCount()
    table.insertRow(row)
    for column, text in enumerate(texts):
        item = QTableWidgetItem(text)
        item.setToolTip(f"<qt>{escape(text)}</qt>")
        if muted or column == 0:
            item.setForeground(QColor(colours().muted))
        table.setItem(row, column, item)

"""The figures of an evaluation as a table: for the clipboard, a CSV or a JSON file."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from geocnn_gui.errors import BadRequest
from geocnn_gui.files import write_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from geocnn_gui.scoring.compare import Subset
    from geocnn_gui.scoring.evaluation import Evaluation
    from geocnn_gui.scoring.metrics import Scores
    from geocnn_gui.scoring.reasons import GroundScore

#: What the parts of the labelled cells are called.
SUBSET_TITLES: dict[Subset, str] = {
    "all": "All", "held_out": "Held out", "trained": "Trained on", "near": "Buffer", "new": "New",
}  # fmt: skip
#: Fields of `Scores` -> what they are called, the most telling first.
FIGURES: dict[str, str] = {
    "mean_iou": "Mean IoU", "mean_f1": "Mean F1", "mean_class_accuracy": "Mean class accuracy",
    "frequency_weighted_iou": "Frequency weighted IoU", "kappa": "Kappa",
    "pixel_accuracy": "Pixel accuracy",
}  # fmt: skip
#: Fields of `ClassScores` -> what they are called.
CLASS_FIGURES: dict[str, str] = {
    "iou": "IoU", "f1": "F1", "precision": "Precision", "recall": "Recall (class accuracy)",
    "accuracy": "Accuracy against the rest", "support": "Labelled cells",
    "predicted": "Predicted cells", "f1_tolerant": "F1 with slack (thin classes)",
}  # fmt: skip
Row = list[str]


def table_text(evaluation: Evaluation, subset: Subset = "all") -> str:
    """Return the figures of a part of the cells as lines with tabs, as spreadsheets take them."""
    scores = evaluation.part(subset)
    rows = [] if scores is None else _rows(scores, SUBSET_TITLES[subset])
    return _lines([*rows, *_remarks(evaluation)], "excel-tab")


def write_report(path: Path, evaluation: Evaluation) -> None:
    """Write all figures as .json or .csv.

    Raises
    ------
    BadRequest
        When the name has another ending.
    CannotWrite
        When the disk is full or the folder cannot be written to; an older file stays.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        text = evaluation.model_dump_json(indent=1)
    elif suffix == ".csv":
        rows: list[Row] = []
        for subset, title in SUBSET_TITLES.items():
            if (scores := evaluation.part(subset)) is not None:
                rows += [*_rows(scores, title), []]
        text = _lines([*rows, *_remarks(evaluation)], "excel")
    else:
        raise BadRequest(
            f"{path} has no ending that a report can have",
            "choose a name that ends in .json or .csv",
        )
    write_bytes(path, text.encode())


def _rows(scores: Scores, title: str) -> list[Row]:
    cells = sum(c.support for c in scores.classes)
    names = [c.name for c in scores.classes]
    return [
        [f"{title} labelled cells", str(cells)],
        *([name, _figure(getattr(scores, key))] for key, name in FIGURES.items()),
        [],
        ["Class", *CLASS_FIGURES.values()],
        *([c.name, *(_figure(getattr(c, key)) for key in CLASS_FIGURES)] for c in scores.classes),
        [],
        ["Label \\ prediction", *names, "No prediction"],
        *(
            [name, *map(str, row), str(missing)]
            for name, row, missing in zip(names, scores.confusion, scores.unpredicted, strict=True)
        ),
    ]


def _remarks(evaluation: Evaluation) -> list[Row]:
    known = [each for each in evaluation.grounds if each.value is not None]
    grounds = [[each.title, _figure(each.value), *_ends(each), each.reason] for each in known]
    titles = ["Ground", "Mean IoU", "From", "To", "Why"]
    said = [[sentence] for sentence in (*evaluation.warnings, *evaluation.notes)]
    return [*([titles, *grounds, []] if grounds else []), *said]


def _ends(ground: GroundScore) -> Row:
    return ["", ""] if ground.interval is None else [_figure(end) for end in ground.interval]


def _figure(value: float | int | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _lines(rows: list[Row], dialect: str) -> str:
    file = io.StringIO()
    csv.writer(file, dialect, lineterminator="\n").writerows(rows)
    return file.getvalue()

"""Look inside a model, and compare a map with labels."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from geocnn_gui.data.source import open_source
from geocnn_gui.events import Event, Saved
from geocnn_gui.inspection.spec import Wish, check_report_name
from geocnn_gui.workflow.destination import check_destination

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from geocnn_gui.data.source import Source
    from geocnn_gui.inspection.report import Report
    from geocnn_gui.inspection.spec import Place
    from geocnn_gui.scoring.evaluation import Evaluation
    from geocnn_gui.scoring.judge_thin import ThinWish


def inspect(
    model: Path, source: Source, place: Place, *, wish: Wish | None = None, out: Path | None = None
) -> Generator[Event, None, Report]:
    """Look inside a model at a place; see `inspection.report.inspect`. Raises as that does."""
    if out is not None:
        check_report_name(out)
        check_destination(out, inputs=(model,))
    from geocnn_gui.inspection.report import inspect as run

    return (yield from run(model, source, place, wish or Wish(), out=out))


def evaluate(
    prediction: Path,
    labels: Path,
    *,
    errors: Path | None = None,
    wish: ThinWish | None = None,
    probabilities: Path | None = None,
    model: Path | None = None,
) -> Generator[Event, None, Evaluation]:
    """Compare a class map with labels of the same grid, both as files; see `scoring.evaluation`.

    With `errors` an error map is written there in the format of its name: 0 unlabelled, 1 right,
    2 wrong; the last event is then `Saved(errors, "error map")`. `probabilities` written beside
    the map give curves of thin classes; `wish` says which are thin. `model` is the file whose
    card says what it reached on held-out ground, where nothing beside the map does.

    Raises
    ------
    UnreadableFile, LabelsMismatch, ModelMismatch, BadRequest, NotEnoughLabels, CannotWrite
        When a file cannot be read or written, the grids differ, the prediction holds no classes,
        or no cell is labelled.
    """
    from geocnn_gui.export.table import check_output, export_prediction
    from geocnn_gui.scoring.evaluation import ERROR_CLASSES, evaluate_source

    with ExitStack() as files:
        source = files.enter_context(open_source(prediction))
        if errors is not None:
            check_output(source, errors)
            check_destination(errors, inputs=(prediction, labels))
        evaluation, error_map = yield from evaluate_source(
            source, labels, wish=wish, probabilities=probabilities, model=model
        )
        if errors is not None:
            for event in export_prediction(error_map, source, ERROR_CLASSES, errors):
                yield Saved(errors, "error map") if isinstance(event, Saved) else event
    return evaluation

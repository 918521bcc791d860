"""A class map against labels, both as files: figures for all cells, and apart for seen and new."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from geocnn_gui.errors import BadRequest, NotEnoughLabels
from geocnn_gui.labels.classes import Classes, LabelClass, classes_for
from geocnn_gui.labels.files import read_label_file
from geocnn_gui.labels.matching import fit_labels, is_named
from geocnn_gui.labels.rasters import names_and_colors
from geocnn_gui.models.weights import read_card
from geocnn_gui.scoring.compare import (
    RIGHT,
    VALUES,
    WRONG,
    Comparison,
    ErrorMap,
    Subset,
    compare,
)
from geocnn_gui.scoring.intervals import score_intervals
from geocnn_gui.scoring.judge_thin import ThinWish, judge_thin, open_shares, shares_in
from geocnn_gui.scoring.metrics import Scores
from geocnn_gui.scoring.reasons import GroundScore, PartIntervals, ground_scores
from geocnn_gui.scoring.seen import CardScores, cautions, seen_beside
from geocnn_gui.scoring.thin import TOLERANCE, CurvePoint

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from geocnn_gui.data.source import Source, Window
    from geocnn_gui.events import Event
    from geocnn_gui.models.unit_scores import UnitScores

#: Formats without names or colours, and what stands in a palette where there is no class.
_ARRAYS, _BLACK = ("NPY", "NPZ"), "#000000"
#: The classes of an error map, in colours that the colour-blind tell apart.
ERROR_CLASSES: Classes = (
    LabelClass(id=RIGHT, name="Right", color="#0072b2"),
    LabelClass(id=WRONG, name="Wrong", color="#e69f00"),
)


class Evaluation(BaseModel):
    """Figures over all labelled cells, and apart over those held out, trained on and new.

    `subsets` leaves out what has no cells and is empty where nothing is known. `known` says
    whether the model tells which cells it was trained on; if not, `notes` says why. `warnings`
    say why the figures may be too good. Of thin classes, by id, `curves` are precision and
    recall at each threshold and `thresholds` the best points, where probabilities were at hand;
    `tolerance` is the slack in cells.
    """

    model_config = ConfigDict(frozen=True)

    scores: Scores
    subsets: dict[Subset, Scores]
    known: bool
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tolerance: int = TOLERANCE
    curves: dict[int, list[CurvePoint]] = Field(default={})
    thresholds: dict[int, CurvePoint] = Field(default={})
    #: 95 % intervals of the figures of each part, "all" among them.
    intervals: dict[Subset, PartIntervals] = Field(default={})
    #: The score on ground seen, held out and new, each with its reason.
    grounds: tuple[GroundScore, ...] = ()

    def part(self, subset: Subset) -> Scores | None:
        """Return the figures of a part of the cells, None where it has none."""
        return self.scores if subset == "all" else self.subsets.get(subset)


def evaluation_of(
    comparison: Comparison,
    names: dict[int, str],
    *,
    known: bool,
    warnings: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    said: CardScores | None = None,
    refit: bool = False,
) -> Evaluation:
    """Return the figures of a comparison, with class names by id; `said` is what the card says.

    After a `refit` what was held out is known to the model as well.
    """
    subsets: dict[Subset, Scores] = {}
    for part in VALUES if known else ():
        if comparison.cells(part):
            subsets[part] = comparison.confusion(part).scores(names)
    scores = comparison.confusion().scores(names)
    parts: dict[Subset, Scores] = {"all": scores, **subsets}
    intervals: dict[Subset, PartIntervals] = {
        part: _ends(each, comparison.units(part)) for part, each in parts.items()
    }
    counted: dict[Subset, tuple[Scores, PartIntervals]] = {
        part: (each, intervals[part]) for part, each in subsets.items()
    }
    learned = None
    if refit and "held_out" in subsets:
        both = comparison.refitted()
        figures = both.confusion("trained").scores(names)
        learned = figures, _ends(figures, both.units("trained"))
    return Evaluation(
        scores=scores, subsets=subsets, intervals=intervals,
        known=known, warnings=warnings, notes=notes,
        grounds=ground_scores(counted, said, known=known, learned=learned),
    )  # fmt: skip


def _ends(scores: Scores, units: UnitScores) -> PartIntervals:
    """Return the intervals of a part over blocks of its labels.

    A class that is predicted there but not labelled counts 0 in the mean, and in both its ends.
    """
    found = score_intervals(units)
    mean, ends = found.mean_iou.value, found.mean_iou.ends
    share = (scores.mean_iou or 0.0) / mean if mean else 1.0
    labelled = [c.id for c in scores.classes if c.support]
    return PartIntervals(
        blocks=found.units,
        mean_iou=None if ends is None else (ends[0] * share, ends[1] * share),
        class_iou={k: iou.ends for k, iou in zip(labelled, found.class_iou, strict=True)},
    )


def evaluate_source(
    source: Source,
    labels: Path,
    *,
    wish: ThinWish | None = None,
    probabilities: Path | None = None,
    model: Path | None = None,
) -> Generator[Event, None, tuple[Evaluation, ErrorMap]]:
    """Compare an opened class map with labels of the same grid.

    Classes are matched by name where both files name them, those of a colour picture by the
    palette of the class map, all others by id. What the model had seen is read from the file
    that a prediction writes beside its map; the card of `model` stands in where that lacks.
    `probabilities` give the curves of thin classes, and `wish` says which those are.

    Raises
    ------
    UnreadableFile, LabelsMismatch, ModelMismatch, BadRequest, NotEnoughLabels
        When a file cannot be read, the grids differ, the map holds no classes, or no cell is
        labelled.
    """
    path = source.path
    assert path is not None
    said = None if model is None else CardScores.of(read_card(model).training)
    given = read_label_file(labels, source)
    ours = _classes_of(source, coloured=given.coloured)
    truth = fit_labels(given, ours, names=(labels.name, path.name))
    if not truth.snapshot.counts:
        raise NotEnoughLabels(f"{labels} labels no cell", "choose a file with labels")
    seen, sentence = seen_beside(path, source.shape)

    def read(window: Window) -> np.ndarray:
        return _read_classes(source, window)

    comparison = yield from compare(truth.snapshot, read, seen.cells if seen else None)
    names = {c.id: c.name for c in (*ours, *truth.classes) if is_named(c)}
    evaluation = evaluation_of(
        comparison,
        names,
        known=seen is not None and seen.card.known,
        warnings=cautions(seen, comparison, (given.snapshot, truth.snapshot)),
        notes=(sentence,) if sentence else (),
        said=said if seen is None else seen.card.scores,
        refit=seen is not None and seen.card.refit,
    )
    ids = [c.id for c in evaluation.scores.classes]
    with (
        nullcontext()
        if probabilities is None
        else open_shares(probabilities, source.shape) as shares
    ):
        changes = yield from judge_thin(
            evaluation.scores, evaluation.subsets, truth.snapshot, read, wish=wish or ThinWish(),
            seen=seen.cells if seen else None,
            shares=None if shares is None
            else shares_in(shares, source.shape, classes_for(ids, names)),
        )  # fmt: skip
    return evaluation.model_copy(update=changes), ErrorMap(truth.snapshot, read)


def _classes_of(prediction: Source, *, coloured: bool) -> Classes:
    """Return the classes that a class map names or colours; for `coloured` labels the latter."""
    if prediction.kind != "raster" or prediction.path is None or prediction.format in _ARRAYS:
        return ()
    names, colors = names_and_colors(prediction.path)
    ids = {i for i, color in colors.items() if color != _BLACK} | set(() if coloured else names)
    classes = classes_for([i for i in ids if 0 < i <= 254], names)
    return tuple(c.model_copy(update={"color": colors.get(c.id, c.color)}) for c in classes)


def _read_classes(source: Source, window: Window) -> np.ndarray:
    values = source.read(window)
    values = values[0] if source.banded else values
    whole = np.nan_to_num(values, nan=0.0) if values.dtype.kind == "f" else values
    if whole.size and (whole.min() < 0 or whole.max() > 254 or np.any(whole != np.rint(whole))):
        raise BadRequest(
            f"{source.path} holds other values than class ids 0 to 254",
            "choose a file that a prediction was saved to",
        )
    return whole.astype(np.uint8)

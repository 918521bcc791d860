"""Predicted values against true ones: figures for all cells, and apart for seen and new."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from geocnn_gui.data.source import Window, open_source
from geocnn_gui.errors import BadRequest, NotEnoughLabels
from geocnn_gui.events import Event, Progress
from geocnn_gui.labels.files import slabs
from geocnn_gui.labels.sample_values import read_table, values_on
from geocnn_gui.labels.targets import target_on
from geocnn_gui.models.ground import HELD_OUT, NEAR, NEW, TRAINED
from geocnn_gui.scoring.compare import VALUES, Subset
from geocnn_gui.scoring.seen import seen_beside
from geocnn_gui.scoring.values import ValueFigures, added, figures, nothing, sums_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from geocnn_gui.data.source import Source
    from geocnn_gui.labels.store import LabelSnapshot
    from geocnn_gui.scoring.seen import Seen

#: Reads values float32 (*window.size), NaN where there is none.
Read = Callable[[Window], np.ndarray]
_GROUNDS = (NEW, TRAINED, HELD_OUT, NEAR)
#: Of a share of cells seen in training above this the figures are those of the training.
_NEARLY_ALL = 0.9


class ValueEvaluation(BaseModel):
    """Figures over all cells with a value, and apart over those held out, trained on and new.

    `subsets` leaves out what has no cells and is empty where nothing is known. `warnings` say why
    the figures may be too good, `notes` why it is not known what the model had seen.
    """

    model_config = ConfigDict(frozen=True)

    target: str
    unit: str
    figures: ValueFigures
    subsets: dict[Subset, ValueFigures]
    known: bool
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def part(self, subset: Subset) -> ValueFigures | None:
        """Return the figures of a part of the cells, None where it has none."""
        return self.figures if subset == "all" else self.subsets.get(subset)


class ValueComparison:
    """The sums of true and predicted values by what the model had seen of their cells.

    Sums are taken around `middle`, about the mean of the truth, so that large values keep their
    digits.
    """

    def __init__(self, middle: float) -> None:
        self._middle = middle
        self._sums: dict[int, np.ndarray] = {ground: nothing() for ground in _GROUNDS}
        self._bias: dict[int, float] = dict.fromkeys(_GROUNDS, 0.0)
        self._missing: dict[int, int] = dict.fromkeys(_GROUNDS, 0)

    def add(self, truth: np.ndarray, found: np.ndarray, ground: np.ndarray | None) -> None:
        """Take true and predicted values of a window, and the values of a `Ground` there."""
        known, there = np.isfinite(truth), np.isfinite(found)
        for value in _GROUNDS:
            own = known if ground is None else known & (ground == value)
            self._missing[value] += int((own & ~there).sum())
            both = own & there
            true, guess = truth[both].astype(np.float64), found[both].astype(np.float64)
            sums = sums_of(true - self._middle, guess - self._middle)
            self._sums[value] = added(np.stack([self._sums[value], sums]))
            self._bias[value] += float((guess - true).sum())
            if ground is None:
                break

    def figures(self, subset: Subset = "all") -> ValueFigures:
        """Return the figures of one part of the cells, or of all."""
        grounds = _GROUNDS if subset == "all" else (VALUES[subset],)
        sums = added(np.stack([self._sums[ground] for ground in grounds]))
        cells, missing = int(sums[0]), sum(self._missing[g] for g in grounds)
        if not cells:
            return ValueFigures(cells=0, missing=missing)
        found = [v if np.isfinite(v) else None for v in figures(sums).tolist()]
        bias = sum(self._bias[g] for g in grounds) / cells
        mae, rmse, r2, psnr = found
        return ValueFigures(
            cells=cells, mae=mae, rmse=rmse, r2=r2, psnr=psnr, bias=bias, missing=missing
        )


def compare_values(
    truth: Read, found: Read, shape: tuple[int, ...], seen: LabelSnapshot | None = None
) -> Generator[Event, None, ValueComparison]:
    """Compare values block by block; without `seen` all cells count as new."""
    comparison: ValueComparison | None = None
    windows = list(slabs(shape))
    for done, window in enumerate(windows, 1):
        true = truth(window)
        if np.isfinite(true).any():
            if comparison is None:
                comparison = ValueComparison(float(np.nanmean(true, dtype=np.float64)))
            ground = None if seen is None else seen.read(window)
            comparison.add(true, found(window), ground)
        if done < len(windows):
            yield Progress(done, len(windows), "Scoring")
    return comparison or ValueComparison(0.0)


def value_evaluation_of(
    comparison: ValueComparison, target: tuple[str, str], seen: Seen | None, sentence: str = ""
) -> ValueEvaluation:
    """Return the figures of a comparison of a `target` (name, unit), and what is known of it."""
    known = seen is not None and seen.card.known
    parts: dict[Subset, ValueFigures] = {}
    for part in VALUES if known else ():
        found = comparison.figures(part)
        if found.cells or found.missing:
            parts[part] = found
    return ValueEvaluation(
        target=target[0], unit=target[1], figures=comparison.figures(), subsets=parts,
        known=known, warnings=_warnings(comparison, seen), notes=(sentence,) if sentence else (),
    )  # fmt: skip


def _warnings(comparison: ValueComparison, seen: Seen | None) -> tuple[str, ...]:
    cells = comparison.figures().cells
    if seen is None or not seen.card.known or not cells:
        return ()
    said = []
    seen_cells = comparison.figures("trained").cells + comparison.figures("held_out").cells
    share = seen_cells / cells
    if share >= _NEARLY_ALL:
        said.append(
            f"The model has seen {share:.0%} of these cells in training: expect less elsewhere."
        )
    if seen.card.refit and comparison.figures("held_out").cells:
        said.append(
            "The final network was fitted to the held-out cells too; its honest figures are those "
            "that the training gave."
        )
    return tuple(said)


def evaluate_values(
    prediction: Source, file: Source, *, band: int | None = None
) -> Generator[Event, None, ValueEvaluation]:
    """Compare an opened map of values with a file of true ones on the same grid.

    Raises
    ------
    LabelsMismatch, BadRequest, NotEnoughLabels
        When the grids differ, the band is missing, or no cell has both values.
    """
    truth, found = target_on(file, prediction, band=band), target_on(prediction, prediction)
    seen, sentence = None, ""
    if prediction.path is not None:
        seen, sentence = seen_beside(prediction.path, prediction.shape)
    comparison = yield from compare_values(
        truth.read, found.read, prediction.shape, seen.cells if seen else None
    )
    if not comparison.figures().cells:
        raise NotEnoughLabels(
            f"{truth.name} and {found.name} have no cell in common that has a value in both",
            "choose the target of this map",
        )
    quantity = truth.name, truth.unit or found.unit
    return value_evaluation_of(comparison, quantity, seen, sentence)


def evaluate_value_files(
    prediction: Path, target: str | Path, *, band: int | None = None
) -> Generator[Event, None, ValueEvaluation]:
    """Compare a map of values with true ones, both as files; `band` of the target counts from 0.

    Raises as `evaluate_values`, and `UnreadableFile`.
    """
    with open_source(prediction) as found, open_source(target) as truth:
        return (yield from evaluate_values(found, truth, band=band))


def evaluate_value_table(
    prediction: Path, table: Path, *, column: str | None = None
) -> Generator[Event, None, ValueEvaluation]:
    """Compare predicted values of samples, a .csv or .npy, with a table of true ones.

    A .npy names no samples, so that a table for it has a row for each in their order.

    Raises
    ------
    UnreadableFile, BadRequest, LabelsMismatch, NotEnoughLabels
        When a file cannot be read, the column is missing, rows and samples do not go together,
        or no sample has both values.
    """
    names, found, title = _predicted(prediction)
    if not names and read_table(table).has_text:
        raise BadRequest(
            f"{prediction.name} does not name its samples and {table.name} does",
            "write the prediction as .csv",
        )
    truth = values_on(table, names or [""] * found.shape[1], column=column)
    seen, sentence = seen_beside(prediction, found.shape)
    comparison = yield from compare_values(
        lambda window: truth.values[None][window.slices], lambda window: found[window.slices],
        found.shape, seen.cells if seen else None,
    )  # fmt: skip
    if not comparison.figures().cells:
        raise NotEnoughLabels(
            f"{prediction.name} and {table.name} have no sample in common with a value in both",
            "choose the values of these samples",
        )
    match = re.fullmatch(r".* \(([^()]*)\)", title)
    name, unit = truth.title, match[1] if match else ""
    said = value_evaluation_of(comparison, (name, unit), seen, sentence)
    return said.model_copy(update={"notes": (*truth.notes, *said.notes)})


def _predicted(path: Path) -> tuple[list[str], np.ndarray, str]:
    """Return names, values float32 (1, n) and the title of what was predicted of samples."""
    if path.suffix.lower() == ".csv":
        table = read_table(path)
        if len(table.titles) != 2:
            raise BadRequest(
                f"{path} has {len(table.titles)} columns and predicted values have two, name and "
                "value", "choose what `geocnn predict` has written",
            )  # fmt: skip
        return table.column(0), table.numbers(1).astype(np.float32)[None], table.titles[1]
    with open_source(path) as source:
        values = source.read(Window.whole(source.shape)).astype(np.float32)
        return [], values.reshape(1, -1), ""

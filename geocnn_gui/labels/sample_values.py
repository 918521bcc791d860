"""One value per sample of a set, read from a table of text (CSV)."""

from __future__ import annotations

import csv
import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.errors import BadRequest, LabelsMismatch, UnreadableFile
from geocnn_gui.labels.targets import TargetValues

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from geocnn_gui.data.source import Source, Window

_MOST_BYTES = 200_000_000
#: Of more samples only these are named in a sentence.
_NAMED = 5
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text: titles, and rows of as many cells, blanks around them removed.

    `decimal` is the sign before the decimals of its numbers. Without a line of titles columns
    are called "column 1", "column 2" ...
    """

    path: Path
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    decimal: str = "."

    def column(self, place: int) -> list[str]:
        """Return the cells of a column, counted from 0."""
        return [row[place] for row in self.rows]

    @property
    def has_text(self) -> bool:
        """Say whether a column holds no number, so that it may name something."""
        return not all(np.isfinite(self.numbers(n)).any() for n in range(len(self.titles)))

    def numbers(self, place: int) -> np.ndarray:
        """Return a column as float64, NaN where a cell is no finite number."""
        return np.array([_number(text, self.decimal) for text in self.column(place)], np.float64)


@dataclass(frozen=True, slots=True)
class SampleValues:
    """Values float32 (n,) of samples, NaN where there is none, and `notes` on what is missing.

    `place` is their column, counted from 0.
    """

    title: str
    values: np.ndarray
    place: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """Values as a grid of one row, a cell for each sample."""

    values: np.ndarray
    banded: bool = False

    def read(self, window: Window) -> np.ndarray:
        return self.values[None][window.slices].copy()


def read_table(path: Path) -> Table:
    """Read a table whose cells are parted by commas, semicolons or tabs.

    Raises
    ------
    UnreadableFile
        When it is missing, no text, empty, too large, or its rows differ in length.
    """
    text = _text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    decimal = "," if delimiter == ";" and "." not in text else "."
    try:
        lines = [
            (number, tuple(cell.strip() for cell in row))
            for number, row in enumerate(csv.reader(text.splitlines(), delimiter=delimiter), 1)
            if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise UnreadableFile(f"{path} is no table: {error}", "choose a CSV file") from error
    if not lines:
        raise UnreadableFile(f"{path} is empty", "choose a CSV file with a value for each sample")
    width = len(lines[0][1])
    for number, row in lines:
        if len(row) != width:
            raise UnreadableFile(
                f"{path}: line {number} has {len(row)} cells and the first has {width}",
                "write as many in every line, empty ones too",
            )
    rows = [row for _, row in lines]
    named = all(math.isnan(_number(cell, decimal)) for cell in rows[0])
    titles = rows[0] if named else tuple(f"column {n}" for n in range(1, width + 1))
    return Table(path, titles, tuple(rows[1:] if named else rows), decimal)


def values_on(
    path: Path, names: Sequence[str], *, column: str | int | None = None
) -> SampleValues:  # fmt: skip
    """Read a value for each of the named samples.

    Rows belong to samples by the column that holds their names (with or without folder and
    ending), or by their order where no column does and there are as many rows as samples.
    `column` is the title of the values, or counts from 0; it may be left out where only one
    column holds numbers. A cell without a number is no value.

    Raises
    ------
    UnreadableFile, BadRequest, LabelsMismatch
        When the table cannot be read, the column is missing or not clear, or rows and samples
        do not go together.
    """
    table = read_table(path)
    given = None if column is None else _place(table, column)
    rows, by = _rows_of(table, names, but=given)
    place = _place(table, None, besides=by) if given is None else given
    numbers, values = table.numbers(place), np.full(len(names), np.nan, np.float32)
    known = [i for i, row in enumerate(rows) if row is not None]
    values[known] = numbers[[row for row in rows if row is not None]]
    values[~np.isfinite(values)] = np.nan  # beyond float32
    used = {row for row in rows if row is not None}
    strangers = [] if by is None else [
        text for row, text in enumerate(table.column(by)) if row not in used
    ]  # fmt: skip
    missing = [names[i] for i in np.flatnonzero(np.isnan(values)).tolist()]
    return SampleValues(
        table.titles[place], values, place,
        (*_order_note(table, by), *_notes(path, names, missing, strangers)),
    )  # fmt: skip


def value_columns(path: Path, names: Sequence[str]) -> tuple[int, ...]:
    """Return which columns of a table may hold the values of samples; raises as `values_on`."""
    table = read_table(path)
    by = _rows_of(table, names, but=None)[1]
    return tuple(table.titles.index(title) for title in _of_numbers(table, by))


def sample_target_on(
    path: Path, source: Source, *, column: str | int | None = None, name: str = "", unit: str = ""
) -> tuple[TargetValues, tuple[str, ...]]:
    """See a table as the target of a sample set; returns it and notes on what is missing.

    Raises as `values_on`, and `BadRequest` where `source` is no sample set.
    """
    if source.samples is None:
        raise BadRequest(
            f"{source.name} is no sample set and {path.name} holds a value for each sample",
            "choose a target on the grid of the data",
        )
    found = values_on(path, source.samples.names, column=column)
    mark = hashlib.sha256(found.values.tobytes()).hexdigest()[:16]
    target = TargetValues(
        name=(name or found.title)[:80], unit=unit[:40], mark=mark, file=source,
        _grid=_Row(found.values),
    )  # fmt: skip
    return target, found.notes


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UnreadableFile(f"{path} is too large for a table", "choose a smaller file")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(
            f"Cannot read {path}: {error.strerror or error}", "choose a CSV file"
        ) from error
    if b"\0" in data:
        raise UnreadableFile(f"{path} is no text", "choose a CSV file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _number(text: str, decimal: str) -> float:
    try:
        value = float(text.replace(",", ".") if decimal == "," else text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _rows_of(
    table: Table, names: Sequence[str], *, but: int | None
) -> tuple[list[int | None], int | None]:
    """Return the row of each sample, None where it has none, and the column that says so."""
    keys = _keys(names)
    hits = [
        0 if place == but else len({keys[t] for t in table.column(place) if t in keys})
        for place in range(len(table.titles))
    ]
    best = int(np.argmax(hits))
    if not hits[best]:
        if len(table.rows) != len(names):
            raise LabelsMismatch(
                f"{table.path} has {len(table.rows):,} rows, of which none names one of the "
                f"{len(names):,} samples",
                "add a column with the names of the samples, or write a row for each in order",
            )
        return list(range(len(names))), None
    rows: list[int | None] = [None] * len(names)
    for row, text in enumerate(table.column(best)):
        index = keys.get(text)
        if index is None:
            continue
        if rows[index] is not None:
            raise BadRequest(
                f"{table.path} names {text} more than once", "leave one row for each sample"
            )
        rows[index] = row
    return rows, best


def _keys(names: Sequence[str]) -> dict[str, int]:
    """Return which sample a text means: its name, and what no other has of its last part."""
    keys = {name: i for i, name in enumerate(names)}
    for shorten in (lambda p: p.name, lambda p: p.stem):
        short = [shorten(PurePath(name)) for name in names]
        counts = Counter(short)
        for i, text in enumerate(short):
            if counts[text] == 1:
                keys.setdefault(text, i)
    return keys


def _place(table: Table, column: str | int | None, *, besides: int | None = None) -> int:
    titles = list(table.titles)
    known = f"choose one of its columns: {', '.join(titles)}"
    if isinstance(column, str) and column:
        if titles.count(column) != 1:
            fact = "several columns" if column in titles else "no column"
            raise BadRequest(f"{table.path} has {fact} {column}", known)
        place = titles.index(column)
    elif isinstance(column, int):
        place = column
    else:
        numeric = _of_numbers(table, besides)
        if len(numeric) > 1:
            raise BadRequest(
                f"{table.path} has {len(numeric)} columns of numbers",
                f"choose one of them: {', '.join(numeric)}",
            )
        place = titles.index(numeric[0]) if numeric else -1
    if not 0 <= place < len(titles) or not np.isfinite(table.numbers(place)).any():
        what = (
            f"no number in {titles[place]}" if 0 <= place < len(titles) else "no column of numbers"
        )
        raise BadRequest(f"{table.path} has {what}", known)
    return place


def _of_numbers(table: Table, besides: int | None) -> tuple[str, ...]:
    return tuple(
        title
        for place, title in enumerate(table.titles)
        if place != besides and np.isfinite(table.numbers(place)).any()
    )


def _order_note(table: Table, by: int | None) -> tuple[str, ...]:
    """Say that rows were taken in order where a column of text might have named others."""
    if by is not None or not table.has_text:
        return ()
    return (f"No column of {table.path.name} names the samples: its rows are taken in order.",)


def _notes(
    path: Path, names: Sequence[str], missing: Sequence[str], strangers: Sequence[str]
) -> tuple[str, ...]:
    said = []
    if missing:
        said.append(
            f"{path.name} has no number for {len(missing):,} of {len(names):,} samples, "
            f"which are left out: {_some(missing)}."
        )
    if strangers:
        said.append(f"{path.name} names samples that are not in the set: {_some(strangers)}.")
    return tuple(said)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"

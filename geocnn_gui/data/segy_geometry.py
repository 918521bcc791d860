"""Find how the traces of a SEG-Y file lie: a line, or a cube of inlines and crosslines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.data.segy_headers import read_words
from geocnn_gui.data.source import Axis

if TYPE_CHECKING:
    from geocnn_gui.data.segy_headers import FileBytes, FileHeader

#: First bytes of the (inline, crossline) words to try, the usual ones first.
LAYOUTS = (
    (189, 193), (5, 21), (9, 21), (17, 25), (181, 185), (21, 25), (221, 21), (221, 225),
    (189, 17), (189, 21), (5, 17), (9, 17), (9, 193), (221, 193),
)  # fmt: skip
STANDARD = LAYOUTS[0]
#: Every header is read up to here; beyond, a regular order is checked at samples of the file.
FULL_SCAN = 50_000
_BLOCK = 20_000
_CHECKS = 1_500
_LEAST_FILLED = 0.2


@dataclass(frozen=True)
class Geometry:
    """The trace axes, and which trace of the file stands in each cell.

    `axes` is one axis for a line, (inline, crossline) for a cube. Cell (i, j) of a cube holds
    trace `i * strides[0] + j * strides[1]`, or `table[i, j]` (-1: missing) where the order is
    irregular. `layout` names the header words used, None for a line without any.
    """

    axes: tuple[Axis, ...]
    strides: tuple[int, ...] = (1,)
    table: np.ndarray | None = None
    layout: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()

    def numbers(self, *parts: slice) -> np.ndarray:
        """Return the trace numbers (int64, -1 where missing) of the cells in `parts`."""
        if self.table is not None:
            return self.table[parts]
        places = zip(self.axes, parts, self.strides, strict=True)
        cells = [np.arange(axis.size)[part] * stride for axis, part, stride in places]
        return cells[0] if len(cells) == 1 else cells[0][:, None] + cells[1]


def find_geometry(file: FileBytes, header: FileHeader) -> Geometry:
    """Try the known layouts and return the cube that fits best, else a line.

    A file of up to `FULL_SCAN` traces is scanned whole. In a larger one some 2,000 headers are
    read, and a regular order that explains all of them is believed; only when there is none,
    but inlines and crosslines are there, is every header read.
    """
    numbers = _sample_numbers(header.traces)
    words = read_words(file, header, numbers)
    candidates = [pair for pair in LAYOUTS if _could_be_grid(words, pair, numbers)]
    if len(numbers) == header.traces:
        cube = _best_cube(words, candidates, numbers)
        return cube or _line(words, numbers, header.traces, gathers=STANDARD in candidates)
    for pair in candidates:
        if (cube := _regular_cube(file, header, (words, numbers), pair)) is not None:
            return cube
    if candidates:
        everything = _scan(file, header, candidates)
        if (cube := _best_cube(everything, candidates, np.arange(header.traces))) is not None:
            return cube
    return _line(words, numbers, header.traces, gathers=STANDARD in candidates)


def _sample_numbers(traces: int) -> np.ndarray:
    """Return all trace numbers of a small file, else both ends and an even, jittered choice."""
    if traces <= FULL_SCAN:
        return np.arange(traces)
    jitter = np.random.default_rng(0).uniform(0, 1, _CHECKS)
    spread = ((np.arange(_CHECKS) + jitter) / _CHECKS * traces).astype(np.int64)
    ends = np.arange(256)
    return np.unique(np.concatenate([ends, spread, traces - 1 - ends]))


def _scan(file: FileBytes, header: FileHeader, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Read the words of `pairs` from every header, block by block."""
    names = sorted({f"w{byte}" for pair in pairs for byte in pair})
    words = np.empty(header.traces, [(name, np.int32) for name in names])
    for start in range(0, header.traces, _BLOCK):
        stop = min(start + _BLOCK, header.traces)
        block = read_words(file, header, np.arange(start, stop))
        for name in names:
            words[name][start:stop] = block[name]
    return words


def _word(words: np.ndarray, byte: int) -> np.ndarray:
    return words[f"w{byte}"].astype(np.int64)


def _could_be_grid(words: np.ndarray, pair: tuple[int, int], numbers: np.ndarray) -> bool:
    """Say whether both words vary and neither only counts the traces of the file."""
    for byte in pair:
        values = _word(words, byte)
        if values.min() == values.max() or _is_linear(values, numbers):
            return False
    if pair == STANDARD:
        return True
    # The other words mean shots and channels in gathers, where the offset varies.
    return np.ptp(_word(words, 37)) == 0


def _is_linear(values: np.ndarray, numbers: np.ndarray) -> bool:
    """Say whether `values` progress by one step per trace."""
    if len(values) < 2 or values[1] == values[0]:
        return False
    step = (values[1] - values[0]) // (numbers[1] - numbers[0])
    return bool(np.all(values == values[0] + (numbers - numbers[0]) * step))


def _best_cube(
    words: np.ndarray, candidates: list[tuple[int, int]], numbers: np.ndarray
) -> Geometry | None:
    """Return the first layout that fills its grid, else the one that fills it best."""
    best, best_filled = None, 0.0
    for pair in candidates:
        cube, filled = _cube(_word(words, pair[0]), _word(words, pair[1]), pair, numbers)
        if cube is not None and filled > best_filled + 1e-9:
            best, best_filled = cube, filled
        if best_filled > 0.999:
            break
    return best


def _cube(
    inlines: np.ndarray, crosslines: np.ndarray, pair: tuple[int, int], numbers: np.ndarray
) -> tuple[Geometry | None, float]:
    """Return the cube these words span and the share of its cells that hold a trace."""
    known = (inlines != 0) | (crosslines != 0)  # both 0: a null trace
    axes = (_axis("inline", inlines[known]), _axis("crossline", crosslines[known]))
    cells = axes[0].size * axes[1].size
    if min(axes[0].size, axes[1].size) < 2 or cells > 20 * len(inlines):
        return None, 0.0
    at = [
        ((values[known] - axis.first) / axis.step).astype(np.int64)
        for axis, values in zip(axes, (inlines, crosslines), strict=True)
    ]
    flat, first_seen = np.unique(at[0] * axes[1].size + at[1], return_index=True)
    filled, traces = len(flat) / cells, int(known.sum())
    if filled < _LEAST_FILLED or len(flat) < 0.9 * traces:
        return None, 0.0
    table = np.full(cells, -1, np.int64)
    table[flat] = numbers[known][first_seen]
    notes = _cube_notes(cells - len(flat), traces - len(flat), int((~known).sum()), pair)
    table = table.reshape(axes[0].size, axes[1].size)
    return Geometry(axes, table=table, layout=pair, notes=notes), filled


def _axis(name: str, values: np.ndarray) -> Axis:
    """Return the evenly spaced axis that holds all `values`, running as the file does."""
    unique = np.unique(values)
    if len(unique) < 2:
        return Axis(name, "", float(unique[0]) if len(unique) else 0.0, 1.0, len(unique))
    step = int(np.gcd.reduce(np.diff(unique)))
    size = int(unique[-1] - unique[0]) // step + 1
    moves = np.diff(values)
    falling = np.median(moves[moves != 0]) < 0
    first, step = (unique[-1], -step) if falling else (unique[0], step)
    return Axis(name, "", float(first), float(step), size)


def _cube_notes(missing: int, doubled: int, null: int, pair: tuple[int, int]) -> tuple[str, ...]:
    notes = []
    if pair != STANDARD:
        notes.append(
            f"Inlines and crosslines were found at header bytes {pair[0]} and {pair[1]}, "
            "not the standard 189 and 193."
        )
    if missing:
        notes.append(f"{missing:,} cells of the grid hold no trace; they are masked.")
    if doubled:
        notes.append(f"{doubled:,} traces repeat an inline and crossline; the first is used.")
    if null:
        notes.append(f"{null:,} traces without inline and crossline are left out.")
    return tuple(notes)


def _regular_cube(
    file: FileBytes,
    header: FileHeader,
    sample: tuple[np.ndarray, np.ndarray],
    pair: tuple[int, int],
) -> Geometry | None:
    """Return the cube whose regular order explains every sampled header, or None."""
    words, numbers = sample
    slow, fast = pair
    if words[f"w{slow}"][1] != words[f"w{slow}"][0]:
        slow, fast = fast, slow
    length = _run_length(file, header, slow)
    if length < 2 or header.traces % length or header.traces == length:
        return None
    corner = read_words(file, header, np.array([0, 1, length]))
    slow_0, fast_0 = int(corner[f"w{slow}"][0]), int(corner[f"w{fast}"][0])
    slow_step = int(corner[f"w{slow}"][2]) - slow_0
    fast_step = int(corner[f"w{fast}"][1]) - fast_0
    expected_slow = slow_0 + numbers // length * slow_step
    expected_fast = fast_0 + numbers % length * fast_step
    if not slow_step or not fast_step:
        return None
    if not np.array_equal(_word(words, slow), expected_slow):
        return None
    if not np.array_equal(_word(words, fast), expected_fast):
        return None
    spans = {
        slow: (slow_0, slow_step, header.traces // length, length),
        fast: (fast_0, fast_step, length, 1),
    }
    first, second = spans[pair[0]], spans[pair[1]]
    return Geometry(
        axes=(
            Axis("inline", "", float(first[0]), float(first[1]), first[2]),
            Axis("crossline", "", float(second[0]), float(second[1]), second[2]),
        ),
        strides=(first[3], second[3]),
        layout=pair,
        notes=_cube_notes(0, 0, 0, pair),
    )


def _run_length(file: FileBytes, header: FileHeader, byte: int) -> int:
    """Return how many traces from the first on share its word at `byte`, by bisection."""

    def value(number: int) -> int:
        return int(read_words(file, header, np.array([number]))[f"w{byte}"][0])

    start, low, high = value(0), 0, 1
    while high < header.traces and value(high) == start:
        low, high = high, high * 2
    high = min(high, header.traces)
    while high - low > 1:
        middle = (low + high) // 2
        if value(middle) == start:
            low = middle
        else:
            high = middle
    return high


def _line(words: np.ndarray, numbers: np.ndarray, traces: int, *, gathers: bool) -> Geometry:
    """Return a line along the word that progresses evenly: inline or crossline, CDP, else 1.. ."""
    notes = ()
    if gathers:
        notes = ("The traces form no regular grid; they are shown as one line in file order.",)
    inlines, crosslines = _word(words, STANDARD[0]), _word(words, STANDARD[1])
    choices = (
        ("inline", inlines, 189, np.ptp(crosslines) == 0 and crosslines[0] != 0),
        ("crossline", crosslines, 193, np.ptp(inlines) == 0 and inlines[0] != 0),
        ("cdp", _word(words, 21), 21, True),
    )
    for name, values, byte, allowed in choices:
        if allowed and _is_linear(values, numbers):
            step = float(values[1] - values[0])
            axis = Axis(name, "", float(values[0]), step, traces)
            return Geometry((axis,), layout=(byte,), notes=notes)
    return Geometry((Axis("trace", "", 1.0, 1.0, traces),), notes=notes)

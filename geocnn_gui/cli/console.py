"""Draw a task's events on standard error, and results on standard output."""

from __future__ import annotations

import json
import math
import signal
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from geocnn_gui.events import EpochDone, Event, Note, Progress, Saved

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

    from rich.progress import Progress as Bar

#: Seconds between two lines of progress where standard error is no terminal.
_PACE = 5.0
#: What is done within so many seconds needs no line.
_SOON = 0.5


@dataclass
class Outcome:
    """What a task said: its notes, what it saved, whether it was stopped, how long it took."""

    notes: list[str] = field(default_factory=list)
    saved: list[Saved] = field(default_factory=list)
    stopped: bool = False
    seconds: float = 0.0


def follow(events: Generator[Event]) -> Outcome:
    """Draw events until the task ends; Ctrl-C stops it gently, a second one at once.

    Stopping closes the generator, so that it saves what it can.
    """
    outcome, start = Outcome(), time.monotonic()
    with _interrupts() as interrupted, _screen() as screen:
        for event in events:
            screen.show(event)
            match event:
                case Note():
                    outcome.notes.append(event.text)
                case Saved():
                    outcome.saved.append(event)
                case _:
                    pass
            if interrupted.is_set():
                outcome.stopped = True
                break
        if outcome.stopped:
            screen.say("Stopping ...")
            events.close()
    outcome.seconds = round(time.monotonic() - start, 2)
    return outcome


def print_json(result: dict[str, Any]) -> None:
    """Print one JSON object on standard output; NaN and infinities become null."""
    click.echo(json.dumps(_finite(result), allow_nan=False, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


@contextmanager
def _interrupts() -> Generator[threading.Event]:
    """Turn the first Ctrl-C into an event that is set; the second one interrupts as usual."""
    asked = threading.Event()

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            signal.default_int_handler(number, frame)
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _screen() -> Generator[_Lines]:
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Bar(bar)


class _Lines:
    """Plain lines, now and then, for logs and pipes."""

    def __init__(self) -> None:
        self._last = time.monotonic() - _PACE + _SOON
        self._step = ""

    def show(self, event: Event) -> None:
        match event:
            case Progress():
                self.progress(event)
            case EpochDone():
                self.say(_epoch(event))
            case Note():
                self.say(f"Warning: {event.text}" if event.warning else event.text)
            case Saved():
                self.say(f"Saved {event.what}: {event.path}")
            case _:
                pass

    def say(self, text: str) -> None:
        click.echo(text, err=True)

    def progress(self, event: Progress) -> None:
        if event.total == 0:  # how far is not known: say it once
            if event.text != self._step:
                self._step = event.text
                self.say(event.text)
        elif time.monotonic() - self._last >= _PACE:
            self._last = time.monotonic()
            self.say(f"{event.text} {_left(event)}")


class _Bar(_Lines):
    """One moving bar on a terminal, with everything else scrolling above it."""

    def __init__(self, bar: Bar) -> None:
        super().__init__()
        self._bar = bar
        self._task = bar.add_task("", total=None, left="")

    def say(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False)

    def progress(self, event: Progress) -> None:
        self._bar.update(
            self._task, completed=event.done, total=event.total or None,
            description=event.text, left=_left(event),
        )  # fmt: skip


def _left(event: Progress) -> str:
    if event.total == 0:
        return ""
    share = f"{100 * event.done // event.total} %"
    if event.seconds_left is None:
        return share
    minutes, seconds = divmod(round(event.seconds_left), 60)
    return f"{share}, {minutes}:{seconds:02d} left"


def _epoch(event: EpochDone) -> str:
    stage = {"holdout": "Held-out run", "refit": "Refit"}.get(event.stage, event.stage)
    if event.leaky:
        stage = "Leaky run"
    elif event.folds > 1:
        stage = f"Fold {event.fold + 1} of {event.folds}"
    text = f"{stage}, epoch {event.epoch} of {event.epochs}: loss {event.loss:.3f}"
    if event.holdout_rmse is not None:
        r2 = "" if event.holdout_r2 is None else f", R2 {event.holdout_r2:.3f}"
        return f"{text}, held-out RMSE {event.holdout_rmse:.4g}{r2}"
    if event.holdout_iou is None:
        return text
    ends = event.holdout_interval
    interval = "" if ends is None else f" ({ends[0]:.2f} to {ends[1]:.2f})"
    return f"{text}, held-out IoU {event.holdout_iou:.3f}{interval}"

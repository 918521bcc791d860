"""`geocnn train --find-rate`: try learning rates, train nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from geocnn_gui.cli.console import follow, print_json
from geocnn_gui.events import RateFound, RateTried

if TYPE_CHECKING:
    from collections.abc import Generator

    from geocnn_gui.events import Event

#: Of the curve about so many points are printed.
_LINES = 20


def find_and_print(events: Generator[Event], *, as_json: bool) -> bool:
    """Follow a search for a learning rate and print its curve; say whether it was stopped."""
    tried: list[RateTried] = []
    found: list[float] = []

    def watched() -> Generator[Event]:
        for event in events:
            if isinstance(event, RateTried):
                tried.append(event)
            elif isinstance(event, RateFound):
                found.append(event.rate)
            yield event

    outcome = follow(watched())
    rate = found[0] if found else None
    if as_json:
        print_json({
            "learning_rate": rate, "rates": [each.rate for each in tried],
            "losses": [each.loss for each in tried], "stopped": outcome.stopped,
            "seconds": outcome.seconds, "notes": outcome.notes,
        })  # fmt: skip
        return outcome.stopped
    for each in tried[:: max(1, len(tried) // _LINES)]:
        click.echo(f"{each.rate:8.1e}  loss {each.loss:.4f}")
    if rate is not None:
        click.echo(f"Take it with --set training.learning_rate={rate:g}")
    return outcome.stopped

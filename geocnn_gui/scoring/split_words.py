"""What a split plan says of itself, a sentence each, for the panel, the log and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geocnn_gui.scoring.buffer import MOST_LOST
from geocnn_gui.scoring.choose_unit import HELD_UNITS
from geocnn_gui.scoring.split_spec import LEAKY

if TYPE_CHECKING:
    from geocnn_gui.scoring.split_plan import SplitPlan


def split_words(plan: SplitPlan) -> tuple[str, ...]:
    """Return what is held out and why."""
    if not plan.folds:
        return (f"Nothing is held out: {_why_nothing(plan)}.",)
    found = [f"Held out by {plan.unit} ({plan.reason}): {_how_much(plan)}."]
    if plan.unit != LEAKY:
        down, along = plan.buffer
        cells = f"{down}" if down == along else f"{down} down and {along} along"
        found.append(f"Buffer in cells: {cells}, {plan.wanted_for}.")
    if plan.tests:
        found.append(f"{_units(len(plan.tests))} kept for the test, never trained on.")
    return tuple(found)


def split_warnings(plan: SplitPlan) -> tuple[str, ...]:
    """Return what makes the score less than it seems."""
    found = []
    if plan.folds and plan.unit == LEAKY:
        found.append(
            "Single pixels are held out beside pixels that are trained on: "
            "the score says nothing about new ground."
        )
    if plan.capped:
        found.append(
            f"A buffer of {max(plan.wanted)} cells would take more than {MOST_LOST:.0%} of a "
            f"class's labels; with {max(plan.buffer)} the score may be optimistic."
        )
    if plan.folds and plan.unknown:
        names = ", ".join(plan.classes[k] for k in plan.unknown)
        found.append(f"{names}: labelled in too few places to hold any out; its score is unknown.")
    if plan.unit != LEAKY and (few := _too_few(plan)):
        found.append(few)
    if plan.missing:
        found.append(f"Of the kept split {_units(plan.missing)} without labels left out.")
    return tuple(found)


def _too_few(plan: SplitPlan) -> str:
    """Say that the score comes from very few units, and what more folds would do about it."""
    held = sum(role >= 0 for role in plan.roles)
    if not 0 < held < HELD_UNITS:
        return ""
    said = f"Only {_units(held)} held out: the score may be far off"
    if plan.folds == 1 and len(plan.units) > held:
        return f"{said}. With {HELD_UNITS} folds it would come from up to {len(plan.units)} units."
    return f"{said}."


def _how_much(plan: SplitPlan) -> str:
    held = sum(role >= 0 for role in plan.roles)
    if plan.folds > 1:
        return f"{plan.folds} folds" + ("" if plan.unit == LEAKY else f" over {_units(held)}")
    parts = plan.parts(0)
    share = parts.held.sum() / max(int(parts.total.sum()), 1)
    return f"{share:.0%} of the labels" + ("" if plan.unit == LEAKY else f" in {_units(held)}")


def _units(number: int) -> str:
    return "1 unit" if number == 1 else f"{number} units"


def _why_nothing(plan: SplitPlan) -> str:
    if not plan.units:
        return "there are no labels yet"
    if not plan.spec.share:
        return "the share is 0"
    return f"the labels lie in too few places for a split by {plan.unit}"

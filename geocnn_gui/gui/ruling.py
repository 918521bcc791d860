"""The session's rules of painting: locked classes, only unlabelled cells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from geocnn_gui.gui.tooling import Tooling
from geocnn_gui.labels.classes import by_id

if TYPE_CHECKING:
    from geocnn_gui.labels.rules import PaintRules


class Ruling(Tooling):
    """State that knows what painting must leave alone."""

    def lock_class(self, number: int, locked: bool) -> None:
        """Keep the labels of a class as they are, or let them be changed again."""
        if by_id(self.classes, number) is not None and not self.why_read_only():
            ids = self.rules.locked | {number} if locked else self.rules.locked - {number}
            self.set_rules(replace(self.rules, locked=ids))

    def turn_lock(self, number: int) -> None:
        """Lock a class, or unlock it."""
        self.lock_class(number, number not in self.rules.locked)

    def set_only_unlabelled(self, only: bool) -> None:
        """Paint only cells without a label from now on, or any."""
        self.set_rules(replace(self.rules, only_unlabelled=only))

    def set_accept_from(self, share: float) -> None:
        """Accept a prediction only where its confidence is at least `share` (0 to 1)."""
        share = round(min(max(share, 0.0), 1.0), 3)
        if share != self.accept_from:
            self.accept_from = share
            self.rules_changed.emit()

    def set_rules(self, rules: PaintRules) -> None:
        """Paint by other rules from now on; a stroke in hand is written by them too."""
        if rules != self.rules:
            self.rules = rules
            self.rules_changed.emit()

    def why_locked(self, number: int) -> str:
        """Say why the labels of a class stay as they are; "" where they may be changed."""
        found = by_id(self.classes, number)
        if found is None or number not in self.rules.locked:
            return ""
        return f"{found.name} is locked: its lock in the Classes panel opens it."

    def _tell_spared(self, value: int | None) -> None:
        """Say why a stroke of one value, or of several, was kept from every cell by the rules."""
        if value is not None and (reason := self.why_locked(value)):
            self.tell(reason)
        elif value and by_id(self.classes, value) is None:
            self.tell("Nothing was painted: the class was deleted meanwhile.")
        elif self.rules.only_unlabelled and value != 0:
            self.tell(
                f"Nothing was painted: only unlabelled {self.cell_noun}s are (key U), and there "
                "are none of them here that may be changed."
            )
        else:
            self.tell(f"Nothing was changed: every {self.cell_noun} there is of a locked class.")

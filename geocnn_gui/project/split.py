"""A split made by hand, as a project keeps it: it names sources by their ids in the project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from geocnn_gui.errors import UnreadableFile
from geocnn_gui.models.spec import Spec
from geocnn_gui.scoring.split_spec import SplitChoice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LARGEST = 50_000_000


class KeptSplit(Spec):
    """A choice of units, and the ids of the sources that its numbers stand for."""

    choice: SplitChoice = Field(title="Units")
    entries: tuple[str, ...] = Field(title="Sources")

    def choice_for(self, entries: Sequence[str]) -> SplitChoice:
        """Return the choice with the numbers that sources have in a training on `entries`.

        Units of sources that are gone are left out.
        """
        number = {
            old: entries.index(name) for old, name in enumerate(self.entries) if name in entries
        }
        roles = {}
        for unit, role in self.choice.roles.items():
            source, colon, rest = unit.partition(":")
            if source.isdecimal() and int(source) in number:
                roles[f"{number[int(source)]}{colon}{rest}"] = role
        cuts = {number[old]: each for old, each in self.choice.cuts.items() if old in number}
        return self.choice.model_copy(update={"roles": roles, "cuts": cuts})


def read_choice(path: Path) -> SplitChoice:
    """Return the split made by hand that a file keeps: a project.json, a run.json, or one alone.

    Raises
    ------
    UnreadableFile
        When it cannot be read, or keeps none.
    """
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(_LARGEST))
        for key in ("training", "split", "choice"):
            if isinstance(data, dict) and key in data:
                data = data[key]
        return SplitChoice.model_validate(data)
    except (OSError, ValueError, ValidationError) as error:
        fact = str(error) if isinstance(error, OSError) else f"{path} keeps no split made by hand"
        raise UnreadableFile(
            fact, "give the project.json or run.json of a project where units were moved"
        ) from error

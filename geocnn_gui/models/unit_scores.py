"""What a run predicted in each unit that was held out from it."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict


class UnitScores(BaseModel):
    """What was predicted in each held-out unit; kept with a run, so that runs can be compared.

    `kind` says what a unit is, `ids` name them. `tables[u][i][j]` counts the cells of class
    number i (from 0) in the truth of unit u that were predicted as class j, in the last column
    those without a prediction, which count as wrong.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    ids: tuple[str, ...]
    tables: tuple[tuple[tuple[int, ...], ...], ...]

    @property
    def counts(self) -> np.ndarray:
        """Return the tables, float64 (units, classes, classes + 1)."""
        return np.array(self.tables, float)

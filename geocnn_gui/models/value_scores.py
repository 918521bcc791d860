"""What a run for continuous values came to in each unit that was held out from it."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict


class ValueScores(BaseModel):
    """Sums over the cells of each held-out unit; kept with a run.

    `kind` says what a unit is, `ids` name them. `sums[u]` are, of the cells of unit u: their
    number, the sums of |error|, error squared, truth and truth squared, and the lowest and
    highest truth. Errors are predicted less true; both are in standard deviations of the target
    around its mean.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    ids: tuple[str, ...]
    sums: tuple[tuple[float, ...], ...]

    @property
    def table(self) -> np.ndarray:
        """Return the sums, float64 (units, 7)."""
        return np.array(self.sums, float).reshape(-1, 7)

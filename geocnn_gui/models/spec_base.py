"""What every spec is made from; `geocnn_gui.models.spec` gathers the specs themselves."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

ADVANCED: dict[str, Any] = {"advanced": True}


class Spec(BaseModel):
    """Something a user configures: frozen, saved as JSON, unknown keys refused.

    Every field has a `title` (the form's label) and a `description` (one line: what it does).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

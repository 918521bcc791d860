"""Version 2 keeps what the panels say and how the work was left, and the highest source id."""

from __future__ import annotations

from typing import Any


def migrate(data: dict[str, Any]) -> dict[str, Any]:
    """Return a version 1 project as version 2: nothing is known yet of specs and views."""
    return {**data, "version": 2, "last_source_id": _last_id(data.get("sources"))}


def _last_id(sources: object) -> int:
    """Return the highest number of an id; what is no source is left for the reader to refuse."""
    ids = [s.get("id") for s in sources if isinstance(s, dict)] if isinstance(sources, list) else []
    numbers = [i[1:] for i in ids if isinstance(i, str) and len(i) <= 7 and i[:1] == "s"]
    return max((int(n) for n in numbers if n.isascii() and n.isdecimal()), default=0)

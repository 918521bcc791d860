"""Where a project keeps what was learned of its data without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def backbone_path(folder: Path, domain: str, bands: int) -> Path:
    """Return the file for sources of a domain and number of bands; it may not exist yet."""
    return folder / "backbones" / f"{domain}-{bands}.safetensors"

"""A figure of samples side by side, each with its class and the answer of a network."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.errors import BadRequest
from geocnn_gui.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ENDINGS = (".png", ".pdf", ".svg")
_INCHES, _DOTS = 2.4, 200


def check_figure(out: Path) -> None:
    """Raise `BadRequest` where a name does not end as a figure's does."""
    if out.suffix.lower() not in ENDINGS:
        raise BadRequest(f"{out} is no figure", "choose a name that ends in .png, .pdf or .svg")


def draw_samples(
    samples: Sequence[np.ndarray], titles: Sequence[str], out: Path, *, title: str = ""
) -> None:
    """Draw samples float (rows, columns) in a row, a trace (length, 1) as a line.

    Raises
    ------
    BadRequest, CannotWrite
        When the name ends otherwise, the disk is full or the folder cannot be written to.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    check_figure(out)
    figure = Figure((_INCHES * len(samples), _INCHES + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (values, text) in enumerate(zip(samples, titles, strict=True), 1):
        axes = figure.add_subplot(1, len(samples), number)
        if values.shape[1] == 1:
            axes.plot(values[:, 0], color="black", linewidth=1)
            axes.fill_between(np.arange(len(values)), values[:, 0], 0, where=values[:, 0] > 0,
                              color="black", alpha=0.5)  # fmt: skip
            axes.set_xlabel("Sample")
            axes.set_ylim(-1, 1)
        else:
            axes.imshow(values, cmap="gray", interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
        axes.set_title(text, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=10)
    content = BytesIO()
    figure.savefig(content, format=out.suffix.lower()[1:], dpi=_DOTS)
    write_bytes(out, content.getvalue())

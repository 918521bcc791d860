"""The pages of the Inspect panel: maps, kernels, why, reach, slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QSpinBox, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import grouped, label
from geocnn_gui.gui.widgets.choice_row import ChoiceRow
from geocnn_gui.gui.widgets.kernel_view import KernelView
from geocnn_gui.gui.widgets.map_grid import MapGrid
from geocnn_gui.gui.widgets.value_pair import ValuePair
from geocnn_gui.inspection.sliding import banded_matrix
from geocnn_gui.inspection.spec import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.gui.session import Session
    from geocnn_gui.inspection.fields import Field
    from geocnn_gui.inspection.looking import Seen, Sliding

_TIMES = "\u00d7"
#: Cells on each side of the place that a map of what is looked at shows at least.
_LEAST_MAP = 12


class _Page(QWidget):
    """A page that draws an answer."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)

    def show_seen(self, seen: Seen) -> None:
        """Draw an answer to a question of this page."""
        raise NotImplementedError


class MapsPage(_Page):
    """The feature maps of a layer; the chosen one lies over the data."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._grid = MapGrid(name="inspect_maps")
        self._grid.picked.connect(lambda number: session.set_question(channel=number))
        self._layout.addWidget(self._grid, 1)

    def show_seen(self, seen: Seen) -> None:
        """Draw the maps."""
        if seen.maps is None:
            return
        rows, columns = seen.span
        at = ((seen.look.at[0] + 0.5 - rows[0]) / (rows[1] - rows[0]),
              (seen.look.at[1] + 0.5 - columns[0]) / (columns[1] - columns[0]))  # fmt: skip
        inside = min(seen.maps.shape[1:]) > 1 and min(at) >= 0 and max(at) <= 1
        self._grid.show_maps(
            seen.maps, seen.question.channel, signed=bool(seen.maps.min() < 0),
            at=at if inside else None,
        )  # fmt: skip


class KernelsPage(_Page):
    """The kernels of a convolution, for one of its inputs."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._told = label(role="muted", name="inspect_kernels_told", wrap=True)
        self._band = _spin("inspect_kernel_band", lambda value: session.set_question(band=value))
        self._grid = MapGrid(name="inspect_kernels")
        self._grid.picked.connect(lambda number: session.set_question(channel=number))
        line = QHBoxLayout()
        line.addWidget(self._told, 1)
        self._input = label("Input", role="muted")
        line.addWidget(self._input)
        line.addWidget(self._band)
        self._layout.addLayout(line)
        self._layout.addWidget(self._grid, 1)

    def show_seen(self, seen: Seen) -> None:
        """Draw the kernels."""
        kernels = seen.kernels
        if kernels is None:
            return
        inputs, form = kernels.shape[1], kernels.shape[2:]
        band = min(seen.question.band, inputs - 1)
        _set(self._band, band, inputs - 1)
        for widget in (self._band, self._input):
            widget.setVisible(inputs > 1)
        shown = kernels[:, band]
        shown = shown[:, len(form) and form[0] // 2] if len(form) == 3 else shown
        self._told.setText(f"{len(kernels)} kernels of {seen.kernels_of}, {_by(form)}")
        self._grid.show_maps(shown, seen.question.channel, signed=True)


class WhyPage(_Page):
    """What speaks for the chosen class."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        titles = {"grad-cam": "Grad-CAM", "integrated": "Gradients", "occlusion": "Occlusion"}
        self._method = ChoiceRow(titles, name="inspect_method", title="How to attribute")
        for key, title in METHODS.items():
            self._method.explain(key, "", tip=title)
        self._method.chosen.connect(lambda key: session.set_question(method=key))
        self._told = label(name="inspect_why", wrap=True)
        self._how = label(role="muted", wrap=True)
        self._pair = ValuePair(name="inspect_attribution")
        for widget in (self._method, self._told, self._pair, self._how):
            self._layout.addWidget(widget)
        self._layout.addStretch(1)

    def show_seen(self, seen: Seen) -> None:
        """Say what is drawn over the data."""
        found = seen.attribution
        if found is None:
            return
        self._method.choose(found.method)
        name = seen.outputs[seen.output].name
        against = "" if found.method == "grad-cam" else ", blue against it"
        self._told.setText(f"Red over the data speaks for {name}{against}.")
        self._how.setText(_EXPLAINED[found.method] + _gap_text(found.gap))
        self._pair.show_pair(seen.look.picture[0], found.values, at=seen.look.at, signed=True)


_EXPLAINED = {
    "grad-cam": "The maps of the deepest convolution, each weighted by how much the class hangs"
    " on it. Click a class above to explain another.",
    "integrated": "Each cell's share of the class's logit, summed along the way from no data to"
    " these data. Click a class above to explain another.",
    "occlusion": "By how much the class's logit falls where a square of the data is covered."
    " Click a class above to explain another.",
}


def _percent(share: float) -> str:
    return f"{share:.0f}" if share >= 1 else f"{share:.2g}"


def _gap_text(gap: float | None) -> str:
    return "" if gap is None else f" The shares miss the whole by {100 * gap:.1f} %."


class ReachPage(_Page):
    """What the network can see, and what it looks at."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._of_layer = QCheckBox("Of the layer, not of the answer")
        self._of_layer.setObjectName("inspect_of_layer")
        self._of_layer.clicked.connect(lambda on: session.set_question(of_layer=on))
        self._can = label(name="inspect_can_see", wrap=True)
        self._does = label(name="inspect_does_see", wrap=True)
        self._how = label(
            "The map is the mean gradient by each cell over windows of this survey"
            " (Luo and others 2016). Cells count from 4.55 % of the largest.",
            role="muted", wrap=True,
        )  # fmt: skip
        self._pair = ValuePair(name="inspect_weights")
        for widget in (self._of_layer, self._can, self._does, self._pair, self._how):
            self._layout.addWidget(widget)
        self._layout.addStretch(1)

    def show_seen(self, seen: Seen) -> None:
        """Write the sizes of both fields."""
        self._of_layer.setChecked(seen.question.of_layer)
        whole, used = seen.theoretical, seen.effective
        if whole is None or used is None:
            return
        more = " or more: the window ends there" if whole.cut else ""
        self._can.setText(
            f"<span style='color:#ff3b6b'>\u25a0</span> It can see {_by(whole.size)} cells{more}."
        )
        self._show_map(seen, used)
        share = 100 * used.cells / max(1, whole.cells)
        self._does.setText(
            f"<span style='color:#ffb000'>\u25a0</span> It looks at {_by(used.size)}:"
            f" {grouped(used.cells)} cells count, {_percent(share)} % of those it can see."
        )

    def _show_map(self, seen: Seen, used: Field) -> None:
        """Draw the part of the map where something is to be seen, and the data there."""
        reach = max(_LEAST_MAP, *used.size)
        at = (-used.map_rows.start, -used.map_columns.start)
        data, here = seen.look.picture[0], seen.look.at
        before = [min(reach, *places) for places in zip(at, here, strict=True)]
        parts = [
            values[tuple(slice(a - b, a + reach + 1) for a, b in zip(place, before, strict=True))]
            for values, place in ((data, here), (used.weights, at))
        ]
        form = tuple(min(sizes) for sizes in zip(*(part.shape for part in parts), strict=True))
        data, weights = (part[: form[0], : form[1]] for part in parts)
        self._pair.show_pair(data, weights, at=(before[0], before[1]), signed=False)


class SlidePage(_Page):
    """A kernel at work at the place."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._matrix = False
        self._seen: Seen | None = None
        self._way = ChoiceRow({"": "Correlation", "flipped": "Convolution"},
                              name="inspect_way", title="How the kernel is laid")  # fmt: skip
        self._way.explain("", "", tip="Not flipped: what networks compute")
        self._way.explain("flipped", "", tip="Flipped in rows and columns: what filters compute")
        self._way.chosen.connect(lambda key: session.set_question(flipped=bool(key)))
        self._form = ChoiceRow({"": "Window", "matrix": "Matrix"}, name="inspect_form",
                               title="What is drawn")  # fmt: skip
        self._form.explain("matrix", "", tip="The middle column of the kernel as a banded matrix")
        self._form.choose("")
        self._form.chosen.connect(self._choose_form)
        self._kernel = _spin("inspect_kernel", lambda value: session.set_question(channel=value))
        self._band = _spin("inspect_band", lambda value: session.set_question(band=value))
        self._view = KernelView(name="inspect_kernel_view")
        self._told = label(name="inspect_response", wrap=True)
        line = QHBoxLayout()
        for text, spin in (("Kernel", self._kernel), ("Input", self._band)):
            line.addWidget(label(text, role="muted"))
            line.addWidget(spin, 1)
        for widget in (self._way, self._form):
            self._layout.addWidget(widget)
        self._layout.addLayout(line)
        self._layout.addWidget(self._view, 1)
        self._layout.addWidget(self._told)

    def _choose_form(self, form: str) -> None:
        self._matrix = bool(form)
        if self._seen is not None:
            self.show_seen(self._seen)

    def show_seen(self, seen: Seen) -> None:
        """Draw the calculation."""
        self._seen, sliding = seen, seen.sliding
        if sliding is None:
            return
        flipped = seen.question.flipped
        self._way.choose("flipped" if flipped else "")
        _set(self._kernel, sliding.kernel, sliding.kernels - 1)
        _set(self._band, sliding.band, sliding.bands - 1)
        if self._matrix:
            self._show_matrix(sliding, flipped=flipped)
        else:
            self._show_window(sliding)

    def _show_window(self, sliding: Sliding) -> None:
        step, band = sliding.step, sliding.band
        parts = (("Data", step.window[band]), ("Kernel", step.kernel[band]),
                 ("Products", step.products[band]))  # fmt: skip
        self._view.show_parts(parts, (_TIMES, "="))
        own = float(step.products[band].sum())
        text = f"{sliding.layer}: the products add up to {own:.3g}"
        if sliding.bands > 1:
            text += f", those of all {sliding.bands} inputs to {step.response:.3g}"
        text += f"; with the bias {step.response + sliding.bias:.3g}."
        self._told.setText(text.replace(" -", " \u2212"))

    def _show_matrix(self, sliding: Sliding, *, flipped: bool) -> None:
        trace, taps = sliding.trace, sliding.taps
        if len(taps) > len(trace):
            self._view.show_parts((), ())
            self._told.setText("The kernel is longer than the trace here.")
            return
        matrix = banded_matrix(taps, len(trace), flipped=flipped)
        parts = (("Kernel as a matrix", matrix), ("Trace", trace[:, None]),
                 ("", (matrix @ trace)[:, None]))  # fmt: skip
        self._view.show_parts(parts, (_TIMES, "="))
        way = "convolve" if flipped else "correlate"
        self._told.setText(
            f"Each row is the kernel's middle column, moved by one sample: numpy.{way} of the"
            f" {len(trace)} samples around the place."
        )


def _spin(name: str, changed: Callable[[int], object]) -> QSpinBox:
    spin = QSpinBox()
    spin.setObjectName(name)
    spin.setKeyboardTracking(False)
    spin.valueChanged.connect(changed)
    return spin


def _set(spin: QSpinBox, value: int, last: int) -> None:
    spin.blockSignals(True)
    spin.setRange(0, max(0, last))
    spin.setValue(value)
    spin.blockSignals(False)
    spin.setEnabled(last > 0)


def _by(sizes: tuple[int, ...]) -> str:
    return f" {_TIMES} ".join(map(str, sizes))

"""Whether the weights that a training begins with are here, and the ways out if not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import enable, label, link
from geocnn_gui.models.pretrained import published, weights_path, why_no_weights
from geocnn_gui.models.spec import PretrainedSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from geocnn_gui.gui.session import Session


class WeightsLine(QWidget):
    """Says whether the weights that a training begins with are here, and the ways out if not."""

    def __init__(self, session: Session, *, use: Callable[[str], None]) -> None:
        super().__init__()
        self.setObjectName("weights")
        self._session = session
        self._text = label(role="caption", name="weights_line", wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._download = link("Download", session.start_download, name="download_weights")
        self._ways = QWidget()
        ways = QHBoxLayout(self._ways)
        ways.setContentsMargins(3, 2, 0, 6)
        ways.setSpacing(16)
        ways.addWidget(self._download)
        ways.addWidget(link("Go without", lambda: use("none"), name="no_weights"))
        ways.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._text)
        layout.addWidget(self._ways)
        session.specs_changed.connect(self.refresh)
        session.job_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Look whether the weights are here."""
        spec = self._session.model_spec
        if not isinstance(spec, PretrainedSpec):
            return  # another network was chosen; this line goes with its form
        missing, file = why_no_weights(spec), published(spec)
        self._text.setText(_weights_sentence(spec, missing))
        self._text.setProperty("role", "warning" if missing else "caption")
        self._text.setIndent(3 if missing else -1)  # where the captions of other fields begin
        self._text.style().polish(self._text)
        self._ways.setVisible(bool(missing))
        self._download.setVisible(spec.weights == "imagenet")
        self._download.setText(f"Download ({file.megabytes} MB)")
        enable(self._download, self._session.why_not_now(), tip=file.url)

    def changeEvent(self, event: QEvent) -> None:
        """Look again when the user comes back, perhaps from putting the file there."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.refresh()


def _weights_sentence(spec: PretrainedSpec, missing: str) -> str:
    path = weights_path(spec)
    if not spec.pretrained:
        return "Learns from your labels alone; nothing is frozen."
    if spec.weights != "imagenet":
        return missing or f"Begins with {path}."
    if missing:
        return f"{missing} By hand: put {path.name} into {path.parent}."
    return f"ImageNet weights found in {path.parent}."

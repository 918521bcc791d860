"""Train the network from where Live is, and choose which of the two lies over the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QRadioButton, QVBoxLayout, QWidget

from geocnn_gui.gui.widgets.card import button, enable, label

if TYPE_CHECKING:
    from geocnn_gui.gui.session import Session

_TIP = (
    "A U-Net that begins with what Live has learned, on all labels as they are now; painting and "
    "Live go on. It is shown where it is better on what was held out."
)
_VERDICT_TIP = (
    "Mean IoU on the same held-out ground. The network's is that of the epoch that was best there, "
    "which flatters it a little; Live chooses nothing there."
)


class NetworkGroup(QWidget):
    """A button; where there are both, whether Live or the network is shown, and which is better."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("network_group")
        self._session = session
        self._train = button(
            "Train the network from here", session.train_from_here, name="train_from_here"
        )
        self._choice = QWidget()
        self._live, self._network = QRadioButton("Live"), QRadioButton("Network")
        self._live.setObjectName("show_live")
        self._network.setObjectName("show_network")
        self._live.clicked.connect(lambda: session.show_map("live"))
        self._network.clicked.connect(lambda: session.show_map("network"))
        self._verdict = label(role="muted", name="live_verdict", wrap=True)
        self._verdict.setToolTip(_VERDICT_TIP)
        group = QButtonGroup(self)
        line = QHBoxLayout(self._choice)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(12)
        line.addWidget(label("Show", role="muted"))
        for one in (self._live, self._network):
            group.addButton(one)
            line.addWidget(one)
        line.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self._train)
        layout.addWidget(self._choice)
        layout.addWidget(self._verdict)
        for signal in (session.source_changed, session.classes_changed, session.labels_changed,
                       session.job_changed, session.project_changed, session.live.toggled,
                       session.map_changed, session.overlay_changed,
                       session.target_changed):  # fmt: skip
            signal.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        session = self._session
        enable(self._train, session.why_no_training_from_here(), tip=_TIP)
        self._choice.setVisible(not session.why_no_choice())
        shown = self._live if session.shown == "live" else self._network
        shown.setChecked(True)
        self._verdict.setText(session.verdict)
        self._verdict.setVisible(bool(session.verdict))

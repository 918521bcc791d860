"""From the start of the program to the first paint of its window; torch must not be imported."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from _rows import head, private_home, row

TIMES = 7
LIMIT = 1.0  # s
CHILD = """
import json, sys, time
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow
from geocnn_gui.gui.app import main

class Watch(QObject):
    seen = False
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint and isinstance(watched, QMainWindow) and not self.seen:
            self.seen = True
            QTimer.singleShot(0, self.report)  # after the paint
        return False
    def report(self):
        heavy = sorted({'torch', 'scipy', 'rasterio', 'segyio', 'skimage'} & set(sys.modules))
        print(json.dumps({'at': time.monotonic(), 'heavy': heavy, 'cpu': time.process_time()}), flush=True)
        QApplication.instance().quit()

app = QApplication(sys.argv[:1])
watch = Watch()
app.installEventFilter(watch)
sys.exit(main([]))
"""


def once() -> tuple[float, float, list[str]]:
    """Start the program; return wall and CPU seconds until painted, and heavy modules imported."""
    start = time.monotonic()  # one clock for all processes
    child = [sys.executable, "-c", CHILD]
    out = subprocess.run(child, check=True, capture_output=True, text=True, timeout=60)
    said = json.loads(out.stdout.splitlines()[-1])
    return said["at"] - start, said["cpu"], said["heavy"]


def main() -> None:
    """Print the rows."""
    with private_home():
        seconds, cpu, heavy = zip(*(once() for _ in range(TIMES)), strict=True)
    middle = sorted(seconds)[TIMES // 2]
    torch = any("torch" in names for names in heavy)
    head()
    row(
        "window on screen after start",
        f"{middle:.2f} s ({min(seconds):.2f}-{max(seconds):.2f}, {TIMES} starts;"
        f" {sorted(cpu)[TIMES // 2]:.2f} s of CPU)",
        f"{LIMIT:.1f} s",
        within=middle <= LIMIT,
    )
    row(
        "torch imported by then",
        "yes" if torch else f"no (others: {', '.join(heavy[-1]) or 'none'})",
        "no",
        within=not torch,
    )


if __name__ == "__main__":
    main()

"""Exports of polygons that end without warning."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_vectors import Ids, noisy, read, run, scene

pytestmark = pytest.mark.slow
EXPORT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_vectors import CLASSES, Ids, noisy, scene
from geocnn_gui.export import vectors
vectors._STRIP_CELLS, vectors._BATCH = 3000, 300
task = vectors.export_vectors(Ids(noisy((150, 150), 1)), scene((150, 150)), CLASSES, Path(sys.argv[2]))
for event in task:
    print(event, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("suffix", ["gpkg", "shp"])
def test_that_a_killed_export_leaves_the_older_file_and_the_next_one_clears_up(suffix, tmp_path):
    out, small = tmp_path / f"map.{suffix}", np.ones((3, 3), np.uint8)
    run(Ids(small), scene(small.shape), out)
    names = sorted(p.name for p in tmp_path.iterdir())
    for steps in (1, 5, 9, 14):
        task = subprocess.Popen(
            [sys.executable, "-c", EXPORT, str(Path(__file__).parent), str(out)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        with task:
            assert task.stdout is not None
            for _ in range(steps):
                task.stdout.readline()
            task.send_signal(signal.SIGKILL)
        assert len(read(out)[1]) == 1
    ids = noisy((20, 20))
    run(Ids(ids), scene(ids.shape), out)
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert read(out)[2]["cells"].sum() == np.count_nonzero(ids)

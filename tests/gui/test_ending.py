from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_that_a_program_told_to_end_leaves_no_mark_of_a_crash(tmp_path, number):
    home, data = tmp_path / "home", tmp_path / "line.npy"
    np.save(data, np.random.default_rng(0).normal(size=(60, 80)).astype(np.float32))
    environment = {**os.environ, "GEOCNN_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
    program = subprocess.Popen(
        [sys.executable, "-m", "geocnn_gui", str(data)], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    marks = home / "open"
    try:
        deadline = time.monotonic() + 60
        while not (marks.is_dir() and any(marks.iterdir())) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert any(marks.iterdir())
        program.send_signal(number)
        assert program.wait(30) == 0, program.communicate()[0]
    finally:
        program.kill()
        program.communicate()
    assert not any(marks.iterdir())

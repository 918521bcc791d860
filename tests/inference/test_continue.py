"""A prediction that was stopped, killed or broken off goes on where it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from geocnn_gui.data.source import Section
from geocnn_gui.events import Note, Progress, TileDone
from geocnn_gui.inference.device import choose_device
from geocnn_gui.inference.journal import JOURNAL, Journal, read_record, runs
from geocnn_gui.inference.predict import predict
from geocnn_gui.inference.spec import PredictionSpec
from geocnn_gui.inference.store import PredictionStore
from geocnn_gui.models.spec import UNetSpec

UNET = UNetSpec(depth=2, width=8)


@pytest.fixture(autouse=True)
def one_way(monkeypatch):
    """Two tasks that both begin anew may find other ways to be the quickest."""
    monkeypatch.setattr(
        "geocnn_gui.inference.engine.probe_fast_cpu", lambda *_, device, **__: device
    )


@pytest.fixture
def task(make_net, make_card, tmp_path):
    """Predict a source into a folder; return the events. Tiles are small."""

    def task(source, name, *, stop_after=None, spec=None, model="m 1", core=32, **options):
        card, net = make_card(UNET), make_net(UNET)
        net.core = core
        store = PredictionStore.create(
            tmp_path / name, source, card.classes, model=model, probabilities=True
        )
        steps = predict(net, card, source, store, device=choose_device("cpu"), spec=spec, **options)
        events, tiles = [], 0
        for event in steps:
            events.append(event)
            tiles += isinstance(event, TileDone)
            if stop_after is not None and tiles >= stop_after:
                steps.close()
        return events

    return task


def _bytes(folder) -> dict[str, bytes]:
    names = ("classes.npy", "confidence.npy", "probabilities.npy")
    return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.parametrize("tiling", ["exact", "blended"])
@pytest.mark.parametrize("shape", [(120, 70), (3, 40, 50)])
def test_that_a_task_stopped_at_every_tile_ends_as_one_that_was_not(
    task, make_source, tmp_path, shape, tiling
):
    source, spec = make_source(shape), PredictionSpec(tiling=tiling)
    tiles = sum(isinstance(e, TileDone) for e in task(source, "whole", spec=spec))
    assert tiles >= 4
    new = 0
    for _ in range(tiles):
        events = task(source, "stopped", stop_after=1, spec=spec)
        new += sum(isinstance(e, TileDone) for e in events)
        if PredictionStore.open(tmp_path / "stopped").complete:
            break
    task(source, "stopped", spec=spec)
    assert new <= tiles
    assert PredictionStore.open(tmp_path / "stopped").complete
    assert PredictionStore.open(tmp_path / "stopped").tiling == tiling
    assert _bytes(tmp_path / "stopped") == _bytes(tmp_path / "whole")


def test_that_only_what_is_missing_is_predicted_and_progress_begins_there(task, make_source):
    source = make_source((120, 70))
    first = sum(isinstance(e, TileDone) for e in task(source, "a", stop_after=5))
    events = task(source, "a")
    second = [e for e in events if isinstance(e, TileDone)]
    steps = [e for e in events if isinstance(e, Progress)]
    assert first + len(second) <= steps[0].total + 1
    assert steps[0].done >= first
    assert any(isinstance(e, Note) and e.text.startswith("Going on") for e in events)
    again = task(source, "a")
    assert not [e for e in again if isinstance(e, TileDone)]
    assert any("predicted already" in e.text for e in again if isinstance(e, Note))


@pytest.mark.parametrize(
    "changed", [{"spec": PredictionSpec(flips=True)}, {"model": "m 2"},
                {"spec": PredictionSpec(precision="float32")}],
)  # fmt: skip
def test_that_tiles_of_another_model_or_manner_do_not_count(task, make_source, changed):
    source = make_source((70, 70))
    tiles = [e for e in task(source, "a") if isinstance(e, TileDone)]
    again = [e for e in task(source, "a", **changed) if isinstance(e, TileDone)]
    assert set(tiles) == set(again)


def test_that_another_budget_of_memory_does_not_begin_anew(task, make_source):
    source = make_source((70, 70))
    task(source, "a", stop_after=2)
    events = task(source, "a", spec=PredictionSpec(memory=500))
    assert any(isinstance(e, Note) and e.text.startswith("Going on") for e in events)


def test_that_a_whole_prediction_takes_over_single_sections(task, make_source, tmp_path):
    source = make_source((4, 20, 24))
    task(source, "a", sections=[Section(0, 2)])
    done = [e for e in task(source, "a") if isinstance(e, TileDone)]
    assert {e.offset[0] for e in done} == {0, 1, 3}
    assert read_record(tmp_path / "a").whole


@pytest.mark.parametrize("damage", ["torn", "empty", "text", "version"])
def test_that_a_damaged_journal_costs_at_most_the_tiles_it_named(
    task, make_source, tmp_path, damage
):
    source = make_source((120, 70))
    task(source, "whole")
    task(source, "a", stop_after=5)
    path = tmp_path / "a" / JOURNAL
    lines = path.read_bytes()
    first = json.loads(lines.splitlines()[0])
    path.write_bytes(
        {"torn": lines[:-4], "empty": b"", "text": b"\xff\xfe no",
         "version": json.dumps({**first, "version": 99}).encode()}[damage]
    )  # fmt: skip
    task(source, "a")
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "whole")


def test_that_cells_last_before_they_are_said_to_be_done(task, make_source, monkeypatch):
    order = []
    flush = PredictionStore.flush
    append = Journal._append
    monkeypatch.setattr(PredictionStore, "flush", lambda s: order.append("cells") or flush(s))
    monkeypatch.setattr(
        Journal, "_append",
        lambda j, lines: order.extend(k for line in lines for k in line) or append(j, lines),
    )  # fmt: skip
    task(make_source((70, 70)), "a")
    assert order.index("cells") < order.index("done")


def test_that_runs_are_half_open():
    assert runs([3, 4, 5, 9]) == [(3, 6), (9, 10)]
    assert runs(np.array([], int)) == []


KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from geocnn_gui import workflow
from geocnn_gui.data.source import open_source
from geocnn_gui.events import TileDone
from geocnn_gui.inference import engine, journal
from geocnn_gui.models.networks import UNet
UNet.core = 64
engine.probe_fast_cpu = lambda *_, device, **__: device
journal._PACE = journal._SHARE = 1e-9
model, data, folder = map(Path, sys.argv[1:])
with open_source(data) as source:
    for event in workflow.predict(model, source, folder=folder, device="cpu"):
        if isinstance(event, TileDone):
            print("tile", flush=True)
print("end", flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="killed by a signal")
def test_that_a_killed_prediction_ends_as_one_that_was_not(make_net, make_card, tmp_path):
    from geocnn_gui.models.weights import save_model

    values = np.random.default_rng(0).normal(size=(300, 260)).astype(np.float32)
    np.save(tmp_path / "map.npy", values)
    save_model(tmp_path / "m.safetensors", make_net(UNET), make_card(UNET))

    def go(name, tiles):
        """Kill after `tiles`; say how many came and whether it ended before."""
        command = [sys.executable, "-c", KILLED, *map(str, (
            tmp_path / "m.safetensors", tmp_path / "map.npy", tmp_path / name))]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            came = 0
            for line in process.stdout:
                if line == "end\n":
                    return came, True
                came += 1
                if came == tiles:
                    process.send_signal(signal.SIGKILL)
                    break
        return came, False

    total, ended = go("whole", None)
    assert ended
    assert total == 25
    for tiles in (1, 4, 9, 5, 30):
        _, ended = go("killed", tiles)
    assert ended
    assert PredictionStore.open(tmp_path / "killed").complete
    assert _bytes(tmp_path / "killed") == _bytes(tmp_path / "whole")


@pytest.mark.parametrize("tiling", ["exact", "blended"])
def test_that_a_task_goes_on_in_the_memory_of_today(
    task, make_source, tmp_path, monkeypatch, tiling
):
    from geocnn_gui.models.networks import UNet

    monkeypatch.setattr("geocnn_gui.inference.plan._BATCH_PIXELS", {"cpu": 1})
    source = make_source((400, 300))
    spec = PredictionSpec(tiling=tiling, precision="float32", memory=4000)
    task(source, "whole", spec=spec, core=256)
    task(source, "a", stop_after=1, spec=spec, core=256)
    seen, real = [], UNet.logits_in

    def logits_in(self, pictures, rows, columns):
        if pictures.device.type != "meta":
            seen.append(pictures[0, 0].numel() * len(pictures))
        return real(self, pictures, rows, columns)

    monkeypatch.setattr(UNet, "logits_in", logits_in)
    monkeypatch.setattr("geocnn_gui.inference.predict.budget", lambda *_: 10_000_000)
    events = task(source, "a", spec=spec, core=256)
    assert any("planned for more memory" in e.text for e in events if isinstance(e, Note))
    assert max(seen) < 180 * 180
    for name in ("classes.npy", "confidence.npy", "probabilities.npy"):  # one rounding apart
        ours, whole = (np.load(tmp_path / folder / name) for folder in ("a", "whole"))
        least = 0 if name == "classes.npy" else 1
        assert np.abs(ours.astype(int) - whole.astype(int)).max() <= least
